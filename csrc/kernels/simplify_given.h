// How `Simplifier` takes a surface: its half-edges, fans, features, wedges and quadrics. Included
// by simplify.h.
#pragma once
#include "simplify.h"

namespace meshlearn {

// Pairs half-edges of edges that have two faces with one orientation.
inline void Simplifier::link() {
  const int64_t half = 3 * s_.faces;
  vert_.resize(half);
  twin_.assign(half, -1);
  dead_.assign(s_.faces, 0);
  alive_ = s_.faces;
  for (int64_t h = 0; h < half; ++h) vert_[h] = static_cast<int32_t>(s_.face[h]);
  std::vector<int32_t> start(s_.vertices + 1, 0), order(half);
  for (int64_t h = 0; h < half; ++h) ++start[(from(h) < to(h) ? from(h) : to(h)) + 1];
  for (int64_t v = 0; v < s_.vertices; ++v) start[v + 1] += start[v];
  std::vector<int32_t> place(start.begin(), start.end());
  for (int64_t h = 0; h < half; ++h)
    order[place[from(h) < to(h) ? from(h) : to(h)]++] = static_cast<int32_t>(h);
  kind_.assign(s_.vertices, FREE);
  for (int64_t v = 0; v < s_.vertices; ++v) {
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
      } else if (end > i + 1) {  // an edge of three faces, or of two that are turned
        kind_[v] = kind_[other(a)] = FIXED;
      }
      i = end;
    }
  }
}

