// Gradients of FlexiCubes: of a surface cell to its weights and corners, of a grid vertex from its
// cells. Each gathers in a fixed order: no atomics. Numbers in brackets are the equations listed at
// the top of meshlearn/isosurface/flexicubes.py whose gradient a block is.
#pragma once
#include "flexicubes.h"

namespace meshlearn {

// Gradients of one surface cell: alpha, beta, gamma in place, field and positions per corner.
template <class T>
struct CellBackward {
  FlexiCubesInput<T> in;
  Ranked edges;  // interior crossed edges: their quads
  const T *cell_alpha, *cell_beta, *cell_gamma;
  const int32_t *quads, *quad_cell;
  const T *vertices, *value;
  bool training;
  int64_t num_dual;
  const T* grad_vertices;                  // (V, 3)
  const T *grad_value, *grad_weighted;     // (V,) or null: the latter leaves the weights alone
  const T* grad_deviation;                 // (D,)
  T *grad_alpha, *grad_beta, *grad_gamma;  // (C, 8), (C, 12), (C,), zero on entry, or null
  int width;                               // 4, or 5 with an msdf
  T* corner_grad;                          // (A, 8, width): d/ds, d/dx, d/dm of each corner

  ML_HD void operator()(int64_t a) const {
    const int64_t next = in.ahead(a);
    if (grad_alpha) ML_PREFETCH_WRITE(grad_alpha + next * 8);
    if (grad_beta) {
      ML_PREFETCH_WRITE(grad_beta + next * 12);
      ML_PREFETCH_WRITE(grad_beta + next * 12 + 11);
    }
    if (grad_gamma) ML_PREFETCH_WRITE(grad_gamma + next);
    CellData<T> data;
    in.read_corners(a, data);
    const int entry = in.entry[a];
    const int patches = in.table.patches(entry);
    const int32_t first = in.dual_start[a];
    for (int k = 0; k < 8; ++k) data.alpha[k] = cell_alpha ? cell_alpha[a * 8 + k] : T(1);

    Vec3<T> gv[kMaxPatches], v[kMaxPatches], u[12];
    T gn[kMaxPatches] = {}, gw[kMaxPatches] = {}, share_of[12];
    T weight[kMaxPatches] = {}, mean[kMaxPatches] = {}, sign_mean[kMaxPatches] = {};
    T length[12], ggamma = 0;
    int count[kMaxPatches] = {};
    for (int p = 0; p < patches; ++p) {
      gv[p] = load3(grad_vertices, first + p);
      v[p] = load3(vertices, first + p);
      if (grad_value) gn[p] = grad_value[first + p];
      if (grad_weighted) gw[p] = grad_weighted[first + p];
    }
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p < 0) continue;
      share_of[e] = data.share(e);
      u[e] = data.crossing(e, share_of[e]);
      weight[p] += cell_beta ? cell_beta[a * 12 + e] : T(1);
      ++count[p];
      if (training) ggamma += centre_gradient(a, e, gv[p], gn[p], gw[p]);  // (F7)
    }
    // (F8) dL/d length = dL/d deviation (sign(length - mean) - mean sign) / count; it pulls the
    // dual vertex and pushes the crossing along the unit vector between them.
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p < 0) continue;
      length[e] = std::sqrt(norm2(v[p] - u[e]));
      mean[p] += length[e] / T(count[p]);
    }
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p >= 0) sign_mean[p] += sign(length[e] - mean[p]) / T(count[p]);
    }
    Vec3<T> pull[12];
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p < 0) continue;
      const T gl =
          grad_deviation[first + p] * (sign(length[e] - mean[p]) - sign_mean[p]) / T(count[p]);
      pull[e] = (v[p] - u[e]) * (length[e] > T(0) ? gl / length[e] : T(0));
    }
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p >= 0) gv[p] = gv[p] + pull[e];
    }

    // (F5) dv/d beta_e = (u_e - v) / sum beta and dv/du_e = beta_e / sum beta; then (F4), with
    // a = s_i alpha_i and b = s_j alpha_j: dt/da = -b / (a - b)^2, dt/db = a / (a - b)^2,
    // du/dx_i = 1 - t, du/dx_j = t.
    T gs[8] = {}, galpha[8] = {}, gm[8] = {};
    Vec3<T> gx[8] = {};
    const int64_t c = in.parameter(a);
    for (int e = 0; e < 12; ++e) {
      const int p = in.table.patch(entry, e);
      if (p < 0) continue;
      const T b = cell_beta ? cell_beta[a * 12 + e] : T(1), share = T(1) / weight[p];
      const T t = share_of[e];
      T apart = dot(gv[p], u[e] - v[p]);
      if (in.msdf) apart += gn[p] * (data.msdf(e, t) - value[first + p]);
      if (grad_beta) grad_beta[c * 12 + e] = apart * share * weight_slope(b);  // (F5), (F1)
      const Vec3<T> gu = gv[p] * (b * share) - pull[e];
      const EdgeStart edge(e);
      const int i = edge.start_corner(), j = edge.end_corner();
      const T wi = data.s[i] * data.alpha[i], wj = data.s[j] * data.alpha[j];
      const T inverse = T(1) / (wi - wj);
      T along = dot(gu, data.x[j] - data.x[i]);
      if (in.msdf) {  // (G2), (G3)
        const T part = b * share;
        along += gn[p] * part * (data.m[j] - data.m[i]);
        gm[i] += (gn[p] + gw[p]) * part * (T(1) - t);
        gm[j] += (gn[p] + gw[p]) * part * t;
      }
      along *= inverse * inverse;
      const T gwi = -along * wj, gwj = along * wi;
      gs[i] += gwi * data.alpha[i];
      gs[j] += gwj * data.alpha[j];
      galpha[i] += gwi * data.s[i];
      galpha[j] += gwj * data.s[j];
      gx[i] = gx[i] + gu * (T(1) - t);
      gx[j] = gx[j] + gu * t;
    }
    if (grad_alpha)  // (F1)
      for (int k = 0; k < 8; ++k) grad_alpha[c * 8 + k] = galpha[k] * weight_slope(data.alpha[k]);
    if (grad_gamma) grad_gamma[c] = ggamma * gamma_slope(cell_gamma[a]);
    for (int k = 0; k < 8; ++k) {
      T* row = corner_grad + (a * 8 + k) * width;
      row[0] = gs[k], row[1] = gx[k].x, row[2] = gx[k].y, row[3] = gx[k].z;
      if (in.msdf) row[4] = gm[k];
    }
  }

  ML_HD static T sign(T value) { return T(value > T(0)) - T(value < T(0)); }

  // (F7) With c = (m02 g02 + m13 g13) / (g02 + g13) and m02 = (v0 + v2) / 2: dc/dv0 is
  // g02 / 2 (g02 + g13) and dc/dg02 is (m02 - c) / (g02 + g13). Adds to gv, gn and gw what edge e's
  // quad centre sends to this cell's dual vertex; returns d/d gamma.
  ML_HD T centre_gradient(int64_t a, int e, Vec3<T>& gv, T& gn, T& gw) const {
    int64_t c[3];
    in.coordinates(a, c);
    const EdgeStart edge(e);
    const int64_t x = c[0] + edge.dx, y = c[1] + edge.dy, z = c[2] + edge.dz;
    const int64_t word = edge_word(in.g, x, y, z, edge.axis);
    const int bit = static_cast<int>(z & 63);
    if (!edges.has(word, bit)) return T(0);
    const int64_t q = edges.rank(word, bit);
    const int32_t *dual = quads + 4 * q, *owner = quad_cell + 4 * q;
    int k = 0;
    while (owner[k] != a) ++k;
    const T mine = cell_gamma[a], opposite = cell_gamma[owner[(k + 2) & 3]];
    const T other = cell_gamma[owner[(k + 1) & 3]] * cell_gamma[owner[(k + 3) & 3]];
    const T inverse = T(1) / (mine * opposite + other);
    const Vec3<T> gc = load3(grad_vertices, num_dual + q), centre = load3(vertices, num_dual + q);
    const Vec3<T> middle = (load3(vertices, dual[k]) + load3(vertices, dual[(k + 2) & 3])) * T(0.5);
    const T part = T(0.5) * mine * opposite * inverse;
    gv = gv + gc * part;
    T apart = dot(gc, middle - centre);
    if (grad_value) {
      const T along = grad_value[num_dual + q];
      gn += along * part;
      apart += along * ((value[dual[k]] + value[dual[(k + 2) & 3]]) * T(0.5) - value[num_dual + q]);
    }
    if (grad_weighted) gw += grad_weighted[num_dual + q] * part;
    return apart * opposite * inverse;
  }
};

