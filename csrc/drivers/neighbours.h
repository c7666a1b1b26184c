#pragma once
#include "../kernels/knn.h"
#include "tree.h"

namespace meshlearn {

// Tree over points: node (N, 24), least (N, 4), leaf (L, 3, 8), id (L, 8), order (P,).
template <class Exec>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> point_tree(const Tensor& points,
                                                              std::vector<double> frame) {
  expect_points(points);
  return ML_DISPATCH_FLOAT(points, T, ([&] {
                             return build_tree<T, kPointRows, kPointLanes, Exec>(
                                 points, nullptr, points.size(0), PointCentre<T>{ptr<T>(points)},
                                 frame);
                           }));
}

template <class Exec>
std::tuple<Tensor, Tensor> nearest_points(const Tensor& points, const Tensor& order,
                                          const Tensor& node, const Tensor& least,
                                          const Tensor& leaf, const Tensor& id, double scale,
                                          int64_t k, bool sorted) {
  expect_points(points);
  expect<int32_t>(order, "order");
  return ML_DISPATCH_FLOAT(
      points, T, ([&]() -> std::tuple<Tensor, Tensor> {
        const int64_t n = points.size(0);
        Tensor squared = empty<T>(points, {n, k}), index = empty<int64_t>(points, {n, k});
        constexpr int64_t block = QueryBlock<Exec>::value;
        const auto search = [&](auto query) {
          Exec(points).for_each((n + block - 1) / block, 4, query);
        };
        const TreeView<T> tree = view_tree<T>(node, least, leaf, id);
#if !defined(__CUDACC__)
        if (k >= kNearLeast && k <= kNearMost) {
          search(KnnBufferQuery<T>{tree, ptr<T>(points), ptr<int32_t>(order), n, block, k, sorted,
                                   T(scale), mut<T>(squared), mut<int64_t>(index)});
          return {squared, index};
        }
#endif
        search(KnnQuery<T>{tree, ptr<T>(points), ptr<int32_t>(order), n, block, k, T(scale),
                           mut<T>(squared), mut<int64_t>(index)});
        return {squared, index};
      }));
}

}  // namespace meshlearn
