#include "../common/exec_cpu.h"
#include "../drivers/tets.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using Exec = meshlearn::CpuExec;
  m.impl("marching_tetrahedra", TORCH_BOX(&meshlearn::marching_tetrahedra<Exec>));
  m.impl("marching_tetrahedra_backward", TORCH_BOX(&meshlearn::marching_tetrahedra_backward<Exec>));
}
