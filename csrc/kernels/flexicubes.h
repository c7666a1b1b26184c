// FlexiCubes (Shen et al. 2023): dual vertices with weights, quads across crossed edges.
//
// Numbers in brackets are the equations listed at the top of meshlearn/isosurface/flexicubes.py;
// their gradients stand in flexicubes_backward.h under the same numbers. Weights are mapped from
// unconstrained parameters where they are read, that is for surface cells only.
#pragma once
#include "lattice.h"

namespace meshlearn {

constexpr int kMaxPatches = 4;
// The numbers of isosurface/constants.py, where their reasons are.
constexpr double kWeightRange = 0.99, kGammaLeast = 0.005;

// (F1) alpha and beta of a parameter.
template <class T>
ML_HD T weight_of(T p) {
  return T(1) + T(kWeightRange) * fast_tanh(p);
}
// The N weights of cell c from the parameters, kept for the gradient as row a; 1 without any.
template <int N, class T>
ML_HD void weights_of(const T* parameters, int64_t c, int64_t a, T* kept, T* weights) {
  for (int k = 0; k < N; ++k) weights[k] = T(1);
  if (parameters == nullptr) return;
  for (int k = 0; k < N; ++k) weights[k] = weight_of(parameters[c * N + k]);
  for (int k = 0; k < N; ++k) kept[a * N + k] = weights[k];
}
template <class T>
ML_HD T weight_slope(T w) {  // gradient of (F1), from the weight
  const T t = (w - T(1)) / T(kWeightRange);
  return T(kWeightRange) * (T(1) - t * t);
}
// (F1) gamma of a parameter.
template <class T>
ML_HD T gamma_of(T p) {
  return T(kWeightRange) / (T(1) + std::exp(-p)) + T(kGammaLeast);
}
template <class T>
ML_HD T gamma_slope(T w) {  // gradient of (F1), from the weight
  const T s = (w - T(kGammaLeast)) / T(kWeightRange);
  return T(kWeightRange) * s * (T(1) - s);
}

// The case tables as tables.py lays them out: one row of 16 an entry.
struct DualTable {
  const int32_t* rows;
  ML_HD int patches(int entry) const { return rows[entry * 16]; }
  ML_HD int patch(int entry, int edge) const { return rows[entry * 16 + 1 + edge]; }
  ML_HD int problem_face(int entry) const { return rows[entry * 16 + 13]; }
  ML_HD int flipped(int entry) const { return rows[entry * 16 + 14]; }
  ML_HD int mask(int entry) const { return rows[entry * 16 + 15]; }
};

// Surface cells, bits and counts, one word of a cell row each.
template <class T>
struct SurfaceCells {
  Lattice<T> g;
  const Word* inside;
  Word* bits;
  int32_t* count;

  ML_HD void operator()(int64_t i) const {
    const int64_t r = i / g.words, w = i % g.words;
    bits[i] = CellWord<T>(g, inside, r / g.ry, r % g.ry, w).surface(g.rz - w * 64);
    count[i] = popcount(bits[i]);
  }
};

// Grid vertices that are a corner of a surface cell.
template <class T>
struct SurfaceCorners {
  Lattice<T> g;
  const Word* cells;
  Word* bits;  // (rows, words)
  int32_t* count;

  ML_HD void operator()(int64_t i) const {
    const int64_t r = i / g.words, w = i % g.words, x = r / g.ny, y = r % g.ny;
    Word touched = 0;
    for (int64_t cx = x - 1; cx <= x; ++cx)
      for (int64_t cy = y - 1; cy <= y; ++cy) {
        if (cx < 0 || cy < 0 || cx >= g.rx || cy >= g.ry) continue;
        const Word* row = cells + g.cell_row(cx, cy) * g.words;
        touched |= row[w] | row[w] << 1 | (w > 0 ? row[w - 1] >> 63 : 0);
      }
    bits[i] = touched & low_bits(g.nz - w * 64);
    count[i] = popcount(bits[i]);
  }
};

// (F2) Displaced positions of those vertices, once for all cells around them.
template <class T>
struct CornerPositions {
  Lattice<T> g;
  const T* deform;
  Ranked corners;
  T* position;  // (P, 3)

