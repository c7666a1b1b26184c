// Values between points and the nodes of a regular grid, by trilinear weights: out to the nodes
// (splat), back at the points (gather), and the gradient of both with respect to the points.
//
// A point at `at` (in cells, node (i, j, k) at those numbers) lies in the cell of the node below
// it, kept within the grid. A splat is summed by rows of nodes along z: one thread owns a row and
// takes the points of the four rows of cells around it in their order, so sums have one order.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

struct SplatGrid {
  int64_t nx, ny, nz;

  ML_HD int64_t nodes() const { return nx * ny * nz; }
  ML_HD int64_t node(int64_t x, int64_t y, int64_t z) const { return (x * ny + y) * nz + z; }
};

// The cell below a coordinate, of a grid with n nodes along it.
template <class T>
ML_HD int64_t cell_below(T at, int64_t n) {
  if (!(at > T(0))) return 0;
  const int64_t cell = at < static_cast<T>(n) ? static_cast<int64_t>(at) : n - 2;
  return cell > n - 2 ? n - 2 : cell;
}

template <class T>
struct SplatRow {
  SplatGrid grid;
  const T* at;           // (P, 3)
  const T* values;       // (P, D)
  const int64_t* start;  // ((nx - 1) * (ny - 1) + 1,) into order, by row of cells
  const int64_t* order;  // (P,) points by row of cells
  int64_t dim;
  T* out;  // (D, nx, ny, nz), zero

  ML_HD void operator()(int64_t row) const {
    const int64_t x = row / grid.ny, y = row % grid.ny;
    for (int64_t cx = x - 1; cx <= x; ++cx) {
      if (cx < 0 || cx > grid.nx - 2) continue;
      for (int64_t cy = y - 1; cy <= y; ++cy) {
        if (cy < 0 || cy > grid.ny - 2) continue;
        const int64_t cells = cx * (grid.ny - 1) + cy;
        for (int64_t j = start[cells]; j < start[cells + 1]; ++j) {
          const int64_t p = order[j];
          const T fx = at[3 * p] - static_cast<T>(cx), fy = at[3 * p + 1] - static_cast<T>(cy);
          const T share = (cx == x ? T(1) - fx : fx) * (cy == y ? T(1) - fy : fy);
          const int64_t z = cell_below(at[3 * p + 2], grid.nz);
          const T fz = at[3 * p + 2] - static_cast<T>(z);
          T* node = out + grid.node(x, y, z);
          for (int64_t d = 0; d < dim; ++d) {
            const T value = share * values[p * dim + d];
            node[d * grid.nodes()] += value * (T(1) - fz);
            node[d * grid.nodes() + 1] += value * fz;
          }
        }
      }
    }
  }
};

template <class T>
struct GatherPoint {
  SplatGrid grid;
  const T* at;
  const T* field;  // (D, nx, ny, nz)
  int64_t dim;
  T* out;  // (P, D)

  ML_HD void operator()(int64_t p) const {
    const int64_t x = cell_below(at[3 * p], grid.nx), y = cell_below(at[3 * p + 1], grid.ny);
    const int64_t z = cell_below(at[3 * p + 2], grid.nz);
    const T fx = at[3 * p] - static_cast<T>(x), fy = at[3 * p + 1] - static_cast<T>(y);
    const T fz = at[3 * p + 2] - static_cast<T>(z);
    for (int64_t d = 0; d < dim; ++d) {
      T sum = T(0);
      for (int c = 0; c < 4; ++c) {
        const int64_t dx = c & 1, dy = c >> 1;
        const T* node = field + d * grid.nodes() + grid.node(x + dx, y + dy, z);
        const T share = (dx ? fx : T(1) - fx) * (dy ? fy : T(1) - fy);
        sum += share * (node[0] * (T(1) - fz) + node[1] * fz);
      }
      out[p * dim + d] = sum;
    }
  }
};

// Gradient of sum_d weight[p, d] * gathered[p, d] with respect to the point, in cells.
template <class T>
struct GatherSlope {
  SplatGrid grid;
  const T* at;
  const T* field;
  const T* weight;  // (P, D)
  int64_t dim;
  T* out;  // (P, 3)

  ML_HD void operator()(int64_t p) const {
    const int64_t x = cell_below(at[3 * p], grid.nx), y = cell_below(at[3 * p + 1], grid.ny);
    const int64_t z = cell_below(at[3 * p + 2], grid.nz);
    const T fx = at[3 * p] - static_cast<T>(x), fy = at[3 * p + 1] - static_cast<T>(y);
    const T fz = at[3 * p + 2] - static_cast<T>(z);
    T slope[3] = {T(0), T(0), T(0)};
    for (int64_t d = 0; d < dim; ++d) {
      const T scale = weight[p * dim + d];
      for (int c = 0; c < 4; ++c) {
        const int64_t dx = c & 1, dy = c >> 1;
        const T* node = field + d * grid.nodes() + grid.node(x + dx, y + dy, z);
        const T along = scale * (node[0] * (T(1) - fz) + node[1] * fz);
        const T wx = dx ? fx : T(1) - fx, wy = dy ? fy : T(1) - fy;
        slope[0] += (dx ? along : -along) * wy;
        slope[1] += (dy ? along : -along) * wx;
        slope[2] += scale * (node[1] - node[0]) * wx * wy;
      }
    }
    for (int k = 0; k < 3; ++k) out[3 * p + k] = slope[k];
  }
};

}  // namespace meshlearn
