// A surface as half-edges, with borders, for work that changes it one edge at a time.
//
// Half-edge h = 3 f + k goes from corner k of face f to the next one. Each vertex is one fan of
// faces: where several meet, or an edge has more than two faces or two that are turned, vertices
// are there once a fan, and such edges are borders of all their faces.
#pragma once
#include <algorithm>
#include <vector>

#include "../common/hd.h"

namespace meshlearn {

class HalfEdges {
 public:
  HalfEdges(const int64_t* face, int64_t faces, int64_t vertices) : given_(vertices) {
    vert_.resize(3 * faces);
    for (int64_t h = 0; h < 3 * faces; ++h) vert_[h] = static_cast<int32_t>(face[h]);
    odd_.assign(vertices, 0);
    link();
    split_fans();
  }

 protected:
  static int64_t next(int64_t h) { return h % 3 == 2 ? h - 2 : h + 1; }
  static int64_t prev(int64_t h) { return h % 3 == 0 ? h + 2 : h - 1; }
  int64_t from(int64_t h) const { return vert_[h]; }
  int64_t to(int64_t h) const { return vert_[next(h)]; }
  // The given vertex that v is a part of.
  int64_t whole(int64_t v) const { return v < given_ || v >= first_new_ ? v : split_[v - given_]; }

  // Calls f(h) for the half-edges that leave v, counter-clockwise; at a border from the first.
  template <class F>
  void around(int64_t v, F f) const {
    const int64_t start = out_[v];
    for (int64_t h = start; h >= 0;) {
      f(h);
      h = twin_[prev(h)];
      if (h == start) break;
    }
  }
  // Calls f(w) for the neighbours of v.
  template <class F>
  void beside(int64_t v, F f) const {
    around(v, [&](int64_t h) {
      f(to(h));
      if (twin_[prev(h)] < 0) f(from(prev(h)));
    });
  }

  int64_t split_edge(int64_t h);
  void flip_edge(int64_t h);
  void collapse_edge(int64_t h, int64_t u, int64_t v);

  int64_t given_, first_new_ = 0;  // vertices at first, and where those begin that are made
  std::vector<int32_t> vert_, twin_, out_, valence_, split_;
  std::vector<uint8_t> border_, feature_, dead_;
  std::vector<uint8_t>
      odd_;  // vertices that were several fans, or at an edge of other than 2 faces
  std::vector<int32_t> free_faces_, free_vertices_;

