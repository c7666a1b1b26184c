#pragma once
#include "../kernels/flexicubes_backward.h"
#include "lattice.h"

namespace meshlearn {

// Returns vertices, faces, deviation, then what the backward pass reads again: cell, entry,
// dual_start, cell_bits, cell_start, edge_bits, edge_start, corner_bits, corner_start, position,
// cell_alpha, cell_beta, cell_gamma, quads, quad_cell, and msdf at the vertices twice (gradients of
// the second leave the weights alone).
template <class Exec>
std::vector<Tensor> flexicubes(const Tensor& sdf, const MaybeTensor& deform,
                               const MaybeTensor& alpha, const MaybeTensor& beta,
                               const MaybeTensor& gamma, const Tensor& table,
                               std::vector<int64_t> resolution, std::vector<double> bounds,
                               bool training, const MaybeTensor& msdf,
                               const MaybeTensor& sparse_bits, const MaybeTensor& sparse_start) {
  expect<int32_t>(table, "table");
  return ML_DISPATCH_FLOAT(
      sdf, T, ([&] {
        const Exec exec(sdf);
        const Lattice<T> g = make_lattice<T>(resolution, bounds, sparse_bits, sparse_start);
        const Tensor inside = sign_bits<T>(exec, g, sdf);
        const DualTable cases{ptr<int32_t>(table)};

        const int64_t cell_words = g.rx * g.ry * g.words;
        Tensor cell_bits = empty<int64_t>(sdf, {cell_words});
        Tensor cell_start = empty<int32_t>(sdf, {cell_words + 1});
        const int64_t edge_words = g.rows() * g.words * 3;
        Tensor edge_bits = empty<int64_t>(sdf, {edge_words});
        Tensor edge_start = empty<int32_t>(sdf, {edge_words + 1});
        Tensor count = empty<int32_t>(sdf, {std::max(cell_words, edge_words)});
        exec.for_each(cell_words, 1024,
                      SurfaceCells<T>{g, cwords(inside), words(cell_bits), mut<int32_t>(count)});
        const int64_t A =
            exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(cell_start), cell_words);
        const Ranked cells = ranked(cell_bits, cell_start);
        exec.for_each(g.rows(), 64,
                      EdgeRow<T>{g, cwords(inside), true, words(edge_bits), mut<int32_t>(count)});
        const int64_t Q =
            exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(edge_start), edge_words);
        const Ranked edges = ranked(edge_bits, edge_start);

        const int64_t corner_words = g.rows() * g.words;
        Tensor corner_bits = empty<int64_t>(sdf, {corner_words});
        Tensor corner_start = empty<int32_t>(sdf, {corner_words + 1});
        exec.for_each(
            corner_words, 1024,
            SurfaceCorners<T>{g, cwords(cell_bits), words(corner_bits), mut<int32_t>(count)});
        const int64_t P =
            exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(corner_start), corner_words);
        const Ranked corners = ranked(corner_bits, corner_start);
        Tensor position = empty<T>(sdf, {deform.has_value() ? P : 0, 3});
        if (deform.has_value())
          exec.for_each(corner_words, 256,
                        CornerPositions<T>{g, ptr<T>(*deform), corners, mut<T>(position)});

        Tensor cell = empty<int64_t>(sdf, {A});
        Tensor entry = empty<int32_t>(sdf, {A}), patches = empty<int32_t>(sdf, {A});
        Tensor dual_start = empty<int32_t>(sdf, {A + 1});
        exec.for_each(cell_words, 256,
                      ResolveCells<T>{g, cwords(inside), cases, cells, mut<int64_t>(cell),
                                      mut<int32_t>(entry), mut<int32_t>(patches)});
        const int64_t D = exec.exclusive_scan(ptr<int32_t>(patches), mut<int32_t>(dual_start), A);

        Tensor vertices = empty<T>(sdf, {training ? D + Q : D, 3}), deviation = empty<T>(sdf, {D});
        Tensor value = empty<T>(sdf, {msdf.has_value() ? vertices.size(0) : 0});
        Tensor faces = empty<int64_t>(sdf, {(training ? 4 : 2) * Q, 3});
        Tensor cell_alpha = empty<T>(sdf, {alpha.has_value() ? A : 0, 8});
        Tensor cell_beta = empty<T>(sdf, {beta.has_value() ? A : 0, 12});
        Tensor cell_gamma = empty<T>(sdf, {A});
        Tensor quads = empty<int32_t>(sdf, {Q, 4}), quad_cell = empty<int32_t>(sdf, {Q, 4});
        const FlexiCubesInput<T> in{g,
                                    cases,
                                    ptr<T>(sdf),
                                    ptr_or_null<T>(msdf),
                                    deform.has_value() ? ptr<T>(position) : nullptr,
                                    corners,
                                    ptr<int64_t>(cell),
                                    ptr<int32_t>(entry),
                                    ptr<int32_t>(dual_start),
                                    A};
        exec.for_each(
            A, 256,
            DualVertices<T>{in, ptr_or_null<T>(alpha), ptr_or_null<T>(beta), ptr_or_null<T>(gamma),
                            mut<T>(cell_alpha), mut<T>(cell_beta), mut<T>(cell_gamma),
                            mut<T>(vertices), mut<T>(deviation), mut<T>(value)});
        exec.for_each(edge_words, 256,
                      Quads<T>{in, cwords(inside), cells, edges, ptr<T>(cell_gamma), training, D,
                               mut<int32_t>(quads), mut<int32_t>(quad_cell), mut<T>(vertices),
                               mut<T>(value), mut<int64_t>(faces)});
        return std::vector<Tensor>{vertices,  faces,      deviation,   cell,
                                   entry,     dual_start, cell_bits,   cell_start,
                                   edge_bits, edge_start, corner_bits, corner_start,
                                   position,  cell_alpha, cell_beta,   cell_gamma,
                                   quads,     quad_cell,  value,       torch::stable::clone(value)};
      }));
}

