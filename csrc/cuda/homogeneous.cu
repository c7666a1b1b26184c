#include "../drivers/homogeneous.h"

#include "../common/exec_cuda.h"

namespace meshlearn {

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("homogeneous", TORCH_BOX(&homogeneous<CudaExec>));
  m.impl("homogeneous_backward", TORCH_BOX(&homogeneous_backward<CudaExec>));
}

}  // namespace meshlearn
