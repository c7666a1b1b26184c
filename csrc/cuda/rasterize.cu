#include "../drivers/rasterize.h"

#include "../common/exec_cuda.h"

namespace {
struct CudaRaster {
  static constexpr int64_t faces_per_chunk = 128, max_chunks = 1024, grain = 1;
  template <class T>
  using Draw = meshlearn::RasterByPixel<T>;
};
}  // namespace

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("rasterize", TORCH_BOX((&meshlearn::rasterize<meshlearn::CudaExec, CudaRaster>)));
  m.impl("rasterize_backward", TORCH_BOX(&meshlearn::rasterize_backward<meshlearn::CudaExec>));
}
