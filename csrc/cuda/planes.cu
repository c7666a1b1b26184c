#include "../common/exec_cuda.h"
#include "../drivers/planes.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using meshlearn::CudaExec;
  m.impl("plane_offsets", TORCH_BOX(&meshlearn::plane_offsets<CudaExec>));
}
