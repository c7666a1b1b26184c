#include "../drivers/silhouette.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("silhouettes", TORCH_BOX(&meshlearn::silhouettes<meshlearn::CpuExec>));
}
