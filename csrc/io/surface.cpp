// Triangles of polygons, and the connectivity of triangles: the kernels of the operators.
#include "../kernels/polygon.h"
#include "../kernels/topology.h"
#include "call.h"

namespace meshlearn {

namespace {

void expect_indices(Span<int64_t> index, int64_t size, const char* what) {
  for (int64_t i = 0; i < index.size; ++i)
    expect_caller(index.data[i] >= 0 && index.data[i] < size, what);
}

constexpr const char* kFaces = "faces: an index is out of range";

// (threads, vertices (V, 3), start (P + 1,), index (M,)) -> corners (F, 3) of the triangles, as
// places in index, and the polygon of each triangle (F,).
template <class T>
PyObject* triangulate(PyObject*, PyObject* tuple) {
  int64_t threads;
  Span<T> vertices;
  Span<int64_t> start, index;
  if (!Arguments(tuple).read(threads, vertices, start, index)) return nullptr;
  return run([&](Results& results) {
    const int64_t polygons = start.size - 1, corners = index.size;
    expect_caller(polygons >= 0 && start.data[0] == 0 && start.data[polygons] == corners,
                  "start: it does not divide the index");
    std::vector<int64_t> target(start.size, 0);
    for (int64_t p = 0; p < polygons; ++p) {
      const int64_t size = start.data[p + 1] - start.data[p];
      expect_caller(size >= 0, "start: expected ascending offsets");
      target[p + 1] = target[p] + (size > 2 ? size - 2 : 0);
    }
    expect_indices(index, vertices.size / 3, "index: it names no vertex");
    int64_t* out = results.add<int64_t>(3 * target[polygons]);
    int64_t* owner = results.add<int64_t>(target[polygons]);
    std::vector<double> plane(3 * corners);  // (M, 2) positions, then (M,) quality
    std::vector<int64_t> ring(2 * corners);
    const TriangulatePolygon<T> cut{vertices.data,
                                    start.data,
                                    index.data,
                                    target.data(),
                                    plane.data(),
                                    plane.data() + 2 * corners,
                                    ring.data(),
                                    ring.data() + corners,
                                    out};
    Threads(threads).for_each(polygons, 256, [&](int64_t p) {
      cut(p);
      for (int64_t f = target[p]; f < target[p + 1]; ++f) owner[f] = p;
    });
  });
}

// (threads, faces (F, 3), V) -> edges (E, 2), start (E + 1,) and order (3 F,) of the half-edges on
// them, edge of each half-edge (3 F,).
PyObject* edge_table(PyObject*, PyObject* tuple) {
  int64_t threads, size;
  Span<int64_t> faces;
  if (!Arguments(tuple).read(threads, faces, size)) return nullptr;
  return run([&](Results& results) {
    const int64_t half = faces.size;
    expect_caller(size >= 0 && half % 3 == 0, "faces: expected three corners each");
    expect_indices(faces, size, kFaces);
    std::vector<int64_t> low(half), high(half), start(size + 1), order(half), distinct(size),
        first(size + 1);
    const EdgeScratch scratch{low.data(),   high.data(),     start.data(),
                              order.data(), distinct.data(), first.data()};
    const Threads exec(threads);
    const int64_t count = sort_half_edges(exec, faces.data, half, size, scratch);
    int64_t* edges = results.add<int64_t>(2 * count);
    int64_t* edge_start = results.add<int64_t>(count + 1);
    number_edges(exec, half, size, count, scratch, edges, edge_start);
    for (const std::vector<int64_t>* made : {&order, &low}) {
      int64_t* to = results.add<int64_t>(half);
      std::copy(made->begin(), made->end(), to);
    }
  });
}

// (faces (F, 3), start (E + 1,), order (3 F,), corners) -> smallest member of the set of each face,
// or each corner, joined across edges.
PyObject* unions_across_edges(PyObject*, PyObject* tuple) {
  Span<int64_t> faces, start, order;
  bool corners;
  if (!Arguments(tuple).read(faces, start, order, corners)) return nullptr;
  return run([&](Results& results) {
    expect_caller(faces.size % 3 == 0 && order.size == faces.size && start.size >= 1,
                  "faces, start, order: they do not belong together");
    expect_indices(order, faces.size, "order: it names no half-edge");
    for (int64_t e = 0; e + 1 < start.size; ++e)
      expect_caller(start.data[e] >= 0 && start.data[e] <= start.data[e + 1],
                    "start: expected ascending offsets");
    expect_caller(start.data[start.size - 1] <= order.size, "start: it reaches behind the order");
    const int64_t size = corners ? faces.size : faces.size / 3;
    edge_unions(faces.data, start.data, order.data, start.size - 1, size, corners,
                results.add<int64_t>(size));
  });
}

// (rows (N, 3)) -> the first row equal to each (N,); NaN equals nothing.
template <class T>
PyObject* first_equal(PyObject*, PyObject* tuple) {
  Span<T> rows;
  if (!Arguments(tuple).read(rows)) return nullptr;
  return run([&](Results& results) {
    const int64_t count = rows.size / 3;
    int64_t slots = 2;
    while (slots < 2 * count) slots *= 2;
    std::vector<int64_t> table(slots);
    first_equal_rows(rows.data, count, table.data(), static_cast<uint64_t>(slots),
                     results.add<int64_t>(count));
  });
}

// (rows (N, 3)) -> one number: whether rows that differ are equal as float32.
PyObject* rounded_meet(PyObject*, PyObject* tuple) {
  Span<double> rows;
  if (!Arguments(tuple).read(rows)) return nullptr;
  return run([&](Results& results) {
    const int64_t count = rows.size / 3;
    expect_caller(count < (int64_t{1} << 31), "rows: expected fewer than 2^31");
    int64_t slots = 2;
    while (slots < 2 * count) slots *= 2;
    std::vector<int32_t> table(slots);
    *results.add<int64_t>(1) =
        rounded_rows_meet(rows.data, count, table.data(), static_cast<uint64_t>(slots));
  });
}

// (links (M, 2), N) -> the smallest node of each node's component (N,).
PyObject* roots_of_links(PyObject*, PyObject* tuple) {
  Span<int64_t> links;
  int64_t size;
  if (!Arguments(tuple).read(links, size)) return nullptr;
  return run([&](Results& results) {
    expect_caller(size >= 0 && links.size % 2 == 0, "links: expected two nodes each");
    expect_indices(links, size, "links: they name no node");
    component_roots(links.data, links.size / 2, size, results.add<int64_t>(size));
  });
}

}  // namespace

PyMethodDef surface_methods[] = {
    {"triangulate_float32", triangulate<float>, METH_VARARGS, nullptr},
    {"triangulate_float64", triangulate<double>, METH_VARARGS, nullptr},
    {"edge_table", edge_table, METH_VARARGS, nullptr},
    {"edge_unions", unions_across_edges, METH_VARARGS, nullptr},
    {"component_roots", roots_of_links, METH_VARARGS, nullptr},
    {"rounded_meet", rounded_meet, METH_VARARGS, nullptr},
    {"first_equal_float32", first_equal<float>, METH_VARARGS, nullptr},
    {"first_equal_float64", first_equal<double>, METH_VARARGS, nullptr},
    {"first_equal_int64", first_equal<int64_t>, METH_VARARGS, nullptr},
    {nullptr, nullptr, 0, nullptr}};

}  // namespace meshlearn
