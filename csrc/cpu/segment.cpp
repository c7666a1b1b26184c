#include "../common/exec_cpu.h"
#include "../drivers/segment.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("gather_sum", TORCH_BOX(&meshlearn::gather_sum<meshlearn::CpuExec>));
}
