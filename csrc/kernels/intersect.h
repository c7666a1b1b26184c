// Which faces of a mesh cut other faces: exact triangle-triangle tests under a tree of boxes.
#pragma once
#include "pack.h"
#include "predicates.h"

namespace meshlearn {

struct Triangle {
  Point p[3];
};

ML_HD bool same(const Point& a, const Point& b) { return a.x == b.x && a.y == b.y && a.z == b.z; }

// Orientation in the coordinate plane that is left when `axis` is dropped.
ML_HD int orient_dropped(const Point& a, const Point& b, const Point& c, int axis) {
  if (axis == 0) return orient2d(a.y, a.z, b.y, b.z, c.y, c.z);
  if (axis == 1) return orient2d(a.z, a.x, b.z, b.x, c.z, c.x);
  return orient2d(a.x, a.y, b.x, b.y, c.x, c.y);
}

// An axis along which the triangle does not collapse to a segment; -1 if it has no area.
ML_HD int projection_axis(const Triangle& t) {
  for (int axis = 0; axis < 3; ++axis)
    if (orient_dropped(t.p[0], t.p[1], t.p[2], axis) != 0) return axis;
  return -1;
}

ML_HD bool same_side(int a, int b, int c) {
  return (a >= 0 && b >= 0 && c >= 0) || (a <= 0 && b <= 0 && c <= 0);
}

ML_HD bool inside_planar(const Point& p, const Triangle& t, int axis) {
  return same_side(orient_dropped(t.p[0], t.p[1], p, axis), orient_dropped(t.p[1], t.p[2], p, axis),
                   orient_dropped(t.p[2], t.p[0], p, axis));
}

ML_HD bool between(double a, double b, double c, double d) {  // [a, b] meets [c, d]
  const double l0 = a < b ? a : b, h0 = a < b ? b : a, l1 = c < d ? c : d, h1 = c < d ? d : c;
  return l0 <= h1 && l1 <= h0;
}

ML_HD bool segments_meet_planar(const Point& p, const Point& q, const Point& a, const Point& b,
                                int axis) {
  const int o1 = orient_dropped(a, b, p, axis), o2 = orient_dropped(a, b, q, axis);
  const int o3 = orient_dropped(p, q, a, axis), o4 = orient_dropped(p, q, b, axis);
  if (o1 == 0 && o2 == 0 && o3 == 0 && o4 == 0)
    return between(p.x, q.x, a.x, b.x) && between(p.y, q.y, a.y, b.y) &&
           between(p.z, q.z, a.z, b.z);
  return o1 * o2 <= 0 && o3 * o4 <= 0;
}

// Closed segment against closed triangle (with area); sp, sq: sides of p and q of its plane.
ML_HD bool segment_meets(const Point& p, const Point& q, int sp, int sq, const Triangle& t) {
  if (sp * sq > 0) return false;
  if (sp == 0 && sq == 0) {
    const int axis = projection_axis(t);
    return inside_planar(p, t, axis) || inside_planar(q, t, axis) ||
           segments_meet_planar(p, q, t.p[0], t.p[1], axis) ||
           segments_meet_planar(p, q, t.p[1], t.p[2], axis) ||
           segments_meet_planar(p, q, t.p[2], t.p[0], axis);
  }
  const int s0 = orient3d(p, q, t.p[0], t.p[1]), s1 = orient3d(p, q, t.p[1], t.p[2]);
  if (s0 * s1 < 0) return false;
  return same_side(s0, s1, orient3d(p, q, t.p[2], t.p[0]));
}

ML_HD int side(const Triangle& t, const Point& p) { return orient3d(t.p[0], t.p[1], t.p[2], p); }

// Whether two triangles with area share a point that is not just a common vertex or common edge.
// Corners at the same position count as common, so a soup of triangles is read as its surface.
ML_HD bool triangles_intersect(const Triangle& a, const Triangle& b) {
  int common = 0, ia[3], ib[3];
  bool taken[3] = {false, false, false};  // a face without area may have one corner twice
  for (int i = 0; i < 3; ++i)
    for (int j = 0; j < 3; ++j)
      if (!taken[j] && same(a.p[i], b.p[j])) {
        taken[j] = true;
        ia[common] = i;
        ib[common] = j;
        ++common;
        break;
      }
  if (common == 3) return true;
  if (common == 2) {  // only where one is folded flat onto the other
    const Point &u = a.p[ia[0]], &v = a.p[ia[1]];
    const Point &p = a.p[3 - ia[0] - ia[1]], &q = b.p[3 - ib[0] - ib[1]];
    if (orient3d(u, v, p, q) != 0) return false;
    const int axis = projection_axis(a);
    return orient_dropped(u, v, p, axis) * orient_dropped(u, v, q, axis) > 0;
  }
  if (common == 1) {  // then the edge opposite to the vertex of one reaches the other
    const Point &a1 = a.p[(ia[0] + 1) % 3], &a2 = a.p[(ia[0] + 2) % 3];
    const Point &b1 = b.p[(ib[0] + 1) % 3], &b2 = b.p[(ib[0] + 2) % 3];
    const int sa1 = side(b, a1), sa2 = side(b, a2);
    if (sa1 * sa2 > 0) return false;
    const int sb1 = side(a, b1), sb2 = side(a, b2);
    if (sb1 * sb2 > 0) return false;
    return segment_meets(a1, a2, sa1, sa2, b) || segment_meets(b1, b2, sb1, sb2, a);
  }
  int sa[3], sb[3];
  for (int k = 0; k < 3; ++k) sb[k] = side(a, b.p[k]);
  if (sb[0] * sb[1] > 0 && sb[0] * sb[2] > 0) return false;
  for (int k = 0; k < 3; ++k) sa[k] = side(b, a.p[k]);
  if (sa[0] * sa[1] > 0 && sa[0] * sa[2] > 0) return false;
  for (int k = 0; k < 3; ++k) {
    const int n = (k + 1) % 3;
    if (segment_meets(a.p[k], a.p[n], sa[k], sa[n], b)) return true;
    if (segment_meets(b.p[k], b.p[n], sb[k], sb[n], a)) return true;
  }
  return false;
}

// A tree of boxes over faces in Morton order, four children a node: the nodes of a level are the
// children of the next one, four after four, up to a single root, and the children of the lowest
// nodes are faces. A node has low then high (axis, child), empty where low > high.
constexpr int kIntersectLevels = 32;

struct IntersectShape {
  int64_t faces;
  int levels;
  int64_t first[kIntersectLevels + 1];  // nodes before a level, the lowest level being 0
};

ML_HD IntersectShape intersect_shape(int64_t faces) {
  IntersectShape shape{faces, 0, {0}};
  for (int64_t below = faces;; below = (below + 3) / 4) {
    const int64_t nodes = below > 4 ? (below + 3) / 4 : 1;
    shape.first[shape.levels + 1] = shape.first[shape.levels] + nodes;
    ++shape.levels;
    if (nodes == 1) return shape;
  }
}

// The boxes in one node of a level; levels are built from the lowest up.
template <class T>
struct IntersectNode {
  const T* vertices;
  const int64_t* faces;
  const int64_t* order;  // (F,) faces in Morton order
  IntersectShape shape;
  int level;
  T* node;  // (N, 24)

