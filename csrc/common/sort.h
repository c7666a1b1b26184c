// Sorted sets of keys, on both machines.
#pragma once
#include <algorithm>

#include "exec_cpu.h"
#include "hd.h"
#ifdef __CUDACC__
#include <cub/device/device_radix_sort.cuh>

#include "exec_cuda.h"
#endif

namespace meshlearn {

constexpr int64_t kAnyKey = INT64_MAX;

// The keys (n,) int64 in [0, end], in ascending order.
inline Tensor sorted_keys(const CpuExec&, const Tensor& keys, int64_t = kAnyKey) {
  int64_t* key = mut<int64_t>(keys);
  std::sort(key, key + keys.numel());
  return keys;
}

#ifdef __CUDACC__
inline Tensor sorted_keys(const CudaExec& exec, const Tensor& keys, int64_t end = kAnyKey) {
  const int64_t n = keys.numel();
  int bits = 1;  // each pass of the sort takes a few bits: none for those that are 0 throughout
  while (bits < 63 && end >> bits != 0) ++bits;
  Tensor out = empty<int64_t>(keys, {n});
  if (n == 0) return out;
  size_t bytes = 0;
  ML_CUDA_CHECK(cub::DeviceRadixSort::SortKeys(nullptr, bytes, ptr<int64_t>(keys),
                                               mut<int64_t>(out), n, 0, bits, exec.stream));
  Tensor temp = empty<uint8_t>(keys, {static_cast<int64_t>(bytes)});
  ML_CUDA_CHECK(cub::DeviceRadixSort::SortKeys(temp.mutable_data_ptr(), bytes, ptr<int64_t>(keys),
                                               mut<int64_t>(out), n, 0, bits, exec.stream));
  return out;
}
#endif

struct FirstOfRun {
  const int64_t* key;
  int32_t* flag;
  ML_HD void operator()(int64_t i) const { flag[i] = i == 0 || key[i] != key[i - 1]; }
};
struct WriteRuns {
  const int64_t* key;
  const int32_t* place;
  int64_t* out;
  ML_HD void operator()(int64_t i) const {
    if (place[i + 1] != place[i]) out[place[i]] = key[i];
  }
};

// Each key once, in ascending order.
template <class Exec>
Tensor unique_keys(const Exec& exec, const Tensor& keys) {
  const int64_t n = keys.numel();
  const Tensor sorted = sorted_keys(exec, keys);
  Tensor flag = empty<int32_t>(keys, {n}), place = empty<int32_t>(keys, {n + 1});
  exec.for_each(n, 8192, FirstOfRun{ptr<int64_t>(sorted), mut<int32_t>(flag)});
  const int64_t count = exec.exclusive_scan(ptr<int32_t>(flag), mut<int32_t>(place), n);
  Tensor out = empty<int64_t>(keys, {count});
  exec.for_each(n, 8192, WriteRuns{ptr<int64_t>(sorted), ptr<int32_t>(place), mut<int64_t>(out)});
  return out;
}

}  // namespace meshlearn
