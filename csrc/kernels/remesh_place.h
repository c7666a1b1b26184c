// Where a point is on the surface that is remeshed: the nearest one, found in single precision and
// placed in double.
#pragma once
#include <vector>

#include "closest.h"

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

  // The search begins at a face that is known to be near; the answer does not depend on it.
  RemeshPlace at(const Vec3<double>& p, int32_t start) const {
    const Vec3<float> q{static_cast<float>(p.x) * scale_, static_cast<float>(p.y) * scale_,
                        static_cast<float>(p.z) * scale_};
    ClosestVisit<float> visit{tree_, q, infinity<float>(), infinity<float>(), 0x7fffffff, -1};
    visit.leaf(leaf_[start]);
    nearest_first(tree_, q, visit);
    const int64_t f = visit.where < 0 ? start : visit.face;
    const Vec3<double> a = load3(position_, face_[3 * f]), b = load3(position_, face_[3 * f + 1]),
                       c = load3(position_, face_[3 * f + 2]);
    const Barycentric w = closest_on_triangle(p, a, b, c);
    return {
        a * w.a + b * w.b + c * w.c, cross(b - a, c - a), static_cast<int32_t>(f), w.a, w.b, w.c};
  }

 private:
  const TreeView<float> tree_;
  const float scale_;
  const double* position_;
  const int64_t* face_;
  std::vector<int32_t> leaf_;
};

}  // namespace meshlearn
