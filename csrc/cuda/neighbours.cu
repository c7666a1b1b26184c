#include "../common/exec_cuda.h"
#include "../drivers/neighbours.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  using meshlearn::CudaExec;
  m.impl("spatial_order", TORCH_BOX(&meshlearn::spatial_order<CudaExec>));
  m.impl("point_tree", TORCH_BOX(&meshlearn::point_tree<CudaExec>));
  m.impl("nearest_points", TORCH_BOX(&meshlearn::nearest_points<CudaExec>));
}
