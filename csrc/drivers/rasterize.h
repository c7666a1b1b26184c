#pragma once
#include <tuple>

#include "../common/tensor.h"
#include "../kernels/rasterize_backward.h"
#include "../kernels/rasterize_faces.h"
#include "../kernels/rasterize_tiles.h"

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

// The CPU's way: faces in lists of tiles.
struct RasterTiles {
  static constexpr int64_t faces_per_chunk = 4096, max_chunks = 16;

  template <class T, class Exec>
  static void draw(const Exec& exec, const Tensor& clip, RasterScene<T> scene,
                   const int64_t* behind, RasterOutput<T> out) {
    const int64_t views = scene.num_views, tiles = scene.num_tiles();
    const int64_t chunks = scene.num_faces / faces_per_chunk + 1;
    scene.num_chunks = static_cast<int32_t>(chunks < max_chunks ? chunks : max_chunks);
    Tensor boxes = empty<int32_t>(clip, {views, scene.num_faces, 4});
    Tensor counts = zeros<int32_t>(clip, {views, scene.num_chunks, tiles});
    Tensor totals = empty<int64_t>(clip, {views * tiles});
    Tensor start = empty<int64_t>(clip, {views * tiles + 1});
    RasterBox* box = reinterpret_cast<RasterBox*>(mut<int32_t>(boxes));
    exec.for_each(views * scene.num_chunks, 1, RasterCount<T>{scene, box, mut<int32_t>(counts)});
    exec.for_each(
        views * tiles, 512,
        RasterPrefix{mut<int32_t>(counts), scene.num_chunks, tiles, mut<int64_t>(totals)});
    const int64_t pairs =
        exec.exclusive_scan(ptr<int64_t>(totals), mut<int64_t>(start), views * tiles);
    Tensor list = empty<int32_t>(clip, {pairs});
    exec.for_each(
        views * scene.num_chunks, 1,
        RasterFill<T>{scene, box, mut<int32_t>(counts), ptr<int64_t>(start), mut<int32_t>(list)});
    exec.for_each(views * tiles, 1,
                  RasterByTile<T>{scene, box, ptr<int64_t>(start), ptr<int32_t>(list), behind, out,
                                  raster_stride(views * tiles)});
  }

  template <class T, class Exec>
  static void corner_gradients(const Exec& exec, const Tensor&, RasterFaceGrad<T> of_face) {
    exec.for_each(of_face.scene.num_views * of_face.scene.num_faces, 256, of_face);
  }
};

// The GPU's way: every face by itself. What keeps a larger one has a grain of all there is: on a
// CPU it is for one thread.
struct RasterFaces {
  // Fills `boxes` and `start`; returns how many jobs there are.
  template <class T, class Exec>
  static int64_t jobs(const Exec& exec, const RasterScene<T>& scene, const Tensor& boxes,
                      const Tensor& start, RasterJobs& out) {
    const int64_t rows = scene.num_views * scene.num_faces;
    Tensor counts = empty<int64_t>(boxes, {rows});
    RasterBox* box = reinterpret_cast<RasterBox*>(mut<int32_t>(boxes));
    exec.for_each(rows, 256, RasterMeasure<T>{scene, box, mut<int64_t>(counts)});
    out = {box, ptr<int64_t>(start), rows};
    return rows + exec.exclusive_scan(ptr<int64_t>(counts), mut<int64_t>(start), rows);
  }

  template <class T, class Exec>
  static void draw(const Exec& exec, const Tensor& clip, const RasterScene<T>& scene,
                   const int64_t* behind, RasterOutput<T> out) {
    const int64_t rows = scene.num_views * scene.num_faces;
    const int64_t pixels = scene.num_views * scene.height * static_cast<int64_t>(scene.width);
    Tensor boxes = empty<int32_t>(clip, {rows, 4}), start = empty<int64_t>(clip, {rows + 1});
    Tensor nearest = zeros<int64_t>(clip, {pixels}), owner = zeros<int32_t>(clip, {pixels});
    Tensor peeled = empty<int64_t>(clip, {behind == nullptr ? 0 : pixels});
    RasterKey* behind_key = reinterpret_cast<RasterKey*>(mut<int64_t>(peeled));
    RasterKey* key = reinterpret_cast<RasterKey*>(mut<int64_t>(nearest));
    RasterJobs work;
    const int64_t count = jobs(exec, scene, boxes, start, work);
    if (behind != nullptr) exec.for_each(pixels, 1024, RasterPeel<T>{scene, behind, behind_key});
    exec.for_each(count, count,
                  RasterOffer<T, false>{scene, work, behind, behind_key, key, nullptr});
    exec.for_each(count, count,
                  RasterOffer<T, true>{scene, work, behind, behind_key, key, mut<int32_t>(owner)});
    exec.for_each(pixels, 1024, RasterResolve<T>{scene, ptr<int32_t>(owner), out});
  }

