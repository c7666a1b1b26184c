// First triangle along a ray.
#pragma once
#include "tree.h"

namespace meshlearn {

// Watertight test (Woop, Benthin, Wald, Watertight ray/triangle intersection, 2013): edges shared
// by two triangles get the same number from both, so no ray slips between them.
struct RayFrame {
  double o[3], shear[3];
  int x, y, z;

  ML_HD RayFrame(Vec3<double> origin, Vec3<double> d) {
    const double v[3] = {d.x, d.y, d.z};
    o[0] = origin.x, o[1] = origin.y, o[2] = origin.z;
    z = 0;
    for (int a = 1; a < 3; ++a)
      if (std::fabs(v[a]) > std::fabs(v[z])) z = a;
    x = (z + 1) % 3;
    y = (z + 2) % 3;
    shear[0] = v[x] / v[z];
    shear[1] = v[y] / v[z];
    shear[2] = 1 / v[z];
  }

  // Whether it is hit at t >= 0; weights of the corners.
  template <class T>
  ML_HD bool hit(const T* rows, int lane, double& t, double w[3]) const {
    double p[3], q[3], h[3];
    for (int k = 0; k < 3; ++k) {
      const double cx = rows[(3 * k + x) * kTriangleLanes + lane] - o[x];
      const double cy = rows[(3 * k + y) * kTriangleLanes + lane] - o[y];
      const double cz = rows[(3 * k + z) * kTriangleLanes + lane] - o[z];
      p[k] = cx - shear[0] * cz;
      q[k] = cy - shear[1] * cz;
      h[k] = shear[2] * cz;
    }
    double det = 0;
    bool below = false, above = false;
    for (int k = 0; k < 3; ++k) {
      const int a = (k + 1) % 3, b = (k + 2) % 3;
      w[k] = p[b] * q[a] - q[b] * p[a];
      below = below || w[k] < 0;
      above = above || w[k] > 0;
      det += w[k];
    }
    if ((below && above) || det == 0) return false;
    t = (w[0] * h[0] + w[1] * h[1] + w[2] * h[2]) / det;
    for (int k = 0; k < 3; ++k) w[k] /= det;
    return t >= 0;
  }
};

// The same in the precision of the tree, side by side: whether a triangle may be hit. What is
// rejected misses by more than rounding, so the test above sees every hit.
template <class T>
struct RayFilter {
  Vec3<T> origin;
  T shear_x, shear_y;
  int x, y, z;

  ML_HD RayFilter(const RayFrame& ray, Vec3<T> from)
      : origin(from),
        shear_x(T(ray.shear[0])),
        shear_y(T(ray.shear[1])),
        x(ray.x),
        y(ray.y),
        z(ray.z) {}

  // Negative where it is missed.
  ML_PACK Pack<T> may_hit(const T* rows) const {
    const T from[3] = {origin.x, origin.y, origin.z};
    const Pack<T> ox = pack_of(from[x]), oy = pack_of(from[y]), oz = pack_of(from[z]);
    const Pack<T> sx = pack_of(shear_x), sy = pack_of(shear_y), zero = pack_of(T(0));
    const Pack<T> rounding = pack_of(T(24) * epsilon<T>());
    Pack<T> p[3], q[3], wide[3], high[3];
    for (int k = 0; k < 3; ++k) {
      const T* corner = rows + 3 * k * kTriangleLanes;
      const Pack<T> cx = load_pack(corner + x * kTriangleLanes),
                    cy = load_pack(corner + y * kTriangleLanes),
                    cz = load_pack(corner + z * kTriangleLanes) - oz;
      const Pack<T> dx = cx - ox, dy = cy - oy, ex = sx * cz, ey = sy * cz;
      p[k] = dx - ex;
      q[k] = dy - ey;
      wide[k] = pack_larger(dx, zero - dx) + pack_larger(ex, zero - ex);
      high[k] = pack_larger(dy, zero - dy) + pack_larger(ey, zero - ey);
    }
    Pack<T> least = zero, most = zero;
    for (int k = 0; k < 3; ++k) {
      const int a = (k + 1) % 3, b = (k + 2) % 3;
      const Pack<T> w = p[b] * q[a] - q[b] * p[a];
      const Pack<T> error = rounding * (wide[b] * high[a] + high[b] * wide[a]);
      least = pack_smaller(least, w + error);
      most = pack_larger(most, w - error);
    }
    // one surely below and one surely above zero
    return pack_select(least, zero, pack_select(zero - most, zero, pack_of(T(-1))));
  }
};

template <class T>
struct RayQuery {
  TreeView<T> tree;
  const T *origins, *directions;  // (R, 3)
  T scale;
  bool any;        // any hit will do
  int64_t* face;   // (R,), -1 for a miss
  T* distance;     // (R,) in lengths of the direction, infinite for a miss
  T* barycentric;  // (R, 3)

