// A surface as half-edges, with borders, for work that changes it one edge at a time.
//
// Half-edge h = 4 f + k goes from corner k of face f to the next one; k is 0, 1 or 2. Each vertex
// is one fan of faces: where several meet, or an edge has more than two faces or two that are
// turned, vertices are there once a fan, and such edges are borders of all their faces.
#pragma once
#include <algorithm>
#include <vector>

#include "../common/hd.h"

namespace meshlearn {

class HalfEdges {
 public:
  struct Half {
    int32_t vert, twin;  // where it begins, and the other side of its edge, -1 for none
  };

  static int64_t next(int64_t h) { return (h & 3) == 2 ? h - 2 : h + 1; }
  static int64_t prev(int64_t h) { return (h & 3) == 0 ? h + 2 : h - 1; }

  HalfEdges(const int64_t* face, int64_t faces, int64_t vertices) : given_(vertices) {
    half_.resize(4 * faces, Half{-1, -1});
    for (int64_t f = 0; f < faces; ++f)
      for (int k = 0; k < 3; ++k) half_[4 * f + k].vert = static_cast<int32_t>(face[3 * f + k]);
    odd_.assign(vertices, 0);
    link();
    split_fans();
  }

 protected:
  static int64_t face_of(int64_t h) { return h >> 2; }
  // Calls f(h) for all half-edges of faces that are there.
  template <class F>
  void halves(F f) const {
    const int64_t faces = static_cast<int64_t>(dead_.size());
    for (int64_t i = 0; i < faces; ++i)
      if (!dead_[i])
        for (int64_t h = 4 * i; h < 4 * i + 3; ++h) f(h);
  }
  int64_t from(int64_t h) const { return half_[h].vert; }
  int64_t to(int64_t h) const { return half_[next(h)].vert; }
  // The given vertex that v is a part of.
  int64_t whole(int64_t v) const { return v < given_ || v >= first_new_ ? v : split_[v - given_]; }

  // Calls f(h) for the half-edges that leave v, counter-clockwise; at a border from the first.
  template <class F>
  void around(int64_t v, F f) const {
    const int64_t start = out_[v];
    for (int64_t h = start; h >= 0;) {
      f(h);
      h = half_[prev(h)].twin;
      if (h == start) break;
    }
  }
  // Calls f(w) for the neighbours of v.
  template <class F>
  void beside(int64_t v, F f) const {
    around(v, [&](int64_t h) {
      f(to(h));
      if (half_[prev(h)].twin < 0) f(from(prev(h)));
    });
  }

  int64_t split_edge(int64_t h);
  void flip_edge(int64_t h);
  void collapse_edge(int64_t h, int64_t u, int64_t v);

