// The cells of a wrap where many threads share the work: what wrap.h does by stacks and scans is
// done here line by line of the grid, with the same results.
#pragma once
#include "wrap.h"

namespace meshlearn {

// Which cells a flood passes, by their code and the bits of their mark.
struct WrapPass {
  const uint8_t* code;
  const uint8_t* mark;
  uint8_t least;                     // of the code
  uint8_t needed = 0, unwanted = 0;  // bits
  ML_HD bool operator()(int64_t n) const {
    return code[n] >= least && (mark[n] & needed) == needed && !(mark[n] & unwanted);
  }
};

// Sets `bit` on cells of the outermost layer that pass.
struct WrapBorder {
  WrapGrid grid;
  WrapPass passes;
  uint8_t* mark;
  uint8_t bit;
  ML_HD void operator()(int64_t n) const {
    int64_t p[3];
    grid.place(n, p);
    bool border = false;
    for (int d = 0; d < 3; ++d) border |= p[d] == 0 || p[d] + 1 == grid.size[d];
    if (border && passes(n)) mark[n] |= bit;
  }
};

// Lines of cells along one axis: their number, and the first cell of each.
struct WrapLines {
  WrapGrid grid;
  int axis;
  ML_HD int64_t length() const { return grid.size[axis]; }
  ML_HD int64_t step() const {
    return axis == 2 ? 1 : axis == 1 ? grid.size[2] : grid.size[1] * grid.size[2];
  }
  ML_HD int64_t lines() const { return grid.count() / (length() > 0 ? length() : 1); }
  ML_HD int64_t first(int64_t line) const {
    return line / step() * step() * length() + line % step();
  }
};

// Carries `bit` along a line, there and back, through cells that pass.
struct WrapSweep {
  WrapLines lines;
  WrapPass passes;
  uint8_t* mark;
  uint8_t bit;
  int32_t* changed;
  ML_HD void operator()(int64_t line) const {
    const int64_t step = lines.step(), length = lines.length();
    int64_t n = lines.first(line);
    bool any = false;
    for (int way = 0; way < 2; ++way) {
      bool on = false;
      for (int64_t q = 0; q < length; ++q) {
        if (mark[n] & bit) {
          on = true;
        } else if (on && passes(n)) {
          mark[n] |= bit;
          any = true;
        } else {
          on = false;
        }
        if (q + 1 < length) n += way == 0 ? step : -step;
      }
    }
    if (any) *changed = 1;
  }
};

constexpr int32_t kWrapAway = 1 << 29;  // more than any squared distance

// One axis of squared distances in cells up to `reach`, from those of the axes before.
struct WrapNearest {
  WrapLines lines;
  int64_t reach;
  const int32_t* before;
  int32_t* after;
  ML_HD void operator()(int64_t n) const {
    const int64_t q = n / lines.step() % lines.length();
    const int64_t low = q < reach ? -q : -reach;
    const int64_t high = lines.length() - 1 - q < reach ? lines.length() - 1 - q : reach;
    int32_t best = kWrapAway;
    for (int64_t o = low; o <= high; ++o) {
      const int32_t value = before[n + o * lines.step()];
      if (value < kWrapAway && value + o * o < best) best = static_cast<int32_t>(value + o * o);
    }
    after[n] = best;
  }
};

struct WrapFrom {  // 0 at cells with `bit`
  const uint8_t* mark;
  uint8_t bit;
  int32_t* distance;
  ML_HD void operator()(int64_t n) const { distance[n] = mark[n] & bit ? 0 : kWrapAway; }
};

struct WrapWithin {  // `bit` where a distance is within reach
  const int32_t* distance;
  double reach;
  WrapPass passes;
  uint8_t* mark;
  uint8_t bit;
  ML_HD void operator()(int64_t n) const {
    if (double(distance[n]) <= reach * reach && passes(n)) mark[n] |= bit;
  }
};

struct WrapSet {  // `bit` on cells that pass; `taken` bits go first
  WrapPass passes;
  uint8_t* mark;
  uint8_t bit, taken;
  ML_HD void operator()(int64_t n) const {
    mark[n] &= static_cast<uint8_t>(~taken);
    if (passes(n)) mark[n] |= bit;
  }
};

struct WrapInside {
  const uint8_t* mark;
  uint8_t centre;
  uint8_t* inside;
  ML_HD void operator()(int64_t n) const { inside[n] = !(mark[n] & centre); }
};

// How many squares begin at a corner (upper 32 bits), and whether it is of the surface.
struct WrapCount {
  WrapGrid grid;
  const uint8_t* inside;
  int64_t* count;  // of corners, (X + 1, Y + 1, Z + 1)
  ML_HD void operator()(int64_t n) const {
    int64_t p[3];
    WrapGrid{{grid.size[0] + 1, grid.size[1] + 1, grid.size[2] + 1}}.place(n, p);
    const int mask = wrap_mask(grid, inside, p[0], p[1], p[2]);
    const bool on = mask != 0 && mask != 255;
    count[n] = (int64_t(wrap_squares(mask)) << 32) + on;
  }
  // across x, y and z: between the cells of bits 3 and 7, 1 and 3 or 2 and 3
  static ML_HD bool across(int mask, int axis) {
    const int other = axis == 0 ? 7 : axis == 1 ? 1 : 2;
    return (mask >> 3 & 1) != (mask >> other & 1);
  }
  static ML_HD int wrap_squares(int mask) {
    return across(mask, 0) + across(mask, 1) + across(mask, 2);
  }
};

struct WrapWrite {
  WrapGrid grid;
  const uint8_t* inside;
  const int64_t* start;  // sums of WrapCount before each corner
  int32_t* corner;       // (V, 3)
  int64_t* square;       // (Q, 4)
  ML_HD void operator()(int64_t n) const {
    const WrapGrid corners{{grid.size[0] + 1, grid.size[1] + 1, grid.size[2] + 1}};
    const int64_t named = start[n] & 0xffffffff;
    if (start[n + 1] == start[n]) return;
    int64_t p[3];
    corners.place(n, p);
    const int mask = wrap_mask(grid, inside, p[0], p[1], p[2]);
    for (int d = 0; d < 3; ++d) corner[3 * named + d] = static_cast<int32_t>(p[d]);
    const int64_t x = corners.size[1] * corners.size[2], y = corners.size[2], z = 1;
    const int64_t ring[3][4] = {{0, y, y + z, z}, {-x, z - x, z, 0}, {-x, 0, y, y - x}};
    int64_t* out = square + 4 * (start[n] >> 32);
    for (int axis = 0; axis < 3; ++axis) {
      if (!WrapCount::across(mask, axis)) continue;
      const bool turned = mask >> (axis == 0 ? 7 : 3) & 1;
      for (int k = 0; k < 4; ++k)
        out[k] = start[n + ring[axis][turned ? (4 - k) % 4 : k]] & 0xffffffff;
      out += 4;
    }
  }
};

}  // namespace meshlearn
