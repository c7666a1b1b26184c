#include "../common/exec_cuda.h"
#include "../drivers/halfspace.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("halfspace_intersection",
         TORCH_BOX(&meshlearn::halfspace_intersection<meshlearn::CudaExec>));
}
