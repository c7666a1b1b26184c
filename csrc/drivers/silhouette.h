#pragma once
#include "../common/sort.h"
#include "../common/tensor.h"
#include "../kernels/silhouette.h"
#include "../kernels/silhouette_blend.h"

namespace meshlearn {

template <class Exec>
Tensor silhouettes(const Tensor& clip, const Tensor& faces, const Tensor& near, const Tensor& face,
                   const Tensor& depth, const Tensor& edge_of, const Tensor& start,
                   const Tensor& order) {
  expect<int64_t>(faces, "faces");
  expect<int64_t>(face, "face");
  expect<int64_t>(edge_of, "edge_of");
  expect<int64_t>(start, "start");
  expect<int64_t>(order, "order");
  STD_TORCH_CHECK(clip.dim() == 3 && clip.size(2) == 4, "clip: (N, V, 4)");
  STD_TORCH_CHECK(face.dim() == 3 && face.size(0) == clip.size(0) && near.numel() == clip.size(0) &&
                      depth.numel() == face.numel(),
                  "face, depth: (N, H, W); near: (N,)");
  STD_TORCH_CHECK(faces.dim() == 2 && faces.size(1) == 3 && faces.size(0) < (int64_t(1) << 28) &&
                      edge_of.numel() == 3 * faces.size(0) && order.numel() == edge_of.numel(),
                  "faces: (F, 3), fewer than 2^28; edge_of, order: (3F,)");
  return ML_DISPATCH_FLOAT(
      clip, T, ([&] {
        expect<T>(clip, "clip");
        expect<T>(near, "near");
        expect<T>(depth, "depth");
        const Exec exec(clip);
        const int64_t entries = 2 * face.numel();
        const int64_t runs = (entries + kSilhouetteRun - 1) / kSilhouetteRun;
        Tensor found = empty<int32_t>(clip, {entries});
        Tensor counts = empty<int64_t>(clip, {runs}), first = empty<int64_t>(clip, {runs + 1});
        exec.for_each(face.numel(), 4096,
                      SilhouetteFind<T>{ptr<T>(clip), ptr<int64_t>(faces), ptr<T>(near),
                                        ptr<int64_t>(face), ptr<T>(depth), ptr<int64_t>(edge_of),
                                        ptr<int64_t>(start), ptr<int64_t>(order), clip.size(1),
                                        face.size(1), face.size(2), mut<int32_t>(found)});
        exec.for_each(runs, 1024,
                      SilhouetteCount{ptr<int32_t>(found), entries, mut<int64_t>(counts)});
        const int64_t pairs = exec.exclusive_scan(ptr<int64_t>(counts), mut<int64_t>(first), runs);
        Tensor out = empty<int64_t>(clip, {pairs, 2});
        exec.for_each(
            runs, 1024,
            SilhouetteFill{ptr<int32_t>(found), entries, ptr<int64_t>(first), mut<int64_t>(out)});
        return out;
      }));
}

inline SilhouettePairs silhouette_pairs(const Tensor& image, const Tensor& pairs,
                                        const Tensor& clip, const Tensor& faces, int64_t height,
                                        int64_t width) {
  expect<int64_t>(pairs, "pairs");
  expect<int64_t>(faces, "faces");
  STD_TORCH_CHECK(clip.dim() == 3 && clip.size(2) == 4 && clip.is_contiguous(),
                  "clip: (N, V, 4), contiguous");
  STD_TORCH_CHECK(
      image.dim() == 2 && image.is_contiguous() && image.size(0) == clip.size(0) * height * width,
      "image: (N H W, C), contiguous");
  STD_TORCH_CHECK(pairs.dim() == 2 && pairs.size(1) == 2 && pairs.size(0) < (int64_t(1) << 31) &&
                      clip.size(0) * clip.size(1) < (int64_t(1) << 31),
                  "pairs: (P, 2); pairs and vertices: fewer than 2^31");
  return {ptr<int64_t>(pairs), pairs.size(0), height, width};
}

template <class P>
SilhouetteLine<P> silhouette_line(const SilhouettePairs& pairs, const Tensor& clip,
                                  const Tensor& faces) {
  return {ptr<P>(clip), ptr<int64_t>(faces), clip.size(1), pairs};
}

// How far each silhouette lies past the border of its two pixels, (P,).
template <class Exec>
Tensor silhouette_over(const Exec& exec, const SilhouettePairs& pairs, const Tensor& clip,
                       const Tensor& faces) {
  Tensor over = empty<double>(clip, {pairs.count});
  ML_DISPATCH_FLOAT(
      clip, P, ([&] {
        exec.for_each(pairs.count, 1024,
                      SilhouetteOver<P>{silhouette_line<P>(pairs, clip, faces), mut<double>(over)});
      }));
  return over;
}

template <class Exec>
Tensor silhouette_blend(const Tensor& image, const Tensor& pairs, const Tensor& clip,
                        const Tensor& faces, int64_t height, int64_t width) {
  const SilhouettePairs at = silhouette_pairs(image, pairs, clip, faces, height, width);
  const Exec exec(image);
  const Tensor over = silhouette_over(exec, at, clip, faces);
  Tensor out = torch::stable::clone(image);
  ML_DISPATCH_FLOAT(
      image, T, ([&] {
        exec.for_each(
            at.count, 512,
            SilhouetteBlend<T>{{at, ptr<double>(over)}, ptr<T>(image), image.size(1), mut<T>(out)});
      }));
  return out;
}

template <class Exec>
Tensor silhouette_blend_image(const Tensor& grad, const Tensor& pairs, const Tensor& clip,
                              const Tensor& faces, int64_t height, int64_t width) {
  const SilhouettePairs at = silhouette_pairs(grad, pairs, clip, faces, height, width);
  const Exec exec(grad);
  const Tensor over = silhouette_over(exec, at, clip, faces);
  Tensor out = torch::stable::clone(grad);
  ML_DISPATCH_FLOAT(grad, T, ([&] {
                      exec.for_each(
                          at.count, 512,
                          SilhouetteImageGrad<T>{
                              {at, ptr<double>(over)}, ptr<T>(grad), grad.size(1), mut<T>(out)});
                    }));
  return out;
}

template <class Exec>
Tensor silhouette_blend_clip(const Tensor& grad, const Tensor& image, const Tensor& pairs,
                             const Tensor& clip, const Tensor& faces, int64_t height,
                             int64_t width) {
  const SilhouettePairs at = silhouette_pairs(grad, pairs, clip, faces, height, width);
  STD_TORCH_CHECK(image.is_contiguous() && image.numel() == grad.numel() &&
                      image.scalar_type() == grad.scalar_type(),
                  "image: as grad");
  const Exec exec(grad);
  const Tensor over = silhouette_over(exec, at, clip, faces);
  const int64_t ends = 2 * at.count, rows = clip.size(0) * clip.size(1);
  Tensor keys = empty<int64_t>(clip, {ends});
  return ML_DISPATCH_FLOAT(
      clip, P, ([&] {
        Tensor part = empty<P>(clip, {ends, 4});
        Tensor out = zeros<P>(clip, {clip.size(0), clip.size(1), 4});
        ML_DISPATCH_FLOAT(grad, T, ([&] {
                            exec.for_each(
                                at.count, 512,
                                SilhouetteEndGrad<T, P>{silhouette_line<P>(at, clip, faces),
                                                        {at, ptr<double>(over)},
                                                        ptr<T>(grad),
                                                        ptr<T>(image),
                                                        grad.size(1),
                                                        mut<P>(part),
                                                        mut<int64_t>(keys)});
                          }));
        const Tensor sorted = sorted_keys(exec, keys, rows * ends);
        exec.for_each(
            ends, 1024,
            SilhouetteVertexGrad<P>{ptr<int64_t>(sorted), ptr<P>(part), ends, mut<P>(out)});
        return out;
      }));
}

}  // namespace meshlearn
