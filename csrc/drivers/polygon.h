#pragma once
#include "../common/tensor.h"
#include "../kernels/polygon.h"

namespace meshlearn {

template <class Exec>
Tensor triangulate_polygons(const Tensor& vertices, const Tensor& start, const Tensor& index,
                            const Tensor& target, int64_t triangles) {
  expect<int64_t>(start, "start");
  expect<int64_t>(index, "index");
  expect<int64_t>(target, "target");
  STD_TORCH_CHECK(vertices.is_contiguous(), "vertices: must be contiguous");
  const int64_t polygons = start.numel() - 1, corners = index.numel();
  Tensor out = empty<int64_t>(index, {triangles, 3});
  Tensor plane = empty<double>(index, {corners, 3});  // (M, 2) positions, then (M,) quality
  Tensor ring = empty<int64_t>(index, {2, corners});
  return ML_DISPATCH_FLOAT(
      vertices, T, ([&] {
        Exec(vertices).for_each(
            polygons, 256,
            TriangulatePolygon<T>{ptr<T>(vertices), ptr<int64_t>(start), ptr<int64_t>(index),
                                  ptr<int64_t>(target), mut<double>(plane),
                                  mut<double>(plane) + 2 * corners, mut<int64_t>(ring),
                                  mut<int64_t>(ring) + corners, mut<int64_t>(out)});
        return out;
      }));
}

}  // namespace meshlearn
