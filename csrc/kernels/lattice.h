// A regular lattice read as bits: signs, crossed edges and surface cells, each with a rank.
//
// Grid vertex (x, y, z) is number (x * ny + y) * nz + z; a row is one (x, y). Rows are packed into
// 64-bit words along z, so that surface cells and crossed edges follow by bitwise operations, and
// "the how manieth" is a prefix sum over words plus a popcount: no map from cell to index is
// stored. A sparse grid is such a set of cells and their corners: values of vertices and parameters
// of cells are then stored by rank, and only its cells are looked at.
#pragma once
#include <cstring>

#include "../common/hd.h"

namespace meshlearn {

using Word = unsigned long long;

ML_HD int popcount(Word w) {
#if defined(__CUDA_ARCH__)
  return __popcll(w);
#else
  return __builtin_popcountll(w);
#endif
}

// Position of the lowest set bit; w is not 0.
ML_HD int lowest_bit(Word w) {
#if defined(__CUDA_ARCH__)
  return __ffsll(static_cast<long long>(w)) - 1;
#else
  return __builtin_ctzll(w);
#endif
}

ML_HD Word low_bits(int64_t n) {
  return n >= 64 ? ~Word(0) : n <= 0 ? Word(0) : (Word(1) << n) - 1;
}

// A set of lattice elements as bits and the number of elements before each word.
struct Ranked {
  const Word* bits;
  const int32_t* start;

  ML_HD bool has(int64_t word, int bit) const { return bits[word] >> bit & 1; }
  ML_HD int32_t rank(int64_t word, int bit) const {
    return start[word] + popcount(bits[word] & low_bits(bit));
  }
};

template <class T>
struct Lattice {
  int64_t rx, ry, rz;        // cells
  int64_t nx, ny, nz;        // vertices
  int64_t words;             // words per row
  double lo[3], spacing[3];  // position of vertex 0, edge lengths
  Ranked vertices, cells;    // of a sparse grid; bits are null on a dense one

