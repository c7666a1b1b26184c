#pragma once
#include "../common/tensor.h"
#include "../kernels/mix.h"

namespace meshlearn {

template <class Exec>
Tensor mix_rows(const Tensor& values, const Tensor& rows, const Tensor& weight) {
  expect<int64_t>(rows, "rows");
  STD_TORCH_CHECK(values.dim() == 2 && values.is_contiguous(), "values: (A, D), contiguous");
  STD_TORCH_CHECK(rows.dim() == 2 && weight.dim() == 2 && weight.size(0) == rows.size(0) &&
                      weight.size(1) == rows.size(1),
                  "rows, weight: (M, K)");
  return ML_DISPATCH_FLOAT(values, T, ([&] {
                             expect<T>(weight, "weight");
                             const int64_t count = rows.size(0), dim = values.size(1);
                             Tensor out = empty<T>(values, {count, dim});
                             Exec(values).for_each(
                                 count, 4096,
                                 MixRows<T>{ptr<T>(values), ptr<int64_t>(rows), ptr<T>(weight), dim,
                                            rows.size(1), mut<T>(out)});
                             return out;
                           }));
}

template <class Exec>
Tensor mix_rows_weight(const Tensor& values, const Tensor& rows, const Tensor& grad) {
  expect<int64_t>(rows, "rows");
  STD_TORCH_CHECK(values.dim() == 2 && values.is_contiguous(), "values: (A, D), contiguous");
  STD_TORCH_CHECK(rows.dim() == 2 && grad.dim() == 2 && grad.size(0) == rows.size(0) &&
                      grad.size(1) == values.size(1),
                  "rows, grad: (M, K), (M, D)");
  return ML_DISPATCH_FLOAT(values, T, ([&] {
                             expect<T>(grad, "grad");
                             Tensor out = empty<T>(values, {rows.size(0), rows.size(1)});
                             Exec(values).for_each(
                                 rows.size(0), 4096,
                                 MixRowsWeight<T>{ptr<T>(values), ptr<int64_t>(rows), ptr<T>(grad),
                                                  values.size(1), rows.size(1), mut<T>(out)});
                             return out;
                           }));
}

template <class Exec>
Tensor mix_rows_values(const Tensor& grad, const Tensor& weight, const Tensor& start,
                       const Tensor& order) {
  expect<int64_t>(start, "start");
  expect<int64_t>(order, "order");
  STD_TORCH_CHECK(grad.dim() == 2 && grad.is_contiguous(), "grad: (M, D), contiguous");
  STD_TORCH_CHECK(weight.dim() == 2 && weight.size(0) == grad.size(0), "weight: (M, K)");
  return ML_DISPATCH_FLOAT(
      grad, T, ([&] {
        expect<T>(weight, "weight");
        const int64_t count = start.numel() - 1, dim = grad.size(1);
        Tensor out = empty<T>(grad, {count, dim});
        Exec(grad).for_each(
            count, 512,
            MixRowsValues<T>{ptr<T>(grad), ptr<T>(weight), ptr<int64_t>(start), ptr<int64_t>(order),
                             dim, weight.size(1), mut<T>(out)});
        return out;
      }));
}

}  // namespace meshlearn
