#include "../common/exec_cpu.h"
#include "../drivers/neighbours.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using meshlearn::CpuExec;
  m.impl("spatial_order", TORCH_BOX(&meshlearn::spatial_order<CpuExec>));
  m.impl("point_tree", TORCH_BOX(&meshlearn::point_tree<CpuExec>));
  m.impl("nearest_points", TORCH_BOX(&meshlearn::nearest_points<CpuExec>));
}
