// Cuts a triangle mesh where a value at its vertices changes sign, and keeps the positive side.
//
// A cut vertex belongs to a mesh edge from a positive vertex p to another vertex q and is numbered
// by the sorted key p * V + q, so neighbouring triangles share it. Numbers in brackets are the
// equations listed at the top of meshlearn/isosurface/gshell.py.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

constexpr int64_t kFaceBlock = 64;

struct CutInput {
  const int64_t* faces;  // (F, 3)
  const uint8_t* keep;   // (V,) value > 0
  int64_t num_faces, num_vertices;

  // Rotates face f so that its odd corner (the only positive or the only other) comes first, and
  // returns the number of positive corners.
  ML_HD int face(int64_t f, int64_t v[3]) const {
    const int64_t* corner = faces + 3 * f;
    const int k0 = keep[corner[0]], k1 = keep[corner[1]], k2 = keep[corner[2]], n = k0 + k1 + k2;
    const int odd = n == 1 || n == 2 ? (k1 != k0 && k1 != k2) + 2 * (k2 != k0 && k2 != k1) : 0;
    for (int k = 0; k < 3; ++k) v[k] = corner[(odd + k) % 3];
    return n;
  }
  ML_HD int64_t block_end(int64_t block) const {
    return (block + 1) * kFaceBlock < num_faces ? (block + 1) * kFaceBlock : num_faces;
  }
};

template <class T>
struct CutSigns {
  const T* value;
  uint8_t* keep;
  int32_t* count;
  ML_HD void operator()(int64_t v) const { count[v] = keep[v] = value[v] > T(0); }
};

// Triangles that stay, and triangles that are cut, of each block.
struct CountCut {
  CutInput in;
  int32_t *faces, *cut;
  ML_HD void operator()(int64_t block) const {
    int32_t n = 0, c = 0;
    for (int64_t f = block * kFaceBlock; f < in.block_end(block); ++f) {
      const int64_t* v = in.faces + 3 * f;
      const int positive = in.keep[v[0]] + in.keep[v[1]] + in.keep[v[2]];
      n += positive == 0 ? 0 : positive == 2 ? 2 : 1;
      c += positive == 1 || positive == 2;
    }
    faces[block] = n, cut[block] = c;
  }
};

// Both cut edges of every cut triangle.
struct CutKeys {
  CutInput in;
  const int32_t* start;  // cut triangles before each block
  int64_t* key;          // (2 B,)
  ML_HD void operator()(int64_t block) const {
    int64_t c = start[block];
    if (start[block + 1] == c) return;
    for (int64_t f = block * kFaceBlock; f < in.block_end(block); ++f) {
      int64_t v[3];
      const int n = in.face(f, v);
      if (n != 1 && n != 2) continue;
      for (int k = 1; k < 3; ++k)
        key[2 * c + k - 1] = n == 1 ? v[0] * in.num_vertices + v[k] : v[k] * in.num_vertices + v[0];
      ++c;
    }
  }
};

template <class T>
struct KeepVertices {
  const T* vertices;
  const int32_t* rank;
  T* out;
  int64_t* kept;
  ML_HD void operator()(int64_t v) const {
    if (rank[v + 1] == rank[v]) return;
    store3(out, rank[v], load3(vertices, v));
    kept[rank[v]] = v;
  }
};

// (G5) c = p + (q - p) t with t = v_p / (v_p - v_q) on each cut edge.
template <class T>
struct CutVertices {
  const T *vertices, *value;
  const int64_t* key;
  int64_t num_vertices, num_kept, num_cut;
  T* out;
  int64_t* cut;       // (X, 2) positive and other vertex
  int64_t* by_other;  // (X,) other vertex * X + number
  ML_HD void operator()(int64_t x) const {
    const int64_t p = key[x] / num_vertices, q = key[x] % num_vertices;
    const Vec3<T> a = load3(vertices, p);
    const T t = value[p] / (value[p] - value[q]);
    store3(out, num_kept + x, a + (load3(vertices, q) - a) * t);
    cut[2 * x] = p, cut[2 * x + 1] = q;
    by_other[x] = q * num_cut + x;
  }
};

