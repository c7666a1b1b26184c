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
    const T from[3] = {o.x, o.y, o.z};
    const T inverse[3] = {reciprocal(d.x), reciprocal(d.y), reciprocal(d.z)};
    const T slack = T(1) + T(8) * epsilon<T>();
    int64_t stack[kTreeStack];
    T enter_stack[kTreeStack];
    int top = 0;
    stack[top] = 0;
    enter_stack[top++] = T(0);
    while (top > 0) {
      --top;
      const int64_t node = stack[top];
      if (double(enter_stack[top]) > best) continue;
      if (node >= tree.inner) {
        const int64_t l = node - tree.inner;
        const T* rows = tree.leaf + l * kTriangleRows * kTriangleLanes;
        for (int k = 0; k < kTriangleLanes; ++k) {
          const int32_t id = tree.id[l * kTriangleLanes + k];
          if (id < 0) break;
          double t, w[3];
          if (!ray.hit(rows, k, t, w) || t > best || (t == best && id > found)) continue;
          best = t;
          found = id;
          for (int c = 0; c < 3; ++c) weight[c] = w[c];
          if (any) return;
        }
        continue;
      }
      const T* box = tree.node + 24 * node;
      const int base = top;
      for (int c = 0; c < 4; ++c) {
        if (tree.least[4 * node + c] == 0x7fffffff) continue;
        T enter = T(0), leave = infinity<T>();
        for (int a = 0; a < 3; ++a) {
          const T s = (box[4 * a + c] - from[a]) * inverse[a];
          const T e = (box[12 + 4 * a + c] - from[a]) * inverse[a];
          enter = larger(enter, smaller(s, e));
          leave = smaller(leave, larger(s, e));
        }
        enter = enter / slack;
        if (enter > leave * slack || double(enter) > best) continue;
        int k = top++;
        while (k > base && enter_stack[k - 1] < enter) {
          enter_stack[k] = enter_stack[k - 1];
          stack[k] = stack[k - 1];
          --k;
        }
        enter_stack[k] = enter;
        stack[k] = 4 * node + 1 + c;
      }
    }
  }
};

}  // namespace meshlearn
