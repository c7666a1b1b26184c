#include "../drivers/rasterize.h"

#include "../common/exec_cpu.h"

namespace meshlearn {

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("rasterize", TORCH_BOX((&rasterize<CpuExec, RasterTiles>)));
  m.impl("rasterize_backward", TORCH_BOX((&rasterize_backward<CpuExec, RasterTiles>)));
}

}  // namespace meshlearn
