#include "../drivers/mix.h"

#include "../common/exec_cuda.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CUDA, m) {
  m.impl("mix_rows", TORCH_BOX(&meshlearn::mix_rows<meshlearn::CudaExec>));
  m.impl("mix_rows_weight", TORCH_BOX(&meshlearn::mix_rows_weight<meshlearn::CudaExec>));
  m.impl("mix_rows_values", TORCH_BOX(&meshlearn::mix_rows_values<meshlearn::CudaExec>));
}
