#include "../common/exec_cuda.h"
#include "../drivers/dipoles.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using meshlearn::CudaExec;
  m.impl("dipole_sum", TORCH_BOX(&meshlearn::dipole_sum<CudaExec>));
}
