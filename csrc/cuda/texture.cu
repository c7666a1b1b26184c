#include "../drivers/texture.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("texture_taps", TORCH_BOX(&meshlearn::texture_taps<meshlearn::CudaExec>));
  m.impl("texture_taps_backward",
         TORCH_BOX(&meshlearn::texture_taps_backward<meshlearn::CudaExec>));
}
