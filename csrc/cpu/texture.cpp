#include "../drivers/texture.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("texture_taps", TORCH_BOX(&meshlearn::texture_taps<meshlearn::CpuExec>));
  m.impl("texture_taps_backward", TORCH_BOX(&meshlearn::texture_taps_backward<meshlearn::CpuExec>));
}
