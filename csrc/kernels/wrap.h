// The cells of a wrap: what a ball reaches from outside, cells mended so that their boundary is a
// manifold, and that boundary. A grid is (X, Y, Z), z fastest, one byte a cell.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "../common/hd.h"

namespace meshlearn {

// What is known of a cell by the distance of its centre, where balls keep w away and have the
// radius a: from kWrapFree on, how many of the wider balls L1 < L2 < ... fit there, too.
enum WrapCode : uint8_t {
  kWrapNear = 0,  // <= w: inside, whatever is reached
  kWrapBand = 1,  // <= w + a: may be in a ball, is no centre of one
  kWrapFree = 2,  // <= w + L1: centre of a ball; 3: of a ball of radius L1, and so on
};

constexpr double kWrapStamp = 4;  // cells, up to which a ball is laid around each cell

struct WrapGrid {
  int64_t size[3];
  ML_HD int64_t count() const { return size[0] * size[1] * size[2]; }
  ML_HD int64_t at(int64_t i, int64_t j, int64_t k) const {
    return (i * size[1] + j) * size[2] + k;
  }
  ML_HD void place(int64_t cell, int64_t out[3]) const {
    out[2] = cell % size[2];
    out[1] = cell / size[2] % size[1];
    out[0] = cell / (size[2] * size[1]);
  }
  template <class F>
  void neighbours(int64_t cell, F f) const {
    int64_t p[3];
    place(cell, p);
    const int64_t step[3] = {size[1] * size[2], size[2], 1};
    for (int d = 0; d < 3; ++d) {
      if (p[d] > 0) f(cell - step[d]);
      if (p[d] + 1 < size[d]) f(cell + step[d]);
    }
  }
  template <class F>
  void border(F f) const {
    for (int64_t i = 0; i < size[0]; ++i)
      for (int64_t j = 0; j < size[1]; ++j) {
        const bool edge = i == 0 || j == 0 || i + 1 == size[0] || j + 1 == size[1];
        for (int64_t k = 0; k < size[2]; k += edge || size[2] == 1 ? 1 : size[2] - 1)
          f(at(i, j, k));
      }
  }
};

// Sets `bit` in `mark` on cells reached through faces from those already on `stack`, which have it.
template <class Passes>
void wrap_flood(const WrapGrid& grid, std::vector<int64_t>& stack, uint8_t* mark, uint8_t bit,
                Passes passes) {
  while (!stack.empty()) {
    const int64_t cell = stack.back();
    stack.pop_back();
    grid.neighbours(cell, [&](int64_t n) {
      if (!(mark[n] & bit) && passes(n)) {
        mark[n] |= bit;
        stack.push_back(n);
      }
    });
  }
}

// distance (count): squared distances in cells to the nearest cell with a bit of `from`, or more
// than any. One axis after another: the lower envelope of parabolas, as in Felzenszwalb and
// Huttenlocher, "Distance transforms of sampled functions" (2012).
inline std::vector<int32_t> wrap_distances(const WrapGrid& grid, const uint8_t* mark,
                                           uint8_t from) {
  constexpr int32_t kNone = 1 << 29;
  const int64_t count = grid.count();
  std::vector<int32_t> distance(count);
  for (int64_t n = 0; n < count; ++n) distance[n] = mark[n] & from ? 0 : kNone;
  const int64_t longest = std::max({grid.size[0], grid.size[1], grid.size[2]});
  std::vector<int64_t> value(longest), base(longest);
  std::vector<double> start(longest + 1);
  const int64_t step[3] = {grid.size[1] * grid.size[2], grid.size[2], 1};
  for (int axis = 2; axis >= 0; --axis) {
    const int64_t length = grid.size[axis];
    for (int64_t line = 0; line < count; ++line) {
      if (line / step[axis] % length != 0) {  // on to the next line's first cell
        line += step[axis] * (length - 1) - 1;
        continue;
      }
      int64_t top = -1;
      for (int64_t q = 0; q < length; ++q) {
        value[q] = distance[line + q * step[axis]];
        if (value[q] >= kNone) continue;
        double at = -1;
        while (top >= 0) {
          const int64_t b = base[top];
          at = double(value[q] + q * q - value[b] - b * b) / double(2 * (q - b));
          if (at > start[top]) break;
          --top;
        }
        base[++top] = q;
        start[top] = top == 0 ? -1 : at;
      }
      if (top < 0) continue;
      start[top + 1] = double(length);
      int64_t k = 0;
      for (int64_t q = 0; q < length; ++q) {
        while (start[k + 1] < double(q)) ++k;
        const int64_t away = q - base[k];
        distance[line + q * step[axis]] = static_cast<int32_t>(value[base[k]] + away * away);
      }
    }
  }
  return distance;
}

// Sets `bit` on cells that pass within `reach` cells of cells of `from`.
template <class Passes>
void wrap_dilate(const WrapGrid& grid, uint8_t* mark, uint8_t from, uint8_t bit, double reach,
                 Passes passes) {
  if (reach > kWrapStamp) {
    const std::vector<int32_t> distance = wrap_distances(grid, mark, from);
    for (int64_t n = 0, count = grid.count(); n < count; ++n)
      if (double(distance[n]) <= reach * reach && passes(n)) mark[n] |= bit;
    return;
  }
  struct Offset {
    int64_t d[3], step;
  };
  std::vector<Offset> ball;
  const int64_t r = static_cast<int64_t>(std::floor(reach));
  for (int64_t i = -r; i <= r; ++i)
    for (int64_t j = -r; j <= r; ++j)
      for (int64_t k = -r; k <= r; ++k)
        if (double(i * i + j * j + k * k) <= reach * reach)
          ball.push_back({{i, j, k}, (i * grid.size[1] + j) * grid.size[2] + k});
  for (int64_t cell = 0, count = grid.count(); cell < count; ++cell) {
    if (!(mark[cell] & from)) continue;
    bool skin = false;
    grid.neighbours(cell, [&](int64_t n) { skin |= !(mark[n] & from); });
    if (!skin) continue;
    int64_t p[3];
    grid.place(cell, p);
    const bool deep = p[0] >= r && p[1] >= r && p[2] >= r && p[0] + r < grid.size[0] &&
                      p[1] + r < grid.size[1] && p[2] + r < grid.size[2];
    for (const Offset& o : ball) {
      if (!deep) {
        bool within = true;
        for (int d = 0; d < 3; ++d) within &= p[d] + o.d[d] >= 0 && p[d] + o.d[d] < grid.size[d];
        if (!within) continue;
      }
      const int64_t n = cell + o.step;
      if (!(mark[n] & bit) && passes(n)) mark[n] |= bit;
    }
  }
}

// inside (count): 1 where no ball comes. `reach`: radius in cells by which centres open the cells
// around them. A room for the ball L(j + 1) that L(j) does not enter from outside, but the ball
// itself does, is behind a hole: shut within wide[j - 1] cells of the centres of L(j) in it.
inline void wrap_cells(const WrapGrid& grid, const uint8_t* code, double reach,
                       const std::vector<double>& wide, bool cavities, uint8_t* inside) {
  enum : uint8_t { kReached = 1, kFar = 2, kRoom = 4, kShut = 8, kCentre = 16, kOpen = 32 };
  const int64_t count = grid.count();
  std::vector<uint8_t> marks(count, 0);
  uint8_t* mark = marks.data();
  std::vector<int64_t> stack;
  const auto from_border = [&](uint8_t bit, auto passes) {
    grid.border([&](int64_t cell) {
      if (!(mark[cell] & bit) && passes(cell)) {
        mark[cell] |= bit;
        stack.push_back(cell);
      }
    });
    wrap_flood(grid, stack, mark, bit, passes);
  };
  from_border(kReached, [&](int64_t n) { return code[n] >= kWrapFree; });
  for (size_t j = 0; j < wide.size(); ++j) {
    const uint8_t own = static_cast<uint8_t>(kWrapFree + 1 + j);
    for (int64_t n = 0; n < count; ++n) mark[n] &= static_cast<uint8_t>(~(kFar | kRoom));
    from_border(kFar, [&](int64_t n) { return code[n] >= own; });
    for (int64_t n = 0; n < count; ++n)
      if (code[n] > own && (mark[n] & (kReached | kFar)) == kReached) {
        mark[n] |= kRoom;
        stack.push_back(n);
      }
    wrap_flood(grid, stack, mark, kRoom, [&](int64_t n) { return code[n] >= own; });
    wrap_dilate(grid, mark, kRoom, kShut, wide[j],
                [&](int64_t n) { return code[n] > kWrapNear && !(mark[n] & kFar); });
    for (int64_t n = 0; n < count; ++n)
      if (mark[n] & kRoom) mark[n] |= kShut;
  }
  from_border(kCentre, [&](int64_t n) { return code[n] >= kWrapFree && !(mark[n] & kShut); });
  if (cavities)
    for (int64_t n = 0; n < count; ++n)
      if (code[n] >= kWrapFree && !(mark[n] & kReached)) mark[n] |= kCentre;
  wrap_dilate(grid, mark, kCentre, kOpen, reach,
              [&](int64_t n) { return code[n] > kWrapNear && !(mark[n] & kShut); });
  // what was opened must hang together with the centres that opened it
  for (int64_t n = 0; n < count; ++n)
    if (mark[n] & kCentre) {
      bool skin = false;
      grid.neighbours(n, [&](int64_t m) { skin |= (mark[m] & (kOpen | kCentre)) == kOpen; });
      if (skin) stack.push_back(n);
    }
  wrap_flood(grid, stack, mark, kCentre, [&](int64_t n) { return (mark[n] & kOpen) != 0; });
  for (int64_t n = 0; n < count; ++n) inside[n] = !(mark[n] & kCentre);
}

// For each way to fill the 8 cells around a corner (bit 4 i + 2 j + k): the bit of a cell to fill
// next, or -1 where the filled ones hang together by faces, and the empty ones, too. Then the
// boundary passes the corner in one sheet.
struct WrapMends {
  int8_t bit[256];

