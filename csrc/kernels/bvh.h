// A bounding volume hierarchy over triangles in Morton order, and queries on it.
//
// The tree is complete and implicit: leaf k holds triangles [4k, 4k + 4) of the order, node i has
// the children 2i + 1 and 2i + 2, and leaves are the last `leaves` nodes (a power of two). No
// pointers, no atomics: it is built level by level, the same on any device and with any number of
// threads.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

constexpr int kLeafSize = 4;
constexpr int kTreeDepth = 40;

ML_HD int64_t spread_bits(int64_t v) {  // 21 bits, two zeros between each
  v &= 0x1fffff;
  v = (v | v << 32) & 0x1f00000000ffffll;
  v = (v | v << 16) & 0x1f0000ff0000ffll;
  v = (v | v << 8) & 0x100f00f00f00f00fll;
  v = (v | v << 4) & 0x10c30c30c30c30c3ll;
  return (v | v << 2) & 0x1249249249249249ll;
}

// 63-bit Morton codes of points in a box; points that are not finite come first.
template <class T>
struct MortonCode {
  const T* points;  // (P, 3)
  T lo[3], scale[3];
  int64_t* code;  // (P,)

  ML_HD void operator()(int64_t i) const {
    int64_t sum = 0;
    for (int a = 0; a < 3; ++a) {
      const T u = (points[3 * i + a] - lo[a]) * scale[a];
      const T top = T(2097151);
      const int64_t cell = u > T(0) ? static_cast<int64_t>(u < top ? u : top) : 0;
      sum |= spread_bits(cell) << a;
    }
    code[i] = sum;
  }
};

template <class T>
struct Box {
  T lo[3], hi[3];
  ML_HD void clear() {
    for (int a = 0; a < 3; ++a) lo[a] = T(INFINITY), hi[a] = T(-INFINITY);
  }
  ML_HD void add(const T* p) {
    for (int a = 0; a < 3; ++a) {
      if (p[a] < lo[a]) lo[a] = p[a];
      if (p[a] > hi[a]) hi[a] = p[a];
    }
  }
  ML_HD T distance2(Vec3<T> p) const {  // infinite for an empty box
    const T q[3] = {p.x, p.y, p.z};
    T sum = 0;
    for (int a = 0; a < 3; ++a) {
      const T below = lo[a] - q[a], above = q[a] - hi[a];
      T d = below > above ? below : above;  // branchless: which side is hard to predict
      d = d > T(0) ? d : T(0);
      sum += d * d;
    }
    return sum;
  }
};

// Corners of triangles in the order of the leaves.
template <class T>
struct GatherTriangles {
  const T* vertices;
  const int64_t* faces;
  const int64_t* order;
  T* triangles;  // (F, 9)

  ML_HD void operator()(int64_t i) const {
    for (int k = 0; k < 3; ++k)
      store3(triangles, 3 * i + k, load3(vertices, faces[3 * order[i] + k]));
  }
};

template <class T>
struct LeafBoxes {
  const T* triangles;
  int64_t num_faces, leaves;
  Box<T>* boxes;

  ML_HD void operator()(int64_t leaf) const {
    Box<T> box;
    box.clear();
    for (int64_t i = leaf * kLeafSize; i < (leaf + 1) * kLeafSize && i < num_faces; ++i)
      for (int k = 0; k < 3; ++k) box.add(triangles + 9 * i + 3 * k);
    boxes[leaves - 1 + leaf] = box;
  }
};

template <class T>
struct InnerBoxes {
  int64_t first;  // number of the level's first node
  Box<T>* boxes;

  ML_HD void operator()(int64_t i) const {
    const int64_t node = first + i;
    Box<T> box = boxes[2 * node + 1];
    const Box<T> other = boxes[2 * node + 2];
    for (int a = 0; a < 3; ++a) {  // an empty box, infinite the other way round, changes nothing
      if (other.lo[a] < box.lo[a]) box.lo[a] = other.lo[a];
      if (other.hi[a] > box.hi[a]) box.hi[a] = other.hi[a];
    }
    boxes[node] = box;
  }
};

