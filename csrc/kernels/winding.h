// Generalised winding number: exact solid angles near by, expansions of whole branches far away.
//
// (W1) w(q) = sum over triangles of their solid angle at q, over 4 pi; Jacobson et al., Robust
//      inside-outside segmentation using generalized winding numbers (2013)
// (W2) tan(angle / 2) = det(a b c) / (|a||b||c| + a.b |c| + b.c |a| + c.a |b|), the corners seen
//      from q; van Oosterom and Strackee, The solid angle of a plane triangle (1983)
// (W3) of a branch whose centre lies at r from q, with N, M and S the sum of its area vectors and
//      their first and second moments about the centre (symmetric parts):
//      [N.r + tr M - 3 r.M r / r^2 + (15/2 S r r r / r^2 - 9/2 tr S . r) / r^2] / r^3;
//      Barill et al., Fast winding numbers for soups and clouds (2018), to second order
// (W4) a branch is far where r exceeds beta times the distance of its farthest corner from its
//      centre; the same
#pragma once
#include "tree.h"

namespace meshlearn {

// Of the field r / |r|^3 only symmetric parts of the moments are seen, and those suffice to move
// the centre: normals (3), first moment (6: xx yy zz xy xz yz) and second moment (10: xxx yyy zzz
// xxy xxz yyx yyz zzx zzy xyz) of the area vectors about the centre.
constexpr int kMomentRows = 24;  // area, centre 3, squared radius, normal 3, first 6, second 10

struct WindingMoment {
  double area = 0, centre[3] = {0, 0, 0}, reach = 0;
  double normal[3] = {0, 0, 0}, first[6] = {0}, second[10] = {0};

