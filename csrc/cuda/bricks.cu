#include "../drivers/bricks.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("brick_laplacian", TORCH_BOX(&meshlearn::brick_laplacian<meshlearn::CudaExec>));
}
