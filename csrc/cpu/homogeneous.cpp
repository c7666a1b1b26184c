#include "../drivers/homogeneous.h"

#include "../common/exec_cpu.h"

namespace meshlearn {

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("homogeneous", TORCH_BOX(&homogeneous<CpuExec>));
  m.impl("homogeneous_backward", TORCH_BOX(&homogeneous_backward<CpuExec>));
}

}  // namespace meshlearn
