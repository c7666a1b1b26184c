#include "../common/exec_cpu.h"
#include "../drivers/bvh.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using meshlearn::CpuExec;
  m.impl("triangle_tree", TORCH_BOX(&meshlearn::triangle_tree<CpuExec>));
  m.impl("closest_on_mesh", TORCH_BOX(&meshlearn::closest_on_mesh<CpuExec>));
  m.impl("winding_moments", TORCH_BOX(&meshlearn::winding_moments<CpuExec>));
  m.impl("winding_on_mesh", TORCH_BOX(&meshlearn::winding_on_mesh<CpuExec>));
  m.impl("rays_on_mesh", TORCH_BOX(&meshlearn::rays_on_mesh<CpuExec>));
}
