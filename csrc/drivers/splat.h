#pragma once
#include <vector>

#include "../common/tensor.h"
#include "../kernels/splat.h"

namespace meshlearn {

inline SplatGrid splat_grid(std::vector<int64_t> shape) {
  STD_TORCH_CHECK(shape.size() == 3 && shape[0] > 1 && shape[1] > 1 && shape[2] > 1,
                  "shape: three numbers of nodes, at least 2");
  return SplatGrid{shape[0], shape[1], shape[2]};
}

inline SplatGrid splat_grid_of(const Tensor& field) {
  STD_TORCH_CHECK(field.dim() == 4 && field.is_contiguous(), "field: (D, X, Y, Z), contiguous");
  return splat_grid({field.size(1), field.size(2), field.size(3)});
}

template <class Exec>
Tensor splat(const Tensor& at, const Tensor& values, const Tensor& start, const Tensor& order,
             std::vector<int64_t> shape) {
  const SplatGrid grid = splat_grid(shape);
  expect<int64_t>(start, "start");
  expect<int64_t>(order, "order");
  STD_TORCH_CHECK(values.dim() == 2 && at.dim() == 2 && at.size(1) == 3 &&
                      at.size(0) == values.size(0) && order.numel() == at.size(0),
                  "at, values, order: (P, 3), (P, D), (P,)");
  STD_TORCH_CHECK(start.numel() == (grid.nx - 1) * (grid.ny - 1) + 1, "start: by row of cells");
  return ML_DISPATCH_FLOAT(at, T, ([&] {
                             expect<T>(at, "at");
                             expect<T>(values, "values");
                             const int64_t dim = values.size(1);
                             Tensor out = zeros<T>(at, {dim, grid.nx, grid.ny, grid.nz});
                             Exec(at).for_each(
                                 grid.nx * grid.ny, 256,
                                 SplatRow<T>{grid, ptr<T>(at), ptr<T>(values), ptr<int64_t>(start),
                                             ptr<int64_t>(order), dim, mut<T>(out)});
                             return out;
                           }));
}

template <class Exec>
Tensor splat_gather(const Tensor& at, const Tensor& field) {
  const SplatGrid grid = splat_grid_of(field);
  STD_TORCH_CHECK(at.dim() == 2 && at.size(1) == 3, "at: (P, 3)");
  return ML_DISPATCH_FLOAT(at, T, ([&] {
                             expect<T>(at, "at");
                             expect<T>(field, "field");
                             const int64_t dim = field.size(0);
                             Tensor out = empty<T>(at, {at.size(0), dim});
                             Exec(at).for_each(
                                 at.size(0), 1024,
                                 GatherPoint<T>{grid, ptr<T>(at), ptr<T>(field), dim, mut<T>(out)});
                             return out;
                           }));
}

template <class Exec>
Tensor splat_slope(const Tensor& at, const Tensor& field, const Tensor& weight) {
  const SplatGrid grid = splat_grid_of(field);
  STD_TORCH_CHECK(at.dim() == 2 && at.size(1) == 3 && weight.dim() == 2 &&
                      weight.size(0) == at.size(0) && weight.size(1) == field.size(0),
                  "at, weight: (P, 3), (P, D)");
  return ML_DISPATCH_FLOAT(at, T, ([&] {
                             expect<T>(at, "at");
                             expect<T>(field, "field");
                             expect<T>(weight, "weight");
                             Tensor out = empty<T>(at, {at.size(0), 3});
                             Exec(at).for_each(
                                 at.size(0), 1024,
                                 GatherSlope<T>{grid, ptr<T>(at), ptr<T>(field), ptr<T>(weight),
                                                field.size(0), mut<T>(out)});
                             return out;
                           }));
}

}  // namespace meshlearn
