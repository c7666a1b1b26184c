// Closest point on a set of triangles.
#pragma once
#include "tree.h"

namespace meshlearn {

// Squared distance from d to the segment from the origin along e.
template <class T>
ML_PACK Pack<T> segment_distance(const PackVec3<T>& d, const PackVec3<T>& e,
                                 const Pack<T>& length) {
  const Pack<T> zero = pack_of(T(0)), one = pack_of(T(1)), least = pack_of(tiny<T>());
  Pack<T> t = pack_dot<T>(d, e) / pack_larger(length, least);
  t = pack_smaller(pack_larger(t, zero), one);
  const PackVec3<T> r{d.x - t * e.x, d.y - t * e.y, d.z - t * e.z};
  return pack_dot<T>(r, r);
}

// Squared distance from p to triangles of one leaf, side by side. Edges are always measured, the
// interior only where the triangle has a usable normal, so degenerate triangles are segments or
// points.
template <class T>
ML_PACK Pack<T> triangle_distance(const T* leaf, const PackVec3<T>& p) {
  constexpr T flat = T(64) * epsilon<T>() * epsilon<T>() * T(1 << 14);
  const Pack<T> least = pack_of(tiny<T>());
  constexpr int L = kTriangleLanes;
  const PackVec3<T> a = load_pack3(leaf, L), b = load_pack3(leaf + 3 * L, L),
                    c = load_pack3(leaf + 6 * L, L);
  const PackVec3<T> u = b - a, v = c - a, w = c - b, d = p - a, e = p - b;
  const Pack<T> uu = pack_dot<T>(u, u), vv = pack_dot<T>(v, v), ww = pack_dot<T>(w, w);
  const Pack<T> edge =
      pack_smaller(pack_smaller(segment_distance<T>(d, u, uu), segment_distance<T>(d, v, vv)),
                   segment_distance<T>(e, w, ww));
  const PackVec3<T> n = pack_cross<T>(u, v);
  const Pack<T> nn = pack_dot<T>(n, n), h = pack_dot<T>(d, n);
  const Pack<T> lc = pack_dot<T>(pack_cross<T>(u, d), n), lb = pack_dot<T>(pack_cross<T>(d, v), n);
  const Pack<T> inside = pack_smaller(pack_smaller(pack_smaller(lc, lb), nn - lb - lc),
                                      nn - pack_larger(pack_of(flat) * uu * vv, least));
  return pack_select(inside, pack_smaller(h * h / pack_larger(nn, least), edge), edge);
}

struct Barycentric {
  double a, b, c, squared;
};

ML_HD void consider_edge(Vec3<double> d, Vec3<double> e, int k, Barycentric& best) {
  const double length = norm2(e), t = length > 0 ? clamp01(dot(d, e) / length) : 0.0;
  const double squared = norm2(d - t * e);
  if (squared < best.squared) {
    const double w[3] = {1 - t, t, 0};
    best = Barycentric{w[(3 - k) % 3], w[(4 - k) % 3], w[(5 - k) % 3], squared};
  }
}

// The same in double precision for one triangle, with the barycentric coordinates.
ML_HD Barycentric closest_on_triangle(Vec3<double> p, Vec3<double> a, Vec3<double> b,
                                      Vec3<double> c) {
  const Vec3<double> u = b - a, v = c - a, d = p - a, n = cross(u, v);
  const double nn = norm2(n);
  Barycentric best{1, 0, 0, infinity<double>()};
  if (nn > 1e-26 * norm2(u) * norm2(v)) {
    const double lc = dot(cross(u, d), n) / nn, lb = dot(cross(d, v), n) / nn;
    if (lc >= 0 && lb >= 0 && lb + lc <= 1) {
      best = Barycentric{1 - lb - lc, lb, lc, norm2(d - lb * u - lc * v)};
    }
  }
  consider_edge(d, u, 0, best);
  consider_edge(p - b, c - b, 1, best);
  consider_edge(p - c, a - c, 2, best);
  return best;
}

template <class T>
struct ClosestVisit {
  const TreeView<T>& tree;
  Vec3<T> p;
  T best, limit;  // limit: best and the rounding of box distances
  int32_t face;
  int64_t where;  // leaf of `face`

  ML_HD bool skip(T distance, int32_t least) const {
    return distance > limit || (distance == infinity<T>() && least == 0x7fffffff);
  }
  ML_HD void leaf(int64_t l) {
    const PackVec3<T> at = pack_of3(p);
    const T* rows = tree.leaf + l * kTriangleRows * kTriangleLanes;
    const int32_t* ids = tree.id + l * kTriangleLanes;
    for (int first = 0; first < kTriangleLanes; first += PackOf<T>::width) {
      if (ids[first] < 0) return;
      const Pack<T> distance = triangle_distance(rows + first, at);
      for (int k = 0; k < PackOf<T>::width; ++k) {
        const T d = lane(distance, k);
        const int32_t id = ids[first + k];
        if (d > best || id < 0 || (d == best && id > face)) continue;
        best = d;
        limit = d + d * (T(32) * epsilon<T>());
        face = id;
        where = l;
      }
    }
  }
};

// `block` queries in sequence, each starting from the leaf that served the one before. The answer
// is the smallest (distance, face) of all triangles, so neither tree nor start matter to it.
template <class T>
struct ClosestQuery {
  TreeView<T> tree;
  const T* points;       // (P, 3)
  const int32_t* order;  // (P,)
  int64_t num_points, block;
  T scale;
  const T* vertices;
  const int64_t* faces;
  T* squared;      // (P,)
  int64_t* face;   // (P,)
  T* barycentric;  // (P, 3)

  ML_HD void operator()(int64_t group) const {
    int64_t warm = -1;
    const int64_t end = (group + 1) * block < num_points ? (group + 1) * block : num_points;
    for (int64_t j = group * block; j < end; ++j) {
      const int64_t i = order[j];
      ClosestVisit<T> visit{
          tree, load3(points, i) * scale, infinity<T>(), infinity<T>(), 0x7fffffff, -1};
      if (warm >= 0) visit.leaf(warm);
      nearest_first(tree, visit.p, visit);
      if (visit.where < 0) visit.face = 0;  // only where distances overflow
      warm = visit.where;
      finish(i, visit.face);
    }
  }

  ML_HD Vec3<double> corner(int64_t f, int k) const {
    const Vec3<T> v = load3(vertices, faces[3 * f + k]) * scale;
    return {double(v.x), double(v.y), double(v.z)};
  }
  ML_HD void finish(int64_t i, int64_t f) const {
    const Vec3<T> p = load3(points, i) * scale;
    const Barycentric w = closest_on_triangle(Vec3<double>{double(p.x), double(p.y), double(p.z)},
                                              corner(f, 0), corner(f, 1), corner(f, 2));
    squared[i] = T(w.squared / (double(scale) * double(scale)));
    face[i] = f;
    store3(barycentric, i, Vec3<T>{T(w.a), T(w.b), T(w.c)});
  }
};

}  // namespace meshlearn
