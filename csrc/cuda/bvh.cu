#include "../common/exec_cuda.h"
#include "../drivers/bvh.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using Exec = meshlearn::CudaExec;
  m.impl("morton_codes", TORCH_BOX(&meshlearn::morton_codes<Exec>));
  m.impl("bvh_build", TORCH_BOX(&meshlearn::bvh_build<Exec>));
  m.impl("bvh_closest", TORCH_BOX(&meshlearn::bvh_closest<Exec>));
  m.impl("bvh_moments", TORCH_BOX(&meshlearn::bvh_moments<Exec>));
  m.impl("bvh_winding", TORCH_BOX(&meshlearn::bvh_winding<Exec>));
  m.impl("bvh_rays", TORCH_BOX(&meshlearn::bvh_rays<Exec>));
}
