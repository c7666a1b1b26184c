#include "../drivers/mix.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("mix_rows", TORCH_BOX(&meshlearn::mix_rows<meshlearn::CpuExec>));
  m.impl("mix_rows_weight", TORCH_BOX(&meshlearn::mix_rows_weight<meshlearn::CpuExec>));
  m.impl("mix_rows_values", TORCH_BOX(&meshlearn::mix_rows_values<meshlearn::CpuExec>));
}
