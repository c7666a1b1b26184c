#pragma once
#include "../kernels/flexicubes_backward.h"
#include "lattice.h"

namespace meshlearn {

// Everything that the forward pass makes, by name. The operator hands it out as one list, and takes
// the list back in the backward pass; `FlexiCubesTensors` in isosurface/_ops.py says what each is.
struct FlexiCubesTensors {
  Tensor vertices, faces, deviation;
  Tensor cell, entry, dual_start;
  Tensor cell_bits, cell_start, edge_bits, edge_start, corner_bits, corner_start;
  Tensor position, cell_alpha, cell_beta, cell_gamma, quads, quad_cell;
  Tensor msdf, msdf_weighted;

  // The order of the list, here and nowhere else.
  std::vector<Tensor*> in_order() {
    return {&vertices,    &faces,        &deviation,  &cell,       &entry,
            &dual_start,  &cell_bits,    &cell_start, &edge_bits,  &edge_start,
            &corner_bits, &corner_start, &position,   &cell_alpha, &cell_beta,
            &cell_gamma,  &quads,        &quad_cell,  &msdf,       &msdf_weighted};
  }
  std::vector<Tensor> list() {
    std::vector<Tensor> out;
    for (const Tensor* t : in_order()) out.push_back(*t);
    return out;
  }
  static FlexiCubesTensors of(const std::vector<Tensor>& list) {
    FlexiCubesTensors made;
    const std::vector<Tensor*> order = made.in_order();
    STD_TORCH_CHECK(list.size() == order.size(), "saved: expected the outputs of flexicubes");
    for (size_t k = 0; k < order.size(); ++k) *order[k] = list[k];
    return made;
  }
};

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
        FlexiCubesTensors made;
        made.cell_bits = empty<int64_t>(sdf, {cell_words});
        made.cell_start = empty<int32_t>(sdf, {cell_words + 1});
        const int64_t edge_words = g.rows() * g.words * 3;
        made.edge_bits = empty<int64_t>(sdf, {edge_words});
        made.edge_start = empty<int32_t>(sdf, {edge_words + 1});
        Tensor count = empty<int32_t>(sdf, {std::max(cell_words, edge_words)});
        exec.for_each(
            cell_words, 1024,
            SurfaceCells<T>{g, cwords(inside), words(made.cell_bits), mut<int32_t>(count)});
        const int64_t A =
            exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(made.cell_start), cell_words);
        const Ranked cells = ranked(made.cell_bits, made.cell_start);
        exec.for_each(
            g.rows(), 64,
            EdgeRow<T>{g, cwords(inside), true, words(made.edge_bits), mut<int32_t>(count)});
        const int64_t Q =
            exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(made.edge_start), edge_words);
        const Ranked edges = ranked(made.edge_bits, made.edge_start);

        const int64_t corner_words = g.rows() * g.words;
        made.corner_bits = empty<int64_t>(sdf, {corner_words});
        made.corner_start = empty<int32_t>(sdf, {corner_words + 1});
        exec.for_each(corner_words, 1024,
                      SurfaceCorners<T>{g, cwords(made.cell_bits), words(made.corner_bits),
                                        mut<int32_t>(count)});
        const int64_t P =
            exec.exclusive_scan(ptr<int32_t>(count), mut<int32_t>(made.corner_start), corner_words);
        const Ranked corners = ranked(made.corner_bits, made.corner_start);
        made.position = empty<T>(sdf, {deform.has_value() ? P : 0, 3});
        if (deform.has_value())
          exec.for_each(corner_words, 256,
                        CornerPositions<T>{g, ptr<T>(*deform), corners, mut<T>(made.position)});

        made.cell = empty<int64_t>(sdf, {A});
        made.entry = empty<int32_t>(sdf, {A});
        made.dual_start = empty<int32_t>(sdf, {A + 1});
        Tensor patches = empty<int32_t>(sdf, {A});
        exec.for_each(cell_words, 256,
                      ResolveCells<T>{g, cwords(inside), cases, cells, mut<int64_t>(made.cell),
                                      mut<int32_t>(made.entry), mut<int32_t>(patches)});
        const int64_t D =
            exec.exclusive_scan(ptr<int32_t>(patches), mut<int32_t>(made.dual_start), A);

        const int64_t V = training ? D + Q : D;
        made.vertices = empty<T>(sdf, {V, 3});
        made.deviation = empty<T>(sdf, {D});
        made.msdf = empty<T>(sdf, {msdf.has_value() ? V : 0});
        made.faces = empty<int64_t>(sdf, {(training ? 4 : 2) * Q, 3});
        made.cell_alpha = empty<T>(sdf, {alpha.has_value() ? A : 0, 8});
        made.cell_beta = empty<T>(sdf, {beta.has_value() ? A : 0, 12});
        made.cell_gamma = empty<T>(sdf, {A});
        made.quads = empty<int32_t>(sdf, {Q, 4});
        made.quad_cell = empty<int32_t>(sdf, {Q, 4});
        const FlexiCubesInput<T> in{g,
                                    cases,
                                    ptr<T>(sdf),
                                    ptr_or_null<T>(msdf),
                                    deform.has_value() ? ptr<T>(made.position) : nullptr,
                                    corners,
                                    ptr<int64_t>(made.cell),
                                    ptr<int32_t>(made.entry),
                                    ptr<int32_t>(made.dual_start),
                                    A};
        exec.for_each(A, 256,
                      DualVertices<T>{
                          in, ptr_or_null<T>(alpha), ptr_or_null<T>(beta), ptr_or_null<T>(gamma),
                          mut<T>(made.cell_alpha), mut<T>(made.cell_beta), mut<T>(made.cell_gamma),
                          mut<T>(made.vertices), mut<T>(made.deviation), mut<T>(made.msdf)});
        exec.for_each(edge_words, 256,
                      Quads<T>{in, cwords(inside), cells, edges, ptr<T>(made.cell_gamma), training,
                               D, mut<int32_t>(made.quads), mut<int32_t>(made.quad_cell),
                               mut<T>(made.vertices), mut<T>(made.msdf), mut<int64_t>(made.faces)});
        made.msdf_weighted = torch::stable::clone(made.msdf);
        return made.list();
      }));
}

