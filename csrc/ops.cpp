// Schemas of every operator, and the Python module that loads them. No maths here.
#define Py_LIMITED_API 0x030A0000  // one build for every Python from 3.10 on
#include <Python.h>

#include "common/tensor.h"

STABLE_TORCH_LIBRARY(meshlearn, m) {
  // --- segments ---
  m.def("gather_sum(Tensor values, Tensor start, Tensor order) -> Tensor");
  m.def("clear(Tensor(a!) values) -> ()");
  m.def("incidence(Tensor index, int size) -> (Tensor, Tensor)");

  // --- mesh ---
  m.def("edge_table(Tensor faces, int size) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def("edge_unions(Tensor faces, Tensor start, Tensor order, bool corners) -> Tensor");
  m.def("first_equal(Tensor vertices) -> Tensor");
  m.def("component_roots(Tensor links, int size) -> Tensor");
  m.def("dissection(Tensor points, Tensor start, Tensor column) -> Tensor");
  m.def(
      "cholesky(Tensor start, Tensor column, Tensor value, Tensor order) -> (Tensor, Tensor, "
      "Tensor, Tensor)");
  m.def(
      "cholesky_solve(Tensor order, Tensor first, Tensor row, Tensor value, Tensor diagonal, "
      "Tensor right) -> Tensor");
  m.def(
      "triangulate_polygons(Tensor vertices, Tensor start, Tensor index, Tensor target, int "
      "triangles) -> Tensor");

  // --- isosurface ---
  m.def(
      "marching_cubes(Tensor sdf, Tensor? deform, Tensor table, int[] resolution, float[] bounds, "
      "Tensor? bits=None, Tensor? start=None) -> (Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "marching_cubes_backward(Tensor grad_vertices, Tensor sdf, Tensor? deform, Tensor bits, "
      "Tensor start, int[] resolution, float[] bounds, Tensor(a!) grad_sdf, "
      "Tensor(b!)? grad_deform, Tensor? sparse_bits=None, Tensor? sparse_start=None) -> ()");
  m.def(
      "flexicubes(Tensor sdf, Tensor? deform, Tensor? alpha, Tensor? beta, Tensor? gamma, "
      "Tensor table, int[] resolution, float[] bounds, bool training, Tensor? msdf=None, "
      "Tensor? bits=None, Tensor? start=None) -> Tensor[]");
  m.def(
      "flexicubes_backward(Tensor grad_vertices, Tensor grad_deviation, Tensor sdf, "
      "Tensor? deform, Tensor table, Tensor[] saved, int[] resolution, float[] bounds, "
      "bool training, Tensor(a!)? grad_sdf, Tensor(b!)? grad_deform, Tensor(c!)? grad_alpha, "
      "Tensor(d!)? grad_beta, Tensor(e!)? grad_gamma, Tensor? msdf=None, "
      "Tensor? grad_value=None, Tensor? grad_weighted=None, Tensor(f!)? grad_msdf=None, "
      "Tensor? bits=None, Tensor? start=None) -> ()");
  m.def("cut_mesh(Tensor vertices, Tensor value, Tensor faces) -> Tensor[]");
  m.def(
      "cut_mesh_backward(Tensor grad, Tensor vertices, Tensor value, Tensor cut, Tensor order, "
      "Tensor rank) -> (Tensor, Tensor)");
  m.def(
      "marching_tetrahedra(Tensor position, Tensor sdf, Tensor? msdf, Tensor tets, Tensor start, "
      "Tensor neighbour, Tensor table) -> Tensor[]");
  m.def(
      "marching_tetrahedra_backward(Tensor grad_vertices, Tensor? grad_value, "
      "Tensor? grad_weighted, Tensor position, Tensor sdf, Tensor? msdf, Tensor tets, "
      "Tensor start, Tensor neighbour, Tensor inside, Tensor first, Tensor(a!)? grad_position, "
      "Tensor(b!)? grad_sdf, Tensor(c!)? grad_msdf) -> ()");

  // --- convex ---
  m.def(
      "halfspace_intersection(Tensor planes, Tensor start, Tensor index, float[] bounds, "
      "float tolerance) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)");

  // --- geometry ---
  m.def("spatial_order(Tensor points, float[] frame) -> Tensor");
  m.def(
      "triangle_tree(Tensor vertices, Tensor faces, float[] frame) -> (Tensor, Tensor, Tensor, "
      "Tensor, Tensor)");
  m.def(
      "closest_on_mesh(Tensor points, Tensor order, Tensor vertices, Tensor faces, Tensor node, "
      "Tensor least, Tensor leaf, Tensor id, float scale) -> (Tensor, Tensor, Tensor)");
  m.def("point_tree(Tensor points, float[] frame) -> (Tensor, Tensor, Tensor, Tensor, Tensor)");
  m.def(
      "nearest_points(Tensor points, Tensor order, Tensor node, Tensor least, Tensor leaf, "
      "Tensor id, float scale, int k, bool sorted=True) -> (Tensor, Tensor)");
  m.def("winding_moments(Tensor node, Tensor least, Tensor leaf, Tensor id) -> Tensor");
  m.def(
      "winding_on_mesh(Tensor points, Tensor order, Tensor node, Tensor least, Tensor leaf, "
      "Tensor id, Tensor moment, float scale, float beta) -> Tensor");
  m.def(
      "rays_on_mesh(Tensor origins, Tensor directions, Tensor node, Tensor least, Tensor leaf, "
      "Tensor id, float scale, bool any) -> (Tensor, Tensor, Tensor)");

  m.def("splat(Tensor at, Tensor values, Tensor start, Tensor order, int[] shape) -> Tensor");
  m.def("splat_gather(Tensor at, Tensor field) -> Tensor");
  m.def("splat_slope(Tensor at, Tensor field, Tensor weight) -> Tensor");
  m.def("dipole_sum(Tensor query, Tensor source, Tensor dipole, float closest) -> Tensor");
  m.def(
      "plane_offsets(Tensor places, Tensor directions, Tensor points, Tensor normals, Tensor "
      "index, float[] rules) -> (Tensor, Tensor, Tensor)");
  m.def("brick_laplacian(Tensor field, Tensor near) -> Tensor");
  m.def("wrap_cells(Tensor code, float reach, float[] wide, bool cavities) -> Tensor");
  m.def("wrap_mend(Tensor inside) -> Tensor");
  m.def("wrap_surface(Tensor inside) -> (Tensor, Tensor)");
  m.def(
      "simplify(Tensor vertices, Tensor faces, Tensor[] wedge, Tensor[] values, int[] flat, Tensor "
      "seam, float[] rules, int target) -> Tensor[]");
  m.def(
      "remesh(Tensor vertices, Tensor faces, Tensor feature, Tensor corner, Tensor? size, Tensor "
      "node, Tensor least, Tensor leaf, Tensor id, float scale, float[] rules, int rounds, int "
      "target) -> (Tensor, Tensor)");

  // --- render ---
  m.def(
      "rasterize(Tensor clip, Tensor faces, Tensor near, Tensor? behind, int height, int width) "
      "-> (Tensor, Tensor, Tensor)");
  m.def(
      "rasterize_backward(Tensor clip, Tensor faces, Tensor near, Tensor face, "
      "Tensor? grad_barycentric, Tensor? grad_depth, Tensor start, Tensor order) -> Tensor");
  m.def(
      "homogeneous(Tensor points, Tensor view, Tensor focal, Tensor centre, bool orthographic, "
      "int height, int width) -> Tensor");
  m.def(
      "homogeneous_backward(Tensor grad, Tensor view, Tensor focal, Tensor centre, "
      "bool orthographic, int height, int width) -> Tensor");
  m.def(
      "silhouettes(Tensor clip, Tensor faces, Tensor near, Tensor face, Tensor depth, Tensor "
      "edge_of, Tensor start, Tensor order) -> Tensor");
  m.def(
      "silhouette_blend(Tensor image, Tensor pairs, Tensor clip, Tensor faces, int height, "
      "int width) -> Tensor");
  m.def(
      "silhouette_blend_image(Tensor grad, Tensor pairs, Tensor clip, Tensor faces, int height, "
      "int width) -> Tensor");
  m.def(
      "silhouette_blend_clip(Tensor grad, Tensor image, Tensor pairs, Tensor clip, Tensor faces, "
      "int height, int width) -> Tensor");
  m.def(
      "texture_taps(Tensor uv, Tensor? level, Tensor? mask, Tensor layout, int wrap, bool nearest) "
      "-> (Tensor, Tensor)");
  m.def(
      "texture_taps_backward(Tensor grad_weight, Tensor uv, Tensor? level, Tensor? mask, Tensor "
      "layout, int wrap, bool nearest) -> Tensor");
  m.def("mix_rows(Tensor values, Tensor rows, Tensor weight) -> Tensor");
  m.def("mix_rows_weight(Tensor values, Tensor rows, Tensor grad) -> Tensor");
  m.def("mix_rows_values(Tensor grad, Tensor weight, Tensor start, Tensor order) -> Tensor");

  // --- fusion ---
  m.def(
      "depth_surface(Tensor depth, Tensor lens, bool orthographic, float least_cosine, float "
      "usual) "
      "-> Tensor");
  m.def("depth_extent(Tensor depth, Tensor lens, Tensor pose, bool orthographic) -> Tensor");
  m.def(
      "depth_blocks(Tensor depth, Tensor lens, Tensor pose, bool orthographic, float[] low, float "
      "side, int[] count, int step, float margin) -> Tensor");
  m.def(
      "fuse_depth(Tensor blocks, float[] low, float[] spacing, Tensor matrix, Tensor depth, Tensor "
      "surface, Tensor? colors, float reach) -> (Tensor, Tensor, Tensor, Tensor)");

  // --- metrics ---
  m.def(
      "self_intersections(Tensor vertices, Tensor faces, Tensor order, Tensor? query=None) -> "
      "Tensor");
}

static struct PyModuleDef meshlearn_module = {PyModuleDef_HEAD_INIT,
                                              "_C",
                                              "Compiled operators of meshlearn.",
                                              -1,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              nullptr,
                                              nullptr};

PyMODINIT_FUNC PyInit__C(void) {
  PyObject* module = PyModule_Create(&meshlearn_module);
  if (module == nullptr) return nullptr;
#ifdef USE_CUDA
  PyModule_AddIntConstant(module, "cuda", 1);
#else
  PyModule_AddIntConstant(module, "cuda", 0);
#endif
#ifdef MESHLEARN_SANITIZE
  PyModule_AddIntConstant(module, "sanitize", 1);
#else
  PyModule_AddIntConstant(module, "sanitize", 0);
#endif
  return module;
}