  ML_HD int64_t rows() const { return nx * ny; }
  ML_HD int64_t row(int64_t x, int64_t y) const { return x * ny + y; }
  ML_HD int64_t cell_row(int64_t x, int64_t y) const { return x * ry + y; }
  ML_HD int64_t vertex(int64_t x, int64_t y, int64_t z) const { return (x * ny + y) * nz + z; }
  ML_HD bool sparse() const { return cells.bits != nullptr; }
  // Where the value of a vertex and the parameters of a cell are stored.
  ML_HD int64_t value(int64_t x, int64_t y, int64_t z) const {
    if (!sparse()) return vertex(x, y, z);
    return vertices.rank(row(x, y) * words + (z >> 6), static_cast<int>(z & 63));
  }
  ML_HD int64_t parameter(int64_t x, int64_t y, int64_t z) const {
    if (!sparse()) return (x * ry + y) * rz + z;
    return cells.rank(cell_row(x, y) * words + (z >> 6), static_cast<int>(z & 63));
  }
  ML_HD bool has_cell(int64_t x, int64_t y, int64_t z) const {
    if (x < 0 || y < 0 || z < 0 || x >= rx || y >= ry || z >= rz) return false;
    return !sparse() || cells.has(cell_row(x, y) * words + (z >> 6), static_cast<int>(z & 63));
  }
  ML_HD Word cell_word(int64_t x, int64_t y, int64_t w) const {  // 0 beyond the grid
    if (x < 0 || y < 0 || x >= rx || y >= ry) return 0;
    return cells.bits[cell_row(x, y) * words + w];
  }
  ML_HD T coordinate(int axis, int64_t i) const {
    return static_cast<T>(lo[axis] + static_cast<double>(i) * spacing[axis]);
  }
  ML_HD Vec3<T> position(int64_t x, int64_t y, int64_t z) const {
    return {coordinate(0, x), coordinate(1, y), coordinate(2, z)};
  }
};

// exp to a relative error of 3e-7 for |x| < 20, without branches, so that loops over it become
// vector instructions: 2^n by its bits, 2^f for the rest |f| <= 1/2 by its Taylor polynomial.
ML_HD float fast_exp(float x) {
  x = x < -87.0f ? -87.0f : x;  // NaN passes
  x = x > 87.0f ? 87.0f : x;
  const float z = x * 1.44269504f, shifted = z + 12582912.0f;  // 1.5 * 2^23: rounds to n
  const float f = z - (shifted - 12582912.0f);
  float p = 1.54035304e-4f;
  p = p * f + 1.33335581e-3f;
  p = p * f + 9.61812911e-3f;
  p = p * f + 5.55041087e-2f;
  p = p * f + 2.40226507e-1f;
  p = p * f + 6.93147181e-1f;
  p = p * f + 1.0f;
  uint32_t bits;
  std::memcpy(&bits, &shifted, 4);
  bits = (bits + 127u) << 23;
  float power;
  std::memcpy(&power, &bits, 4);
  return p * power;
}
// tanh to an absolute error of 2e-7, which is what the weights need.
ML_HD float fast_tanh(float x) { return 1.0f - 2.0f / (fast_exp(2.0f * x) + 1.0f); }
ML_HD double fast_tanh(double x) { return std::tanh(x); }

// The number of isosurface/constants.py, where its reason is.
constexpr double kDisplacement = 1.0 - 1e-6;

template <class T>
ML_HD T half_cell(double spacing) {
  return static_cast<T>(0.5 * kDisplacement * spacing);
}
// (F2) x + kDisplacement (h / 2) tanh(d) of a grid vertex, kept just under half a cell.
template <class T>
ML_HD Vec3<T> displaced(const Lattice<T>& g, const T* deform, int64_t x, int64_t y, int64_t z) {
  Vec3<T> p = g.position(x, y, z);
  if (deform != nullptr) {
    const T* d = deform + 3 * g.value(x, y, z);
    p.x += half_cell<T>(g.spacing[0]) * fast_tanh(d[0]);
    p.y += half_cell<T>(g.spacing[1]) * fast_tanh(d[1]);
    p.z += half_cell<T>(g.spacing[2]) * fast_tanh(d[2]);
  }
  return p;
}
// Gradient of (F2): from the displaced position back to the parameter d.
template <class T>
ML_HD void store_deform_gradient(const Lattice<T>& g, const T* deform, T* grad, int64_t vertex,
                                 Vec3<T> gx) {
  const T* d = deform + 3 * vertex;
  const T t[3] = {fast_tanh(d[0]), fast_tanh(d[1]), fast_tanh(d[2])};
  grad[3 * vertex] = gx.x * half_cell<T>(g.spacing[0]) * (1 - t[0] * t[0]);
  grad[3 * vertex + 1] = gx.y * half_cell<T>(g.spacing[1]) * (1 - t[1] * t[1]);
  grad[3 * vertex + 2] = gx.z * half_cell<T>(g.spacing[2]) * (1 - t[2] * t[2]);
}

// Row of vertices -> inside bits (s < 0; exactly 0 and NaN are outside) and the count of
// non-finite.
template <class T>
struct SignRow {
  Lattice<T> g;
  const T* sdf;
  Word* inside;        // (rows, words)
  int32_t* nonfinite;  // (rows,)

