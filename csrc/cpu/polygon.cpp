#include "../common/exec_cpu.h"
#include "../drivers/polygon.h"

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("triangulate_polygons", TORCH_BOX(&meshlearn::triangulate_polygons<meshlearn::CpuExec>));
}
