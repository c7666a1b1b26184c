#include "../drivers/silhouette.h"

#include "../common/exec_cpu.h"

namespace meshlearn {

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("silhouettes", TORCH_BOX(&silhouettes<CpuExec>));
  m.impl("silhouette_blend", TORCH_BOX(&silhouette_blend<CpuExec>));
  m.impl("silhouette_blend_image", TORCH_BOX(&silhouette_blend_image<CpuExec>));
  m.impl("silhouette_blend_clip", TORCH_BOX(&silhouette_blend_clip<CpuExec>));
}

}  // namespace meshlearn