  ML_HD void operator()(int64_t i) const {
    const Vec3<T> o = load3(origins, i) * scale, d = load3(directions, i) * scale;
    double best = infinity<double>(), weight[3] = {0, 0, 0};
    int32_t found = 0x7fffffff;
    if (d.x != T(0) || d.y != T(0) || d.z != T(0)) {
      const RayFrame ray(Vec3<double>{double(o.x), double(o.y), double(o.z)},
                         Vec3<double>{double(d.x), double(d.y), double(d.z)});
      search(ray, o, d, best, found, weight);
    }
    const bool hit = found != 0x7fffffff;
    face[i] = hit ? found : -1;
    distance[i] = hit ? T(best) : infinity<T>();
    store3(barycentric, i, Vec3<T>{T(weight[0]), T(weight[1]), T(weight[2])});
  }

  // A direction of zero along an axis leaves the slab test to the inflation of the boxes.
  ML_HD static T reciprocal(T d) {
    const T most = T(1e30);
    if (d == T(0)) return most;
    const T r = T(1) / d;
    return r > most ? most : (r < -most ? -most : r);
  }

  ML_HD void search(const RayFrame& ray, Vec3<T> o, Vec3<T> d, double& best, int32_t& found,
                    double weight[3]) const {
    const RayFilter<T> filter(ray, o);
    const T from[3] = {o.x, o.y, o.z};
    const T inverse[3] = {reciprocal(d.x), reciprocal(d.y), reciprocal(d.z)};
    int nearer[3];  // of the low and the high side of a box
    for (int a = 0; a < 3; ++a) nearer[a] = inverse[a] < T(0) ? 12 + 4 * a : 4 * a;
    const T slack = T(1) + T(8) * epsilon<T>(), tight = T(1) / slack;
    T reach = infinity<T>();  // no less than the best
    int64_t stack[kTreeStack];
    T enter_stack[kTreeStack];
    int top = 0;
    stack[top] = 0;
    enter_stack[top++] = T(0);
    while (top > 0) {
      --top;
      const int64_t node = stack[top];
      if (enter_stack[top] > reach) continue;
      if (node >= tree.inner) {
        const int64_t l = node - tree.inner;
        const T* rows = tree.leaf + l * kTriangleRows * kTriangleLanes;
        for (int first = 0; first < kTriangleLanes; first += PackOf<T>::width) {
          const Pack<T> may = filter.may_hit(rows + first);
          if (!pack_any(may >= pack_of(T(0)))) continue;
          for (int j = 0; j < PackOf<T>::width; ++j) {
            if (lane(may, j) < T(0)) continue;
            const int32_t id = tree.id[l * kTriangleLanes + first + j];
            if (id < 0) break;
            double t, w[3];
            if (!ray.hit(rows, first + j, t, w) || t > best || (t == best && id > found)) continue;
            best = t;
            reach = T(t) * slack;
            found = id;
            for (int c = 0; c < 3; ++c) weight[c] = w[c];
            if (any) return;
          }
        }
        continue;
      }
      const T* box = tree.node + 24 * node;
      const int base = top;
      for (int first = 0; first < 4; first += PackOf<T>::width) {
        Pack<T> enter = pack_of(T(0)), leave = pack_of(infinity<T>());
        for (int a = 0; a < 3; ++a) {
          const T* side = box + first + nearer[a];
          const T* other = box + first + 12 + 8 * a - nearer[a];
          const Pack<T> at = pack_of(from[a]), over = pack_of(inverse[a]);
          enter = pack_larger(enter, (load_pack(side) - at) * over);
          leave = pack_smaller(leave, (load_pack(other) - at) * over);
        }
        enter = enter * pack_of(tight);
        leave = pack_smaller(leave * pack_of(slack), pack_of(reach));
        if (!pack_any(enter <= leave)) continue;
        for (int j = 0; j < PackOf<T>::width; ++j) {
          const T in = lane(enter, j);
          if (!(in <= lane(leave, j))) continue;  // an empty box is entered at infinity, and left
          int k = top++;
          while (k > base && enter_stack[k - 1] < in) {
            enter_stack[k] = enter_stack[k - 1];
            stack[k] = stack[k - 1];
            --k;
          }
          enter_stack[k] = in;
          stack[k] = 4 * node + 1 + first + j;
        }
      }
    }
  }
};

}  // namespace meshlearn