// Gradient of the grid vertices in one word: each gathers from its (up to eight) surface cells, and
// passes that of its position on to its displacement (F2).
template <class T>
struct CornerBackward {
  Lattice<T> g;
  Ranked cells, corners;
  const T* corner_grad;  // (A, 8, width)
  int width;
  const T* deform;
  T *grad_sdf, *grad_deform, *grad_msdf;  // (N,), (N, 3), (N,), zero on entry, or null

  ML_HD void operator()(int64_t i) const {
    const int64_t r = i / g.words, w = i % g.words, x = r / g.ny, y = r % g.ny;
    for (Word left = corners.bits[i]; left != 0; left &= left - 1) {
      const int64_t z = w * 64 + lowest_bit(left);
      T sum[5] = {};
      for (int k = 0; k < 8; ++k) {  // the cell in which this vertex is corner k
        const int64_t cx = x - (k & 1), cy = y - (k >> 1 & 1), cz = z - (k >> 2);
        if (cx < 0 || cy < 0 || cz < 0 || cx >= g.rx || cy >= g.ry || cz >= g.rz) continue;
        const int64_t word = g.cell_row(cx, cy) * g.words + (cz >> 6);
        const int bit = static_cast<int>(cz & 63);
        if (!cells.has(word, bit)) continue;
        const T* row = corner_grad + (static_cast<int64_t>(cells.rank(word, bit)) * 8 + k) * width;
        for (int d = 0; d < width; ++d) sum[d] += row[d];
      }
      const int64_t v = g.value(x, y, z);
      if (grad_sdf) grad_sdf[v] = sum[0];
      if (grad_msdf) grad_msdf[v] = sum[4];
      if (grad_deform)
        store_deform_gradient(g, deform, grad_deform, v, Vec3<T>{sum[1], sum[2], sum[3]});
    }
  }
};

}  // namespace meshlearn
