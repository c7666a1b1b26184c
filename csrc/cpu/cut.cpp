#include "../common/exec_cpu.h"
#include "../drivers/cut.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using Exec = meshlearn::CpuExec;
  m.impl("cut_mesh", TORCH_BOX(&meshlearn::cut_mesh<Exec>));
  m.impl("cut_mesh_backward", TORCH_BOX(&meshlearn::cut_mesh_backward<Exec>));
}
