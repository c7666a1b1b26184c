#include "../common/exec_cpu.h"
#include "../drivers/dipoles.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using meshlearn::CpuExec;
  m.impl("dipole_sum", TORCH_BOX(&meshlearn::dipole_sum<CpuExec>));
}
