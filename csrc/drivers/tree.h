#pragma once
#include "../common/spatial_order.h"
#include "../common/tensor.h"

namespace meshlearn {

template <class Exec>
struct QueryBlock {
  static constexpr int64_t value = 32;  // queries in sequence, each warmed by the one before
};
#ifdef __CUDACC__
template <>
struct QueryBlock<CudaExec> {
  static constexpr int64_t value = 1;
};
#endif

// frame: low x, y, z, cells per unit, scale (a power of two), inflation of boxes after scaling.
inline MortonFrame morton_frame(const std::vector<double>& frame) {
  return MortonFrame{{frame[0], frame[1], frame[2]}, frame[3]};
}

template <class T>
TreeView<T> view_tree(const Tensor& node, const Tensor& least, const Tensor& leaf,
                      const Tensor& id) {
  expect<int32_t>(least, "least");
  expect<int32_t>(id, "id");
  expect<T>(node, "node");
  expect<T>(leaf, "leaf");
  return TreeView<T>{ptr<T>(node), ptr<int32_t>(least), ptr<T>(leaf), ptr<int32_t>(id),
                     node.size(0)};
}

template <class T, int Rows, int Lanes, class Exec, class Centre>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> build_tree(const Tensor& vertices,
                                                              const int64_t* faces, int64_t items,
                                                              Centre centre,
                                                              const std::vector<double>& frame) {
  const Exec exec(vertices);
  STD_TORCH_CHECK(items > 0 && items < (int64_t(1) << 31) && frame.size() == 6, "tree: no items");
  const TreeShape shape = tree_shape(items, Lanes);
  Tensor order = tree_order<T>(exec, vertices, shape, centre, morton_frame(frame));
  Tensor node = empty<T>(vertices, {shape.inner, 24});
  Tensor least = empty<int32_t>(vertices, {shape.inner, 4});
  Tensor leaf = empty<T>(vertices, {shape.used, Rows, Lanes});
  Tensor id = empty<int32_t>(vertices, {shape.used, Lanes});
  exec.for_each(shape.used, 1024,
                TreeLeaf<T, Rows, Lanes>{ptr<T>(vertices), faces, ptr<int32_t>(order), shape,
                                         T(frame[4]), mut<T>(leaf), mut<int32_t>(id)});
  for (int64_t last = shape.inner; last > 0;) {  // levels hold 1, 4, 16, ... nodes
    const int64_t first = (last - 1) / 4;
    exec.for_each(last - first, 512,
                  TreeNode<T, Rows, Lanes>{shape, first, T(frame[5]), ptr<T>(leaf),
                                           ptr<int32_t>(id), mut<T>(node), mut<int32_t>(least)});
    last = first;
  }
  return {node, least, leaf, id, order};
}

inline void expect_points(const Tensor& points) {
  STD_TORCH_CHECK(points.dim() == 2 && points.size(1) == 3 && points.is_contiguous(),
                  "points: (P, 3), contiguous");
}

template <class Exec>
Tensor spatial_order(const Tensor& points, std::vector<double> frame) {
  expect_points(points);
  return ML_DISPATCH_FLOAT(
      points, T, ([&] { return curve_order<T>(Exec(points), points, morton_frame(frame)); }));
}

}  // namespace meshlearn
