#pragma once
#include "../common/tensor.h"
#include "../kernels/lattice.h"

namespace meshlearn {

using MaybeTensor = std::optional<Tensor>;

// `bits` and `start` are the table of a sparse grid: those of its vertices, then of its cells.
template <class T>
Lattice<T> make_lattice(const std::vector<int64_t>& res, const std::vector<double>& bounds,
                        const MaybeTensor& bits = {}, const MaybeTensor& start = {}) {
  STD_TORCH_CHECK(res.size() == 3 && bounds.size() == 6, "resolution: 3 values, bounds: 6");
  Lattice<T> g;
  g.rx = res[0], g.ry = res[1], g.rz = res[2];
  g.nx = g.rx + 1, g.ny = g.ry + 1, g.nz = g.rz + 1;
  g.words = (g.nz + 63) / 64;
  for (int a = 0; a < 3; ++a) {
    g.lo[a] = bounds[a];
    g.spacing[a] = (bounds[a + 3] - bounds[a]) / static_cast<double>(res[a]);
  }
  g.vertices = g.cells = Ranked{nullptr, nullptr};
  if (bits.has_value()) {
    STD_TORCH_CHECK(start.has_value(), "start: expected with bits");
    expect<int64_t>(*bits, "bits");
    expect<int32_t>(*start, "start");
    const int64_t rows = g.rows() * g.words, cell_words = g.rx * g.ry * g.words;
    STD_TORCH_CHECK(bits->numel() == rows + cell_words && start->numel() == rows + cell_words + 2,
                    "bits, start: one word for 64 vertices of a row, then of cells");
    const Word* words = reinterpret_cast<const Word*>(ptr<int64_t>(*bits));
    g.vertices = Ranked{words, ptr<int32_t>(*start)};
    g.cells = Ranked{words + rows, ptr<int32_t>(*start) + rows + 1};
  }
  return g;
}

inline Word* words(const Tensor& t) { return reinterpret_cast<Word*>(mut<int64_t>(t)); }
inline const Word* cwords(const Tensor& t) {
  return reinterpret_cast<const Word*>(ptr<int64_t>(t));
}
inline Ranked ranked(const Tensor& bits, const Tensor& start) {
  return Ranked{cwords(bits), ptr<int32_t>(start)};
}

// Bits of the inside vertices; throws when the field holds NaN or infinities.
template <class T, class Exec>
Tensor sign_bits(const Exec& exec, const Lattice<T>& g, const Tensor& sdf) {
  expect<T>(sdf, "sdf");
  STD_TORCH_CHECK(g.sparse() || sdf.numel() == g.nx * g.ny * g.nz, "sdf: one value a grid vertex");
  Tensor inside = empty<int64_t>(sdf, {g.rows() * g.words});
  Tensor bad = empty<int32_t>(sdf, {g.rows()}), sum = empty<int32_t>(sdf, {g.rows() + 1});
  if (g.sparse())
    exec.for_each(g.rows(), 64, SparseSignRow<T>{g, ptr<T>(sdf), words(inside), mut<int32_t>(bad)});
  else
    exec.for_each(g.rows(), 64, SignRow<T>{g, ptr<T>(sdf), words(inside), mut<int32_t>(bad)});
  const int32_t count = exec.exclusive_scan(ptr<int32_t>(bad), mut<int32_t>(sum), g.rows());
  STD_TORCH_CHECK(count == 0, "sdf: ", count, " of ", sdf.numel(), " values are NaN or infinite");
  return inside;
}

}  // namespace meshlearn
