#include "../common/exec_cuda.h"
#include "../drivers/flexicubes.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using Exec = meshlearn::CudaExec;
  m.impl("flexicubes", TORCH_BOX(&meshlearn::flexicubes<Exec>));
  m.impl("flexicubes_backward", TORCH_BOX(&meshlearn::flexicubes_backward<Exec>));
}
