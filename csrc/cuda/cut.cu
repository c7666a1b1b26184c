#include "../common/exec_cuda.h"
#include "../drivers/cut.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using Exec = meshlearn::CudaExec;
  m.impl("cut_mesh", TORCH_BOX(&meshlearn::cut_mesh<Exec>));
  m.impl("cut_mesh_backward", TORCH_BOX(&meshlearn::cut_mesh_backward<Exec>));
}
