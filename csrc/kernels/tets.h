// Marching tetrahedra on any tetrahedral grid: one vertex a crossed grid edge. Numbers in brackets
// are the equations listed at the top of marching_cubes.py (M) and gshell.py (G) of
// meshlearn/isosurface.
//
// An edge belongs to its lower end; among the crossed edges of that end it is numbered by its upper
// end, so "which vertex lies on edge (a, b)" is a prefix sum plus a short walk, without a table of
// edges.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

// Tetrahedra, and the neighbours of each vertex in ascending order (CSR).
struct TetGraph {
  const int32_t* tets;       // (T, 4)
  const int32_t* start;      // (N + 1,)
  const int32_t* neighbour;  // (2 E,)
  const uint8_t* inside;     // (N,)
  const int32_t* first;      // (N + 1,) crossed edges before those of each lower end

  ML_HD bool crossed(int64_t a, int64_t b) const { return inside[a] != inside[b]; }
  ML_HD int32_t edge(int32_t a, int32_t b) const {  // a < b, crossed
    int32_t id = first[a];
    for (int32_t j = start[a]; neighbour[j] < b; ++j)
      id += neighbour[j] > a && crossed(a, neighbour[j]);
    return id;
  }
};

template <class T>
struct TetSigns {
  const T* sdf;
  uint8_t* inside;
  ML_HD void operator()(int64_t v) const { inside[v] = sdf[v] < T(0); }
};

// Crossed edges that start at each vertex as their lower end.
struct CountTetEdges {
  TetGraph g;
  int32_t* count;  // (N,)
  ML_HD void operator()(int64_t v) const {
    int32_t n = 0;
    for (int32_t j = g.start[v]; j < g.start[v + 1]; ++j)
      n += g.neighbour[j] > v && g.crossed(v, g.neighbour[j]);
    count[v] = n;
  }
};

// (M1) Vertices on the crossed edges, and (G1) the msdf carried to them by the same weight.
template <class T>
struct TetVertices {
  TetGraph g;
  const T *position, *sdf, *msdf;  // (N, 3), (N,), (N,) or null
  T *vertices, *value;             // (V, 3), (V,) msdf at the vertices
  int64_t* ends;                   // (V, 2)

  ML_HD void operator()(int64_t v) const {
    int64_t k = g.first[v];
    if (g.first[v + 1] == k) return;
    const Vec3<T> xa = load3(position, v);
    for (int32_t j = g.start[v]; j < g.start[v + 1]; ++j) {
      const int64_t w = g.neighbour[j];
      if (w < v || !g.crossed(v, w)) continue;
      const T t = sdf[v] / (sdf[v] - sdf[w]);
      store3(vertices, k, xa + (load3(position, w) - xa) * t);
      if (msdf != nullptr) value[k] = msdf[v] + (msdf[w] - msdf[v]) * t;
      ends[2 * k] = v, ends[2 * k + 1] = w;
      ++k;
    }
  }
};

constexpr int64_t kTetBlock = 64;

ML_HD int tet_case(const uint8_t* inside, const int32_t* t) {
  return inside[t[0]] | inside[t[1]] << 1 | inside[t[2]] << 2 | inside[t[3]] << 3;
}

// Triangles of each block of tetrahedra. A row of the table: corners of the polygon (0, 3 or 4),
// then for each the tetrahedron's corners that its edge joins, as 4 * i + j.
struct CountTetFaces {
  TetGraph g;
  const int32_t* table;  // (16, 5)
  int64_t tets;
  int32_t* count;

  ML_HD void operator()(int64_t block) const {
    const int64_t begin = block * kTetBlock;
    const int64_t end = begin + kTetBlock < tets ? begin + kTetBlock : tets;
    int32_t n = 0;
    for (int64_t t = begin; t < end; ++t) {
      const int32_t corners = table[5 * tet_case(g.inside, g.tets + 4 * t)];
      n += corners == 0 ? 0 : corners - 2;
    }
    count[block] = n;
  }
};

template <class T>
struct TetFaces {
  TetGraph g;
  const int32_t* table;
  int64_t tets;
  const int32_t* begin_face;  // by block
  const T* value;             // msdf at the vertices, or null
  int64_t* faces;             // (F, 3)

  ML_HD void operator()(int64_t block) const {
    int64_t f = begin_face[block];
    if (begin_face[block + 1] == f) return;
    const int64_t begin = block * kTetBlock;
    const int64_t end = begin + kTetBlock < tets ? begin + kTetBlock : tets;
    for (int64_t t = begin; t < end; ++t) {
      const int32_t* tet = g.tets + 4 * t;
      const int32_t* row = table + 5 * tet_case(g.inside, tet);
      if (row[0] == 0) continue;
      int64_t q[4] = {};
      for (int k = 0; k < row[0]; ++k) {
        const int32_t a = tet[row[1 + k] >> 2], b = tet[row[1 + k] & 3];
        q[k] = a < b ? g.edge(a, b) : g.edge(b, a);
      }
      int s = 0;  // a quad is cut from corner s to corner s + 2: between its positive ones (G4)
      if (row[0] == 4 && value != nullptr)
        s = value[q[1]] > T(0) && value[q[3]] > T(0) && !(value[q[0]] > T(0)) &&
            !(value[q[2]] > T(0));
      int64_t* out = faces + 3 * f++;
      out[0] = q[s], out[1] = q[s + 1], out[2] = q[s + 2];
      if (row[0] == 3) continue;
      out = faces + 3 * f++;
      out[0] = q[s], out[1] = q[s + 2], out[2] = q[(s + 3) & 3];
    }
  }
};

// Gradient of (M1) and (G1) to one grid vertex: gathers from its crossed edges.
template <class T>
struct TetVerticesBackward {
  TetGraph g;
  const T *position, *sdf, *msdf;
  const T* grad_vertices;                   // (V, 3)
  const T *grad_value, *grad_weighted;      // (V,) or null: the latter leaves the weights alone
  T *grad_position, *grad_sdf, *grad_msdf;  // zero on entry, or null

  ML_HD void operator()(int64_t v) const {
    Vec3<T> gx{0, 0, 0};
    T gs = 0, gm = 0;
    int32_t own = g.first[v];
    bool any = false;
    for (int32_t j = g.start[v]; j < g.start[v + 1]; ++j) {
      const int32_t w = g.neighbour[j];
      if (!g.crossed(v, w)) continue;
      any = true;
      const bool lower = v < w;
      const int64_t k = lower ? own++ : g.edge(w, static_cast<int32_t>(v));
      const int64_t a = lower ? v : w, b = lower ? w : v;
      const T inverse = T(1) / (sdf[a] - sdf[b]), t = sdf[a] * inverse;
      const T share = lower ? T(1) - t : t;
      const Vec3<T> gv = load3(grad_vertices, k);
      T along = dot(gv, load3(position, b) - load3(position, a));
      if (msdf != nullptr) {
        if (grad_value != nullptr) {
          along += grad_value[k] * (msdf[b] - msdf[a]);
          gm += grad_value[k] * share;
        }
        if (grad_weighted != nullptr) gm += grad_weighted[k] * share;
      }
      along *= inverse * inverse;
      gs += lower ? -along * sdf[b] : along * sdf[a];
      gx = gx + gv * share;
    }
    if (!any) return;
    if (grad_position != nullptr) store3(grad_position, v, gx);
    if (grad_sdf != nullptr) grad_sdf[v] = gs;
    if (grad_msdf != nullptr) grad_msdf[v] = gm;
  }
};

}  // namespace meshlearn