// `saved` is what flexicubes() returned; gradients are written into tensors that are zero on entry.
template <class Exec>
void flexicubes_backward(const Tensor& grad_vertices, const Tensor& grad_deviation,
                         const Tensor& sdf, const MaybeTensor& deform, const Tensor& table,
                         std::vector<Tensor> saved, std::vector<int64_t> resolution,
                         std::vector<double> bounds, bool training, MaybeTensor grad_sdf,
                         MaybeTensor grad_deform, MaybeTensor grad_alpha, MaybeTensor grad_beta,
                         MaybeTensor grad_gamma, const MaybeTensor& msdf,
                         const MaybeTensor& grad_value, const MaybeTensor& grad_weighted,
                         MaybeTensor grad_msdf, const MaybeTensor& sparse_bits,
                         const MaybeTensor& sparse_start) {
  STD_TORCH_CHECK(saved.size() == 19, "saved: the first 19 outputs of flexicubes");
  ML_DISPATCH_FLOAT(
      sdf, T, ([&] {
        const Exec exec(sdf);
        const Lattice<T> g = make_lattice<T>(resolution, bounds, sparse_bits, sparse_start);
        expect<T>(grad_vertices, "grad_vertices");
        expect<T>(grad_deviation, "grad_deviation");
        const int64_t A = saved[3].numel(), D = saved[2].numel();
        const Ranked cells = ranked(saved[6], saved[7]), edges = ranked(saved[8], saved[9]);
        const Ranked corners = ranked(saved[10], saved[11]);
        const auto some = [](const Tensor& t) { return t.numel() ? ptr<T>(t) : nullptr; };
        const auto out = [](const MaybeTensor& t) { return t.has_value() ? mut<T>(*t) : nullptr; };
        const FlexiCubesInput<T> in{g,
                                    DualTable{ptr<int32_t>(table)},
                                    ptr<T>(sdf),
                                    ptr_or_null<T>(msdf),
                                    some(saved[12]),
                                    corners,
                                    ptr<int64_t>(saved[3]),
                                    ptr<int32_t>(saved[4]),
                                    ptr<int32_t>(saved[5]),
                                    A};
        const int width = msdf.has_value() ? 5 : 4;
        Tensor corner_grad = empty<T>(sdf, {A, 8, width});
        exec.for_each(A, 256,
                      CellBackward<T>{in,
                                      edges,
                                      some(saved[13]),
                                      some(saved[14]),
                                      some(saved[15]),
                                      ptr<int32_t>(saved[16]),
                                      ptr<int32_t>(saved[17]),
                                      ptr<T>(saved[0]),
                                      ptr<T>(saved[18]),
                                      training,
                                      D,
                                      ptr<T>(grad_vertices),
                                      ptr_or_null<T>(grad_value),
                                      ptr_or_null<T>(grad_weighted),
                                      ptr<T>(grad_deviation),
                                      out(grad_alpha),
                                      out(grad_beta),
                                      out(grad_gamma),
                                      width,
                                      mut<T>(corner_grad)});
        if (grad_sdf.has_value() || grad_deform.has_value() || grad_msdf.has_value())
          exec.for_each(g.rows() * g.words, 256,
                        CornerBackward<T>{g, cells, corners, ptr<T>(corner_grad), width,
                                          ptr_or_null<T>(deform), out(grad_sdf), out(grad_deform),
                                          out(grad_msdf)});
      }));
}

}  // namespace meshlearn
