#include "../common/exec_cpu.h"
#include "../drivers/halfspace.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("halfspace_intersection",
         TORCH_BOX(&meshlearn::halfspace_intersection<meshlearn::CpuExec>));
}