// Closest point of a triangle as barycentric coordinates (Ericson, "Real-Time Collision Detection",
// 5.1.5: by Voronoi region); a degenerate triangle is its longest edge.
template <class T>
ML_HD void closest_on_triangle(Vec3<T> p, Vec3<T> a, Vec3<T> b, Vec3<T> c, T out[3]) {
  const Vec3<T> ab = b - a, ac = c - a, ap = p - a;
  const T d1 = dot(ab, ap), d2 = dot(ac, ap);
  out[0] = T(0), out[1] = T(0), out[2] = T(0);
  if (d1 <= T(0) && d2 <= T(0)) {
    out[0] = T(1);
    return;
  }
  const Vec3<T> bp = p - b;
  const T d3 = dot(ab, bp), d4 = dot(ac, bp);
  if (d3 >= T(0) && d4 <= d3) {
    out[1] = T(1);
    return;
  }
  const T vc = d1 * d4 - d3 * d2;
  if (vc <= T(0) && d1 >= T(0) && d3 <= T(0) && d1 > d3) {
    out[1] = d1 / (d1 - d3);
    out[0] = T(1) - out[1];
    return;
  }
  const Vec3<T> cp = p - c;
  const T d5 = dot(ab, cp), d6 = dot(ac, cp);
  if (d6 >= T(0) && d5 <= d6) {
    out[2] = T(1);
    return;
  }
  const T vb = d5 * d2 - d1 * d6;
  if (vb <= T(0) && d2 >= T(0) && d6 <= T(0) && d2 > d6) {
    out[2] = d2 / (d2 - d6);
    out[0] = T(1) - out[2];
    return;
  }
  const T va = d3 * d6 - d5 * d4, e = d4 - d3, f = d5 - d6;
  const T sum = va + vb + vc;
  if ((va <= T(0) || !(sum > T(0))) && e + f > T(0)) {
    T w = e / (e + f);
    w = w < T(0) ? T(0) : w > T(1) ? T(1) : w;
    out[2] = w;
    out[1] = T(1) - w;
    return;
  }
  if (!(sum > T(0))) {
    out[0] = T(1);
    return;
  }
  out[1] = vb / sum;
  out[2] = vc / sum;
  out[0] = T(1) - out[1] - out[2];
}

template <class T>
struct Tree {
  const T* triangles;    // (F, 9) in leaf order
  const int64_t* order;  // (F,)
  const Box<T>* boxes;   // (2 leaves - 1,)
  int64_t num_faces, leaves;
};

// Closest triangle of each point; ties go to the lowest face number, whatever the tree.
template <class T>
struct ClosestPoint {
  Tree<T> tree;
  const T* points;          // (P, 3)
  const int64_t* sequence;  // order in which points are visited: neighbours share cache lines
  int64_t* face;            // (P,), -1 where nothing is near (a point that is not finite)
  T* barycentric;           // (P, 3)

  ML_HD void operator()(int64_t at) const {
    const int64_t i = sequence[at];
    const Vec3<T> p = load3(points, i);
    int64_t stack[kTreeDepth];
    T bound[kTreeDepth];
    int depth = 0;
    T best = T(INFINITY), bary[3] = {T(1), T(0), T(0)};
    int64_t found = -1, node = 0;
    T near = tree.boxes[0].distance2(p);
    while (true) {
      if (near <= best) {
        if (node >= tree.leaves - 1) {
          const int64_t first = (node - (tree.leaves - 1)) * kLeafSize;
          for (int64_t t = first; t < first + kLeafSize && t < tree.num_faces; ++t) {
            const Vec3<T> a = load3(tree.triangles, 3 * t), b = load3(tree.triangles, 3 * t + 1),
                          c = load3(tree.triangles, 3 * t + 2);
            T w[3];
            closest_on_triangle(p, a, b, c, w);
            const T d = norm2(a * w[0] + b * w[1] + c * w[2] - p);
            if (d < best || (d == best && tree.order[t] < found)) {
              best = d;
              found = tree.order[t];
              bary[0] = w[0], bary[1] = w[1], bary[2] = w[2];
            }
          }
        } else {
          const int64_t left = 2 * node + 1;
          const T dl = tree.boxes[left].distance2(p), dr = tree.boxes[left + 1].distance2(p);
          const bool swap = dr < dl;
          const T far = swap ? dl : dr;
          if (far <= best) {
            stack[depth] = swap ? left : left + 1;
            bound[depth++] = far;
          }
          node = swap ? left + 1 : left;
          near = swap ? dr : dl;
          continue;
        }
      }
      if (depth == 0) break;
      node = stack[--depth];
      near = bound[depth];
    }
    face[i] = found;
    for (int k = 0; k < 3; ++k) barycentric[3 * i + k] = bary[k];
  }
};

// --- winding number
// -------------------------------------------------------------------------------

// What a far point sees of a node: an expansion about the node's area-weighted centre.
template <class T>
struct Moment {
  T centre[3], normal[3], second[9], area, radius;
};

