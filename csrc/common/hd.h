// Marks a function as callable on host and device. Kernels include only this: no torch.
#pragma once
#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define ML_HD __host__ __device__ inline
#else
#define ML_HD inline
#endif
// A long function off the usual path: one copy of it, or nvcc takes minutes over its callers.
#if defined(__CUDACC__)
#define ML_HD_COLD __host__ __device__ __noinline__ inline
#elif defined(_MSC_VER)
#define ML_HD_COLD __declspec(noinline) inline
#else
#define ML_HD_COLD __attribute__((noinline)) inline
#endif

// Asks for memory that will be read (or written) a few elements later, where the processor can.
#if defined(__CUDA_ARCH__) || defined(_MSC_VER)
#define ML_PREFETCH(address)
#define ML_PREFETCH_WRITE(address)
#else
#define ML_PREFETCH(address) __builtin_prefetch(address, 0)
#define ML_PREFETCH_WRITE(address) __builtin_prefetch(address, 1)
#endif

namespace meshlearn {

template <class T>
struct Vec3 {
  T x, y, z;
};

template <class T>
ML_HD Vec3<T> make_vec3(T x, T y, T z) {
  return Vec3<T>{x, y, z};
}
template <class T>
ML_HD Vec3<T> load3(const T* p, int64_t row) {
  return Vec3<T>{p[3 * row], p[3 * row + 1], p[3 * row + 2]};
}
template <class T>
ML_HD void store3(T* p, int64_t row, Vec3<T> v) {
  p[3 * row] = v.x;
  p[3 * row + 1] = v.y;
  p[3 * row + 2] = v.z;
}
template <class T>
ML_HD Vec3<T> operator+(Vec3<T> a, Vec3<T> b) {
  return {a.x + b.x, a.y + b.y, a.z + b.z};
}
template <class T>
ML_HD Vec3<T> operator-(Vec3<T> a, Vec3<T> b) {
  return {a.x - b.x, a.y - b.y, a.z - b.z};
}
template <class T>
ML_HD Vec3<T> operator*(Vec3<T> a, T s) {
  return {a.x * s, a.y * s, a.z * s};
}
template <class T>
ML_HD Vec3<T> operator*(T s, Vec3<T> a) {
  return a * s;
}
template <class T>
ML_HD T dot(Vec3<T> a, Vec3<T> b) {
  return a.x * b.x + a.y * b.y + a.z * b.z;
}
template <class T>
ML_HD Vec3<T> cross(Vec3<T> a, Vec3<T> b) {
  return {a.y * b.z - a.z * b.y, a.z * b.x - a.x * b.z, a.x * b.y - a.y * b.x};
}
template <class T>
ML_HD T norm2(Vec3<T> a) {
  return dot(a, a);
}

// Product rounded on its own: never contracted into a fused multiply-add.
ML_HD double product(double a, double b) {
#if defined(__CUDA_ARCH__)
  return __dmul_rn(a, b);
#else
  return a * b;
#endif
}

}  // namespace meshlearn
