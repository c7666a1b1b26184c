#pragma once
#include "../common/tensor.h"
#include "../kernels/segment.h"

namespace meshlearn {

template <class Exec>
Tensor gather_sum(const Tensor& values, const Tensor& start, const Tensor& order) {
  expect<int64_t>(start, "start");
  expect<int64_t>(order, "order");
  STD_TORCH_CHECK(values.dim() == 2 && values.is_contiguous(), "values: (M, D), contiguous");
  const int64_t segments = start.numel() - 1, dim = values.size(1);
  return ML_DISPATCH_FLOAT(values, T, ([&] {
                             Tensor out = empty<T>(values, {segments, dim});
                             Exec(values).for_each(
                                 segments, 2048,
                                 GatherSum<T>{ptr<T>(values), ptr<int64_t>(start),
                                              ptr<int64_t>(order), dim, mut<T>(out)});
                             return out;
                           }));
}

}  // namespace meshlearn
