#pragma once
#include "../common/tensor.h"
#include "../kernels/bricks.h"

namespace meshlearn {

template <class Exec>
Tensor brick_laplacian(const Tensor& field, const Tensor& near) {
  expect<int32_t>(near, "near");
  STD_TORCH_CHECK(field.dim() == 4 && field.size(1) == kBrick && field.size(2) == kBrick &&
                      field.size(3) == kBrick && near.dim() == 2 && near.size(0) == field.size(0) &&
                      near.size(1) == kBricksAround,
                  "field, near: (B, 8, 8, 8), (B, 27)");
  return ML_DISPATCH_FLOAT(field, T, ([&] {
                             expect<T>(field, "field");
                             const int64_t bricks = field.size(0);
                             Tensor out = empty<T>(field, {bricks, kBrick, kBrick, kBrick});
                             Exec(field).for_each(
                                 bricks * 64, 4096,
                                 BrickLaplacian<T>{ptr<T>(field), ptr<int32_t>(near), mut<T>(out)});
                             return out;
                           }));
}

}  // namespace meshlearn
