#include "../drivers/fusion.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("fuse_depth", TORCH_BOX(&meshlearn::fuse_depth<meshlearn::CudaExec>));
}
