#pragma once
#include "../common/tensor.h"
#include "../kernels/tets.h"

namespace meshlearn {

inline TetGraph tet_graph(const Tensor& tets, const Tensor& start, const Tensor& neighbour,
                          const Tensor& inside, const Tensor& first) {
  expect<int32_t>(tets, "tets");
  expect<int32_t>(start, "start");
  expect<int32_t>(neighbour, "neighbour");
  return TetGraph{ptr<int32_t>(tets), ptr<int32_t>(start), ptr<int32_t>(neighbour),
                  ptr<uint8_t>(inside), ptr<int32_t>(first)};
}

// Returns vertices, faces, msdf at the vertices twice (the second for gradients that leave the
// weights alone), ends of the vertices' edges, and for the backward pass: inside, first.
template <class Exec>
std::vector<Tensor> marching_tetrahedra(const Tensor& position, const Tensor& sdf,
                                        const std::optional<Tensor>& msdf, const Tensor& tets,
                                        const Tensor& start, const Tensor& neighbour,
                                        const Tensor& table) {
  expect<int32_t>(table, "table");
  return ML_DISPATCH_FLOAT(
      sdf, T, ([&] {
        const Exec exec(sdf);
        expect<T>(position, "position");
        const int64_t N = sdf.numel(), M = tets.size(0), blocks = (M + kTetBlock - 1) / kTetBlock;
        Tensor inside = empty<uint8_t>(sdf, {N}), first = empty<int32_t>(sdf, {N + 1});
        Tensor count = empty<int32_t>(sdf, {N > blocks ? N : blocks});
        exec.for_each(N, 8192, TetSigns<T>{ptr<T>(sdf), mut<uint8_t>(inside)});
        const TetGraph g = tet_graph(tets, start, neighbour, inside, first);
        exec.for_each(N, 2048, CountTetEdges{g, mut<int32_t>(count)});
        const int64_t V = exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(first), N);
        const int64_t values = msdf.has_value() ? V : 0;
        Tensor vertices = empty<T>(sdf, {V, 3}), value = empty<T>(sdf, {values});
        Tensor ends = empty<int64_t>(sdf, {V, 2});
        exec.for_each(N, 2048,
                      TetVertices<T>{g, ptr<T>(position), ptr<T>(sdf), ptr_or_null<T>(msdf),
                                     mut<T>(vertices), mut<T>(value), mut<int64_t>(ends)});
        Tensor begin = empty<int32_t>(sdf, {blocks + 1});
        exec.for_each(blocks, 64, CountTetFaces{g, ptr<int32_t>(table), M, mut<int32_t>(count)});
        const int64_t F = exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(begin), blocks);
        Tensor faces = empty<int64_t>(sdf, {F, 3});
        exec.for_each(blocks, 64,
                      TetFaces<T>{g, ptr<int32_t>(table), M, ptr<int32_t>(begin),
                                  msdf.has_value() ? ptr<T>(value) : nullptr, mut<int64_t>(faces)});
        return std::vector<Tensor>{vertices, faces,  value, torch::stable::clone(value),
                                   ends,     inside, first};
      }));
}

template <class Exec>
void marching_tetrahedra_backward(const Tensor& grad_vertices,
                                  const std::optional<Tensor>& grad_value,
                                  const std::optional<Tensor>& grad_weighted,
                                  const Tensor& position, const Tensor& sdf,
                                  const std::optional<Tensor>& msdf, const Tensor& tets,
                                  const Tensor& start, const Tensor& neighbour,
                                  const Tensor& inside, const Tensor& first,
                                  std::optional<Tensor> grad_position,
                                  std::optional<Tensor> grad_sdf, std::optional<Tensor> grad_msdf) {
  ML_DISPATCH_FLOAT(
      sdf, T, ([&] {
        expect<T>(grad_vertices, "grad_vertices");
        const auto out = [](const std::optional<Tensor>& t) {
          return t.has_value() ? mut<T>(*t) : nullptr;
        };
        Exec(sdf).for_each(
            sdf.numel(), 2048,
            TetVerticesBackward<T>{
                tet_graph(tets, start, neighbour, inside, first), ptr<T>(position), ptr<T>(sdf),
                ptr_or_null<T>(msdf), ptr<T>(grad_vertices), ptr_or_null<T>(grad_value),
                ptr_or_null<T>(grad_weighted), out(grad_position), out(grad_sdf), out(grad_msdf)});
      }));
}

}  // namespace meshlearn
