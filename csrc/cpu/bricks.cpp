#include "../drivers/bricks.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("brick_laplacian", TORCH_BOX(&meshlearn::brick_laplacian<meshlearn::CpuExec>));
}
