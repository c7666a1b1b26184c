#include "../drivers/fusion.h"

#include "../common/exec_cpu.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("depth_surface", TORCH_BOX(&meshlearn::depth_surface<meshlearn::CpuExec>));
  m.impl("depth_extent", TORCH_BOX(&meshlearn::depth_extent<meshlearn::CpuExec>));
  m.impl("depth_blocks", TORCH_BOX(&meshlearn::depth_blocks<meshlearn::CpuExec>));
  m.impl("fuse_depth", TORCH_BOX(&meshlearn::fuse_depth<meshlearn::CpuExec>));
}