// `list` is what flexicubes() returned; gradients are written into tensors that are zero on entry.
template <class Exec>
void flexicubes_backward(const Tensor& grad_vertices, const Tensor& grad_deviation,
                         const Tensor& sdf, const MaybeTensor& deform, const Tensor& table,
                         std::vector<Tensor> list, std::vector<int64_t> resolution,
                         std::vector<double> bounds, bool training, MaybeTensor grad_sdf,
                         MaybeTensor grad_deform, MaybeTensor grad_alpha, MaybeTensor grad_beta,
                         MaybeTensor grad_gamma, const MaybeTensor& msdf,
                         const MaybeTensor& grad_value, const MaybeTensor& grad_weighted,
                         MaybeTensor grad_msdf, const MaybeTensor& sparse_bits,
                         const MaybeTensor& sparse_start) {
  const FlexiCubesTensors saved = FlexiCubesTensors::of(list);
  ML_DISPATCH_FLOAT(
      sdf, T, ([&] {
        const Exec exec(sdf);
        const Lattice<T> g = make_lattice<T>(resolution, bounds, sparse_bits, sparse_start);
        expect<T>(grad_vertices, "grad_vertices");
        expect<T>(grad_deviation, "grad_deviation");
        const int64_t A = saved.cell.numel(), D = saved.deviation.numel();
        const Ranked cells = ranked(saved.cell_bits, saved.cell_start),
                     edges = ranked(saved.edge_bits, saved.edge_start);
        const Ranked corners = ranked(saved.corner_bits, saved.corner_start);
        const auto some = [](const Tensor& t) { return t.numel() ? ptr<T>(t) : nullptr; };
        const auto out = [](const MaybeTensor& t) { return t.has_value() ? mut<T>(*t) : nullptr; };
        const FlexiCubesInput<T> in{g,
                                    DualTable{ptr<int32_t>(table)},
                                    ptr<T>(sdf),
                                    ptr_or_null<T>(msdf),
                                    some(saved.position),
                                    corners,
                                    ptr<int64_t>(saved.cell),
                                    ptr<int32_t>(saved.entry),
                                    ptr<int32_t>(saved.dual_start),
                                    A};
        const int width = msdf.has_value() ? 5 : 4;
        Tensor corner_grad = empty<T>(sdf, {A, 8, width});
        exec.for_each(A, 256,
                      CellBackward<T>{in,
                                      edges,
                                      some(saved.cell_alpha),
                                      some(saved.cell_beta),
                                      some(saved.cell_gamma),
                                      ptr<int32_t>(saved.quads),
                                      ptr<int32_t>(saved.quad_cell),
                                      ptr<T>(saved.vertices),
                                      ptr<T>(saved.msdf),
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