  template <class T, class Exec>
  static void corner_gradients(const Exec& exec, const Tensor& clip, RasterFaceGrad<T> of_face) {
    const int64_t rows = of_face.scene.num_views * of_face.scene.num_faces;
    Tensor boxes = empty<int32_t>(clip, {rows, 4}), start = empty<int64_t>(clip, {rows + 1});
    RasterJobs work;
    const int64_t count = jobs(exec, of_face.scene, boxes, start, work);
    Tensor part = empty<double>(clip, {count - rows, 12});
    exec.for_each(count, 256, RasterJobGrad<T>{of_face, work, mut<double>(part)});
    if (count > rows)
      exec.for_each(12 * rows, 4096,
                    RasterPatchSum<T>{ptr<double>(part), ptr<int64_t>(start), of_face.grad_corner});
  }
};

template <class Exec, class Way>
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
        const RasterScene<T> scene = raster_scene<T>(clip, faces, near, height, width);
        const int64_t views = scene.num_views;
        Tensor face = empty<int64_t>(clip, {views, height, width});
        Tensor barycentric = empty<T>(clip, {views, height, width, 3});
        Tensor depth = empty<T>(clip, {views, height, width});
        Way::draw(exec, clip, scene, ptr_or_null<int64_t>(behind),
                  RasterOutput<T>{mut<int64_t>(face), mut<T>(barycentric), mut<T>(depth)});
        return std::make_tuple(face, barycentric, depth);
      }));
}

template <class Exec, class Way>
Tensor rasterize_backward(const Tensor& clip, const Tensor& faces, const Tensor& near,
                          const Tensor& face, const std::optional<Tensor>& grad_barycentric,
                          const std::optional<Tensor>& grad_depth, const Tensor& start,
                          const Tensor& order) {
  check_raster(clip, faces, near);
  expect<int64_t>(face, "face");
  expect<int64_t>(start, "start");
  expect<int64_t>(order, "order");
  STD_TORCH_CHECK(face.dim() == 3 && face.size(0) == clip.size(0), "face: (N, H, W)");
  STD_TORCH_CHECK(start.numel() == clip.size(1) + 1 && order.numel() == 3 * faces.size(0),
                  "start, order: corners by vertex");
  return ML_DISPATCH_FLOAT(
      clip, T, ([&] {
        if (grad_barycentric.has_value()) expect<T>(*grad_barycentric, "grad_barycentric");
        if (grad_depth.has_value()) expect<T>(*grad_depth, "grad_depth");
        const Exec exec(clip);
        const RasterScene<T> scene = raster_scene<T>(clip, faces, near, face.size(1), face.size(2));
        Tensor corner = empty<T>(clip, {scene.num_views, 3 * scene.num_faces, 4});
        Tensor out = empty<T>(clip, {scene.num_views, scene.num_vertices, 4});
        Way::corner_gradients(
            exec, clip,
            RasterFaceGrad<T>{scene, ptr<int64_t>(face), ptr_or_null<T>(grad_barycentric),
                              ptr_or_null<T>(grad_depth), mut<T>(corner)});
        exec.for_each(scene.num_views * scene.num_vertices, 1024,
                      RasterVertexGrad<T>{ptr<T>(corner), ptr<int64_t>(start), ptr<int64_t>(order),
                                          scene.num_vertices, 3 * scene.num_faces, mut<T>(out)});
        return out;
      }));
}

}  // namespace meshlearn