  ML_HD void operator()(int64_t i) const {
    const int64_t r = i / g.words, w = i % g.words, x = r / g.ny, y = r % g.ny;
    int64_t p = corners.start[i];
    for (Word left = corners.bits[i]; left != 0; left &= left - 1, ++p)
      store3(position, p, displaced(g, deform, x, y, w * 64 + lowest_bit(left)));
  }
};

// (F3) Number and resolved table entry of each surface cell.
template <class T>
struct ResolveCells {
  Lattice<T> g;
  const Word* inside;
  DualTable table;
  Ranked cells;
  int64_t* cell;     // (A,) linear cell number
  int32_t* entry;    // (A,)
  int32_t* patches;  // (A,)

  ML_HD void operator()(int64_t i) const {
    Word left = cells.bits[i];
    if (left == 0) return;
    const int64_t r = i / g.words, w = i % g.words, x = r / g.ry, y = r % g.ry;
    const CellWord<T> signs(g, inside, x, y, w);
    for (int64_t a = cells.start[i]; left != 0; left &= left - 1, ++a) {
      const int bit = lowest_bit(left);
      const int64_t z = w * 64 + bit;
      int e = signs.cell_case(bit);
      const int face = table.problem_face(e);
      if (face >= 0) {
        const int axis = face >> 1, step = face & 1 ? 1 : -1;
        const int64_t ox = x + (axis == 0) * step, oy = y + (axis == 1) * step,
                      oz = z + (axis == 2) * step;
        if (g.has_cell(ox, oy, oz) &&
            table.problem_face(case_of_cell(g, inside, ox, oy, oz)) == (face ^ 1))
          e = table.flipped(e);
      }
      cell[a] = (x * g.ry + y) * g.rz + z;
      entry[a] = e;
      patches[a] = table.patches(e);
    }
  }
};

// What a cell's patches depend on, read once: fields, positions, weights.
template <class T>
struct CellData {
  T s[8], alpha[8], beta[12], m[8];
  Vec3<T> x[8];

  // (F4) u = a + (b - a) t with t = s_a alpha_a / (s_a alpha_a - s_b alpha_b).
  ML_HD T share(int e) const {  // t: of the end of edge e in its crossing
    const EdgeStart edge(e);
    const int a = edge.start_corner(), b = edge.end_corner();
    const T wa = s[a] * alpha[a], wb = s[b] * alpha[b];
    return wa / (wa - wb);
  }
  ML_HD Vec3<T> crossing(int e, T t) const {
    const EdgeStart edge(e);
    const Vec3<T> a = x[edge.start_corner()];
    return a + (x[edge.end_corner()] - a) * t;
  }
  ML_HD T msdf(int e, T t) const {  // (G2) of the crossing
    const EdgeStart edge(e);
    const T a = m[edge.start_corner()];
    return a + (m[edge.end_corner()] - a) * t;
  }
};

template <class T>
struct FlexiCubesInput {
  Lattice<T> g;
  DualTable table;
  const T* sdf;
  const T* msdf;      // or null: then no value is carried to the vertices
  const T* position;  // (P, 3) of `corners`, or null when nothing is displaced
  Ranked corners;
  const int64_t* cell;
  const int32_t* entry;
  const int32_t* dual_start;  // (A + 1,)
  int64_t num_cells;          // A

  // The cell whose data is asked for while cell a is worked on: rows of weights lie far apart.
  ML_HD int64_t ahead(int64_t a) const { return parameter(a + 12 < num_cells ? a + 12 : a); }