 private:
  void link();
  void split_fans();
  int64_t new_face();
};

// Pairs half-edges of edges that have two faces with one orientation. Other edges than borders are
// features of kind 2.
inline void HalfEdges::link() {
  const int64_t half = static_cast<int64_t>(vert_.size());
  twin_.assign(half, -1);
  feature_.assign(half, 0);
  dead_.assign(half / 3, 0);
  auto low = [&](int64_t h) { return from(h) < to(h) ? from(h) : to(h); };
  std::vector<int32_t> start(given_ + 1, 0), order(half);
  for (int64_t h = 0; h < half; ++h) ++start[low(h) + 1];
  for (int64_t v = 0; v < given_; ++v) start[v + 1] += start[v];
  std::vector<int32_t> place(start.begin(), start.end());
  for (int64_t h = 0; h < half; ++h) order[place[low(h)]++] = static_cast<int32_t>(h);
  for (int64_t v = 0; v < given_; ++v) {
    auto other = [&](int64_t h) { return from(h) == v ? to(h) : from(h); };
    std::sort(order.data() + start[v], order.data() + start[v + 1], [&](int32_t a, int32_t b) {
      return other(a) < other(b) || (other(a) == other(b) && a < b);
    });
    for (int32_t i = start[v]; i < start[v + 1];) {
      int32_t end = i + 1;
      while (end < start[v + 1] && other(order[end]) == other(order[i])) ++end;
      const int32_t a = order[i], b = order[end - 1];
      if (end == i + 2 && from(a) != from(b)) {
        twin_[a] = b;
        twin_[b] = a;
      } else if (end > i + 1) {
        odd_[v] = odd_[other(a)] = 1;
        for (int32_t k = i; k < end; ++k) feature_[order[k]] = 2;
      } else {
        feature_[a] = 1;
      }
      i = end;
    }
  }
}

inline void HalfEdges::split_fans() {
  const int64_t half = static_cast<int64_t>(vert_.size());
  out_.assign(given_, -1);
  valence_.assign(given_, 0);
  border_.assign(given_, 0);
  const std::vector<int32_t> old = vert_;
  std::vector<uint8_t> seen(half, 0);
  for (int pass = 0; pass < 2; ++pass) {  // fans with an end start there
    for (int64_t h = 0; h < half; ++h) {
      if (seen[h] || (pass == 0 && twin_[h] >= 0)) continue;
      int64_t v = old[h];
      if (out_[v] >= 0) {
        odd_[v] = 1;
        split_.push_back(static_cast<int32_t>(v));
        v = static_cast<int64_t>(out_.size());
        odd_.push_back(1);
        out_.push_back(-1);
        valence_.push_back(0);
        border_.push_back(0);
      }
      out_[v] = static_cast<int32_t>(h);
      for (int64_t g = h; g >= 0;) {
        seen[g] = 1;
        vert_[g] = static_cast<int32_t>(v);
        ++valence_[v];
        g = twin_[prev(g)];
        if (g == h) break;
        if (g < 0) {
          ++valence_[v];
          border_[v] = 1;
        }
      }
    }
  }
  first_new_ = static_cast<int64_t>(out_.size());
}

inline int64_t HalfEdges::new_face() {
  if (!free_faces_.empty()) {
    const int64_t f = free_faces_.back();
    free_faces_.pop_back();
    dead_[f] = 0;
    return f;
  }
  dead_.push_back(0);
  vert_.resize(vert_.size() + 3, 0);
  twin_.resize(twin_.size() + 3, -1);
  feature_.resize(feature_.size() + 3, 0);
  return static_cast<int64_t>(dead_.size()) - 1;
}

// A new vertex on h, and a new face on each side of it; the vertex's other arrays are the caller's.
inline int64_t HalfEdges::split_edge(int64_t h) {
  const int64_t t = twin_[h], u = from(h), v = to(h);
  int64_t m = static_cast<int64_t>(out_.size());
  if (free_vertices_.empty()) {
    out_.push_back(-1);
    valence_.push_back(0);
    border_.push_back(0);
    odd_.push_back(0);
  } else {
    m = free_vertices_.back();
    free_vertices_.pop_back();
  }
  border_[m] = t < 0;
  odd_[m] = 0;
  valence_[m] = t < 0 ? 3 : 4;
  const uint8_t kind = feature_[h];
  // (x, y, apex) becomes (x, m, apex), and (m, y, apex) is new
  auto cut = [&](int64_t g, int64_t y) {
    const int64_t n = next(g), made = 3 * new_face();
    const int64_t apex = from(prev(g)), across = twin_[n];
    vert_[made] = static_cast<int32_t>(m);
    vert_[made + 1] = static_cast<int32_t>(y);
    vert_[made + 2] = static_cast<int32_t>(apex);
    vert_[n] = static_cast<int32_t>(m);
    twin_[made + 1] = static_cast<int32_t>(across);
    if (across >= 0) twin_[across] = static_cast<int32_t>(made + 1);
    twin_[n] = static_cast<int32_t>(made + 2);
    twin_[made + 2] = static_cast<int32_t>(n);
    feature_[made + 1] = feature_[n];
    feature_[n] = feature_[made + 2] = 0;
    feature_[made] = kind;
    if (out_[y] == n) out_[y] = static_cast<int32_t>(made + 1);
    ++valence_[apex];
    return made;
  };
  const int64_t one = cut(h, v);
  out_[m] = static_cast<int32_t>(one);
  twin_[one] = static_cast<int32_t>(t);
  if (t >= 0) {
    const int64_t two = cut(t, u);
    twin_[t] = static_cast<int32_t>(one);
    twin_[h] = static_cast<int32_t>(two);
    twin_[two] = static_cast<int32_t>(h);
  }
  return m;
}

// Turns h, which has two faces, within them: from (u, v, a) and (v, u, b) to (b, a, u), (a, b, v).
inline void HalfEdges::flip_edge(int64_t h) {
  const int64_t t = twin_[h], n = next(h), p = prev(h), tn = next(t), tp = prev(t);
  const int32_t u = vert_[h], v = vert_[t], a = vert_[p], b = vert_[tp];
  const int32_t beyond[4] = {twin_[p], twin_[tn], twin_[tp], twin_[n]};
  const uint8_t kind[4] = {feature_[p], feature_[tn], feature_[tp], feature_[n]};
  const int64_t side[4] = {n, p, tn, tp};
  vert_[h] = b;
  vert_[n] = a;
  vert_[p] = u;
  vert_[t] = a;
  vert_[tn] = b;
  vert_[tp] = v;
  for (int k = 0; k < 4; ++k) {
    twin_[side[k]] = beyond[k];
    feature_[side[k]] = kind[k];
    if (beyond[k] >= 0) twin_[beyond[k]] = static_cast<int32_t>(side[k]);
  }
  if (out_[u] == h || out_[u] == tn) out_[u] = static_cast<int32_t>(p);
  if (out_[v] == t || out_[v] == n) out_[v] = static_cast<int32_t>(tp);
  if (out_[a] == p) out_[a] = static_cast<int32_t>(n);
  if (out_[b] == tp) out_[b] = static_cast<int32_t>(tn);
  --valence_[u];
  --valence_[v];
  ++valence_[a];
  ++valence_[b];
}

// Makes the end u of h the other end v.
inline void HalfEdges::collapse_edge(int64_t h, int64_t u, int64_t v) {
  const int64_t t = twin_[h];
  around(u, [&](int64_t g) { vert_[g] = static_cast<int32_t>(v); });
  border_[v] = border_[u] | border_[v];
  valence_[v] += valence_[u] - 2;
  int64_t start = -1;
  for (int64_t g : {h, t}) {
    if (g < 0) continue;
    const int64_t n = next(g), q = prev(g), a = from(q), tn = twin_[n], tq = twin_[q];
    dead_[g / 3] = 1;
    free_faces_.push_back(static_cast<int32_t>(g / 3));
    --valence_[v];
    --valence_[a];
    if (tn >= 0) twin_[tn] = static_cast<int32_t>(tq);
    if (tq >= 0) twin_[tq] = static_cast<int32_t>(tn);
    const uint8_t kept = feature_[n] | feature_[q];
    if (tn >= 0) feature_[tn] = kept;
    if (tq >= 0) feature_[tq] = kept;
    if (out_[a] == q) out_[a] = static_cast<int32_t>(tn >= 0 ? tn : next(tq));
    if (start < 0) start = tn >= 0 ? next(tn) : tq;
  }
  // the first of a fan with ends has no face before it
  if (border_[v]) {
    while (twin_[start] >= 0) start = next(twin_[start]);
  }
  out_[v] = static_cast<int32_t>(start);
  out_[u] = -1;
  free_vertices_.push_back(static_cast<int32_t>(u));
}

}  // namespace meshlearn
