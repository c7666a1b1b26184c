#include "../common/exec_cuda.h"
#include "../drivers/marching_cubes.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using Exec = meshlearn::CudaExec;
  m.impl("marching_cubes", TORCH_BOX(&meshlearn::marching_cubes<Exec>));
  m.impl("marching_cubes_backward", TORCH_BOX(&meshlearn::marching_cubes_backward<Exec>));
}
