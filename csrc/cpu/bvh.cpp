#include "../common/exec_cpu.h"
#include "../drivers/bvh.h"

#include "../kernels/bvh_order.h"

namespace meshlearn {

// Leaf order of faces (F,); CPU only, elsewhere Morton codes are sorted.
Tensor bvh_order(const Tensor& centres) {
  return ML_DISPATCH_FLOAT(centres, T, ([&] {
                             expect<T>(centres, "centres");
                             const int64_t n = centres.size(0), leaves = leaf_count(n);
                             std::vector<OrderItem<T>> items(n);
                             const T* c = ptr<T>(centres);
                             const CpuExec exec(centres);
                             for (int64_t i = 0; i < n; ++i) {
                               items[i].face = i;
                               for (int a = 0; a < 3; ++a)
                                 items[i].c[a] = std::isfinite(c[3 * i + a]) ? c[3 * i + a] : T(0);
                             }
                             // The top of the tree level by level, then its subtrees side by side.
                             int64_t width = leaves, parts = 1;
                             for (; parts < 16 && width > 1; parts *= 2, width /= 2)
                               exec.for_each(parts, 1, [&](int64_t p) {
                                 const int64_t begin = std::min(n, p * width * kLeafSize);
                                 const int64_t end = std::min(n, (p + 1) * width * kLeafSize);
                                 split_range(items.data(), begin, end, width);
                               });
                             exec.for_each(parts, 1, [&](int64_t p) {
                               const int64_t begin = std::min(n, p * width * kLeafSize);
                               order_range(items.data(), begin,
                                           std::min(n, (p + 1) * width * kLeafSize), width);
                             });
                             Tensor order = empty<int64_t>(centres, {n});
                             int64_t* out = mut<int64_t>(order);
                             for (int64_t i = 0; i < n; ++i) out[i] = items[i].face;
                             return order;
                           }));
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using Exec = meshlearn::CpuExec;
  m.impl("morton_codes", TORCH_BOX(&meshlearn::morton_codes<Exec>));
  m.impl("bvh_order", TORCH_BOX(&meshlearn::bvh_order));
  m.impl("bvh_build", TORCH_BOX(&meshlearn::bvh_build<Exec>));
  m.impl("bvh_closest", TORCH_BOX(&meshlearn::bvh_closest<Exec>));
  m.impl("bvh_moments", TORCH_BOX(&meshlearn::bvh_moments<Exec>));
  m.impl("bvh_winding", TORCH_BOX(&meshlearn::bvh_winding<Exec>));
  m.impl("bvh_rays", TORCH_BOX(&meshlearn::bvh_rays<Exec>));
}
