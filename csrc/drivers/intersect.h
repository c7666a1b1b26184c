#pragma once
#include "../common/tensor.h"
#include "../kernels/intersect.h"

namespace meshlearn {

// partner (F,): for each face one that it intersects, or -1; of the faces `query` alone, if given.
// `order`: faces along a space curve.
template <class Exec>
Tensor self_intersections(const Tensor& vertices, const Tensor& faces, const Tensor& order,
                          const std::optional<Tensor>& query) {
  expect<int64_t>(faces, "faces");
  expect<int64_t>(order, "order");
  if (query.has_value()) expect<int64_t>(*query, "query");
  STD_TORCH_CHECK(vertices.dim() == 2 && vertices.size(1) == 3 && vertices.is_contiguous(),
                  "vertices: (V, 3), contiguous");
  STD_TORCH_CHECK(faces.dim() == 2 && faces.size(1) == 3 && order.numel() == faces.size(0),
                  "faces: (F, 3), order: (F,)");
  return ML_DISPATCH_FLOAT(vertices, T, ([&] {
                             const Exec exec(vertices);
                             const int64_t n = faces.size(0);
                             const IntersectShape shape = intersect_shape(n);
                             Tensor node = empty<T>(vertices, {shape.first[shape.levels], 24});
                             const int64_t asked = query.has_value() ? query->numel() : n;
                             Tensor partner = empty<int64_t>(vertices, {asked});
                             const T* v = ptr<T>(vertices);
                             const int64_t *f = ptr<int64_t>(faces), *o = ptr<int64_t>(order);
                             for (int level = 0; level < shape.levels; ++level)
                               exec.for_each(shape.first[level + 1] - shape.first[level], 1024,
                                             IntersectNode<T>{v, f, o, shape, level, mut<T>(node)});
                             exec.for_each(
                                 asked, 256,
                                 IntersectQuery<T>{v, f, o, ptr_or_null<int64_t>(query), shape,
                                                   ptr<T>(node), mut<int64_t>(partner)});
                             return partner;
                           }));
}

}  // namespace meshlearn