  int64_t given_, first_new_ = 0;  // vertices at first, and where those begin that are made
  std::vector<Half> half_;
  std::vector<int32_t> out_, valence_, split_;
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
  const int64_t half = static_cast<int64_t>(half_.size());
  feature_.assign(half, 0);
  dead_.assign(half / 4, 0);
  auto low = [&](int64_t h) { return from(h) < to(h) ? from(h) : to(h); };
  std::vector<int32_t> start(given_ + 1, 0), order(half);
  halves([&](int64_t h) { ++start[low(h) + 1]; });
  for (int64_t v = 0; v < given_; ++v) start[v + 1] += start[v];
  std::vector<int32_t> place(start.begin(), start.end());
  halves([&](int64_t h) { order[place[low(h)]++] = static_cast<int32_t>(h); });
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
        half_[a].twin = b;
        half_[b].twin = a;
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
  out_.assign(given_, -1);
  valence_.assign(given_, 0);
  border_.assign(given_, 0);
  const std::vector<Half> old = half_;
  std::vector<uint8_t> seen(half_.size(), 0);
  for (int pass = 0; pass < 2; ++pass) {  // fans with an end start there
    halves([&](int64_t h) {
      if (seen[h] || (pass == 0 && half_[h].twin >= 0)) return;
      int64_t v = old[h].vert;
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
        half_[g].vert = static_cast<int32_t>(v);
        ++valence_[v];
        g = half_[prev(g)].twin;
        if (g == h) break;
        if (g < 0) {
          ++valence_[v];
          border_[v] = 1;
        }
      }
    });
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
  half_.resize(half_.size() + 4, Half{-1, -1});
  feature_.resize(feature_.size() + 4, 0);
  return static_cast<int64_t>(dead_.size()) - 1;
}

// A new vertex on h, and a new face on each side of it; the vertex's other arrays are the caller's.
inline int64_t HalfEdges::split_edge(int64_t h) {
  const int64_t t = half_[h].twin, u = from(h), v = to(h);
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
    const int64_t n = next(g), made = 4 * new_face();
    const int64_t apex = from(prev(g)), across = half_[n].twin;
    half_[made].vert = static_cast<int32_t>(m);
    half_[made + 1].vert = static_cast<int32_t>(y);
    half_[made + 2].vert = static_cast<int32_t>(apex);
    half_[n].vert = static_cast<int32_t>(m);
    half_[made + 1].twin = static_cast<int32_t>(across);
    if (across >= 0) half_[across].twin = static_cast<int32_t>(made + 1);
    half_[n].twin = static_cast<int32_t>(made + 2);
    half_[made + 2].twin = static_cast<int32_t>(n);
    feature_[made + 1] = feature_[n];
    feature_[n] = feature_[made + 2] = 0;
    feature_[made] = kind;
    if (out_[y] == n) out_[y] = static_cast<int32_t>(made + 1);
    ++valence_[apex];
    return made;
  };
  const int64_t one = cut(h, v);
  out_[m] = static_cast<int32_t>(one);
  half_[one].twin = static_cast<int32_t>(t);
  if (t >= 0) {
    const int64_t two = cut(t, u);
    half_[t].twin = static_cast<int32_t>(one);
    half_[h].twin = static_cast<int32_t>(two);
    half_[two].twin = static_cast<int32_t>(h);
  }
  return m;
}

// Turns h, which has two faces, within them: from (u, v, a) and (v, u, b) to (b, a, u), (a, b, v).
inline void HalfEdges::flip_edge(int64_t h) {
  const int64_t t = half_[h].twin, n = next(h), p = prev(h), tn = next(t), tp = prev(t);
  const int32_t u = half_[h].vert, v = half_[t].vert, a = half_[p].vert, b = half_[tp].vert;
  const int32_t beyond[4] = {half_[p].twin, half_[tn].twin, half_[tp].twin, half_[n].twin};
  const uint8_t kind[4] = {feature_[p], feature_[tn], feature_[tp], feature_[n]};
  const int64_t side[4] = {n, p, tn, tp};
  half_[h].vert = b;
  half_[n].vert = a;
  half_[p].vert = u;
  half_[t].vert = a;
  half_[tn].vert = b;
  half_[tp].vert = v;
  for (int k = 0; k < 4; ++k) {
    half_[side[k]].twin = beyond[k];
    feature_[side[k]] = kind[k];
    if (beyond[k] >= 0) half_[beyond[k]].twin = static_cast<int32_t>(side[k]);
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
  const int64_t t = half_[h].twin;
  around(u, [&](int64_t g) { half_[g].vert = static_cast<int32_t>(v); });
  border_[v] = border_[u] | border_[v];
  valence_[v] += valence_[u] - 2;
  int64_t start = -1;
  for (int64_t g : {h, t}) {
    if (g < 0) continue;
    const int64_t n = next(g), q = prev(g), a = from(q), tn = half_[n].twin, tq = half_[q].twin;
    dead_[face_of(g)] = 1;
    free_faces_.push_back(static_cast<int32_t>(face_of(g)));
    --valence_[v];
    --valence_[a];
    if (tn >= 0) half_[tn].twin = static_cast<int32_t>(tq);
    if (tq >= 0) half_[tq].twin = static_cast<int32_t>(tn);
    const uint8_t kept = feature_[n] | feature_[q];
    if (tn >= 0) feature_[tn] = kept;
    if (tq >= 0) feature_[tq] = kept;
    if (out_[a] == q) out_[a] = static_cast<int32_t>(tn >= 0 ? tn : next(tq));
    if (start < 0) start = tn >= 0 ? next(tn) : tq;
  }
  // the first of a fan with ends has no face before it
  if (border_[v]) {
    while (half_[start].twin >= 0) start = next(half_[start].twin);
  }
  out_[v] = static_cast<int32_t>(start);
  out_[u] = -1;
  free_vertices_.push_back(static_cast<int32_t>(u));
}

}  // namespace meshlearn
