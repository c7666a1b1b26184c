// Where a point is on the surface that is remeshed: the nearest one, found in single precision and
// placed in double.
#pragma once
#include <vector>

#include "closest.h"
#include "half_edges.h"

namespace meshlearn {

struct RemeshPlace {
  Vec3<double> point, normal;  // on the surface, and of its face, not of unit length
  int32_t face;
  double a, b, c;  // barycentric
};

class RemeshPlaces {
 public:
  RemeshPlaces(const TreeView<float>& tree, int64_t leaves, float scale, const double* position,
               const int64_t* face, int64_t faces)
      : tree_(tree), scale_(scale), position_(position), face_(face), leaf_(faces, 0) {
    for (int64_t i = 0; i < leaves * kTriangleLanes; ++i)
      if (tree.id[i] >= 0) leaf_[tree.id[i]] = static_cast<int32_t>(i / kTriangleLanes);
  }

  // The nearest place of all. The search begins at a face that is known to be near; the answer does
  // not depend on it.
  RemeshPlace at(const Vec3<double>& p, int32_t start) const {
    const Vec3<float> q{static_cast<float>(p.x) * scale_, static_cast<float>(p.y) * scale_,
                        static_cast<float>(p.z) * scale_};
    ClosestVisit<float> visit{tree_, q, infinity<float>(), infinity<float>(), 0x7fffffff, -1};
    visit.leaf(leaf_[start]);
    nearest_first(tree_, q, visit);
    const int32_t f = visit.where < 0 ? start : visit.face;
    return place(f, on(f, p));
  }

  // The place that is nearest among those of faces around, from face to face, `start` being the
  // first; null where that takes long, or ends further away than `reach`.
  bool walk(const Vec3<double>& p, int32_t start, const std::vector<HalfEdges::Half>& half,
            double reach, RemeshPlace& found) const {
    int64_t f = start;
    Barycentric best = on(f, p);
    for (int step = 0; step < kSteps; ++step) {
      const double weight[3] = {best.a, best.b, best.c};
      int zeros = 0, zero = 0, other = 0;
      for (int k = 0; k < 3; ++k) {
        zeros += weight[k] == 0;
        (weight[k] == 0 ? zero : other) = k;
      }
      const int64_t before = f;
      auto look = [&](int64_t h) {
        const Barycentric w = on(h >> 2, p);
        if (!(w.squared < best.squared)) return;
        best = w;
        f = h >> 2;
      };
      if (zeros == 1) {  // beyond an edge
        const int64_t t = half[4 * f + (zero + 1) % 3].twin;
        if (t >= 0) look(t);
      } else if (zeros == 2) {  // around a corner
        const int64_t h = 4 * before + other;
        int64_t g = half[HalfEdges::prev(h)].twin;
        for (; g >= 0 && g != h; g = half[HalfEdges::prev(g)].twin) look(g);
        if (g < 0) {
          for (g = half[h].twin; g >= 0; g = half[HalfEdges::next(g)].twin) look(g);
        }
      }
      if (f == before) {
        found = place(f, best);
        return best.squared <= reach * reach;
      }
    }
    return false;
  }

 private:
  static constexpr int kSteps = 8;
  Vec3<double> corner(int64_t f, int k) const { return load3(position_, face_[3 * f + k]); }
  Barycentric on(int64_t f, const Vec3<double>& p) const {
    return closest_on_triangle(p, corner(f, 0), corner(f, 1), corner(f, 2));
  }
  RemeshPlace place(int64_t f, const Barycentric& w) const {
    const Vec3<double> a = corner(f, 0), b = corner(f, 1), c = corner(f, 2);
    return {
        a * w.a + b * w.b + c * w.c, cross(b - a, c - a), static_cast<int32_t>(f), w.a, w.b, w.c};
  }
  const TreeView<float> tree_;
  const float scale_;
  const double* position_;
  const int64_t* face_;
  std::vector<int32_t> leaf_;
};

}  // namespace meshlearn