// A vertex whose faces are not one fan becomes several, which stay where they are.
inline void Simplifier::split_fans() {
  const int64_t half = 3 * s_.faces;
  out_.assign(s_.vertices, -1);
  valence_.assign(s_.vertices, 0);
  border_.assign(s_.vertices, 0);
  std::vector<uint8_t> seen(half, 0);
  where_.resize(s_.vertices);
  for (int64_t v = 0; v < s_.vertices; ++v) where_[v] = load3(s_.position, v);
  // fans with an end start there
  for (int pass = 0; pass < 2; ++pass) {
    for (int64_t h = 0; h < half; ++h) {
      if (seen[h] || (pass == 0 && twin_[h] >= 0)) continue;
      int64_t v = s_.face[h];
      if (out_[v] >= 0) {
        kind_[v] = FIXED;
        const int64_t old = v;
        v = static_cast<int64_t>(where_.size());
        split_.push_back(static_cast<int32_t>(old));
        where_.push_back(where_[old]);
        kind_.push_back(FIXED);
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
  const int64_t total = static_cast<int64_t>(where_.size());
  for (int64_t v = s_.vertices; v < total; ++v) kind_[v] = FIXED;
  parent_.resize(total);
  near_.resize(total);
  for (int64_t v = 0; v < total; ++v) {
    parent_[v] = static_cast<int32_t>(v);
    near_[v] = static_cast<int32_t>(whole(v));
  }
  mark_.assign(total, 0);
}

// Edges that are kept: borders, and seams, unless too many edges are such.
inline void Simplifier::mark_features() {
  const int64_t half = 3 * s_.faces;
  feature_.assign(half, 0);
  for (int64_t which = -1; which < s_.seams; ++which) {
    const int64_t* seam = which < 0 ? nullptr : s_.seam + which * half;
    std::vector<int32_t> found;
    int64_t edges = 0;
    for (int64_t h = 0; h < half; ++h) {
      const int64_t t = twin_[h];
      edges += t > h;
      const bool is =
          which < 0 ? t < 0 : t > h && (seam[h] != seam[next(t)] || seam[next(h)] != seam[t]);
      if (is) found.push_back(static_cast<int32_t>(h));
    }
    if (which >= 0 && static_cast<int64_t>(found.size()) * rules_.crowded > edges) continue;
    for (int32_t h : found) {
      feature_[h] = 1;
      if (twin_[h] >= 0) feature_[twin_[h]] = 1;
    }
  }
  std::vector<uint8_t> count(where_.size(), 0);
  for (int64_t h = 0; h < half; ++h) {
    if (!feature_[h] || (twin_[h] >= 0 && twin_[h] < h)) continue;
    for (int64_t v : {from(h), to(h)})
      if (count[v] < 3) ++count[v];
  }
  for (size_t v = 0; v < where_.size(); ++v)
    if (kind_[v] != FIXED) kind_[v] = count[v] == 0 ? FREE : count[v] == 2 ? CURVE : CORNER;
}

inline void Simplifier::gather_wedges(const SimplifyValues& given) {
  const int64_t m = given.width;
  wedges_.emplace_back();
  Wedges& a = wedges_.back();
  a.m = m;
  a.flat = given.flat;
  a.of.assign(3 * s_.faces, -1);
  a.count.assign(where_.size(), 0);
  std::vector<int64_t> rows;
  int32_t count = 0;
  for (size_t v = 0; v < where_.size(); ++v) {
    rows.clear();
    const int32_t first = count;
    around(static_cast<int64_t>(v), [&](int64_t h) {
      const int64_t row = given.wedge[h];
      const double* value = given.value + row * m;
      size_t k = 0;
      for (; k < rows.size(); ++k)
        if (rows[k] == row || std::equal(value, value + m, given.value + rows[k] * m)) break;
      if (k == rows.size()) {
        rows.push_back(row);
        a.value.insert(a.value.end(), value, value + m);
        ++count;
      }
      a.of[h] = first + static_cast<int32_t>(k);
    });
    a.count[v] = count - first;
  }
  a.weight.assign(count, 0);
  a.slope.assign(static_cast<size_t>(count) * m * 4, 0);
}

inline void Simplifier::add_quadrics() {
  quadric_.assign(where_.size(), Quadric{0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
  for (int64_t f = 0; f < s_.faces; ++f) {
    const int64_t h = 3 * f;
    const Vec3<double> a = at(vert_[h]), b = at(vert_[h + 1]), c = at(vert_[h + 2]);
    const Vec3<double> normal = cross(b - a, c - a);
    const double size = std::sqrt(norm2(normal));
    if (!(size > 0)) continue;
    const Vec3<double> unit = normal * (1 / size);
    const double area = size / 2;
    Quadric q{0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    q.add_plane(unit, -dot(unit, (a + b + c) * (1.0 / 3)), area);
    double longest = norm2(b - a);
    if (norm2(c - b) > longest) longest = norm2(c - b);
    if (norm2(a - c) > longest) longest = norm2(a - c);
    if (size > rules_.flat * longest) {
      const Vec3<double> gb = cross(unit, a - c) * (1 / size);
      const Vec3<double> gc = cross(unit, b - a) * (1 / size);
      for (Wedges& w : wedges_) {
        for (int64_t j = 0; j < w.m; ++j) {
          const double sa = w.value[w.of[h] * w.m + j];
          const double sb = w.value[w.of[h + 1] * w.m + j];
          const double sc = w.value[w.of[h + 2] * w.m + j];
          const Vec3<double> g = gb * (sb - sa) + gc * (sc - sa);
          const double d = sa - dot(g, a);
          q.add_plane(g, d, area);  // (Q3)
          for (int k = 0; k < 3; ++k) {
            double* slope = &w.slope[(w.of[h + k] * w.m + j) * 4];
            slope[0] += area * g.x;
            slope[1] += area * g.y;
            slope[2] += area * g.z;
            slope[3] += area * d;
          }
        }
        for (int k = 0; k < 3; ++k) w.weight[w.of[h + k]] += area;
      }
    }
    for (int k = 0; k < 3; ++k) {
      quadric_[vert_[h + k]].add(q);
      quadric_[vert_[h + k]].add_point(at(vert_[h + k]), rules_.steady * area);
      if (!feature_[h + k]) continue;
      const Vec3<double> u = at(from(h + k)), v = at(to(h + k));
      const Vec3<double> across = cross(v - u, unit);
      const double length = std::sqrt(norm2(across));
      if (!(length > 0)) continue;
      const Vec3<double> side = across * (1 / length);
      Quadric edge{0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
      edge.add_plane(side, -dot(side, u), rules_.border * norm2(v - u));  // (Q4)
      quadric_[from(h + k)].add(edge);
      quadric_[to(h + k)].add(edge);
    }
  }
}

}  // namespace meshlearn
