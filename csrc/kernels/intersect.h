// Which faces of a mesh cut other faces: exact triangle-triangle tests under a tree of boxes.
#pragma once
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

constexpr int kLeafFaces = 4;

// A perfect binary tree over faces in Morton order: node n has children 2n and 2n + 1, the root is
// 1 and leaf l is node leaves + l. A node is (low xyz, high xyz), empty where low > high.
template <class T>
struct IntersectLeaf {
  const T* vertices;
  const int64_t* faces;
  const int64_t* order;  // (F,) faces in Morton order
  int64_t num_faces, leaves;
  T* node;  // (2 leaves, 6)

  ML_HD void operator()(int64_t l) const {
    T box[6] = {T(INFINITY), T(INFINITY), T(INFINITY), -T(INFINITY), -T(INFINITY), -T(INFINITY)};
    for (int64_t k = l * kLeafFaces; k < (l + 1) * kLeafFaces && k < num_faces; ++k)
      for (int c = 0; c < 3; ++c)
        for (int d = 0; d < 3; ++d) {
          const T value = vertices[3 * faces[3 * order[k] + c] + d];
          if (value < box[d]) box[d] = value;
          if (value > box[3 + d]) box[3 + d] = value;
        }
    for (int d = 0; d < 6; ++d) node[6 * (leaves + l) + d] = box[d];
  }
};

template <class T>
struct IntersectJoin {
  int64_t first;
  T* node;
  ML_HD void operator()(int64_t i) const {
    const T *a = node + 12 * (first + i), *b = a + 6;
    T* out = node + 6 * (first + i);
    for (int d = 0; d < 3; ++d) {
      out[d] = a[d] < b[d] ? a[d] : b[d];
      out[3 + d] = a[3 + d] > b[3 + d] ? a[3 + d] : b[3 + d];
    }
  }
};

template <class T>
struct IntersectQuery {
  const T* vertices;
  const int64_t* faces;
  const int64_t* order;
  const int64_t* query;  // faces that are asked about, or null for all
  int64_t num_faces, leaves;
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
    T low[3], high[3];
    for (int d = 0; d < 3; ++d) {
      low[d] = high[d] = vertices[3 * faces[3 * f] + d];
      for (int c = 1; c < 3; ++c) {
        const T value = vertices[3 * faces[3 * f + c] + d];
        low[d] = value < low[d] ? value : low[d];
        high[d] = value > high[d] ? value : high[d];
      }
    }
    int64_t stack[64];
    int top = 0;
    stack[top++] = 1;
    while (top > 0) {
      const int64_t n = stack[--top];
      const T* box = node + 6 * n;
      if (!meets(box, low, high)) continue;
      if (n < leaves) {
        stack[top++] = 2 * n + 1;
        stack[top++] = 2 * n;
        continue;
      }
      for (int64_t k = (n - leaves) * kLeafFaces;
           k < (n - leaves + 1) * kLeafFaces && k < num_faces; ++k) {
        const int64_t g = order[k];
        Triangle other;
        if (g == f || !box_meets(g, low, high) || !load(g, other)) continue;
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

  ML_HD bool box_meets(int64_t g, const T* low, const T* high) const {
    for (int d = 0; d < 3; ++d) {
      const T a = vertices[3 * faces[3 * g] + d], b = vertices[3 * faces[3 * g + 1] + d],
              c = vertices[3 * faces[3 * g + 2] + d];
      if ((a < low[d] && b < low[d] && c < low[d]) || (a > high[d] && b > high[d] && c > high[d]))
        return false;
    }
    return true;
  }

  ML_HD static bool meets(const T* box, const T* low, const T* high) {
    for (int d = 0; d < 3; ++d)
      if (box[d] > high[d] || box[3 + d] < low[d]) return false;
    return true;
  }
};

}  // namespace meshlearn
