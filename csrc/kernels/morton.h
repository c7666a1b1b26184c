// Morton codes: position along a curve that keeps neighbours together.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

struct MortonFrame {
  double low[3], cells;  // cells: per unit, so that the box spans at most 2^21
};

ML_HD uint64_t spread_bits(uint64_t v) {
  v = (v | (v << 32)) & 0x1f00000000ffffULL;
  v = (v | (v << 16)) & 0x1f0000ff0000ffULL;
  v = (v | (v << 8)) & 0x100f00f00f00f00fULL;
  v = (v | (v << 4)) & 0x10c30c30c30c30c3ULL;
  return (v | (v << 2)) & 0x1249249249249249ULL;
}

ML_HD uint64_t morton_cell(double x, double low, double cells) {
  const double c = (x - low) * cells;
  return c > 0 ? (c < 2097151.0 ? static_cast<uint64_t>(c) : 2097151u) : 0u;
}

template <class T>
ML_HD uint64_t morton_code(const MortonFrame& f, Vec3<T> p) {
  return spread_bits(morton_cell(p.x, f.low[0], f.cells)) |
         spread_bits(morton_cell(p.y, f.low[1], f.cells)) << 1 |
         spread_bits(morton_cell(p.z, f.low[2], f.cells)) << 2;
}

}  // namespace meshlearn
