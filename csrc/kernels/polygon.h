// Triangulation of one polygon by clipping its best-shaped ear, in the plane it faces most.
// One thread owns one polygon; all arithmetic in double, as in the reference.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

template <class T>
struct TriangulatePolygon {
  const T* vertices;      // (V, 3)
  const int64_t* start;   // (P + 1,)
  const int64_t* index;   // (M,)
  const int64_t* target;  // (P + 1,) first triangle of each polygon
  double* plane;          // (M, 2) scratch: corners in the plane
  double* quality;        // (M,) scratch: shape of the ear at a corner, see `ear`
  int64_t* before;        // (M,) scratch: ring of corners left
  int64_t* after;         // (M,)
  int64_t* out;           // (F, 3) corners

  ML_HD double turn(int64_t a, int64_t b, int64_t c) const {
    const double *p = plane + 2 * a, *q = plane + 2 * b, *r = plane + 2 * c;
    return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]);
  }
  ML_HD double square(int64_t a, int64_t b) const {
    double x = plane[2 * b] - plane[2 * a], y = plane[2 * b + 1] - plane[2 * a + 1];
    return x * x + y * y;
  }
  ML_HD bool same(int64_t a, int64_t b) const {
    return plane[2 * a] == plane[2 * b] && plane[2 * a + 1] == plane[2 * b + 1];
  }
  // Shape of the ear in (0, 1); less 2 where another corner is within `slack` of it or it is
  // flatter than that; -4 where it is none.
  ML_HD double ear(int64_t b, double slack) const {
    const int64_t a = before[b], c = after[b];
    const double area = turn(a, b, c);
    if (!(area > 0)) return -4;
    const double ab = square(a, b), bc = square(b, c), ca = square(c, a);
    const double near_ab = -slack * std::sqrt(ab), near_bc = -slack * std::sqrt(bc);
    const double near_ca = -slack * std::sqrt(ca);
    bool doubtful = area <= -(near_ab + near_bc + near_ca);
    for (int64_t p = after[c]; p != a; p = after[p]) {
      const double u = turn(a, b, p), v = turn(b, c, p), w = turn(c, a, p);
      if (!(u >= near_ab && v >= near_bc && w >= near_ca)) continue;
      if (same(p, a) || same(p, b) || same(p, c)) continue;
      if (u >= 0 && v >= 0 && w >= 0) return -4;
      doubtful = true;
    }
    const double shape = area / (ab + bc + ca);
    return doubtful ? shape - 2 : shape;
  }
  ML_HD int64_t* emit(int64_t* to, int64_t a, int64_t b, int64_t c) const {
    to[0] = a;
    to[1] = b;
    to[2] = c;
    return to + 3;
  }
  ML_HD Vec3<double> at(int64_t corner) const {
    Vec3<T> p = load3(vertices, index[corner]);
    return {static_cast<double>(p.x), static_cast<double>(p.y), static_cast<double>(p.z)};
  }

  ML_HD void operator()(int64_t polygon) const {
    const int64_t first = start[polygon], end = start[polygon + 1];
    int64_t left = end - first;
    if (left < 3) return;
    int64_t* to = out + 3 * target[polygon];
    if (left == 3) {
      emit(to, first, first + 1, first + 2);
      return;
    }
    const Vec3<double> origin = at(first);
    Vec3<double> normal{0, 0, 0};
    for (int64_t i = first + 1; i + 1 < end; ++i)
      normal = normal + cross(at(i) - origin, at(i + 1) - origin);
    const double ax = normal.x < 0 ? -normal.x : normal.x;
    const double ay = normal.y < 0 ? -normal.y : normal.y;
    const double az = normal.z < 0 ? -normal.z : normal.z;
    if (!(ax + ay + az > 0)) {
      for (int64_t i = first + 1; i + 1 < end; ++i) to = emit(to, first, i, i + 1);
      return;
    }
    for (int64_t i = first; i < end; ++i) {
      const Vec3<double> p = at(i) - origin;
      double u, v;
      bool turned;
      if (ax >= ay && ax >= az) {
        u = p.y, v = p.z, turned = normal.x < 0;
      } else if (ay >= az) {
        u = p.z, v = p.x, turned = normal.y < 0;
      } else {
        u = p.x, v = p.y, turned = normal.z < 0;
      }
      plane[2 * i] = turned ? v : u;
      plane[2 * i + 1] = turned ? u : v;
    }
    if (left == 4) {
      const int64_t a = first, b = first + 1, c = first + 2, d = first + 3;
      const bool ac = turn(a, b, c) > 0 && turn(a, c, d) > 0;
      const bool bd = turn(a, b, d) > 0 && turn(b, c, d) > 0;
      const Vec3<double> ca = at(c) - at(a), db = at(d) - at(b);
      if (ac == bd ? norm2(ca) <= norm2(db) : ac) {
        emit(emit(to, a, b, c), a, c, d);
      } else {
        emit(emit(to, a, b, d), b, c, d);
      }
      return;
    }
    // Corners are known to some units in the last place of the largest coordinate.
    double largest = 0;
    for (int64_t i = first; i < end; ++i) {
      const Vec3<double> p = at(i);
      const double x = p.x < 0 ? -p.x : p.x, y = p.y < 0 ? -p.y : p.y, z = p.z < 0 ? -p.z : p.z;
      largest = x > largest ? x : largest;
      largest = y > largest ? y : largest;
      largest = z > largest ? z : largest;
    }
    const double slack = largest * (sizeof(T) == 4 ? 0x1p-21 : 0x1p-50);
    for (int64_t i = first; i < end; ++i) {
      before[i] = i == first ? end - 1 : i - 1;
      after[i] = i + 1 == end ? first : i + 1;
    }
    for (int64_t i = first; i < end; ++i) quality[i] = ear(i, slack);
    int64_t head = first;  // smallest corner left
    while (left > 3) {
      int64_t best = head;
      for (int64_t i = after[head]; i != head; i = after[i])
        if (quality[i] > quality[best]) best = i;
      if (quality[best] < -3) {  // no ear: crossing or flat; give up the sharpest turn
        best = head;
        for (int64_t i = after[head]; i != head; i = after[i])
          if (turn(before[i], i, after[i]) > turn(before[best], best, after[best])) best = i;
      }
      const int64_t a = before[best], c = after[best];
      to = emit(to, a, best, c);
      after[a] = c;
      before[c] = a;
      if (best == head) head = c;
      --left;
      quality[a] = ear(a, slack);
      quality[c] = ear(c, slack);
    }
    emit(to, before[head], head, after[head]);
  }
};

}  // namespace meshlearn
