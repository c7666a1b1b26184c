#include "../drivers/fusion.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("depth_surface", TORCH_BOX(&meshlearn::depth_surface<meshlearn::CudaExec>));
  m.impl("depth_extent", TORCH_BOX(&meshlearn::depth_extent<meshlearn::CudaExec>));
  m.impl("depth_blocks", TORCH_BOX(&meshlearn::depth_blocks<meshlearn::CudaExec>));
  m.impl("fuse_depth", TORCH_BOX(&meshlearn::fuse_depth<meshlearn::CudaExec>));
}
