#pragma once
#include "../kernels/closest.h"
#include "../kernels/rays.h"
#include "../kernels/winding.h"
#include "tree.h"

namespace meshlearn {

// Tree over triangles: node (N, 24), least (N, 4), leaf (L, 9, 4), id (L, 4), order (F,).
template <class Exec>
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> triangle_tree(const Tensor& vertices,
                                                                 const Tensor& faces,
                                                                 std::vector<double> frame) {
  expect_points(vertices);
  expect<int64_t>(faces, "faces");
  return ML_DISPATCH_FLOAT(vertices, T, ([&] {
                             return build_tree<T, kTriangleRows, kTriangleLanes, Exec>(
                                 vertices, ptr<int64_t>(faces), faces.size(0),
                                 FaceCentre<T>{ptr<T>(vertices), ptr<int64_t>(faces)}, frame);
                           }));
}

template <class Exec>
std::tuple<Tensor, Tensor, Tensor> closest_on_mesh(const Tensor& points, const Tensor& order,
                                                   const Tensor& vertices, const Tensor& faces,
                                                   const Tensor& node, const Tensor& least,
                                                   const Tensor& leaf, const Tensor& id,
                                                   double scale) {
  expect_points(points);
  expect<int32_t>(order, "order");
  expect<int64_t>(faces, "faces");
  return ML_DISPATCH_FLOAT(
      points, T, ([&]() -> std::tuple<Tensor, Tensor, Tensor> {
        const int64_t n = points.size(0);
        expect<T>(vertices, "vertices");
        Tensor squared = empty<T>(points, {n}), face = empty<int64_t>(points, {n});
        Tensor barycentric = empty<T>(points, {n, 3});
        constexpr int64_t block = QueryBlock<Exec>::value;
        Exec(points).for_each(
            (n + block - 1) / block, 2,
            ClosestQuery<T>{view_tree<T>(node, least, leaf, id), ptr<T>(points),
                            ptr<int32_t>(order), n, block, T(scale), ptr<T>(vertices),
                            ptr<int64_t>(faces), mut<T>(squared), mut<int64_t>(face),
                            mut<T>(barycentric)});
        return {squared, face, barycentric};
      }));
}

// moment (N, 24, 4) of a tree over triangles.
template <class Exec>
Tensor winding_moments(const Tensor& node, const Tensor& least, const Tensor& leaf,
                       const Tensor& id) {
  return ML_DISPATCH_FLOAT(node, T, ([&] {
                             const TreeView<T> tree = view_tree<T>(node, least, leaf, id);
                             const Exec exec(node);
                             Tensor moment = empty<T>(node, {tree.inner, kMomentRows, 4});
                             for (int64_t last = tree.inner; last > 0;) {
                               const int64_t first = (last - 1) / 4;
                               exec.for_each(
                                   last - first, 128,
                                   MomentNode<T>{tree, first, leaf.size(0), mut<T>(moment)});
                               last = first;
                             }
                             return moment;
                           }));
}

template <class Exec>
Tensor winding_on_mesh(const Tensor& points, const Tensor& order, const Tensor& node,
                       const Tensor& least, const Tensor& leaf, const Tensor& id,
                       const Tensor& moment, double scale, double beta) {
  expect_points(points);
  expect<int32_t>(order, "order");
  return ML_DISPATCH_FLOAT(
      points, T, ([&] {
        expect<T>(moment, "moment");
        const int64_t n = points.size(0);
        Tensor winding = empty<T>(points, {n});
        Exec(points).for_each(
            n, 64,
            WindingQuery<T>{view_tree<T>(node, least, leaf, id), ptr<T>(moment), ptr<T>(points),
                            ptr<int32_t>(order), T(scale), T(beta * beta), mut<T>(winding)});
        return winding;
      }));
}

template <class Exec>
std::tuple<Tensor, Tensor, Tensor> rays_on_mesh(const Tensor& origins, const Tensor& directions,
                                                const Tensor& node, const Tensor& least,
                                                const Tensor& leaf, const Tensor& id, double scale,
                                                bool any) {
  expect_points(origins);
  expect_points(directions);
  return ML_DISPATCH_FLOAT(
      origins, T, ([&]() -> std::tuple<Tensor, Tensor, Tensor> {
        expect<T>(directions, "directions");
        const int64_t n = origins.size(0);
        Tensor face = empty<int64_t>(origins, {n}), distance = empty<T>(origins, {n});
        Tensor barycentric = empty<T>(origins, {n, 3});
        Exec(origins).for_each(
            n, 64,
            RayQuery<T>{view_tree<T>(node, least, leaf, id), ptr<T>(origins), ptr<T>(directions),
                        T(scale), any, mut<int64_t>(face), mut<T>(distance), mut<T>(barycentric)});
        return {face, distance, barycentric};
      }));
}

}  // namespace meshlearn
