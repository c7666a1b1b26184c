// Sparse symmetric systems: an order that keeps fill low, and L D L^T of a matrix in that order.
//
// The order is nested dissection by position (George, Nested dissection of a regular finite element
// mesh, 1973): points are halved along the longest side of their box, those of one half that touch
// the other come behind both. Factors are computed row by row along the elimination tree (Liu, The
// role of elimination trees in sparse factorization, 1990), which takes the pattern of each row
// from those before it.

#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace meshlearn {

// Order of n points (n, 3) that are joined by the pattern (start, column) of a symmetric matrix.
class Dissection {
 public:
  Dissection(const double* point, const int64_t* start, const int64_t* column, int64_t n)
      : point_(point), start_(start), column_(column), side_(n, 0) {}

  void run(int64_t* order, int64_t n) {
    for (int64_t i = 0; i < n; ++i) order[i] = i;
    split(order, order + n);
  }

 private:
  static constexpr int64_t kLeaf = 24;  // points that are not divided further

  void split(int64_t* begin, int64_t* end) {
    while (end - begin > kLeaf) {
      int64_t* middle = halve(begin, end);
      // side 1: the lower half, 2: the upper one; what of the upper touches the lower divides them
      for (int64_t* p = begin; p < middle; ++p) side_[*p] = 1;
      for (int64_t* p = middle; p < end; ++p) side_[*p] = 2;
      int64_t* border = std::stable_partition(middle, end, [&](int64_t v) {
        for (int64_t k = start_[v]; k < start_[v + 1]; ++k) {
          if (side_[column_[k]] == 1) return false;
        }
        return true;
      });
      for (int64_t* p = begin; p < end; ++p) side_[*p] = 0;
      split(begin, middle);
      if (border == end) {  // two pieces that do not touch
        begin = middle;
        continue;
      }
      split(middle, border);
      return;
    }
  }

  int64_t* halve(int64_t* begin, int64_t* end) {
    double low[3], high[3];
    for (int k = 0; k < 3; ++k) low[k] = high[k] = point_[3 * *begin + k];
    for (int64_t* p = begin; p < end; ++p) {
      for (int k = 0; k < 3; ++k) {
        low[k] = std::min(low[k], point_[3 * *p + k]);
        high[k] = std::max(high[k], point_[3 * *p + k]);
      }
    }
    int axis = 0;
    for (int k = 1; k < 3; ++k) {
      if (high[k] - low[k] > high[axis] - low[axis]) axis = k;
    }
    int64_t* middle = begin + (end - begin) / 2;
    std::nth_element(begin, middle, end, [&](int64_t a, int64_t b) {
      const double x = point_[3 * a + axis], y = point_[3 * b + axis];
      return x < y || (x == y && a < b);
    });
    return middle;
  }

  const double* point_;
  const int64_t *start_, *column_;
  std::vector<char> side_;
};

// Pattern of L: parents in the elimination tree and the first entry of each column.
//
// Rows of the matrix are taken in `order`; `place` is its inverse. Returns the entries below the
// diagonal.
inline int64_t cholesky_pattern(const int64_t* start, const int64_t* column, const int64_t* order,
                                const int64_t* place, int64_t n, int32_t* parent, int64_t* first) {
  std::vector<int32_t> seen(n);
  std::vector<int64_t> count(n, 0);
  for (int64_t k = 0; k < n; ++k) {
    parent[k] = -1;
    seen[k] = static_cast<int32_t>(k);
    const int64_t v = order[k];
    for (int64_t p = start[v]; p < start[v + 1]; ++p) {
      int64_t i = place[column[p]];
      for (; i < k && seen[i] != k; i = parent[i]) {
        if (parent[i] < 0) parent[i] = static_cast<int32_t>(k);
        ++count[i];
        seen[i] = static_cast<int32_t>(k);
      }
    }
  }
  first[0] = 0;
  for (int64_t k = 0; k < n; ++k) first[k + 1] = first[k] + count[k];
  return first[n];
}

// L (below its diagonal of ones, by columns: first, row, value) and D of a matrix. Returns -1, or
// the row at which the matrix is found not to be positive.
inline int64_t cholesky_values(const int64_t* start, const int64_t* column, const double* given,
                               const int64_t* order, const int64_t* place, int64_t n,
                               const int32_t* parent, const int64_t* first, int32_t* row,
                               double* value, double* diagonal) {
  std::vector<double> y(n, 0.0);
  std::vector<int32_t> seen(n), pattern(n), stack(n);
  std::vector<int64_t> filled(first, first + n);
  for (int64_t k = 0; k < n; ++k) {
    int64_t top = n;  // the pattern of row k is pattern[top .. n), each before its parent
    seen[k] = static_cast<int32_t>(k);
    double d = 0;
    const int64_t v = order[k];
    for (int64_t p = start[v]; p < start[v + 1]; ++p) {
      int64_t i = place[column[p]];
      if (i > k) continue;
      if (i == k) {
        d += given[p];
        continue;
      }
      y[i] += given[p];
      int64_t depth = 0;
      for (; seen[i] != k; i = parent[i]) {
        stack[depth++] = static_cast<int32_t>(i);
        seen[i] = static_cast<int32_t>(k);
      }
      while (depth > 0) pattern[--top] = stack[--depth];
    }
    for (; top < n; ++top) {
      const int64_t i = pattern[top];
      const double yi = y[i];
      y[i] = 0;
      const int64_t end = filled[i];
      for (int64_t p = first[i]; p < end; ++p) y[row[p]] -= value[p] * yi;
      const double l = yi / diagonal[i];
      d -= l * yi;
      row[end] = static_cast<int32_t>(k);
      value[end] = l;
      filled[i] = end + 1;
    }
    if (!(d > 0)) return k;
    diagonal[k] = d;
  }
  return -1;
}

// x = A^-1 b for one column of n values, b and x in the matrix's own order with a stride.
inline void cholesky_solve_column(const int64_t* order, int64_t n, const int64_t* first,
                                  const int32_t* row, const double* value, const double* diagonal,
                                  const double* b, double* x, int64_t stride, double* y) {
  for (int64_t k = 0; k < n; ++k) y[k] = b[order[k] * stride];
  for (int64_t k = 0; k < n; ++k) {
    const double yk = y[k];
    for (int64_t p = first[k]; p < first[k + 1]; ++p) y[row[p]] -= value[p] * yk;
  }
  for (int64_t k = n - 1; k >= 0; --k) {
    double sum = y[k] / diagonal[k];
    for (int64_t p = first[k]; p < first[k + 1]; ++p) sum -= value[p] * y[row[p]];
    y[k] = sum;
  }
  for (int64_t k = 0; k < n; ++k) x[order[k] * stride] = y[k];
}

}  // namespace meshlearn
