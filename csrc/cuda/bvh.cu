#include "../common/exec_cuda.h"
#include "../drivers/bvh.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using meshlearn::CudaExec;
  m.impl("triangle_tree", TORCH_BOX(&meshlearn::triangle_tree<CudaExec>));
  m.impl("closest_on_mesh", TORCH_BOX(&meshlearn::closest_on_mesh<CudaExec>));
  m.impl("winding_moments", TORCH_BOX(&meshlearn::winding_moments<CudaExec>));
  m.impl("winding_on_mesh", TORCH_BOX(&meshlearn::winding_on_mesh<CudaExec>));
  m.impl("rays_on_mesh", TORCH_BOX(&meshlearn::rays_on_mesh<CudaExec>));
}
