#include "../common/exec_cuda.h"
#include "../drivers/tets.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using Exec = meshlearn::CudaExec;
  m.impl("marching_tetrahedra", TORCH_BOX(&meshlearn::marching_tetrahedra<Exec>));
  m.impl("marching_tetrahedra_backward", TORCH_BOX(&meshlearn::marching_tetrahedra_backward<Exec>));
}
