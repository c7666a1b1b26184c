// Sum of gathered rows by segment: one thread owns one output row, so the order of summation is
// fixed.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

template <class T>
struct GatherSum {
  const T* values;       // (M, D)
  const int64_t* start;  // (S + 1,)
  const int64_t* order;  // (K,) rows of values
  int64_t dim;
  T* out;  // (S, D)

  ML_HD void operator()(int64_t s) const {
    T* row = out + s * dim;
    for (int64_t d = 0; d < dim; ++d) row[d] = T(0);
    for (int64_t j = start[s]; j < start[s + 1]; ++j) {
      const T* value = values + order[j] * dim;
      for (int64_t d = 0; d < dim; ++d) row[d] += value[d];
    }
  }
};

}  // namespace meshlearn
