// Runs pieces of work on threads of the standard library, under the interface of common/exec_cpu.h.
#pragma once
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

namespace meshlearn {

class Threads {
 public:
  explicit Threads(int64_t count) : count_(count < 1 ? 1 : count) {}

  // Calls f(i) for i in [0, n). `grain`: fewest iterations worth a thread of their own. Which
  // thread runs which i is left open, so f writes to places of its own alone.
  template <class F>
  void for_each(int64_t n, int64_t grain, F f) const {
    if (n <= 0) return;
    grain = std::max<int64_t>(grain, 1);
    const int64_t workers = std::min(count_, (n + grain - 1) / grain);
    if (workers == 1) {
      for (int64_t i = 0; i < n; ++i) f(i);
      return;
    }
    std::atomic<int64_t> next{0};
    std::exception_ptr failure;
    std::mutex guard;
    const auto work = [&] {
      try {
        for (int64_t begin; (begin = next.fetch_add(grain)) < n;)
          for (int64_t i = begin, end = std::min(begin + grain, n); i < end; ++i) f(i);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(guard);
        if (!failure) failure = std::current_exception();
        next = n;
      }
    };
    std::vector<std::thread> pool;
    pool.reserve(workers - 1);
    try {
      for (int64_t k = 1; k < workers; ++k) pool.emplace_back(work);
    } catch (const std::system_error&) {  // no more threads to be had: those that there are do it
    }
    work();
    for (std::thread& thread : pool) thread.join();
    if (failure) std::rethrow_exception(failure);
  }

  // out[i] = in[0] + ... + in[i-1] for i in [0, n]; `out` has n + 1 entries. Returns out[n].
  template <class T>
  T exclusive_scan(const T* in, T* out, int64_t n) const {
    T sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      const T value = in[i];
      out[i] = sum;
      sum += value;
    }
    out[n] = sum;
    return sum;
  }

 private:
  int64_t count_;
};

}  // namespace meshlearn
