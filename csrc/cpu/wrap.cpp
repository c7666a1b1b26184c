#include "../drivers/wrap.h"

#include <cstring>
#include <tuple>

#include "../common/exec_cpu.h"

namespace meshlearn {

static Tensor wrap_cells_op(const Tensor& code, double reach, std::vector<double> wide,
                            bool cavities) {
  const WrapGrid grid = wrap_grid(code);
  Tensor inside = empty<uint8_t>(code, {grid.size[0], grid.size[1], grid.size[2]});
  wrap_cells(grid, ptr<uint8_t>(code), reach, wide, cavities, mut<uint8_t>(inside));
  return inside;
}

static Tensor wrap_mend_op(const Tensor& inside) {
  const WrapGrid grid = wrap_grid(inside);
  Tensor out = empty<uint8_t>(inside, {grid.size[0], grid.size[1], grid.size[2]});
  std::memcpy(mut<uint8_t>(out), ptr<uint8_t>(inside), static_cast<size_t>(grid.count()));
  wrap_mend(grid, mut<uint8_t>(out));
  return out;
}

// corners (V, 3) int32, squares (Q, 4)
static std::tuple<Tensor, Tensor> wrap_surface_op(const Tensor& inside) {
  const WrapGrid grid = wrap_grid(inside);
  const WrapSurface made = wrap_surface(grid, ptr<uint8_t>(inside));
  Tensor corner = empty<int32_t>(inside, {static_cast<int64_t>(made.corner.size() / 3), 3});
  Tensor square = empty<int64_t>(inside, {static_cast<int64_t>(made.square.size() / 4), 4});
  if (!made.corner.empty())
    std::memcpy(mut<int32_t>(corner), made.corner.data(), made.corner.size() * sizeof(int32_t));
  if (!made.square.empty())
    std::memcpy(mut<int64_t>(square), made.square.data(), made.square.size() * sizeof(int64_t));
  return std::make_tuple(corner, square);
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("wrap_cells", TORCH_BOX(&meshlearn::wrap_cells_op));
  m.impl("wrap_mend", TORCH_BOX(&meshlearn::wrap_mend_op));
  m.impl("wrap_surface", TORCH_BOX(&meshlearn::wrap_surface_op));
}
