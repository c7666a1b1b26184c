#include "../common/exec_cpu.h"
#include "../drivers/flexicubes.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using Exec = meshlearn::CpuExec;
  m.impl("flexicubes", TORCH_BOX(&meshlearn::flexicubes<Exec>));
  m.impl("flexicubes_backward", TORCH_BOX(&meshlearn::flexicubes_backward<Exec>));
}
