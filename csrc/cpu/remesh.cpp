#include "../kernels/remesh.h"

#include <cstring>

#include "../common/exec_cpu.h"
#include "../drivers/tree.h"

namespace meshlearn {

template <class T>
static Tensor rows_of(const Tensor& like, const std::vector<T>& rows, int64_t width) {
  Tensor out = empty<T>(like, {static_cast<int64_t>(rows.size()) / width, width});
  if (!rows.empty()) std::memcpy(mut<T>(out), rows.data(), rows.size() * sizeof(T));
  return out;
}

// vertices (V', 3) and faces (F', 3)
static std::tuple<Tensor, Tensor> remesh(const Tensor& vertices, const Tensor& faces,
                                         const Tensor& feature, const Tensor& corner,
                                         const std::optional<Tensor>& size, const Tensor& node,
                                         const Tensor& least, const Tensor& leaf, const Tensor& id,
                                         double scale, std::vector<double> rules, int64_t rounds,
                                         int64_t target) {
  expect<double>(vertices, "vertices");
  expect<int64_t>(faces, "faces");
  expect<bool>(feature, "feature");
  expect<bool>(corner, "corner");
  if (size.has_value()) expect<double>(*size, "size");
  STD_TORCH_CHECK(rules.size() == 6, "rules: six numbers");
  STD_TORCH_CHECK(faces.size(0) < (int64_t{1} << 29), "faces: fewer than 2^29");
  const RemeshSurface surface{vertices.size(0),         faces.size(0),      ptr<double>(vertices),
                              ptr<int64_t>(faces),      ptr<bool>(feature), ptr<bool>(corner),
                              ptr_or_null<double>(size)};
  const RemeshPlaces places(view_tree<float>(node, least, leaf, id), leaf.size(0),
                            static_cast<float>(scale), surface.position, surface.face,
                            surface.faces);
  Remesher made(surface, {rules[0], rules[1], rules[2], rules[3], rules[4], rules[5]}, places);
  made.run(rounds, target, CpuExec(vertices));
  made.finish();
  return {rows_of(vertices, made.position, 3), rows_of(vertices, made.face, 3)};
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) { m.impl("remesh", TORCH_BOX(&meshlearn::remesh)); }