  ML_HD void operator()(int64_t r) const {
    const T* s = sdf + r * g.nz;
    int32_t bad = 0;
    for (int64_t w = 0; w < g.words; ++w) {
      const int64_t begin = w * 64, n = g.nz - begin < 64 ? g.nz - begin : 64;
      Word word = 0;
#if defined(__CUDA_ARCH__)
      for (int64_t k = 0; k < n; ++k) {
        word |= Word(s[begin + k] < T(0)) << k;
        bad += !(s[begin + k] - s[begin + k] == T(0));
      }
#else
      int64_t k = 0;
      for (; k + 8 <= n; k += 8) {  // eight comparisons to bytes, one multiplication packs them
        unsigned char flag[8], odd[8];
        for (int j = 0; j < 8; ++j) {
          const T v = s[begin + k + j];
          flag[j] = v < T(0);
          odd[j] = !(v - v == T(0));
        }
        Word bytes, odds;
        __builtin_memcpy(&bytes, flag, 8);
        __builtin_memcpy(&odds, odd, 8);
        word |= (bytes * 0x0102040810204080ull >> 56) << k;
        if (odds != 0) bad += popcount(odds);
      }
      for (; k < n; ++k) {
        word |= Word(s[begin + k] < T(0)) << k;
        bad += !(s[begin + k] - s[begin + k] == T(0));
      }
#endif
      inside[r * g.words + w] = word;
    }
    nonfinite[r] = bad;
  }
};

// The same from the values of a sparse grid; all other vertices count as outside.
template <class T>
struct SparseSignRow {
  Lattice<T> g;
  const T* sdf;
  Word* inside;
  int32_t* nonfinite;

  ML_HD void operator()(int64_t r) const {
    int32_t bad = 0;
    for (int64_t w = 0; w < g.words; ++w) {
      Word word = 0;
      int64_t k = g.vertices.start[r * g.words + w];
      for (Word left = g.vertices.bits[r * g.words + w]; left != 0; left &= left - 1, ++k) {
        word |= Word(sdf[k] < T(0)) << lowest_bit(left);
        bad += !(sdf[k] - sdf[k] == T(0));
      }
      inside[r * g.words + w] = word;
    }
    nonfinite[r] = bad;
  }
};

// The signs of four neighbouring rows around a column of cells, one word at a time.
template <class T>
struct CellWord {
  Word low[4], high[4];  // corners at z and at z + 1, row k = (k & 1, k >> 1) along x, y
  Word active;           // cells of the grid

