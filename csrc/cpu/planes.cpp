#include "../common/exec_cpu.h"
#include "../drivers/planes.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using meshlearn::CpuExec;
  m.impl("plane_offsets", TORCH_BOX(&meshlearn::plane_offsets<CpuExec>));
}
