#pragma once
#include <tuple>

#include "../common/tensor.h"
#include "../kernels/rasterize_backward.h"

namespace meshlearn {

template <class T>
RasterScene<T> raster_scene(const Tensor& clip, const Tensor& faces, const Tensor& near,
                            int64_t height, int64_t width) {
  RasterScene<T> s{};
  s.clip = ptr<T>(clip);
  s.faces = ptr<int64_t>(faces);
  s.near = ptr<T>(near);
  s.num_views = clip.size(0);
  s.num_vertices = clip.size(1);
  s.num_faces = faces.size(0);
  s.height = static_cast<int32_t>(height);
  s.width = static_cast<int32_t>(width);
  s.tiles_x = (s.width + kRasterTile - 1) / kRasterTile;
  s.tiles_y = (s.height + kRasterTile - 1) / kRasterTile;
  return s;
}

inline void check_raster(const Tensor& clip, const Tensor& faces, const Tensor& near) {
  expect<int64_t>(faces, "faces");
  STD_TORCH_CHECK(clip.dim() == 3 && clip.size(2) == 4 && clip.is_contiguous(),
                  "clip: (N, V, 4), contiguous");
  STD_TORCH_CHECK(faces.dim() == 2 && faces.size(1) == 3, "faces: (F, 3)");
  STD_TORCH_CHECK(near.dim() == 1 && near.size(0) == clip.size(0) && near.is_contiguous() &&
                      near.scalar_type() == clip.scalar_type(),
                  "near: (N,), dtype of clip");
  STD_TORCH_CHECK(faces.size(0) < (int64_t(1) << 31), "faces: fewer than 2^31");
}

inline int64_t raster_stride(int64_t n) {
  for (int64_t s = n * 618 / 1000 + 1;; ++s) {
    int64_t a = n, b = s;
    while (b != 0) {
      const int64_t r = a % b;
      a = b;
      b = r;
    }
    if (a == 1) return s;
  }
}

// `Machine`: how faces are chunked and which functor draws (see cpu/ and cuda/rasterize).
template <class Exec, class Machine>
std::tuple<Tensor, Tensor, Tensor> rasterize(const Tensor& clip, const Tensor& faces,
                                             const Tensor& near,
                                             const std::optional<Tensor>& behind, int64_t height,
                                             int64_t width) {
  check_raster(clip, faces, near);
  if (behind.has_value()) {
    expect<int64_t>(*behind, "behind");
    STD_TORCH_CHECK(behind->numel() == clip.size(0) * height * width, "behind: (N, H, W)");
  }
  STD_TORCH_CHECK(
      height >= 0 && width >= 0 && height <= (1 << 20) && width <= (1 << 20) &&
          clip.size(0) * ((height + 15) / 16) * ((width + 15) / 16) < (int64_t(1) << 31),
      "height, width: image too large");
  return ML_DISPATCH_FLOAT(
      clip, T, ([&] {
        const Exec exec(clip);
        RasterScene<T> scene = raster_scene<T>(clip, faces, near, height, width);
        const int64_t views = scene.num_views, tiles = scene.num_tiles();
        const int64_t chunks = scene.num_faces / Machine::faces_per_chunk + 1;
        scene.num_chunks =
            static_cast<int32_t>(chunks < Machine::max_chunks ? chunks : Machine::max_chunks);
        Tensor face = empty<int64_t>(clip, {views, height, width});
        Tensor barycentric = empty<T>(clip, {views, height, width, 3});
        Tensor depth = empty<T>(clip, {views, height, width});
        Tensor boxes = empty<int32_t>(clip, {views, scene.num_faces, 4});
        Tensor counts = zeros<int32_t>(clip, {views, scene.num_chunks, tiles});
        Tensor totals = empty<int64_t>(clip, {views * tiles});
        Tensor start = empty<int64_t>(clip, {views * tiles + 1});
        RasterBox* box = reinterpret_cast<RasterBox*>(mut<int32_t>(boxes));
        exec.for_each(views * scene.num_chunks, 1,
                      RasterCount<T>{scene, box, mut<int32_t>(counts)});
        exec.for_each(
            views * tiles, 512,
            RasterPrefix{mut<int32_t>(counts), scene.num_chunks, tiles, mut<int64_t>(totals)});
        const int64_t pairs =
            exec.exclusive_scan(ptr<int64_t>(totals), mut<int64_t>(start), views * tiles);
        Tensor list = empty<int32_t>(clip, {pairs});
        exec.for_each(views * scene.num_chunks, 1,
                      RasterFill<T>{scene, box, mut<int32_t>(counts), ptr<int64_t>(start),
                                    mut<int32_t>(list)});
        using Draw = typename Machine::template Draw<T>;
        exec.for_each(
            Draw::calls(scene), Machine::grain,
            Draw{{scene, box, ptr<int64_t>(start), ptr<int32_t>(list), ptr_or_null<int64_t>(behind),
                  RasterOutput<T>{mut<int64_t>(face), mut<T>(barycentric), mut<T>(depth)},
                  raster_stride(views * tiles)}});
        return std::make_tuple(face, barycentric, depth);
      }));
}

template <class Exec>
Tensor rasterize_backward(const Tensor& clip, const Tensor& faces, const Tensor& near,
                          const Tensor& face, const Tensor& grad_barycentric,
                          const Tensor& grad_depth, const Tensor& start, const Tensor& order) {
  check_raster(clip, faces, near);
  expect<int64_t>(face, "face");
  expect<int64_t>(start, "start");
  expect<int64_t>(order, "order");
  STD_TORCH_CHECK(face.dim() == 3 && face.size(0) == clip.size(0), "face: (N, H, W)");
  STD_TORCH_CHECK(start.numel() == clip.size(1) + 1 && order.numel() == 3 * faces.size(0),
                  "start, order: corners by vertex");
  return ML_DISPATCH_FLOAT(
      clip, T, ([&] {
        expect<T>(grad_barycentric, "grad_barycentric");
        expect<T>(grad_depth, "grad_depth");
        const Exec exec(clip);
        const RasterScene<T> scene = raster_scene<T>(clip, faces, near, face.size(1), face.size(2));
        Tensor corner = empty<T>(clip, {scene.num_views, 3 * scene.num_faces, 4});
        Tensor out = empty<T>(clip, {scene.num_views, scene.num_vertices, 4});
        exec.for_each(scene.num_views * scene.num_faces, 256,
                      RasterFaceGrad<T>{scene, ptr<int64_t>(face), ptr<T>(grad_barycentric),
                                        ptr<T>(grad_depth), mut<T>(corner)});
        exec.for_each(scene.num_views * scene.num_vertices, 1024,
                      RasterVertexGrad<T>{ptr<T>(corner), ptr<int64_t>(start), ptr<int64_t>(order),
                                          scene.num_vertices, 3 * scene.num_faces, mut<T>(out)});
        return out;
      }));
}

}  // namespace meshlearn
