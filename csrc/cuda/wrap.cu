#include "../drivers/wrap.h"

#include "../common/exec_cuda.h"

// wrap_mend is sequential by nature and stays on the CPU: which cell is filled next depends on
// those before.
STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("wrap_cells", TORCH_BOX(&meshlearn::wrap_cells_lines<meshlearn::CudaExec>));
  m.impl("wrap_surface", TORCH_BOX(&meshlearn::wrap_surface_lines<meshlearn::CudaExec>));
}
