// Marching cubes on a lattice: one vertex a crossed grid edge, triangles by the traced case table.
// Numbers in brackets are the equations listed at the top of
// meshlearn/isosurface/marching_cubes.py.
#pragma once
#include "lattice.h"

namespace meshlearn {

// Triangles that the cells of one word of a cell row hold.
template <class T>
struct CountTriangles {
  Lattice<T> g;
  const Word* inside;
  const int32_t* table;
  int64_t table_width;
  int32_t* count;  // (rx * ry * words,)

  ML_HD void operator()(int64_t i) const {
    const int64_t r = i / g.words, w = i % g.words;
    const CellWord<T> cells(g, inside, r / g.ry, r % g.ry, w);
    int32_t n = 0;
    for (Word left = cells.surface(g.rz - w * 64); left != 0; left &= left - 1)
      n += table[cells.cell_case(lowest_bit(left)) * table_width];
    count[i] = n;
  }
};

// (M1) u = x_a + (x_b - x_a) t with t = s_a / (s_a - s_b) on each crossed edge.
template <class T>
struct EdgeVertices {
  Lattice<T> g;
  const T* sdf;
  const T* deform;
  Ranked edges;
  T* vertices;  // (V, 3)

  ML_HD void operator()(int64_t i) const {
    Word left = edges.bits[i];
    if (left == 0) return;
    const int axis = static_cast<int>(i % 3);
    const int64_t w = i / 3 % g.words, r = i / 3 / g.words;
    const int64_t x = r / g.ny, y = r % g.ny;
    for (int64_t v = edges.start[i]; left != 0; left &= left - 1, ++v) {
      const int64_t z = w * 64 + lowest_bit(left);
      const T sa = sdf[g.value(x, y, z)];
      const T sb = sdf[g.value(x + (axis == 0), y + (axis == 1), z + (axis == 2))];
      const Vec3<T> xa = displaced(g, deform, x, y, z);
      const Vec3<T> xb = displaced(g, deform, x + (axis == 0), y + (axis == 1), z + (axis == 2));
      const T t = sa / (sa - sb);
      store3(vertices, v, xa + (xb - xa) * t);
    }
  }
};

// (M2) The triangles of each surface cell, by its row of the case table.
template <class T>
struct CellTriangles {
  Lattice<T> g;
  const Word* inside;
  const int32_t* table;
  int64_t table_width;
  const int32_t* start;  // triangles before each word of cells
  Ranked edges;
  int64_t* faces;  // (F, 3)

  ML_HD void operator()(int64_t i) const {
    int64_t f = start[i];
    if (start[i + 1] == f) return;
    const int64_t r = i / g.words, w = i % g.words, x = r / g.ry, y = r % g.ry;
    const CellWord<T> cells(g, inside, x, y, w);
    for (Word left = cells.surface(g.rz - w * 64); left != 0; left &= left - 1) {
      const int bit = lowest_bit(left);
      const int32_t* row = table + cells.cell_case(bit) * table_width;
      const int64_t z = w * 64 + bit, n = 3 * row[0];
      for (int64_t k = 0; k < n; ++k) {
        const EdgeStart e(row[1 + k]);
        const int64_t zz = z + e.dz;
        faces[3 * f + k] =
            edges.rank(edge_word(g, x + e.dx, y + e.dy, zz, e.axis), static_cast<int>(zz & 63));
      }
      f += row[0];
    }
  }
};

// Gradient of (M1) to one word of grid vertices: each gathers from its (up to six) crossed edges.
// dt/ds_a = -s_b / (s_a - s_b)^2, dt/ds_b = s_a / (s_a - s_b)^2, du/dx_a = 1 - t, du/dx_b = t.
template <class T>
struct EdgeVerticesBackward {
  Lattice<T> g;
  const T* sdf;
  const T* deform;
  Ranked edges;
  const T* grad_vertices;  // (V, 3)
  T* grad_sdf;             // (N,), zero on entry
  T* grad_deform;          // (N, 3), zero on entry, or null

  ML_HD void operator()(int64_t i) const {
    const int64_t r = i / g.words, w = i % g.words, x = r / g.ny, y = r % g.ny;
    Word touched = 0;
    for (int axis = 0; axis < 3; ++axis) {
      const Word starts = edges.bits[i * 3 + axis];
      touched |= starts;
      if (axis == 2) {
        touched |= starts << 1;
        if (w > 0) touched |= edges.bits[(i - 1) * 3 + 2] >> 63;
      } else if (axis == 0 ? x > 0 : y > 0) {
        const int64_t before = axis == 0 ? g.row(x - 1, y) : g.row(x, y - 1);
        touched |= edges.bits[(before * g.words + w) * 3 + axis];
      }
    }
    for (; touched != 0; touched &= touched - 1) vertex(x, y, w * 64 + lowest_bit(touched));
  }

  ML_HD void vertex(int64_t x, int64_t y, int64_t z) const {
    T gs = 0;
    Vec3<T> gx{0, 0, 0};
    for (int axis = 0; axis < 3; ++axis)
      for (int side = 0; side < 2; ++side) {  // this vertex ends the edge, or starts it
        const int64_t back = side == 0;
        const int64_t ax = x - (axis == 0) * back, ay = y - (axis == 1) * back,
                      az = z - (axis == 2) * back;
        if (ax < 0 || ay < 0 || az < 0) continue;
        const int64_t word = edge_word(g, ax, ay, az, axis);
        if (!edges.has(word, static_cast<int>(az & 63))) continue;
        const Vec3<T> gv = load3(grad_vertices, edges.rank(word, static_cast<int>(az & 63)));
        const int64_t a = g.value(ax, ay, az);
        const int64_t b = g.value(ax + (axis == 0), ay + (axis == 1), az + (axis == 2));
        const Vec3<T> xa = displaced(g, deform, ax, ay, az);
        const Vec3<T> xb =
            displaced(g, deform, ax + (axis == 0), ay + (axis == 1), az + (axis == 2));
        const T inverse = 1 / (sdf[a] - sdf[b]);
        const T along = dot(gv, xb - xa) * inverse * inverse;
        const T t = sdf[a] * inverse;
        gs += back ? along * sdf[a] : -along * sdf[b];
        gx = gx + gv * (back ? t : 1 - t);
      }
    const int64_t v = g.value(x, y, z);
    grad_sdf[v] = gs;
    if (grad_deform != nullptr) store_deform_gradient(g, deform, grad_deform, v, gx);
  }
};

}  // namespace meshlearn
