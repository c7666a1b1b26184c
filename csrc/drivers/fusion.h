#pragma once
#include <tuple>

#include "../common/tensor.h"
#include "../kernels/fusion.h"

namespace meshlearn {

template <class T>
DepthImages<T> depth_images(const Tensor& depth, const Tensor& lens, bool orthographic) {
  expect<T>(depth, "depth");
  expect<T>(lens, "lens");
  STD_TORCH_CHECK(depth.dim() == 3, "depth: (N, H, W)");
  STD_TORCH_CHECK(lens.numel() == 4 * depth.size(0), "lens: (N, 4)");
  return {ptr<T>(depth), ptr<T>(lens), depth.size(0), depth.size(1), depth.size(2), orthographic};
}

// -> (N, H, W, 2), see DepthSurface.
template <class Exec>
Tensor depth_surface(const Tensor& depth, const Tensor& lens, bool orthographic,
                     double least_cosine, double usual) {
  return ML_DISPATCH_FLOAT(
      depth, T, ([&] {
        const DepthImages<T> images = depth_images<T>(depth, lens, orthographic);
        Tensor surface = empty<T>(depth, {images.views, images.height, images.width, 2});
        Exec(depth).for_each(images.views * images.height, 16,
                             DepthSurface<T>{images, static_cast<T>(least_cosine),
                                             static_cast<T>(usual), mut<T>(surface)});
        return surface;
      }));
}

// -> (N * H, 2, 3), see DepthExtent.
template <class Exec>
Tensor depth_extent(const Tensor& depth, const Tensor& lens, const Tensor& pose,
                    bool orthographic) {
  return ML_DISPATCH_FLOAT(
      depth, T, ([&] {
        const DepthImages<T> images = depth_images<T>(depth, lens, orthographic);
        expect<T>(pose, "pose");
        STD_TORCH_CHECK(pose.numel() == 12 * images.views, "pose: (N, 4, 3)");
        const int64_t rows = images.views * images.height;
        Tensor box = empty<T>(depth, {rows, 2, 3});
        Exec(depth).for_each(rows, 16, DepthExtent<T>{{images, ptr<T>(pose)}, mut<T>(box)});
        return box;
      }));
}

// -> (X, Y, Z) uint8, see DepthBlocks.
template <class Exec>
Tensor depth_blocks(const Tensor& depth, const Tensor& lens, const Tensor& pose, bool orthographic,
                    std::vector<double> low, double side, std::vector<int64_t> count, int64_t step,
                    double margin) {
  return ML_DISPATCH_FLOAT(
      depth, T, ([&] {
        const DepthImages<T> images = depth_images<T>(depth, lens, orthographic);
        expect<T>(pose, "pose");
        STD_TORCH_CHECK(pose.numel() == 12 * images.views, "pose: (N, 4, 3)");
        STD_TORCH_CHECK(low.size() == 3 && count.size() == 3, "low, count: 3 values");
        STD_TORCH_CHECK(step > 0 && side > 0, "step, side: positive");
        Tensor near = zeros<uint8_t>(depth, {count[0], count[1], count[2]});
        const int64_t rows = (images.height + step - 1) / step;
        Exec(depth).for_each(images.views * rows, 16,
                             DepthBlocks<T>{{images, ptr<T>(pose)},
                                            {low[0], low[1], low[2]},
                                            1 / side,
                                            {count[0], count[1], count[2]},
                                            step,
                                            static_cast<T>(margin),
                                            mut<uint8_t>(near)});
        return near;
      }));
}

// -> value (B, 64), weight (B, 64), and with colours their sum (B, 64, 3) and its weight (B, 64),
// else empty.
template <class Exec>
std::tuple<Tensor, Tensor, Tensor, Tensor> fuse_depth(const Tensor& blocks, std::vector<double> low,
                                                      std::vector<double> spacing,
                                                      const Tensor& matrix, const Tensor& depth,
                                                      const Tensor& surface,
                                                      const std::optional<Tensor>& colors,
                                                      double reach) {
#if defined(__CUDACC__)
  constexpr int kRows = 1, kRow = 1;
#else
  constexpr int kRows = 16, kRow = 4;
#endif
  return ML_DISPATCH_FLOAT(
      depth, T, ([&] {
        expect<int64_t>(blocks, "blocks");
        expect<T>(matrix, "matrix");
        expect<T>(depth, "depth");
        expect<T>(surface, "surface");
        STD_TORCH_CHECK(blocks.dim() == 2 && blocks.size(1) == 3, "blocks: (B, 3)");
        STD_TORCH_CHECK(low.size() == 3 && spacing.size() == 3, "low, spacing: 3 values");
        STD_TORCH_CHECK(depth.dim() == 3, "depth: (N, H, W)");
        STD_TORCH_CHECK(matrix.numel() == 16 * depth.size(0), "matrix: (N, 4, 4)");
        STD_TORCH_CHECK(surface.numel() == 2 * depth.numel(), "surface: (N, H, W, 2)");
        STD_TORCH_CHECK(reach > 0, "reach: positive");
        if (colors.has_value()) {
          expect<T>(*colors, "colors");
          STD_TORCH_CHECK(colors->numel() == 3 * depth.numel(), "colors: (N, H, W, 3)");
        }
        const Exec exec(depth);
        const int64_t views = depth.size(0), height = depth.size(1), width = depth.size(2);
        const int64_t down = (height + kTile - 1) / kTile, across = (width + kTile - 1) / kTile;
        Tensor most = empty<T>(depth, {views, down, across});
        const DepthTiles<T> tiles{ptr<T>(depth), height, width, down, across, mut<T>(most)};
        exec.for_each(views * down * across, 64, tiles);
        const int64_t count = blocks.size(0), painted = colors.has_value() ? count : 0;
        Tensor value = empty<T>(depth, {count, kBlockSize});
        Tensor weight = empty<T>(depth, {count, kBlockSize});
        Tensor color = empty<T>(depth, {painted, kBlockSize, 3});
        Tensor shown = empty<T>(depth, {painted, kBlockSize});
        exec.for_each(count * kBlockSize / (kRows * kRow), 16,
                      FuseDepth<T, kRows, kRow>{ptr<int64_t>(blocks),
                                                {low[0], low[1], low[2]},
                                                {spacing[0], spacing[1], spacing[2]},
                                                ptr<T>(matrix),
                                                ptr<T>(depth),
                                                ptr<T>(surface),
                                                ptr_or_null<T>(colors),
                                                tiles,
                                                views,
                                                height,
                                                width,
                                                static_cast<T>(reach),
                                                mut<T>(value),
                                                mut<T>(weight),
                                                painted ? mut<T>(color) : nullptr,
                                                painted ? mut<T>(shown) : nullptr});
        return std::make_tuple(value, weight, color, shown);
      }));
}

}  // namespace meshlearn