  static bool joined(int set) {
    if (set == 0) return true;
    int seen = set & -set, before = 0;
    while (seen != before) {
      before = seen;
      for (int b = 0; b < 8; ++b)
        if (seen >> b & 1) seen |= set & ((1 << (b ^ 1)) | (1 << (b ^ 2)) | (1 << (b ^ 4)));
    }
    return seen == set;
  }
  static bool good(int mask) { return joined(mask) && joined(255 & ~mask); }

  WrapMends() {
    for (int mask = 0; mask < 256; ++mask) {
      bit[mask] = -1;
      if (good(mask)) continue;
      int best = 9;  // fewest cells to fill in all
      for (int more = 1; more < 256; ++more) {
        if (more & mask || !good(mask | more)) continue;
        int bits = 0, lowest = -1;
        for (int b = 7; b >= 0; --b)
          if (more >> b & 1) ++bits, lowest = b;
        if (bits < best) best = bits, bit[mask] = static_cast<int8_t>(lowest);
      }
    }
  }
};

ML_HD int wrap_mask(const WrapGrid& grid, const uint8_t* inside, int64_t i, int64_t j, int64_t k) {
  int mask = 0;  // of the cells that end or begin at corner (i, j, k)
  for (int b = 0; b < 8; ++b) {
    const int64_t p = i - 1 + (b >> 2), q = j - 1 + (b >> 1 & 1), r = k - 1 + (b & 1);
    const bool within =
        p >= 0 && q >= 0 && r >= 0 && p < grid.size[0] && q < grid.size[1] && r < grid.size[2];
    if (within && inside[grid.at(p, q, r)]) mask |= 1 << b;
  }
  return mask;
}

// Fills cells until the boundary is a manifold. Cells of the outermost layer must be empty.
inline int64_t wrap_mend(const WrapGrid& grid, uint8_t* inside) {
  static const WrapMends mends;
  int64_t filled = 0;
  std::vector<int64_t> stack;
  const auto visit = [&](int64_t i, int64_t j, int64_t k) {
    const int mask = wrap_mask(grid, inside, i, j, k);
    const int b = mends.bit[mask];
    if (b < 0) return;
    const int64_t cell = grid.at(i - 1 + (b >> 2), j - 1 + (b >> 1 & 1), k - 1 + (b & 1));
    inside[cell] = 1;
    ++filled;
    stack.push_back(cell);
  };
  for (int64_t i = 1; i < grid.size[0]; ++i)
    for (int64_t j = 1; j < grid.size[1]; ++j)
      for (int64_t k = 1; k < grid.size[2]; ++k) {
        visit(i, j, k);
        while (!stack.empty()) {
          int64_t p[3];
          grid.place(stack.back(), p);
          stack.pop_back();
          for (int b = 0; b < 8; ++b) {
            const int64_t c[3] = {p[0] + (b >> 2), p[1] + (b >> 1 & 1), p[2] + (b & 1)};
            if (c[0] > 0 && c[1] > 0 && c[2] > 0 && c[0] < grid.size[0] && c[1] < grid.size[1] &&
                c[2] < grid.size[2])
              visit(c[0], c[1], c[2]);
          }
        }
      }
  return filled;
}

// The boundary of the inside cells: corners (V, 3) in cells, and squares (Q, 4) that turn
// counter-clockwise seen from outside. Both in the order of a scan.
struct WrapSurface {
  std::vector<int32_t> corner;
  std::vector<int64_t> square;
};

inline WrapSurface wrap_surface(const WrapGrid& grid, const uint8_t* inside) {
  WrapSurface out;
  const int64_t ny = grid.size[1] + 1, nz = grid.size[2] + 1;
  std::vector<int64_t> slices[2];
  slices[0].assign(ny * nz, -1);
  slices[1].assign(ny * nz, -1);
  int64_t count = 0;
  const auto in = [&](int64_t i, int64_t j, int64_t k) {
    return i >= 0 && j >= 0 && k >= 0 && i < grid.size[0] && j < grid.size[1] && k < grid.size[2] &&
           inside[grid.at(i, j, k)];
  };
  const auto square = [&](int64_t a, int64_t b, int64_t c, int64_t d, bool turned) {
    const int64_t q[4] = {a, turned ? d : b, c, turned ? b : d};
    out.square.insert(out.square.end(), q, q + 4);
  };
  for (int64_t i = 0; i <= grid.size[0]; ++i) {
    std::vector<int64_t>&own = slices[i & 1], &last = slices[(i & 1) ^ 1];
    for (int64_t j = 0; j < ny; ++j)
      for (int64_t k = 0; k < nz; ++k) {
        const int mask = wrap_mask(grid, inside, i, j, k);
        own[j * nz + k] = mask == 0 || mask == 255 ? -1 : count++;
        if (mask != 0 && mask != 255) {
          const int32_t p[3] = {int32_t(i), int32_t(j), int32_t(k)};
          out.corner.insert(out.corner.end(), p, p + 3);
        }
      }
    const auto now = [&](int64_t j, int64_t k) { return own[j * nz + k]; };
    const auto then = [&](int64_t j, int64_t k) { return last[j * nz + k]; };
    for (int64_t j = 0; j < ny; ++j)
      for (int64_t k = 0; k < nz; ++k) {
        // across x, between cells i - 1 and i: in the plane i
        const bool a = in(i - 1, j, k), b = in(i, j, k);
        if (a != b) square(now(j, k), now(j + 1, k), now(j + 1, k + 1), now(j, k + 1), b);
        if (i == 0) continue;
        // across y and z, of cells of the layer i - 1: from the plane i - 1 to i
        const bool c = in(i - 1, j - 1, k), d = in(i - 1, j, k - 1);
        if (c != a) square(then(j, k), then(j, k + 1), now(j, k + 1), now(j, k), a);
        if (d != a) square(then(j, k), now(j, k), now(j + 1, k), then(j + 1, k), a);
      }
  }
  return out;
}

}  // namespace meshlearn