  ML_HD void coordinates(int64_t a, int64_t c[3]) const {
    c[2] = cell[a] % g.rz;
    c[1] = cell[a] / g.rz % g.ry;
    c[0] = cell[a] / (g.rz * g.ry);
  }
  ML_HD int64_t parameter(int64_t a) const {
    if (!g.sparse()) return cell[a];
    int64_t c[3];
    coordinates(a, c);
    return g.parameter(c[0], c[1], c[2]);
  }
  ML_HD void read_corners(int64_t a, CellData<T>& data) const {
    int64_t c[3];
    coordinates(a, c);
    for (int k = 0; k < 8; ++k) {
      const int64_t x = c[0] + (k & 1), y = c[1] + (k >> 1 & 1), z = c[2] + (k >> 2);
      const int64_t v = g.value(x, y, z);
      data.s[k] = sdf[v];
      if (msdf != nullptr) data.m[k] = msdf[v];
      data.x[k] = position == nullptr
                      ? g.position(x, y, z)
                      : load3(position, corners.rank(g.row(x, y) * g.words + (z >> 6),
                                                     static_cast<int>(z & 63)));
    }
  }
};

// (F5) Dual vertices, (F8) their deviation, and (G3) an msdf carried to them, of one surface cell.
template <class T>
struct DualVertices {
  FlexiCubesInput<T> in;
  const T *alpha, *beta, *gamma;  // parameters of all cells, or null
  T *cell_alpha, *cell_beta;      // (A, 8), (A, 12): weights of surface cells, or null
  T* cell_gamma;                  // (A,)
  T* vertices;                    // (V, 3)
  T* deviation;                   // (D,)
  T* value;                       // (V,) msdf at the vertices

  ML_HD void operator()(int64_t a) const {
    const int64_t next = in.ahead(a);
    if (alpha) ML_PREFETCH(alpha + next * 8);
    if (beta) {
      ML_PREFETCH(beta + next * 12);
      ML_PREFETCH(beta + next * 12 + 11);
    }
    if (gamma) ML_PREFETCH(gamma + next);
    CellData<T> data;
    in.read_corners(a, data);
    const int entry = in.entry[a];
    const int64_t c = in.parameter(a);
    weights_of<8>(alpha, c, a, cell_alpha, data.alpha);
    weights_of<12>(beta, c, a, cell_beta, data.beta);
    cell_gamma[a] = gamma ? gamma_of(gamma[c]) : T(0.5);

    Vec3<T> sum[kMaxPatches] = {}, u[12];
    T weight[kMaxPatches] = {}, length[12], mean[kMaxPatches] = {}, spread[kMaxPatches] = {};
    T total[kMaxPatches] = {};
    int count[kMaxPatches] = {};
    // (F5) v = sum beta u / sum beta over the patch, and the same mean of the msdf (G3).
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p < 0) continue;
      const T t = data.share(e);
      u[e] = data.crossing(e, t);
      if (in.msdf) total[p] += data.msdf(e, t) * data.beta[e];
      sum[p] = sum[p] + u[e] * data.beta[e];
      weight[p] += data.beta[e];
      ++count[p];
    }
    const int patches = in.table.patches(entry);
    for (int p = 0; p < patches; ++p) sum[p] = sum[p] * (T(1) / weight[p]);
    // (F8) mean over the patch of | |v - u| - mean |v - u| |.
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p < 0) continue;
      length[e] = std::sqrt(norm2(sum[p] - u[e]));
      mean[p] += length[e] / T(count[p]);
    }
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p >= 0) spread[p] += std::abs(length[e] - mean[p]) / T(count[p]);
    }
    for (int p = 0; p < patches; ++p) {
      store3(vertices, in.dual_start[a] + p, sum[p]);
      deviation[in.dual_start[a] + p] = spread[p];
      if (in.msdf) value[in.dual_start[a] + p] = total[p] / weight[p];
    }
  }
};