  ML_HD CellWord(const Lattice<T>& g, const Word* inside, int64_t x, int64_t y, int64_t w)
      : active(g.sparse() ? g.cell_word(x, y, w) : ~Word(0)) {
    for (int k = 0; k < 4; ++k) {
      const Word* row = inside + g.row(x + (k & 1), y + (k >> 1)) * g.words;
      low[k] = row[w];
      high[k] = row[w] >> 1 | (w + 1 < g.words ? row[w + 1] << 63 : 0);
    }
  }
  ML_HD Word surface(int64_t cells_left) const {
    Word any = 0, all = ~Word(0);
    for (int k = 0; k < 4; ++k) {
      any |= low[k] | high[k];
      all &= low[k] & high[k];
    }
    return any & ~all & active & low_bits(cells_left);
  }
  ML_HD int cell_case(int bit) const {
    int mask = 0;
    for (int k = 0; k < 4; ++k)
      mask |= static_cast<int>(low[k] >> bit & 1) << k | static_cast<int>(high[k] >> bit & 1)
                                                             << (k + 4);
    return mask;
  }
};

template <class T>
ML_HD int case_of_cell(const Lattice<T>& g, const Word* inside, int64_t x, int64_t y, int64_t z) {
  int mask = 0;
  for (int c = 0; c < 8; ++c) {
    const int64_t zz = z + (c >> 2);
    const Word word = inside[g.row(x + (c & 1), y + (c >> 1 & 1)) * g.words + (zz >> 6)];
    mask |= static_cast<int>(word >> (zz & 63) & 1) << c;
  }
  return mask;
}

// Edges of a sparse grid that start in word w of vertex row (x, y): with all four of their cells
// (`interior`), or with one.
template <class T>
ML_HD Word sparse_edges(const Lattice<T>& g, int64_t x, int64_t y, int64_t w, int axis,
                        bool interior) {
  Word any = 0, all = ~Word(0);
  for (int k = 0; k < (axis == 2 ? 4 : 2); ++k) {
    const int64_t cx = axis == 0 ? x : x - (k & 1);
    const int64_t cy = axis == 0 ? y - (k & 1) : axis == 1 ? y : y - (k >> 1);
    const Word cell = g.cell_word(cx, cy, w);
    any |= cell;
    all &= cell;
    if (axis == 2) continue;  // the edges along x and y have cells below them too
    const Word below = cell << 1 | (w > 0 ? g.cell_word(cx, cy, w - 1) >> 63 : 0);
    any |= below;
    all &= below;
  }
  return interior ? all : any;
}

// Crossed edges that start in word w of vertex row (x, y). `interior`: only those with four cells.
template <class T>
ML_HD Word crossed_edges(const Lattice<T>& g, const Word* inside, int64_t x, int64_t y, int64_t w,
                         int axis, bool interior) {
  const int64_t at = g.row(x, y) * g.words + w;
  const Word here = inside[at];
  Word mask = low_bits(g.nz - w * 64);
  if (g.sparse()) {
    mask = sparse_edges(g, x, y, w, axis, interior);
    if (mask == 0) return 0;
    if (axis == 2)
      return (here ^ (here >> 1 | (w + 1 < g.words ? inside[at + 1] << 63 : 0))) & mask;
    return (here ^ inside[(axis == 0 ? g.row(x + 1, y) : g.row(x, y + 1)) * g.words + w]) & mask;
  }
  if (axis == 2) {
    if (interior && (x == 0 || y == 0 || x == g.rx || y == g.ry)) return 0;
    const Word next = here >> 1 | (w + 1 < g.words ? inside[at + 1] << 63 : 0);
    return (here ^ next) & low_bits(g.rz - w * 64);
  }
  if (axis == 0 ? x == g.rx : y == g.ry) return 0;
  if (interior) {
    if (axis == 0 ? (y == 0 || y == g.ry) : (x == 0 || x == g.rx)) return 0;
    if (w == 0) mask &= ~Word(1);
    if (g.rz >> 6 == w) mask &= ~(Word(1) << (g.rz & 63));
  }
  const int64_t other = axis == 0 ? g.row(x + 1, y) : g.row(x, y + 1);
  return (here ^ inside[other * g.words + w]) & mask;
}

// Crossed edges of a vertex row: three words (axes x, y, z) side by side for each word of the row.
template <class T>
struct EdgeRow {
  Lattice<T> g;
  const Word* inside;
  bool interior;
  Word* bits;      // (rows, words, 3)
  int32_t* count;  // (rows * words * 3,)

  ML_HD void operator()(int64_t r) const {
    const int64_t x = r / g.ny, y = r % g.ny;
    for (int64_t w = 0; w < g.words; ++w)
      for (int axis = 0; axis < 3; ++axis) {
        const int64_t at = (r * g.words + w) * 3 + axis;
        bits[at] = crossed_edges(g, inside, x, y, w, axis, interior);
        count[at] = popcount(bits[at]);
      }
  }
};

template <class T>
ML_HD int64_t edge_word(const Lattice<T>& g, int64_t x, int64_t y, int64_t z, int axis) {
  return (g.row(x, y) * g.words + (z >> 6)) * 3 + axis;
}

// Start corner of cell edge e, as offsets (tables.py: e = 4 * axis + k).
struct EdgeStart {
  int axis, dx, dy, dz;
  ML_HD explicit EdgeStart(int e) : axis(e >> 2) {
    const int k = e & 3;
    dx = axis == 0 ? 0 : k & 1;
    dy = axis == 1 ? 0 : axis == 0 ? k & 1 : k >> 1;
    dz = axis == 2 ? 0 : k >> 1;
  }
  ML_HD int start_corner() const { return dx | dy << 1 | dz << 2; }
  ML_HD int end_corner() const { return start_corner() | 1 << axis; }
};

}  // namespace meshlearn