  // Adds the symmetric part of v (x) m to the second moment.
  ML_HD void add_second(const double* v, const double* m, double factor) {
    const double third = factor / 3;
    second[0] += factor * v[0] * m[0];
    second[1] += factor * v[1] * m[1];
    second[2] += factor * v[2] * m[2];
    second[3] += third * (v[1] * m[0] + 2 * v[0] * m[3]);
    second[4] += third * (v[2] * m[0] + 2 * v[0] * m[4]);
    second[5] += third * (v[0] * m[1] + 2 * v[1] * m[3]);
    second[6] += third * (v[2] * m[1] + 2 * v[1] * m[5]);
    second[7] += third * (v[0] * m[2] + 2 * v[2] * m[4]);
    second[8] += third * (v[1] * m[2] + 2 * v[2] * m[5]);
    second[9] += third * (v[0] * m[5] + v[1] * m[4] + v[2] * m[3]);
  }
  // Adds a branch whose own centre lies `d` away from this one.
  ML_HD void add(const WindingMoment& o, const double* d) {
    const double dd[6] = {d[0] * d[0], d[1] * d[1], d[2] * d[2],
                          d[0] * d[1], d[0] * d[2], d[1] * d[2]};
    const double* n = o.normal;
    for (int k = 0; k < 10; ++k) second[k] += o.second[k];
    add_second(d, o.first, 2);
    add_second(n, dd, 1);
    for (int k = 0; k < 6; ++k) first[k] += o.first[k];
    for (int a = 0; a < 3; ++a) {
      first[a] += n[a] * d[a];
      normal[a] += n[a];
    }
    first[3] += 0.5 * (n[0] * d[1] + n[1] * d[0]);
    first[4] += 0.5 * (n[0] * d[2] + n[2] * d[0]);
    first[5] += 0.5 * (n[1] * d[2] + n[2] * d[1]);
  }
};

// One triangle about its own centre.
ML_HD WindingMoment triangle_moment(const double corner[3][3]) {
  WindingMoment out;
  double u[3][3];
  for (int a = 0; a < 3; ++a) {
    out.centre[a] = (corner[0][a] + corner[1][a] + corner[2][a]) / 3;
    for (int k = 0; k < 3; ++k) u[k][a] = corner[k][a] - out.centre[a];
  }
  double e[3], f[3];
  for (int a = 0; a < 3; ++a) {
    e[a] = corner[1][a] - corner[0][a];
    f[a] = corner[2][a] - corner[0][a];
  }
  for (int a = 0; a < 3; ++a)
    out.normal[a] = 0.5 * (e[(a + 1) % 3] * f[(a + 2) % 3] - e[(a + 2) % 3] * f[(a + 1) % 3]);
  double m[6] = {0};
  for (int k = 0; k < 3; ++k) {  // second moment of the triangle: corners' products over 12
    for (int a = 0; a < 3; ++a) m[a] += u[k][a] * u[k][a] / 12;
    m[3] += u[k][0] * u[k][1] / 12;
    m[4] += u[k][0] * u[k][2] / 12;
    m[5] += u[k][1] * u[k][2] / 12;
    const double r = u[k][0] * u[k][0] + u[k][1] * u[k][1] + u[k][2] * u[k][2];
    out.reach = larger(out.reach, r);
  }
  out.add_second(out.normal, m, 1);
  const double* n = out.normal;
  out.area = std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
  return out;
}

// The union of a few branches about their common centre of area.
template <class Part>
ML_HD WindingMoment join_moments(int count, const Part& part) {
  WindingMoment out;
  double weight = 0;
  for (int k = 0; k < count; ++k) weight += part(k).area;
  for (int k = 0; k < count; ++k) {
    const WindingMoment p = part(k);
    const double w = weight > 0 ? p.area / weight : 1.0 / count;
    for (int a = 0; a < 3; ++a) out.centre[a] += w * p.centre[a];
  }
  out.area = weight;
  double reach = 0;
  for (int k = 0; k < count; ++k) {
    const WindingMoment p = part(k);
    double d[3];
    for (int a = 0; a < 3; ++a) d[a] = p.centre[a] - out.centre[a];
    out.add(p, d);
    reach = larger(reach, std::sqrt(d[0] * d[0] + d[1] * d[1] + d[2] * d[2]) + std::sqrt(p.reach));
  }
  out.reach = reach * reach;
  return out;
}

template <class T>
struct LeafPart {
  const T* rows;
  ML_HD WindingMoment operator()(int k) const {
    double corner[3][3];
    for (int r = 0; r < 9; ++r) corner[r / 3][r % 3] = rows[r * kTriangleLanes + k];
    return triangle_moment(corner);
  }
};

template <class T>
struct ChildPart {
  const T* rows;  // (24, 4)
  int child[4];   // those with items
  ML_HD WindingMoment operator()(int part) const {
    const int k = child[part];
    WindingMoment out;
    out.area = rows[k];
    for (int a = 0; a < 3; ++a) out.centre[a] = rows[4 * (1 + a) + k];
    out.reach = rows[16 + k];
    for (int a = 0; a < 3; ++a) out.normal[a] = rows[4 * (5 + a) + k];
    for (int a = 0; a < 6; ++a) out.first[a] = rows[4 * (8 + a) + k];
    for (int a = 0; a < 10; ++a) out.second[a] = rows[4 * (14 + a) + k];
    return out;
  }
};

// Moments of the children of node first + i; levels from the bottom up.
template <class T>
struct MomentNode {
  TreeView<T> tree;
  int64_t first, used;
  T* moment;  // (inner, 24, 4)

