#include <tuple>

#include "../common/exec_cpu.h"
#include "../kernels/topology.h"

namespace meshlearn {

static std::tuple<Tensor, Tensor> incidence(const Tensor& index, int64_t size) {
  expect<int64_t>(index, "index");
  Tensor start = empty<int64_t>(index, {size + 1}), order = empty<int64_t>(index, {index.numel()});
  counting_sort(ptr<int64_t>(index), index.numel(), size, mut<int64_t>(start), mut<int64_t>(order));
  return std::make_tuple(start, order);
}

// edges (E, 2), start (E + 1,), order (H,), edge of each half-edge (H,)
static std::tuple<Tensor, Tensor, Tensor, Tensor> edge_table(const Tensor& faces, int64_t size) {
  expect<int64_t>(faces, "faces");
  const int64_t half = faces.numel();
  Tensor low = empty<int64_t>(faces, {half}), high = empty<int64_t>(faces, {half});
  Tensor start = empty<int64_t>(faces, {size + 1}), order = empty<int64_t>(faces, {half});
  Tensor distinct = empty<int64_t>(faces, {size}), first = empty<int64_t>(faces, {size + 1});
  const EdgeScratch scratch{mut<int64_t>(low),   mut<int64_t>(high),     mut<int64_t>(start),
                            mut<int64_t>(order), mut<int64_t>(distinct), mut<int64_t>(first)};
  const CpuExec exec(faces);
  const int64_t count = sort_half_edges(exec, ptr<int64_t>(faces), half, size, scratch);
  Tensor edges = empty<int64_t>(faces, {count, 2}), edge_start = empty<int64_t>(faces, {count + 1});
  number_edges(exec, half, size, count, scratch, mut<int64_t>(edges), mut<int64_t>(edge_start));
  return std::make_tuple(edges, edge_start, order, low);
}

static Tensor component_roots_op(const Tensor& links, int64_t size) {
  expect<int64_t>(links, "links");
  Tensor parent = empty<int64_t>(links, {size});
  component_roots(ptr<int64_t>(links), links.size(0), size, mut<int64_t>(parent));
  return parent;
}

static Tensor edge_unions_op(const Tensor& faces, const Tensor& start, const Tensor& order,
                             bool corners) {
  expect<int64_t>(faces, "faces");
  expect<int64_t>(start, "start");
  expect<int64_t>(order, "order");
  const int64_t size = corners ? faces.numel() : faces.size(0);
  Tensor parent = empty<int64_t>(faces, {size});
  edge_unions(ptr<int64_t>(faces), ptr<int64_t>(start), ptr<int64_t>(order), start.numel() - 1,
              size, corners, mut<int64_t>(parent));
  return parent;
}

static Tensor first_equal(const Tensor& vertices) {
  STD_TORCH_CHECK(vertices.is_contiguous() && vertices.dim() == 2 && vertices.size(1) == 3,
                  "vertices: (V, 3), contiguous");
  const int64_t count = vertices.size(0);
  int64_t slots = 2;
  while (slots < 2 * count) slots *= 2;
  Tensor table = empty<int64_t>(vertices, {slots}), out = empty<int64_t>(vertices, {count});
  return ML_DISPATCH_FLOAT(vertices, T, ([&] {
                             first_equal_rows(ptr<T>(vertices), count, mut<int64_t>(table),
                                              static_cast<uint64_t>(slots), mut<int64_t>(out));
                             return out;
                           }));
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("incidence", TORCH_BOX(&meshlearn::incidence));
  m.impl("edge_table", TORCH_BOX(&meshlearn::edge_table));
  m.impl("edge_unions", TORCH_BOX(&meshlearn::edge_unions_op));
  m.impl("first_equal", TORCH_BOX(&meshlearn::first_equal));
  m.impl("component_roots", TORCH_BOX(&meshlearn::component_roots_op));
}
