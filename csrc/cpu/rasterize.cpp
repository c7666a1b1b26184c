#include "../drivers/rasterize.h"

#include "../common/exec_cpu.h"

namespace {
struct CpuRaster {
  static constexpr int64_t faces_per_chunk = 4096, max_chunks = 16, grain = 1;
  template <class T>
  using Draw = meshlearn::RasterByTile<T>;
};
}  // namespace

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("rasterize", TORCH_BOX((&meshlearn::rasterize<meshlearn::CpuExec, CpuRaster>)));
  m.impl("rasterize_backward", TORCH_BOX(&meshlearn::rasterize_backward<meshlearn::CpuExec>));
}
