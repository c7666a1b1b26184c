#include "../common/exec_cuda.h"
#include "../drivers/segment.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("gather_sum", TORCH_BOX(&meshlearn::gather_sum<meshlearn::CudaExec>));
}