  ML_HD void operator()(int64_t i) const {
    i += first;
    for (int c = 0; c < 4; ++c) {
      const int64_t child = 4 * i + 1 + c, l = child - tree.inner;
      WindingMoment m;
      if (l >= 0) {
        int count = 0;
        while (l < used && count < kTriangleLanes && tree.id[l * kTriangleLanes + count] >= 0)
          ++count;
        const LeafPart<T> part{tree.leaf + l * kTriangleRows * kTriangleLanes};
        if (count > 0) m = join_moments(count, part);
      } else {
        int count = 0;
        ChildPart<T> part{moment + child * kMomentRows * 4, {0, 0, 0, 0}};
        for (int k = 0; k < 4; ++k)
          if (tree.least[4 * child + k] != 0x7fffffff) part.child[count++] = k;
        if (count > 0) m = join_moments(count, part);
      }
      const T* box = tree.node + 24 * i + c;  // its farthest corner may be nearer
      double far = 0;
      for (int a = 0; a < 3; ++a) {
        const double d = larger(m.centre[a] - box[4 * a], box[12 + 4 * a] - m.centre[a]);
        far += d * d;
      }
      T* out = moment + i * kMomentRows * 4 + c;
      out[0] = T(m.area);
      for (int a = 0; a < 3; ++a) out[4 * (1 + a)] = T(m.centre[a]);
      out[16] = T(smaller(m.reach, far)) * (T(1) + T(8) * epsilon<T>());
      for (int a = 0; a < 3; ++a) out[4 * (5 + a)] = T(m.normal[a]);
      for (int a = 0; a < 6; ++a) out[4 * (8 + a)] = T(m.first[a]);
      for (int a = 0; a < 10; ++a) out[4 * (14 + a)] = T(m.second[a]);
    }
  }
};

// A sum of angles as a product of complex numbers, so that one arc tangent serves for many.
struct AngleSum {
  double re = 1, im = 0;
  int64_t turns = 0;

  ML_HD void add(double x, double y) {  // the angle of (x, y)
    const bool up = im >= 0, also = y >= 0;
    const double r = re * x - im * y;
    im = re * y + im * x;
    re = r;
    if (up == also && up != (im >= 0)) turns += up ? 1 : -1;
    const double size = larger(re < 0 ? -re : re, im < 0 ? -im : im);
    if (size > 1e60 || size < 1e-60) {
      re /= size;
      im /= size;
    }
  }
  ML_HD double total() const {
    return std::atan2(im >= 0 ? im + 0.0 : im, re) + 6.283185307179586 * static_cast<double>(turns);
  }
};

// (W2) Adds half the solid angle of a leaf's triangles.
template <class T>
ML_HD void add_leaf(const T* rows, const int32_t* ids, Vec3<T> q, AngleSum& sum) {
  using P = Pack<double>;
  constexpr int W = PackOf<double>::width, L = kTriangleLanes;
  const PackVec3<double> at = pack_of3(Vec3<double>{double(q.x), double(q.y), double(q.z)});
  for (int first = 0; first < L; first += W) {
    if (ids[first] < 0) return;
    double corner[9 * W];
    for (int r = 0; r < 9; ++r)
      for (int k = 0; k < W; ++k) corner[r * W + k] = rows[r * L + first + k];
    const PackVec3<double> a = load_pack3(corner, W) - at, b = load_pack3(corner + 3 * W, W) - at,
                           c = load_pack3(corner + 6 * W, W) - at;
    const P la = pack_sqrt(pack_dot<double>(a, a)), lb = pack_sqrt(pack_dot<double>(b, b)),
            lc = pack_sqrt(pack_dot<double>(c, c));
    const P det = pack_dot<double>(a, pack_cross<double>(b, c));
    const P den = la * lb * lc + pack_dot<double>(a, b) * lc + pack_dot<double>(b, c) * la +
                  pack_dot<double>(c, a) * lb;
    for (int k = 0; k < W; ++k) {
      const double y = lane(det, k);
      if (ids[first + k] >= 0 && y != 0) sum.add(lane(den, k), y);  // in its plane: no angle
    }
  }
}

// (W3) 4 pi times the winding number of branches far away, side by side.
template <class T>
ML_PACK Pack<T> far_field(const T* m, const PackVec3<T>& r, Pack<T> squared) {
  const Pack<T> one = pack_of(T(1)), inverse = one / squared;
  const Pack<T> cubed = inverse * (one / pack_sqrt(squared));
  const PackVec3<T> n = load_pack3(m + 20, 4);
  const Pack<T> xx = load_pack(m + 32), yy = load_pack(m + 36), zz = load_pack(m + 40),
                xy = load_pack(m + 44), xz = load_pack(m + 48), yz = load_pack(m + 52);
  const Pack<T> x = r.x, y = r.y, z = r.z, x2 = x * x, y2 = y * y, z2 = z * z;
  const Pack<T> two = pack_of(T(2)), three = pack_of(T(3));
  const Pack<T> quadric =
      xx * x2 + yy * y2 + zz * z2 + two * (xy * x * y + xz * x * z + yz * y * z);
  const T* s = m + 56;
  const Pack<T> xxx = load_pack(s), yyy = load_pack(s + 4), zzz = load_pack(s + 8),
                xxy = load_pack(s + 12), xxz = load_pack(s + 16), yyx = load_pack(s + 20),
                yyz = load_pack(s + 24), zzx = load_pack(s + 28), zzy = load_pack(s + 32),
                xyz = load_pack(s + 36);
  const Pack<T> trace = (xxx + yyx + zzx) * x + (yyy + xxy + zzy) * y + (zzz + xxz + yyz) * z;
  const Pack<T> cubic =
      xxx * x2 * x + yyy * y2 * y + zzz * z2 * z +
      three * (x2 * (xxy * y + xxz * z) + y2 * (yyx * x + yyz * z) + z2 * (zzx * x + zzy * y)) +
      pack_of(T(6)) * xyz * x * y * z;
  const Pack<T> second = (pack_of(T(7.5)) * cubic * inverse - pack_of(T(4.5)) * trace) * inverse;
  return cubed * (pack_dot<T>(n, r) + xx + yy + zz - three * quadric * inverse + second);
}

// (W1) The winding number of each point: near triangles by (W2), branches far by (W4) by (W3).
template <class T>
struct WindingQuery {
  TreeView<T> tree;
  const T* moment;       // (inner, 24, 4)
  const T* points;       // (P, 3)
  const int32_t* order;  // (P,)
  T scale, beta2;        // beta squared; infinite: exact
  T* winding;            // (P,)