// (G6) Triangles of the positive side: whole ones, the tip at an only positive corner, or the two
// of a trapezium at an only other corner.
struct CutFaces {
  CutInput in;
  const int32_t *start_face, *start_cut, *rank;
  const int64_t* key;
  int64_t num_kept, num_cut;
  int64_t *faces, *boundary;  // (F', 3), (B, 2) along the faces' orientation

  ML_HD int64_t vertex(int64_t p, int64_t q) const {
    const int64_t wanted = p * in.num_vertices + q;
    int64_t low = 0, high = num_cut - 1;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (key[middle] < wanted)
        low = middle + 1;
      else
        high = middle;
    }
    return num_kept + low;
  }
  ML_HD void operator()(int64_t block) const {
    int64_t f = start_face[block], c = start_cut[block];
    if (start_face[block + 1] == f) return;
    for (int64_t i = block * kFaceBlock; i < in.block_end(block); ++i) {
      int64_t v[3];
      const int n = in.face(i, v);
      if (n == 0) continue;
      int64_t* out = faces + 3 * f;
      if (n == 3) {
        for (int k = 0; k < 3; ++k) out[k] = rank[v[k]];
        ++f;
      } else if (n == 1) {
        out[0] = rank[v[0]], out[1] = vertex(v[0], v[1]), out[2] = vertex(v[0], v[2]);
        boundary[2 * c] = out[1], boundary[2 * c + 1] = out[2];
        ++f, ++c;
      } else {
        const int64_t a = rank[v[1]], b = rank[v[2]];
        const int64_t bo = vertex(v[2], v[0]), ao = vertex(v[1], v[0]);
        out[0] = a, out[1] = b, out[2] = bo;
        out[3] = a, out[4] = bo, out[5] = ao;
        boundary[2 * c] = bo, boundary[2 * c + 1] = ao;
        f += 2, ++c;
      }
    }
  }
};

// Gradients of (G5): of kept vertices as they are; the first cut edge of a vertex then adds all of
// its own.
template <class T>
struct KeepBackward {
  const int32_t* rank;
  const T* grad;
  T *grad_vertices, *grad_value;
  ML_HD void operator()(int64_t v) const {
    const bool kept = rank[v + 1] != rank[v];
    store3(grad_vertices, v, kept ? load3(grad, rank[v]) : Vec3<T>{0, 0, 0});
    grad_value[v] = T(0);
  }
};

template <class T>
struct CutBackward {
  const T *vertices, *value, *grad;
  const int64_t* cut;
  const int32_t* order;  // cut edges by their other vertex; null: as they are, by the positive one
  int64_t num_kept, num_cut;
  T *grad_vertices, *grad_value;

  ML_HD int64_t number(int64_t i) const { return order == nullptr ? i : order[i]; }
  ML_HD void operator()(int64_t i) const {
    const int side = order != nullptr;
    const int64_t owner = cut[2 * number(i) + side];
    if (i > 0 && cut[2 * number(i - 1) + side] == owner) return;
    Vec3<T> gx = load3(grad_vertices, owner);
    T gv = grad_value[owner];
    for (; i < num_cut; ++i) {
      const int64_t x = number(i), p = cut[2 * x], q = cut[2 * x + 1];
      if (cut[2 * x + side] != owner) break;
      const T gap = value[p] - value[q], t = value[p] / gap;
      const T inverse = gap > T(1e-30) ? T(1) / gap : T(0);  // no overflow on a vanishing gap
      const Vec3<T> g = load3(grad, num_kept + x);
      const T along = dot(g, load3(vertices, q) - load3(vertices, p)) * inverse;
      gx = gx + g * (side == 0 ? T(1) - t : t);
      gv += side == 0 ? -along * (value[q] * inverse) : along * (value[p] * inverse);
    }
    store3(grad_vertices, owner, gx);
    grad_value[owner] = gv;
  }
};

}  // namespace meshlearn
