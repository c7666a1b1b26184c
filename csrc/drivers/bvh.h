#pragma once
#include "../common/tensor.h"
#include "../kernels/bvh.h"

namespace meshlearn {

inline int64_t leaf_count(int64_t faces) {
  int64_t leaves = 1;
  while (leaves * kLeafSize < faces) leaves *= 2;
  return leaves;
}

template <class Exec>
Tensor morton_codes(const Tensor& points, std::vector<double> lo, std::vector<double> hi) {
  STD_TORCH_CHECK(lo.size() == 3 && hi.size() == 3, "lo, hi: 3 values each");
  return ML_DISPATCH_FLOAT(
      points, T, ([&] {
        expect<T>(points, "points");
        const int64_t n = points.size(0);
        Tensor code = empty<int64_t>(points, {n});
        MortonCode<T> kernel;
        kernel.points = ptr<T>(points);
        kernel.code = mut<int64_t>(code);
        for (int a = 0; a < 3; ++a) {
          kernel.lo[a] = static_cast<T>(lo[a]);
          kernel.scale[a] = hi[a] > lo[a] ? static_cast<T>(2097151.0 / (hi[a] - lo[a])) : T(0);
        }
        Exec(points).for_each(n, 4096, kernel);
        return code;
      }));
}

// Triangles in leaf order (F, 9) and the boxes of all nodes (2 leaves - 1, 6).
template <class Exec>
std::tuple<Tensor, Tensor> bvh_build(const Tensor& vertices, const Tensor& faces,
                                     const Tensor& order) {
  expect<int64_t>(faces, "faces");
  expect<int64_t>(order, "order");
  return ML_DISPATCH_FLOAT(
      vertices, T, ([&] {
        expect<T>(vertices, "vertices");
        const Exec exec(vertices);
        const int64_t n = faces.size(0), leaves = leaf_count(n);
        Tensor triangles = empty<T>(vertices, {n, 9}),
               boxes = empty<T>(vertices, {2 * leaves - 1, 6});
        Box<T>* box = reinterpret_cast<Box<T>*>(mut<T>(boxes));
        exec.for_each(n, 4096,
                      GatherTriangles<T>{ptr<T>(vertices), ptr<int64_t>(faces), ptr<int64_t>(order),
                                         mut<T>(triangles)});
        exec.for_each(leaves, 1024, LeafBoxes<T>{ptr<T>(triangles), n, leaves, box});
        for (int64_t width = leaves / 2; width > 0; width /= 2)
          exec.for_each(width, 2048, InnerBoxes<T>{width - 1, box});
        return std::make_tuple(triangles, boxes);
      }));
}

template <class T>
Tree<T> make_tree(const Tensor& triangles, const Tensor& order, const Tensor& boxes) {
  expect<T>(triangles, "triangles");
  expect<T>(boxes, "boxes");
  expect<int64_t>(order, "order");
  const int64_t n = triangles.size(0), leaves = leaf_count(n);
  STD_TORCH_CHECK(boxes.size(0) == 2 * leaves - 1 && order.numel() == n,
                  "not a tree of these faces");
  return Tree<T>{ptr<T>(triangles), ptr<int64_t>(order),
                 reinterpret_cast<const Box<T>*>(ptr<T>(boxes)), n, leaves};
}

template <class Exec>
std::tuple<Tensor, Tensor> bvh_closest(const Tensor& points, const Tensor& sequence,
                                       const Tensor& triangles, const Tensor& order,
                                       const Tensor& boxes) {
  expect<int64_t>(sequence, "sequence");
  return ML_DISPATCH_FLOAT(
      points, T, ([&] {
        expect<T>(points, "points");
        const int64_t n = points.size(0);
        Tensor face = empty<int64_t>(points, {n}), barycentric = empty<T>(points, {n, 3});
        Exec(points).for_each(
            n, 128,
            ClosestPoint<T>{make_tree<T>(triangles, order, boxes), ptr<T>(points),
                            ptr<int64_t>(sequence), mut<int64_t>(face), mut<T>(barycentric)});
        return std::make_tuple(face, barycentric);
      }));
}

template <class Exec>
Tensor bvh_moments(const Tensor& triangles, const Tensor& order, const Tensor& boxes) {
  return ML_DISPATCH_FLOAT(
      triangles, T, ([&] {
        const Tree<T> tree = make_tree<T>(triangles, order, boxes);
        const int64_t nodes = 2 * tree.leaves - 1;
        static_assert(sizeof(Moment<T>) == 17 * sizeof(T), "a moment is 17 numbers");
        Tensor moments = empty<T>(triangles, {nodes, 17});
        Exec(triangles).for_each(
            nodes, 16, NodeMoments<T>{tree, reinterpret_cast<Moment<T>*>(mut<T>(moments))});
        return moments;
      }));
}

template <class Exec>
Tensor bvh_winding(const Tensor& points, const Tensor& sequence, const Tensor& triangles,
                   const Tensor& order, const Tensor& boxes, const Tensor& moments, double beta) {
  expect<int64_t>(sequence, "sequence");
  return ML_DISPATCH_FLOAT(
      points, T, ([&] {
        expect<T>(points, "points");
        expect<T>(moments, "moments");
        const int64_t n = points.size(0);
        Tensor winding = empty<T>(points, {n});
        Exec(points).for_each(
            n, 128,
            WindingNumber<T>{make_tree<T>(triangles, order, boxes),
                             reinterpret_cast<const Moment<T>*>(ptr<T>(moments)), ptr<T>(points),
                             ptr<int64_t>(sequence), beta, mut<T>(winding)});
        return winding;
      }));
}

template <class Exec>
std::tuple<Tensor, Tensor, Tensor> bvh_rays(const Tensor& origins, const Tensor& directions,
                                            const Tensor& triangles, const Tensor& order,
                                            const Tensor& boxes) {
  return ML_DISPATCH_FLOAT(
      origins, T, ([&] {
        expect<T>(origins, "origins");
        expect<T>(directions, "directions");
        const int64_t n = origins.size(0);
        Tensor face = empty<int64_t>(origins, {n}), distance = empty<T>(origins, {n}),
               barycentric = empty<T>(origins, {n, 3});
        Exec(origins).for_each(
            n, 128,
            RayHit<T>{make_tree<T>(triangles, order, boxes), ptr<T>(origins), ptr<T>(directions),
                      mut<int64_t>(face), mut<T>(distance), mut<T>(barycentric)});
        return std::make_tuple(face, distance, barycentric);
      }));
}

}  // namespace meshlearn
