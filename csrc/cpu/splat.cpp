#include "../drivers/splat.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("splat", TORCH_BOX(&meshlearn::splat<meshlearn::CpuExec>));
  m.impl("splat_gather", TORCH_BOX(&meshlearn::splat_gather<meshlearn::CpuExec>));
  m.impl("splat_slope", TORCH_BOX(&meshlearn::splat_slope<meshlearn::CpuExec>));
}
