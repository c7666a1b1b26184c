#pragma once
#include <tuple>

#include "../common/tensor.h"
#include "../kernels/fusion.h"

namespace meshlearn {

// -> value (P,), weight (P,), and with colours their sum (P, 3) and its weight (P,), else empty.
template <class Exec>
std::tuple<Tensor, Tensor, Tensor, Tensor> fuse_depth(const Tensor& points, const Tensor& matrix,
                                                      const Tensor& depth, const Tensor& surface,
                                                      const std::optional<Tensor>& colors,
                                                      double reach) {
  return ML_DISPATCH_FLOAT(
      points, T, ([&] {
        expect<T>(points, "points");
        expect<T>(matrix, "matrix");
        expect<T>(depth, "depth");
        expect<T>(surface, "surface");
        STD_TORCH_CHECK(points.dim() == 2 && points.size(1) == 3, "points: (P, 3)");
        STD_TORCH_CHECK(depth.dim() == 3, "depth: (N, H, W)");
        STD_TORCH_CHECK(matrix.numel() == 16 * depth.size(0), "matrix: (N, 4, 4)");
        STD_TORCH_CHECK(surface.numel() == 2 * depth.numel(), "surface: (N, H, W, 2)");
        STD_TORCH_CHECK(reach > 0, "reach: positive");
        if (colors.has_value()) {
          expect<T>(*colors, "colors");
          STD_TORCH_CHECK(colors->numel() == 3 * depth.numel(), "colors: (N, H, W, 3)");
        }
        const int64_t count = points.size(0), painted = colors.has_value() ? count : 0;
        Tensor value = empty<T>(points, {count}), weight = empty<T>(points, {count});
        Tensor color = empty<T>(points, {painted, 3}), shown = empty<T>(points, {painted});
        Exec(points).for_each(
            count, 1024,
            FuseDepth<T>{ptr<T>(points), ptr<T>(matrix), ptr<T>(depth), ptr<T>(surface),
                         ptr_or_null<T>(colors), depth.size(0), depth.size(1), depth.size(2),
                         static_cast<T>(reach), mut<T>(value), mut<T>(weight),
                         painted ? mut<T>(color) : nullptr, painted ? mut<T>(shown) : nullptr});
        return std::make_tuple(value, weight, color, shown);
      }));
}

}  // namespace meshlearn
