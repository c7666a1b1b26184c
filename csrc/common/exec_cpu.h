// The CPU side of the one interface a driver is written against (see exec_cuda.h for the other).
#pragma once
#include "tensor.h"

namespace meshlearn {

struct CpuExec {
  explicit CpuExec(const Tensor&) {}

  // Calls f(i) for i in [0, n). `grain`: fewest iterations worth a thread of their own.
  template <class F>
  void for_each(int64_t n, int64_t grain, F f) const {
    if (n <= 0) return;
    torch::stable::parallel_for(0, n, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) f(i);
    });
  }

  // out[i] = in[0] + ... + in[i-1] for i in [0, n]; `out` has n + 1 entries. Returns out[n].
  template <class T>
  T exclusive_scan(const T* in, T* out, int64_t n) const {
    T sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      T v = in[i];
      out[i] = sum;
      sum += v;
    }
    out[n] = sum;
    return sum;
  }

  template <class T>
  T read(const T* p) const {
    return *p;
  }
  void fill_zero(void* p, int64_t bytes) const { __builtin_memset(p, 0, bytes); }
};

}  // namespace meshlearn
