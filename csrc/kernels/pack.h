// Numbers in lockstep: a vector register on the CPU, a single number on CUDA.
#pragma once
#include <cstring>

#include "hd_limits.h"
#if defined(__SSE2__) && !defined(__CUDACC__)
#include <emmintrin.h>
#endif

namespace meshlearn {

#if defined(__GNUC__) && !defined(__CUDACC__)
#define ML_PACK inline __attribute__((always_inline))

template <class T>
struct PackOf {
  static constexpr int width = 16 / sizeof(T);  // what every x86-64 and arm64 has
  typedef T type __attribute__((vector_size(16)));
};
template <class T>
using Pack = typename PackOf<T>::type;

template <class T>
ML_PACK Pack<T> load_pack(const T* p) {
  Pack<T> v;
  __builtin_memcpy(&v, p, sizeof(v));
  return v;
}
template <class T>
ML_PACK Pack<T> pack_of(T a) {
  return Pack<T>{} + a;
}
template <class P>
ML_PACK P pack_larger(P a, P b) {
  return a > b ? a : b;
}
template <class P>
ML_PACK P pack_smaller(P a, P b) {
  return a < b ? a : b;
}
template <class P>  // a where c >= 0, else b
ML_PACK P pack_select(P c, P a, P b) {
  return c >= P{} ? a : b;
}
// Floats times 2^n, where `lifted` is 1.5 * 2^23 + n
ML_PACK Pack<float> pack_times_power(Pack<float> a, Pack<float> lifted) {
  typedef uint32_t Bits __attribute__((vector_size(16)));
  Bits n, out;
  __builtin_memcpy(&n, &lifted, sizeof(n));
  __builtin_memcpy(&out, &a, sizeof(out));
  out += n << 23;
  __builtin_memcpy(&a, &out, sizeof(a));
  return a;
}
template <class M>  // whether a comparison holds anywhere
ML_PACK bool pack_any(const M& mask) {
  int64_t part[sizeof(M) / 8];
  __builtin_memcpy(part, &mask, sizeof(part));
  int64_t any = 0;
  for (int64_t p : part) any |= p;
  return any != 0;
}
#if defined(__SSE2__)
ML_PACK Pack<float> pack_sqrt(Pack<float> a) { return (Pack<float>)_mm_sqrt_ps((__m128)a); }
ML_PACK Pack<double> pack_sqrt(Pack<double> a) { return (Pack<double>)_mm_sqrt_pd((__m128d)a); }
#endif
template <class P>
ML_PACK P pack_sqrt(P a) {
  for (unsigned k = 0; k < sizeof(P) / sizeof(a[0]); ++k) a[k] = std::sqrt(a[k]);
  return a;
}
template <class P>
ML_PACK auto lane(const P& a, int k) {
  return a[k];
}

#else

#define ML_PACK ML_HD

template <class T>
struct PackOf {
  static constexpr int width = 1;
};
template <class T>
using Pack = T;

template <class T>
ML_PACK T load_pack(const T* p) {
  return *p;
}
template <class T>
ML_PACK T pack_of(T a) {
  return a;
}
template <class T>
ML_PACK T pack_larger(T a, T b) {
  return larger(a, b);
}
template <class T>
ML_PACK T pack_smaller(T a, T b) {
  return smaller(a, b);
}
template <class T>
ML_PACK T pack_select(T c, T a, T b) {
  return c >= T(0) ? a : b;
}
ML_PACK float pack_times_power(float a, float lifted) {
  uint32_t n, out;
  memcpy(&n, &lifted, sizeof(n));
  memcpy(&out, &a, sizeof(out));
  out += n << 23;
  memcpy(&a, &out, sizeof(a));
  return a;
}
ML_PACK bool pack_any(bool mask) { return mask; }
template <class T>
ML_PACK T pack_sqrt(T a) {
  return std::sqrt(a);
}
template <class T>
ML_PACK T lane(T a, int) {
  return a;
}

#endif

template <class T>
struct PackVec3 {
  Pack<T> x, y, z;
};
template <class T>
ML_PACK PackVec3<T> operator-(const PackVec3<T>& a, const PackVec3<T>& b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
template <class T>
ML_PACK Pack<T> pack_dot(const PackVec3<T>& a, const PackVec3<T>& b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
template <class T>
ML_PACK PackVec3<T> pack_cross(const PackVec3<T>& a, const PackVec3<T>& b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
template <class T>  // rows of x, y and z, `stride` apart
ML_PACK PackVec3<T> load_pack3(const T* p, int stride) {
  return {load_pack(p), load_pack(p + stride), load_pack(p + 2 * stride)};
}
template <class T>
ML_PACK PackVec3<T> pack_of3(Vec3<T> p) {
  return {pack_of(p.x), pack_of(p.y), pack_of(p.z)};
}

}  // namespace meshlearn