// Cell k of the four around a grid edge, counter-clockwise seen from the edge's end.
ML_HD void cell_around(int axis, int k, int64_t x, int64_t y, int64_t z, int64_t c[3]) {
  const int u = (axis + 1) % 3, v = (axis + 2) % 3;
  c[0] = x, c[1] = y, c[2] = z;
  c[u] -= (k == 0 || k == 3);
  c[v] -= (k == 0 || k == 1);
}
// Number within cell k of that edge (tables.py: e = 4 * axis + k).
ML_HD int edge_in_cell(int axis, int k) {
  const int on_u = k == 0 || k == 3, on_v = k == 0 || k == 1;
  // Axes u, v are (axis + 1, axis + 2) mod 3; the two other axes in ascending order differ for y.
  return 4 * axis + (axis == 1 ? on_v | on_u << 1 : on_u | on_v << 1);
}

// (F6) Quads of one word of interior crossed edges, (F7) their centres (training) and triangles.
template <class T>
struct Quads {
  FlexiCubesInput<T> in;
  const Word* inside;
  Ranked cells, edges;
  const T* cell_gamma;
  bool training;
  int64_t num_dual;
  int32_t* quads;      // (Q, 4) dual vertices
  int32_t* quad_cell;  // (Q, 4) surface cells
  T* vertices;         // (V, 3)
  T* value;            // (V,)
  int64_t* faces;      // (F, 3)

  ML_HD void operator()(int64_t i) const {
    Word left = edges.bits[i];
    if (left == 0) return;
    const Lattice<T>& g = in.g;
    const int axis = static_cast<int>(i % 3);
    const int64_t w = i / 3 % g.words, r = i / 3 / g.words, x = r / g.ny, y = r % g.ny;
    for (int64_t q = edges.start[i]; left != 0; left &= left - 1, ++q) {
      const int bit = lowest_bit(left);
      const int64_t z = w * 64 + bit;
      const bool outward = inside[r * g.words + w] >> bit & 1;
      int64_t dual[4];
      T gamma[4];
      for (int k = 0; k < 4; ++k) {
        int64_t c[3];
        cell_around(axis, k, x, y, z, c);
        const int32_t a =
            cells.rank(g.cell_row(c[0], c[1]) * g.words + (c[2] >> 6), static_cast<int>(c[2] & 63));
        const int at = outward ? k : 3 - k;
        dual[at] = in.dual_start[a] + in.table.patch(in.entry[a], edge_in_cell(axis, k));
        gamma[at] = cell_gamma[a];
        quads[4 * q + at] = static_cast<int32_t>(dual[at]);
        quad_cell[4 * q + at] = a;
      }
      const T g02 = gamma[0] * gamma[2], g13 = gamma[1] * gamma[3];
      if (training) {
        // (F7) The midpoints of the diagonals, mixed by the products of gamma at their ends.
        const Vec3<T> m02 = load3(vertices, dual[0]) + load3(vertices, dual[2]);
        const Vec3<T> m13 = load3(vertices, dual[1]) + load3(vertices, dual[3]);
        const int64_t centre = num_dual + q;
        store3(vertices, centre, (m02 * g02 + m13 * g13) * (T(0.5) / (g02 + g13)));
        if (in.msdf)
          value[centre] =
              ((value[dual[0]] + value[dual[2]]) * g02 + (value[dual[1]] + value[dual[3]]) * g13) *
              (T(0.5) / (g02 + g13));
        for (int k = 0; k < 4; ++k) {
          int64_t* f = faces + 12 * q + 3 * k;
          f[0] = dual[k], f[1] = dual[(k + 1) & 3], f[2] = centre;
        }
      } else {
        const int s = g02 > g13 ? 0 : 1;  // (F7) split from corner s to corner s + 2
        int64_t* f = faces + 6 * q;
        f[0] = dual[s], f[1] = dual[s + 1], f[2] = dual[s + 2];
        f[3] = dual[s], f[4] = dual[s + 2], f[5] = dual[(s + 3) & 3];
      }
    }
  }
};

}  // namespace meshlearn
