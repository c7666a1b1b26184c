#include "../drivers/rasterize.h"

#include "../common/exec_cuda.h"

namespace meshlearn {

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("rasterize", TORCH_BOX((&rasterize<CudaExec, RasterFaces>)));
  m.impl("rasterize_backward", TORCH_BOX((&rasterize_backward<CudaExec, RasterFaces>)));
}

}  // namespace meshlearn
