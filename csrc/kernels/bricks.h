// Fields on bricks of 8 x 8 x 8 nodes of a lattice: six times each value less its six neighbours.
//
// One call makes a row of eight nodes along z, so that sums have one order on any number of threads
// and neighbours along z and, within a brick, along x and y lie beside each other in memory.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

constexpr int64_t kBrick = 8, kBrickNodes = 512, kBricksAround = 27;

template <class T>
struct BrickLaplacian {
  const T* field;       // (B, 8, 8, 8)
  const int32_t* near;  // (B, 27), -1 for none
  T* out;

  // The row at x, y of brick `b` shifted by bricks along x and y, or nullptr.
  ML_HD const T* row(int64_t b, int64_t x, int64_t y) const {
    int64_t around = 13;
    if (x < 0 || x >= kBrick) around += x < 0 ? -9 : 9;
    if (y < 0 || y >= kBrick) around += y < 0 ? -3 : 3;
    const int64_t other = around == 13 ? b : near[b * kBricksAround + around];
    if (other < 0) return nullptr;
    return field + other * kBrickNodes + (x & 7) * 64 + (y & 7) * kBrick;
  }

  ML_HD void operator()(int64_t i) const {
    const int64_t b = i >> 6, x = i >> 3 & 7, y = i & 7;
    const T* own = field + b * kBrickNodes + x * 64 + y * kBrick;
    T* to = out + b * kBrickNodes + x * 64 + y * kBrick;
    const int32_t before = near[b * kBricksAround + 12], after = near[b * kBricksAround + 14];
    const int64_t at = x * 64 + y * kBrick;
    T sum[kBrick];
    for (int k = 1; k < 7; ++k) sum[k] = own[k - 1] + own[k + 1];
    sum[0] = (before < 0 ? T(0) : field[before * kBrickNodes + at + 7]) + own[1];
    sum[7] = own[6] + (after < 0 ? T(0) : field[after * kBrickNodes + at]);
    const T* sides[4] = {row(b, x, y - 1), row(b, x, y + 1), row(b, x - 1, y), row(b, x + 1, y)};
    for (int s = 0; s < 4; ++s) {
      if (sides[s] == nullptr) continue;
      for (int k = 0; k < kBrick; ++k) sum[k] += sides[s][k];
    }
    for (int k = 0; k < kBrick; ++k) to[k] = T(6) * own[k] - sum[k];
  }
};

}  // namespace meshlearn
