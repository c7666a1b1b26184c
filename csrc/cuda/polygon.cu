#include "../common/exec_cuda.h"
#include "../drivers/polygon.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("triangulate_polygons", TORCH_BOX(&meshlearn::triangulate_polygons<meshlearn::CudaExec>));
}
