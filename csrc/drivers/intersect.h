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
  return ML_DISPATCH_FLOAT(
      vertices, T, ([&] {
        const Exec exec(vertices);
        const int64_t n = faces.size(0);
        int64_t leaves = 1;
        while (leaves * kLeafFaces < n) leaves *= 2;
        Tensor node = empty<T>(vertices, {2 * leaves, 6});
        const int64_t asked = query.has_value() ? query->numel() : n;
        Tensor partner = empty<int64_t>(vertices, {asked});
        const T* v = ptr<T>(vertices);
        const int64_t *f = ptr<int64_t>(faces), *o = ptr<int64_t>(order);
        exec.for_each(leaves, 1024, IntersectLeaf<T>{v, f, o, n, leaves, mut<T>(node)});
        for (int64_t first = leaves / 2; first >= 1; first /= 2)
          exec.for_each(first, 4096, IntersectJoin<T>{first, mut<T>(node)});
        exec.for_each(asked, 256,
                      IntersectQuery<T>{v, f, o, ptr_or_null<int64_t>(query), n, leaves,
                                        ptr<T>(node), mut<int64_t>(partner)});
        return partner;
      }));
}

}  // namespace meshlearn