template <class T>
ML_HD Vec3<T> area_vector(Vec3<T> a, Vec3<T> b, Vec3<T> c) {
  return cross(b - a, c - a) * T(0.5);
}

// Moments of every node, from its triangles (a range of the order): no order of summation to fix.
template <class T>
struct NodeMoments {
  Tree<T> tree;
  Moment<T>* moments;  // (2 leaves - 1,)

  ML_HD void operator()(int64_t node) const {
    int64_t level_first = 0, width = tree.leaves;  // leaves under a node of this level
    while (2 * level_first + 1 <= node) level_first = 2 * level_first + 1, width >>= 1;
    const int64_t begin = (node - level_first) * width * kLeafSize;
    int64_t end = begin + width * kLeafSize;
    if (end > tree.num_faces) end = tree.num_faces;
    double area = 0, c[3] = {0, 0, 0}, n[3] = {0, 0, 0};
    for (int64_t t = begin; t < end; ++t) {
      const Vec3<T> p = load3(tree.triangles, 3 * t), q = load3(tree.triangles, 3 * t + 1),
                    r = load3(tree.triangles, 3 * t + 2), s = area_vector(p, q, r);
      const double w = std::sqrt(static_cast<double>(norm2(s)));
      if (!(w >= 0)) continue;
      const Vec3<T> m = (p + q + r) * T(1.0 / 3);
      area += w;
      c[0] += w * m.x, c[1] += w * m.y, c[2] += w * m.z;
      n[0] += s.x, n[1] += s.y, n[2] += s.z;
    }
    Moment<T> out;
    const Box<T>& box = tree.boxes[node];
    double second[9] = {0};
    for (int a = 0; a < 3; ++a) {
      out.centre[a] = area > 0 ? static_cast<T>(c[a] / area) : (box.lo[a] + box.hi[a]) * T(0.5);
      out.normal[a] = static_cast<T>(n[a]);
    }
    double radius2 = 0;
    for (int64_t t = begin; t < end; ++t) {
      const Vec3<T> p = load3(tree.triangles, 3 * t), q = load3(tree.triangles, 3 * t + 1),
                    r = load3(tree.triangles, 3 * t + 2), s = area_vector(p, q, r);
      if (!(norm2(s) >= T(0))) continue;
      const Vec3<T> centre{out.centre[0], out.centre[1], out.centre[2]};
      const Vec3<T> d = (p + q + r) * T(1.0 / 3) - centre;
      const T dn[3] = {s.x, s.y, s.z}, dd[3] = {d.x, d.y, d.z};
      for (int i = 0; i < 3; ++i)
        for (int j = 0; j < 3; ++j) second[3 * i + j] += static_cast<double>(dn[i]) * dd[j];
      const Vec3<T> corner[3] = {p, q, r};
      for (int k = 0; k < 3; ++k) {
        const double far = norm2(corner[k] - centre);
        if (far > radius2) radius2 = far;
      }
    }
    for (int i = 0; i < 9; ++i) out.second[i] = static_cast<T>(second[i]);
    out.area = static_cast<T>(area);
    out.radius = static_cast<T>(std::sqrt(radius2));
    moments[node] = out;
  }
};

// Signed solid angle of a triangle over 4 pi (van Oosterom and Strackee).
template <class T>
ML_HD double solid_angle(Vec3<T> q, Vec3<T> a, Vec3<T> b, Vec3<T> c) {
  const Vec3<double> u{double(a.x) - q.x, double(a.y) - q.y, double(a.z) - q.z},
      v{double(b.x) - q.x, double(b.y) - q.y, double(b.z) - q.z},
      w{double(c.x) - q.x, double(c.y) - q.y, double(c.z) - q.z};
  const double lu = std::sqrt(norm2(u)), lv = std::sqrt(norm2(v)), lw = std::sqrt(norm2(w));
  const double numerator = dot(u, cross(v, w));
  const double denominator = lu * lv * lw + dot(u, v) * lw + dot(v, w) * lu + dot(w, u) * lv;
  const double angle = std::atan2(numerator, denominator) / 6.283185307179586;
  return angle == angle ? angle : 0.0;
}

template <class T>
struct WindingNumber {
  Tree<T> tree;
  const Moment<T>* moments;
  const T* points;
  const int64_t* sequence;
  double beta;  // a node is far beyond beta radii; infinite for the exact sum
  T* winding;   // (P,)

