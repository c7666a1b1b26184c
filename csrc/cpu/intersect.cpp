#include "../drivers/intersect.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("self_intersections", TORCH_BOX(&meshlearn::self_intersections<meshlearn::CpuExec>));
}
