#pragma once
#include "../common/tensor.h"
#include "../kernels/silhouette.h"

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
        const int64_t width = face.size(2), rows = face.size(0) * face.size(1);
        Tensor found = empty<int32_t>(clip, {rows * width * 2});
        Tensor counts = empty<int64_t>(clip, {rows}), first = empty<int64_t>(clip, {rows + 1});
        exec.for_each(rows * width, 4096,
                      SilhouetteFind<T>{ptr<T>(clip), ptr<int64_t>(faces), ptr<T>(near),
                                        ptr<int64_t>(face), ptr<T>(depth), ptr<int64_t>(edge_of),
                                        ptr<int64_t>(start), ptr<int64_t>(order), clip.size(1),
                                        face.size(1), width, mut<int32_t>(found)});
        exec.for_each(rows, 64, SilhouetteCount{ptr<int32_t>(found), width, mut<int64_t>(counts)});
        const int64_t pairs = exec.exclusive_scan(ptr<int64_t>(counts), mut<int64_t>(first), rows);
        Tensor out = empty<int64_t>(clip, {pairs, 2});
        exec.for_each(
            rows, 64,
            SilhouetteFill{ptr<int32_t>(found), width, ptr<int64_t>(first), mut<int64_t>(out)});
        return out;
      }));
}

}  // namespace meshlearn
