#include "../common/exec_cpu.h"
#include "../drivers/marching_cubes.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  using Exec = meshlearn::CpuExec;
  m.impl("marching_cubes", TORCH_BOX(&meshlearn::marching_cubes<Exec>));
  m.impl("marching_cubes_backward", TORCH_BOX(&meshlearn::marching_cubes_backward<Exec>));
}
