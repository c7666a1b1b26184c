// Weighted sums of rows, out[m] = sum over k of weight[m, k] values[rows[m, k]], and their
// gradients: one thread owns one output row, so the order of summation is fixed.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

template <class T>
struct MixRows {
  const T* values;      // (A, D)
  const int64_t* rows;  // (M, K), -1 for none
  const T* weight;      // (M, K)
  int64_t dim, taps;
  T* out;  // (M, D)

  ML_HD void operator()(int64_t m) const {
    T* sum = out + m * dim;
    for (int64_t d = 0; d < dim; ++d) sum[d] = T(0);
    for (int64_t j = m * taps; j < (m + 1) * taps; ++j) {
      if (rows[j] < 0) continue;
      const T* row = values + rows[j] * dim;
      const T share = weight[j];
      for (int64_t d = 0; d < dim; ++d) sum[d] += share * row[d];
    }
  }
};

template <class T>
struct MixRowsWeight {
  const T* values;
  const int64_t* rows;
  const T* grad;  // (M, D)
  int64_t dim, taps;
  T* out;  // (M, K)

  ML_HD void operator()(int64_t m) const {
    for (int64_t j = m * taps; j < (m + 1) * taps; ++j) {
      T sum = T(0);
      if (rows[j] >= 0)
        for (int64_t d = 0; d < dim; ++d) sum += grad[m * dim + d] * values[rows[j] * dim + d];
      out[j] = sum;
    }
  }
};

template <class T>
struct MixRowsValues {
  const T* grad;         // (M, D)
  const T* weight;       // (M, K)
  const int64_t* start;  // (A + 1,) into order
  const int64_t* order;  // entries of weight by row of values
  int64_t dim, taps;
  T* out;  // (A, D)

  ML_HD void operator()(int64_t a) const {
    T* sum = out + a * dim;
    for (int64_t d = 0; d < dim; ++d) sum[d] = T(0);
    for (int64_t j = start[a]; j < start[a + 1]; ++j) {
      const T* row = grad + order[j] / taps * dim;
      const T share = weight[order[j]];
      for (int64_t d = 0; d < dim; ++d) sum[d] += share * row[d];
    }
  }
};

}  // namespace meshlearn
