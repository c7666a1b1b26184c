#include "../drivers/silhouette.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("silhouettes", TORCH_BOX(&meshlearn::silhouettes<meshlearn::CudaExec>));
}
