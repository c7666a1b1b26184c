#include "../kernels/simplify.h"

#include <cstring>

#include "../common/exec_cpu.h"

namespace meshlearn {

template <class T>
static Tensor rows_of(const Tensor& like, const std::vector<T>& rows, int64_t width) {
  const int64_t count = width > 0 ? static_cast<int64_t>(rows.size()) / width : 0;
  Tensor out = empty<T>(like, {count, width});
  if (!rows.empty()) std::memcpy(mut<T>(out), rows.data(), rows.size() * sizeof(T));
  return out;
}

template <class T>
static Tensor list_of(const Tensor& like, const std::vector<T>& rows) {
  Tensor out = empty<T>(like, {static_cast<int64_t>(rows.size())});
  if (!rows.empty()) std::memcpy(mut<T>(out), rows.data(), rows.size() * sizeof(T));
  return out;
}

// vertices (V', 3), faces (F', 3), old face (F',), vertex map (V,), nearest old vertex (V',), then
// of each attribute wedge (F', 3) and values (W', m)
static std::vector<Tensor> simplify(const Tensor& vertices, const Tensor& faces,
                                    std::vector<Tensor> wedge, std::vector<Tensor> values,
                                    std::vector<int64_t> flat, const Tensor& seam,
                                    std::vector<double> rules, int64_t target) {
  expect<double>(vertices, "vertices");
  expect<int64_t>(faces, "faces");
  expect<int64_t>(seam, "seam");
  STD_TORCH_CHECK(rules.size() == 6, "rules: six numbers");
  STD_TORCH_CHECK(wedge.size() == values.size() && flat.size() == values.size(), "one each");
  STD_TORCH_CHECK(faces.size(0) < (int64_t{1} << 29), "faces: fewer than 2^29");
  SimplifySurface surface{vertices.size(0),
                          faces.size(0),
                          seam.size(0),
                          ptr<double>(vertices),
                          ptr<int64_t>(faces),
                          ptr<int64_t>(seam),
                          {}};
  for (size_t i = 0; i < wedge.size(); ++i) {
    expect<int64_t>(wedge[i], "wedge");
    expect<double>(values[i], "values");
    surface.values.push_back(
        {values[i].size(1), ptr<int64_t>(wedge[i]), ptr<double>(values[i]), flat[i] != 0});
  }
  Simplifier made(surface, {rules[0], rules[1], rules[2], rules[3], rules[4], rules[5]});
  made.run(target);
  made.finish();
  std::vector<Tensor> out{rows_of(vertices, made.position, 3), rows_of(vertices, made.face, 3),
                          list_of(vertices, made.face_index), list_of(vertices, made.vertex_map),
                          list_of(vertices, made.nearest)};
  for (size_t i = 0; i < wedge.size(); ++i) {
    out.push_back(rows_of(vertices, made.wedge[i], 3));
    out.push_back(rows_of(vertices, made.value[i], surface.values[i].width));
  }
  return out;
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("simplify", TORCH_BOX(&meshlearn::simplify));
}