  ML_HD void operator()(int64_t i) const {
    T* out = node + 24 * (shape.first[level] + i);
    for (int c = 0; c < 4; ++c) {
      T box[6] = {T(INFINITY), T(INFINITY), T(INFINITY), -T(INFINITY), -T(INFINITY), -T(INFINITY)};
      const int64_t child = 4 * i + c;
      if (level == 0) {
        for (int k = 0; k < 3 && child < shape.faces; ++k)
          for (int d = 0; d < 3; ++d) {
            const T value = vertices[3 * faces[3 * order[child] + k] + d];
            if (value < box[d]) box[d] = value;
            if (value > box[3 + d]) box[3 + d] = value;
          }
      } else if (child < shape.first[level] - shape.first[level - 1]) {
        const T* below = node + 24 * (shape.first[level - 1] + child);
        for (int d = 0; d < 3; ++d)
          for (int k = 0; k < 4; ++k) {
            if (below[4 * d + k] < box[d]) box[d] = below[4 * d + k];
            if (below[12 + 4 * d + k] > box[3 + d]) box[3 + d] = below[12 + 4 * d + k];
          }
      }
      for (int d = 0; d < 3; ++d) {
        out[4 * d + c] = box[d];
        out[12 + 4 * d + c] = box[3 + d];
      }
    }
  }
};

template <class T>
struct IntersectQuery {
  const T* vertices;
  const int64_t* faces;
  const int64_t* order;
  const int64_t* query;  // faces that are asked about, or null for all
  IntersectShape shape;
  const T* node;
  int64_t* partner;  // of each face asked about one that it intersects, or -1

