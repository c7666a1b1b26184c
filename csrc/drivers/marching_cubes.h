#pragma once
#include "../kernels/marching_cubes.h"
#include "lattice.h"

namespace meshlearn {

template <class Exec>
std::tuple<Tensor, Tensor, Tensor, Tensor> marching_cubes(
    const Tensor& sdf, const MaybeTensor& deform, const Tensor& table,
    std::vector<int64_t> resolution, std::vector<double> bounds, const MaybeTensor& sparse_bits,
    const MaybeTensor& sparse_start) {
  expect<int32_t>(table, "table");
  return ML_DISPATCH_FLOAT(
      sdf, T, ([&] {
        const Exec exec(sdf);
        const Lattice<T> g = make_lattice<T>(resolution, bounds, sparse_bits, sparse_start);
        const Tensor inside = sign_bits<T>(exec, g, sdf);

        const int64_t edge_words = g.rows() * g.words * 3;
        Tensor bits = empty<int64_t>(sdf, {edge_words});
        Tensor count = empty<int32_t>(sdf, {edge_words});
        Tensor start = empty<int32_t>(sdf, {edge_words + 1});
        exec.for_each(g.rows(), 64,
                      EdgeRow<T>{g, cwords(inside), false, words(bits), mut<int32_t>(count)});
        const int64_t num_vertices =
            exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(start), edge_words);

        const int64_t cell_words = g.rx * g.ry * g.words, width = table.size(1);
        Tensor tri_count = empty<int32_t>(sdf, {cell_words});
        Tensor tri_start = empty<int32_t>(sdf, {cell_words + 1});
        exec.for_each(cell_words, 256,
                      CountTriangles<T>{g, cwords(inside), ptr<int32_t>(table), width,
                                        mut<int32_t>(tri_count)});
        const int64_t num_faces =
            exec.exclusive_scan(ptr<int32_t>(tri_count), mut<int32_t>(tri_start), cell_words);

        Tensor vertices = empty<T>(sdf, {num_vertices, 3});
        Tensor faces = empty<int64_t>(sdf, {num_faces, 3});
        const Ranked edges = ranked(bits, start);
        exec.for_each(
            edge_words, 256,
            EdgeVertices<T>{g, ptr<T>(sdf), ptr_or_null<T>(deform), edges, mut<T>(vertices)});
        exec.for_each(cell_words, 256,
                      CellTriangles<T>{g, cwords(inside), ptr<int32_t>(table), width,
                                       ptr<int32_t>(tri_start), edges, mut<int64_t>(faces)});
        return std::make_tuple(vertices, faces, bits, start);
      }));
}

template <class Exec>
void marching_cubes_backward(const Tensor& grad_vertices, const Tensor& sdf,
                             const MaybeTensor& deform, const Tensor& bits, const Tensor& start,
                             std::vector<int64_t> resolution, std::vector<double> bounds,
                             Tensor grad_sdf, MaybeTensor grad_deform,
                             const MaybeTensor& sparse_bits, const MaybeTensor& sparse_start) {
  ML_DISPATCH_FLOAT(
      sdf, T, ([&] {
        const Lattice<T> g = make_lattice<T>(resolution, bounds, sparse_bits, sparse_start);
        expect<T>(grad_vertices, "grad_vertices");
        Exec(sdf).for_each(
            g.rows() * g.words, 256,
            EdgeVerticesBackward<T>{g, ptr<T>(sdf), ptr_or_null<T>(deform), ranked(bits, start),
                                    ptr<T>(grad_vertices), mut<T>(grad_sdf),
                                    grad_deform.has_value() ? mut<T>(*grad_deform) : nullptr});
      }));
}

}  // namespace meshlearn
