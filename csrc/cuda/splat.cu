#include "../drivers/splat.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("splat", TORCH_BOX(&meshlearn::splat<meshlearn::CudaExec>));
  m.impl("splat_gather", TORCH_BOX(&meshlearn::splat_gather<meshlearn::CudaExec>));
  m.impl("splat_slope", TORCH_BOX(&meshlearn::splat_slope<meshlearn::CudaExec>));
}
