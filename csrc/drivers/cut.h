#pragma once
#include "../common/sort.h"
#include "../kernels/cut.h"

namespace meshlearn {

struct RemainderOf {
  const int64_t* key;
  int64_t divisor;
  int32_t* out;
  ML_HD void operator()(int64_t i) const { out[i] = static_cast<int32_t>(key[i] % divisor); }
};

// Returns vertices (kept ones, then cut ones), faces, kept (K,) vertices of the input, cut (X, 2)
// positive and other end of each cut edge, boundary (B, 2) edges, and for the backward pass: order
// of the cut edges by their other end, rank of each input vertex among the kept.
template <class Exec>
std::vector<Tensor> cut_mesh(const Tensor& vertices, const Tensor& value, const Tensor& faces) {
  expect<int64_t>(faces, "faces");
  return ML_DISPATCH_FLOAT(
      vertices, T, ([&] {
        const Exec exec(vertices);
        expect<T>(vertices, "vertices");
        expect<T>(value, "value");
        const int64_t V = vertices.size(0), F = faces.size(0);
        const int64_t blocks = (F + kFaceBlock - 1) / kFaceBlock;
        Tensor keep = empty<uint8_t>(vertices, {V}), count = empty<int32_t>(vertices, {V});
        Tensor rank = empty<int32_t>(vertices, {V + 1});
        exec.for_each(V, 8192, CutSigns<T>{ptr<T>(value), mut<uint8_t>(keep), mut<int32_t>(count)});
        const int64_t K = exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(rank), V);

        const CutInput in{ptr<int64_t>(faces), ptr<uint8_t>(keep), F, V};
        Tensor counts = empty<int32_t>(vertices, {2, blocks});
        Tensor starts = empty<int32_t>(vertices, {2, blocks + 1});
        int32_t *n = mut<int32_t>(counts), *start = mut<int32_t>(starts);
        exec.for_each(blocks, 32, CountCut{in, n, n + blocks});
        const int64_t Fn = exec.exclusive_scan(n, start, blocks);
        const int64_t B = exec.exclusive_scan(n + blocks, start + blocks + 1, blocks);
        Tensor keys = empty<int64_t>(vertices, {2 * B});
        exec.for_each(blocks, 32, CutKeys{in, start + blocks + 1, mut<int64_t>(keys)});
        const Tensor edges = unique_keys(exec, keys);
        const int64_t X = edges.numel();

        Tensor out = empty<T>(vertices, {K + X, 3}), kept = empty<int64_t>(vertices, {K});
        Tensor cut = empty<int64_t>(vertices, {X, 2}), by_other = empty<int64_t>(vertices, {X});
        exec.for_each(
            V, 4096,
            KeepVertices<T>{ptr<T>(vertices), ptr<int32_t>(rank), mut<T>(out), mut<int64_t>(kept)});
        exec.for_each(X, 4096,
                      CutVertices<T>{ptr<T>(vertices), ptr<T>(value), ptr<int64_t>(edges), V, K, X,
                                     mut<T>(out), mut<int64_t>(cut), mut<int64_t>(by_other)});
        Tensor new_faces = empty<int64_t>(vertices, {Fn, 3});
        Tensor boundary = empty<int64_t>(vertices, {B, 2});
        exec.for_each(
            blocks, 32,
            CutFaces{in, start, start + blocks + 1, ptr<int32_t>(rank), ptr<int64_t>(edges), K, X,
                     mut<int64_t>(new_faces), mut<int64_t>(boundary)});
        const Tensor sorted = sorted_keys(exec, by_other);
        Tensor order = empty<int32_t>(vertices, {X});
        exec.for_each(X, 8192, RemainderOf{ptr<int64_t>(sorted), X, mut<int32_t>(order)});
        return std::vector<Tensor>{out, new_faces, kept, cut, boundary, order, rank};
      }));
}

template <class Exec>
std::tuple<Tensor, Tensor> cut_mesh_backward(const Tensor& grad, const Tensor& vertices,
                                             const Tensor& value, const Tensor& cut,
                                             const Tensor& order, const Tensor& rank) {
  expect<int64_t>(cut, "cut");
  expect<int32_t>(order, "order");
  expect<int32_t>(rank, "rank");
  return ML_DISPATCH_FLOAT(
      vertices, T, ([&] {
        const Exec exec(vertices);
        expect<T>(grad, "grad");
        const int64_t V = vertices.size(0), X = cut.size(0), K = grad.size(0) - X;
        Tensor gx = empty<T>(vertices, {V, 3}), gv = empty<T>(vertices, {V});
        exec.for_each(V, 4096,
                      KeepBackward<T>{ptr<int32_t>(rank), ptr<T>(grad), mut<T>(gx), mut<T>(gv)});
        for (const int32_t* sequence : {static_cast<const int32_t*>(nullptr), ptr<int32_t>(order)})
          exec.for_each(X, 2048,
                        CutBackward<T>{ptr<T>(vertices), ptr<T>(value), ptr<T>(grad),
                                       ptr<int64_t>(cut), sequence, K, X, mut<T>(gx), mut<T>(gv)});
        return std::make_tuple(gx, gv);
      }));
}

}  // namespace meshlearn
