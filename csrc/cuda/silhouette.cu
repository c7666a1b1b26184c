#include "../drivers/silhouette.h"

#include "../common/exec_cuda.h"

namespace meshlearn {

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("silhouettes", TORCH_BOX(&silhouettes<CudaExec>));
  m.impl("silhouette_blend", TORCH_BOX(&silhouette_blend<CudaExec>));
  m.impl("silhouette_blend_image", TORCH_BOX(&silhouette_blend_image<CudaExec>));
  m.impl("silhouette_blend_clip", TORCH_BOX(&silhouette_blend_clip<CudaExec>));
}

}  // namespace meshlearn
