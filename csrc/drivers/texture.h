#pragma once
#include <tuple>

#include "../common/tensor.h"
#include "../kernels/texture.h"

namespace meshlearn {

template <class T>
TextureTaps<T> texture_taps_of(const Tensor& uv, const std::optional<Tensor>& level,
                               const std::optional<Tensor>& mask, const Tensor& layout,
                               int64_t wrap, bool nearest) {
  expect<int64_t>(layout, "layout");
  expect<T>(uv, "uv");
  STD_TORCH_CHECK(uv.dim() == 2 && uv.size(1) == 2, "uv: (M, 2)");
  STD_TORCH_CHECK(layout.dim() == 2 && layout.size(1) == 3 && layout.size(0) > 0, "layout: (L, 3)");
  if (level.has_value()) {
    expect<T>(*level, "level");
    STD_TORCH_CHECK(level->numel() == uv.size(0) && !nearest, "level: (M,), not for nearest");
  }
  if (mask.has_value()) {
    expect<bool>(*mask, "mask");
    STD_TORCH_CHECK(mask->numel() == uv.size(0), "mask: (M,)");
  }
  const int64_t taps = nearest ? 1 : level.has_value() ? 8 : 4;
  return {ptr<T>(uv),
          ptr_or_null<T>(level),
          ptr_or_null<bool>(mask),
          ptr<int64_t>(layout),
          layout.size(0),
          wrap,
          taps,
          nearest};
}

template <class Exec>
std::tuple<Tensor, Tensor> texture_taps(const Tensor& uv, const std::optional<Tensor>& level,
                                        const std::optional<Tensor>& mask, const Tensor& layout,
                                        int64_t wrap, bool nearest) {
  return ML_DISPATCH_FLOAT(
      uv, T, ([&] {
        const TextureTaps<T> taps = texture_taps_of<T>(uv, level, mask, layout, wrap, nearest);
        Tensor rows = empty<int64_t>(uv, {uv.size(0), taps.taps});
        Tensor weight = empty<T>(uv, {uv.size(0), taps.taps});
        Exec(uv).for_each(uv.size(0), 4096,
                          TextureTapsForward<T>{{taps}, mut<int64_t>(rows), mut<T>(weight)});
        return std::make_tuple(rows, weight);
      }));
}

template <class Exec>
Tensor texture_taps_backward(const Tensor& grad_weight, const Tensor& uv,
                             const std::optional<Tensor>& level, const std::optional<Tensor>& mask,
                             const Tensor& layout, int64_t wrap, bool nearest) {
  return ML_DISPATCH_FLOAT(
      uv, T, ([&] {
        const TextureTaps<T> taps = texture_taps_of<T>(uv, level, mask, layout, wrap, nearest);
        expect<T>(grad_weight, "grad_weight");
        STD_TORCH_CHECK(grad_weight.numel() == uv.size(0) * taps.taps, "grad_weight: (M, taps)");
        Tensor out = empty<T>(uv, {uv.size(0), 2});
        Exec(uv).for_each(uv.size(0), 4096,
                          TextureTapsBackward<T>{{taps}, ptr<T>(grad_weight), mut<T>(out)});
        return out;
      }));
}

}  // namespace meshlearn