  ML_HD void operator()(int64_t at) const {
    const int64_t i = sequence[at];
    const Vec3<T> q = load3(points, i);
    int64_t stack[kTreeDepth];
    int depth = 0;
    double sum = 0;
    stack[depth++] = 0;
    while (depth > 0) {
      const int64_t node = stack[--depth];
      const Moment<T>& m = moments[node];
      if (!(m.area > T(0))) continue;
      const double r[3] = {double(m.centre[0]) - q.x, double(m.centre[1]) - q.y,
                           double(m.centre[2]) - q.z};
      const double d2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2];
      const double reach = beta * m.radius;
      if (d2 > reach * reach) {
        const double inverse = 1 / std::sqrt(d2), i3 = inverse * inverse * inverse;
        double first = 0, trace = 0, mixed = 0;
        for (int a = 0; a < 3; ++a) {
          first += m.normal[a] * r[a];
          trace += m.second[3 * a + a];
          for (int b = 0; b < 3; ++b) mixed += m.second[3 * a + b] * r[a] * r[b];
        }
        sum += (first + trace - 3 * mixed * inverse * inverse) * i3 / 12.566370614359172;
      } else if (node >= tree.leaves - 1) {
        const int64_t begin = (node - (tree.leaves - 1)) * kLeafSize;
        for (int64_t t = begin; t < begin + kLeafSize && t < tree.num_faces; ++t)
          sum += solid_angle(q, load3(tree.triangles, 3 * t), load3(tree.triangles, 3 * t + 1),
                             load3(tree.triangles, 3 * t + 2));
      } else {
        stack[depth++] = 2 * node + 2;
        stack[depth++] = 2 * node + 1;
      }
    }
    winding[i] = static_cast<T>(sum);
  }
};

// --- rays
// -------------------------------------------------------------------------------------------

// First triangle hit by each ray (both sides count); ties go to the lowest face number.
template <class T>
struct RayHit {
  Tree<T> tree;
  const T *origins, *directions;  // (R, 3)
  int64_t* face;                  // (R,), -1 for a miss
  T *distance, *barycentric;      // (R,) in lengths of the direction, infinite for a miss; (R, 3)

  ML_HD void operator()(int64_t i) const {
    const Vec3<T> o = load3(origins, i), d = load3(directions, i);
    const T inverse[3] = {T(1) / d.x, T(1) / d.y, T(1) / d.z}, origin[3] = {o.x, o.y, o.z};
    int64_t stack[kTreeDepth], found = -1;
    int depth = 0;
    T best = T(INFINITY), bary[3] = {T(0), T(0), T(0)};
    stack[depth++] = 0;
    while (depth > 0) {
      const int64_t node = stack[--depth];
      const Box<T>& box = tree.boxes[node];
      T enter = T(0), leave = best;
      for (int a = 0; a < 3; ++a) {
        const T s = (box.lo[a] - origin[a]) * inverse[a], e = (box.hi[a] - origin[a]) * inverse[a];
        const T low = s < e ? s : e, high = (s < e ? e : s) * T(1 + 4e-7);
        if (low > enter) enter = low;  // comparisons with NaN (0 times infinity) leave it as it is
        if (high < leave) leave = high;
      }
      if (!(enter <= leave)) continue;
      if (node < tree.leaves - 1) {
        stack[depth++] = 2 * node + 2;
        stack[depth++] = 2 * node + 1;
        continue;
      }
      const int64_t first = (node - (tree.leaves - 1)) * kLeafSize;
      for (int64_t t = first; t < first + kLeafSize && t < tree.num_faces; ++t) {
        const Vec3<T> a = load3(tree.triangles, 3 * t), ab = load3(tree.triangles, 3 * t + 1) - a,
                      ac = load3(tree.triangles, 3 * t + 2) - a, h = cross(d, ac);
        const T det = dot(ab, h);
        if (!(det > T(0) || det < T(0))) continue;
        const T f = T(1) / det;
        const Vec3<T> s = o - a;
        const T u = f * dot(s, h);
        const Vec3<T> q = cross(s, ab);
        const T v = f * dot(d, q), at = f * dot(ac, q), slack = T(-1e-6);
        if (u < slack || v < slack || u + v > T(1) - slack || !(at >= T(0))) continue;
        if (at < best || (at == best && tree.order[t] < found)) {
          best = at;
          found = tree.order[t];
          bary[0] = T(1) - u - v, bary[1] = u, bary[2] = v;
        }
      }
    }
    face[i] = found;
    distance[i] = best;
    for (int k = 0; k < 3; ++k) barycentric[3 * i + k] = bary[k];
  }
};

}  // namespace meshlearn