  ML_HD bool load(int64_t f, Triangle& t) const {
    for (int c = 0; c < 3; ++c) {
      const T* v = vertices + 3 * faces[3 * f + c];
      t.p[c] =
          Point{static_cast<double>(v[0]), static_cast<double>(v[1]), static_cast<double>(v[2])};
      const double sum = t.p[c].x + t.p[c].y + t.p[c].z;
      if (!(sum - sum == 0)) return false;
    }
    return true;
  }

  ML_HD void operator()(int64_t i) const {
    const int64_t f = query ? query[i] : order[i];
    int64_t& found = partner[query ? i : f];
    found = -1;
    Triangle own;
    if (!load(f, own) || projection_axis(own) < 0) return;
    PackVec3<T> low, high;
    {
      const Vec3<T> a = load3(vertices, faces[3 * f]), b = load3(vertices, faces[3 * f + 1]),
                    c = load3(vertices, faces[3 * f + 2]);
      low = pack_of3(Vec3<T>{smaller(smaller(a.x, b.x), c.x), smaller(smaller(a.y, b.y), c.y),
                             smaller(smaller(a.z, b.z), c.z)});
      high = pack_of3(Vec3<T>{larger(larger(a.x, b.x), c.x), larger(larger(a.y, b.y), c.y),
                              larger(larger(a.z, b.z), c.z)});
    }
    int64_t stack[3 * kIntersectLevels + 1];  // nodes of a level, 64 times, and the level
    int top = 0;
    stack[top++] = shape.levels - 1;
    while (top > 0) {
      const int64_t at = stack[--top];
      const int level = static_cast<int>(at % 64);
      const int64_t child = 4 * (at / 64);
      const T* boxes = node + 24 * (shape.first[level] + at / 64);
      bool meets[4];
      for (int c = 0; c < 4; c += PackOf<T>::width) {
        const Pack<T> gap = box_gap(boxes + c, low, high);
        for (int k = 0; k < PackOf<T>::width; ++k) meets[c + k] = !(lane(gap, k) > 0);
      }
      if (level > 0) {
        for (int c = 3; c >= 0; --c)
          if (meets[c]) stack[top++] = 64 * (child + c) + level - 1;
        continue;
      }
      for (int c = 0; c < 4; ++c) {
        if (!meets[c]) continue;
        const int64_t g = order[child + c];
        Triangle other;
        if (g == f || !load(g, other)) continue;
        // the same order of arguments for both of a pair
        // A face without area can only be taken for one that intersects, so it is asked about last.
        if ((f < g ? triangles_intersect(own, other) : triangles_intersect(other, own)) &&
            projection_axis(other) >= 0) {
          found = g;
          return;
        }
      }
    }
  }

  // Of four boxes side by side: above 0 where one is apart from [low, high].
  ML_PACK static Pack<T> box_gap(const T* boxes, const PackVec3<T>& low, const PackVec3<T>& high) {
    const PackVec3<T> below = load_pack3(boxes, 4) - high, above = low - load_pack3(boxes + 12, 4);
    return pack_larger(pack_larger(pack_larger(below.x, above.x), pack_larger(below.y, above.y)),
                       pack_larger(below.z, above.z));
  }
};

}  // namespace meshlearn