  ML_HD void operator()(int64_t j) const {
    const int64_t i = order[j];
    const Vec3<T> q = load3(points, i) * scale;
    const PackVec3<T> at = pack_of3(q);
    int64_t stack[kTreeStack];
    int top = 0;
    double far = 0;
    AngleSum near;
    stack[top++] = 0;
    while (top > 0) {
      const int64_t node = stack[--top];
      if (node >= tree.inner) {
        const int64_t l = node - tree.inner;
        add_leaf(tree.leaf + l * kTriangleRows * kTriangleLanes, tree.id + l * kTriangleLanes, q,
                 near);
        continue;
      }
      const T* m = moment + node * kMomentRows * 4;
      for (int first = 0; first < 4; first += PackOf<T>::width) {
        const PackVec3<T> r = load_pack3(m + 4 + first, 4) - at;
        const Pack<T> squared = pack_dot<T>(r, r);
        const Pack<T> reach = pack_of(beta2) * load_pack(m + 16 + first);
        bool any = false, is_far[PackOf<T>::width];
        for (int k = 0; k < PackOf<T>::width; ++k) {
          const bool here = tree.least[4 * node + first + k] != 0x7fffffff;
          const bool away = lane(squared, k) > lane(reach, k);
          is_far[k] = here && away;
          any = any || is_far[k];
          if (here && !away) stack[top++] = 4 * node + 1 + first + k;
        }
        if (!any) continue;
        const Pack<T> value = far_field(m + first, r, squared);
        for (int k = 0; k < PackOf<T>::width; ++k)
          if (is_far[k]) far += lane(value, k);
      }
    }
    winding[i] = T(far / 12.566370614359172 + near.total() / 6.283185307179586);
  }
};

}  // namespace meshlearn
