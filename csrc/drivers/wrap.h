#pragma once
#include <tuple>

#include "../common/tensor.h"
#include "../kernels/wrap_lines.h"

namespace meshlearn {

inline WrapGrid wrap_grid(const Tensor& cells) {
  expect<uint8_t>(cells, "cells");
  STD_TORCH_CHECK(cells.dim() == 3, "cells: (X, Y, Z)");
  return WrapGrid{{cells.size(0), cells.size(1), cells.size(2)}};
}

// `wrap_cells` of wrap.h, line by line.
template <class Exec>
struct WrapFlood {
  Exec exec;
  WrapGrid grid;
  Tensor changed, one, other;  // distances, before and after an axis
  uint8_t* mark;

  void flood(uint8_t bit, WrapPass passes) const {
    do {
      exec.fill_zero(mut<int32_t>(changed), sizeof(int32_t));
      for (int axis = 2; axis >= 0; --axis) {
        const WrapLines lines{grid, axis};
        exec.for_each(lines.lines(), 64,
                      WrapSweep{lines, passes, mark, bit, mut<int32_t>(changed)});
      }
    } while (exec.read(ptr<int32_t>(changed)) != 0);
  }
  void from_border(uint8_t bit, WrapPass passes) const {
    exec.for_each(grid.count(), 4096, WrapBorder{grid, passes, mark, bit});
    flood(bit, passes);
  }
  void set(uint8_t bit, WrapPass passes, uint8_t taken = 0) const {
    exec.for_each(grid.count(), 4096, WrapSet{passes, mark, bit, taken});
  }
  void dilate(uint8_t from, uint8_t bit, double reach, WrapPass passes) const {
    int32_t *before = mut<int32_t>(one), *after = mut<int32_t>(other);
    exec.for_each(grid.count(), 4096, WrapFrom{mark, from, before});
    for (int axis = 2; axis >= 0; --axis) {
      exec.for_each(grid.count(), 1024,
                    WrapNearest{{grid, axis}, static_cast<int64_t>(reach), before, after});
      std::swap(before, after);
    }
    exec.for_each(grid.count(), 4096, WrapWithin{before, reach, passes, mark, bit});
  }
};

template <class Exec>
Tensor wrap_cells_lines(const Tensor& code, double reach, std::vector<double> wide, bool cavities) {
  enum : uint8_t { kReached = 1, kFar = 2, kRoom = 4, kShut = 8, kCentre = 16, kOpen = 32 };
  const WrapGrid grid = wrap_grid(code);
  Tensor mark = zeros<uint8_t>(code, {grid.count()});
  Tensor inside = empty<uint8_t>(code, {grid.size[0], grid.size[1], grid.size[2]});
  const uint8_t *c = ptr<uint8_t>(code), *m = ptr<uint8_t>(mark);
  const WrapFlood<Exec> cells{Exec(code),
                              grid,
                              zeros<int32_t>(code, {1}),
                              empty<int32_t>(code, {grid.count()}),
                              empty<int32_t>(code, {grid.count()}),
                              mut<uint8_t>(mark)};
  cells.from_border(kReached, {c, m, kWrapFree});
  for (size_t j = 0; j < wide.size(); ++j) {
    const uint8_t own = static_cast<uint8_t>(kWrapFree + 1 + j), more = own + 1;
    cells.set(0, {c, m, 0}, kFar | kRoom);
    cells.from_border(kFar, {c, m, own});
    cells.set(kRoom, {c, m, more, kReached, kFar});
    cells.flood(kRoom, {c, m, own});
    cells.dilate(kRoom, kShut, wide[j], {c, m, kWrapBand, 0, kFar});
    cells.set(kShut, {c, m, 0, kRoom});
  }
  cells.from_border(kCentre, {c, m, kWrapFree, 0, kShut});
  if (cavities) cells.set(kCentre, {c, m, kWrapFree, 0, kReached});
  cells.dilate(kCentre, kOpen, reach, {c, m, kWrapBand, 0, kShut});
  cells.flood(kCentre, {c, m, 0, kOpen});  // what was opened must hang together with its centres
  cells.exec.for_each(grid.count(), 4096, WrapInside{m, kCentre, mut<uint8_t>(inside)});
  return inside;
}

// corners (V, 3) int32, squares (Q, 4)
template <class Exec>
std::tuple<Tensor, Tensor> wrap_surface_lines(const Tensor& inside) {
  const WrapGrid grid = wrap_grid(inside);
  const int64_t corners = (grid.size[0] + 1) * (grid.size[1] + 1) * (grid.size[2] + 1);
  const Exec exec(inside);
  Tensor count = empty<int64_t>(inside, {corners}), start = empty<int64_t>(inside, {corners + 1});
  const uint8_t* cells = ptr<uint8_t>(inside);
  exec.for_each(corners, 1024, WrapCount{grid, cells, mut<int64_t>(count)});
  const int64_t all = exec.exclusive_scan(ptr<int64_t>(count), mut<int64_t>(start), corners);
  Tensor corner = empty<int32_t>(inside, {all & 0xffffffff, 3});
  Tensor square = empty<int64_t>(inside, {all >> 32, 4});
  exec.for_each(
      corners, 1024,
      WrapWrite{grid, cells, ptr<int64_t>(start), mut<int32_t>(corner), mut<int64_t>(square)});
  return std::make_tuple(corner, square);
}

}  // namespace meshlearn
