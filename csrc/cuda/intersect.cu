#include "../drivers/intersect.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("self_intersections", TORCH_BOX(&meshlearn::self_intersections<meshlearn::CudaExec>));
}
