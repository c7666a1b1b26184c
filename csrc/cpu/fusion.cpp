#include "../drivers/fusion.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("fuse_depth", TORCH_BOX(&meshlearn::fuse_depth<meshlearn::CpuExec>));
}
