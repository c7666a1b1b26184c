#pragma once
#include "../common/tensor.h"
#include "../kernels/halfspace_batch.h"

namespace meshlearn {

// Planes (K, 4), those of convex i are index[start[i]:start[i + 1]]. Returns vertices (V, 3), three
// planes of each (V, 3), first corner of each face (F + 1,), corners (M,), plane of each face (F,),
// first vertex (C + 1,) and first face (C + 1,) of each convex. Sides of the box are -1 to -6.
template <class Exec>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor> halfspace_intersection(
    const Tensor& planes, const Tensor& start, const Tensor& index, std::vector<double> bounds,
    double tolerance) {
  expect<int64_t>(start, "start");
  expect<int64_t>(index, "index");
  STD_TORCH_CHECK(planes.is_contiguous(), "planes: must be contiguous");
  STD_TORCH_CHECK(bounds.size() == 6, "bounds: expected six numbers");
  return ML_DISPATCH_FLOAT(
      planes, T, ([&] {
        const Exec exec(planes);
        const int64_t C = start.numel() - 1, N = index.numel();
        HalfspaceInput in{ptr<T>(planes), ptr<int64_t>(start), ptr<int64_t>(index), {}, {}, 0};
        for (int a = 0; a < 3; ++a) in.low[a] = bounds[a], in.high[a] = bounds[3 + a];
        in.tolerance = tolerance;
        const int64_t real0 = HalfspaceRoom::reals(0), int0 = HalfspaceRoom::integers(0);
        Tensor reals = empty<double>(planes, {C * real0 + N * (HalfspaceRoom::reals(1) - real0)});
        Tensor integers =
            empty<int32_t>(planes, {C * int0 + N * (HalfspaceRoom::integers(1) - int0)});
        const HalfspaceScratch scratch{mut<double>(reals), mut<int32_t>(integers)};
        Tensor count = empty<int64_t>(planes, {3, C});
        Tensor vertex_start = empty<int64_t>(planes, {C + 1});
        Tensor face_start = empty<int64_t>(planes, {C + 1});
        Tensor corner_start = empty<int64_t>(planes, {C + 1});
        int64_t* n = mut<int64_t>(count);
        exec.for_each(C, 2, IntersectHalfspaces<T>{in, scratch, n, n + C, n + 2 * C});
        const int64_t V = exec.exclusive_scan(n, mut<int64_t>(vertex_start), C);
        const int64_t F = exec.exclusive_scan(n + C, mut<int64_t>(face_start), C);
        const int64_t M = exec.exclusive_scan(n + 2 * C, mut<int64_t>(corner_start), C);
        Tensor vertices = empty<T>(planes, {V, 3}), vertex_planes = empty<int64_t>(planes, {V, 3});
        Tensor begin = empty<int64_t>(planes, {F + 1}), corners = empty<int64_t>(planes, {M});
        Tensor face_plane = empty<int64_t>(planes, {F});
        exec.for_each(1, 1, SetOne{mut<int64_t>(begin) + F, M});
        exec.for_each(C, 16,
                      WriteConvex<T>{
                          in, scratch, ptr<int64_t>(vertex_start), ptr<int64_t>(face_start),
                          ptr<int64_t>(corner_start), mut<T>(vertices), mut<int64_t>(vertex_planes),
                          mut<int64_t>(begin), mut<int64_t>(corners), mut<int64_t>(face_plane)});
        return std::make_tuple(vertices, vertex_planes, begin, corners, face_plane, vertex_start,
                               face_start);
      }));
}

}  // namespace meshlearn
