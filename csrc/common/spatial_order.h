// Orders items in space: for trees, and so that neighbouring threads ask for neighbouring things.
//
// The CPU splits at medians of the longest axis, which gives tight boxes; CUDA sorts Morton codes.
// What is asked of a tree does not depend on it.
#pragma once
#include <algorithm>
#include <cstring>
#include <utility>

#include "../kernels/morton.h"
#include "../kernels/tree.h"
#include "exec_cpu.h"
#ifdef __CUDACC__
#include <cub/device/device_radix_sort.cuh>

#include "exec_cuda.h"
#endif

namespace meshlearn {

template <class T>
struct PointCentre {
  const T* points;
  ML_HD Vec3<T> operator()(int64_t i) const { return load3(points, i); }
};

template <class T>
struct FaceCentre {
  const T* vertices;
  const int64_t* faces;
  ML_HD Vec3<T> operator()(int64_t i) const {
    const T third = T(1) / T(3);
    return load3(vertices, faces[3 * i]) * third + load3(vertices, faces[3 * i + 1]) * third +
           load3(vertices, faces[3 * i + 2]) * third;
  }
};

template <class T>
struct OrderKey {
  T at[3];
  int32_t id;
};

template <class T>
void split_median(OrderKey<T>* keys, const TreeShape& shape, int64_t first, int64_t last) {
  OrderKey<T>* begin = keys + leaf_begin(shape, first);
  OrderKey<T>* end = keys + leaf_begin(shape, last);
  if (end - begin < 2) return;
  T low[3], high[3];
  for (int a = 0; a < 3; ++a) low[a] = high[a] = begin->at[a];
  for (OrderKey<T>* key = begin; key != end; ++key)
    for (int a = 0; a < 3; ++a) {
      low[a] = key->at[a] < low[a] ? key->at[a] : low[a];
      high[a] = key->at[a] > high[a] ? key->at[a] : high[a];
    }
  int axis = 0;
  for (int a = 1; a < 3; ++a)
    if (high[a] - low[a] > high[axis] - low[axis]) axis = a;
  std::nth_element(begin, keys + leaf_begin(shape, (first + last) / 2), end,
                   [axis](const OrderKey<T>& a, const OrderKey<T>& b) {
                     return a.at[axis] < b.at[axis] || (a.at[axis] == b.at[axis] && a.id < b.id);
                   });
}

template <class T>
void split_all(OrderKey<T>* keys, const TreeShape& shape, int64_t first, int64_t last) {
  if (last - first < 2) return;
  split_median(keys, shape, first, last);
  split_all(keys, shape, first, (first + last) / 2);
  split_all(keys, shape, (first + last) / 2, last);
}

// order (n,) int32 of items at `centre(i)` for a tree of this shape.
template <class T, class Centre>
Tensor tree_order(const CpuExec& exec, const Tensor& like, const TreeShape& shape, Centre centre,
                  MortonFrame) {
  const int64_t n = shape.items;
  Tensor buffer = empty<uint8_t>(like, {n * static_cast<int64_t>(sizeof(OrderKey<T>))});
  OrderKey<T>* keys = reinterpret_cast<OrderKey<T>*>(buffer.mutable_data_ptr());
  exec.for_each(n, 8192, [=](int64_t i) {
    const Vec3<T> p = centre(i);
    keys[i] = OrderKey<T>{{p.x, p.y, p.z}, static_cast<int32_t>(i)};
  });
  int64_t parts = 1;
  const int64_t top = shape.used < 64 ? shape.used : 64;
  for (; parts < top && n > 2048; parts *= 2)
    exec.for_each(parts, 1, [=](int64_t part) {
      split_median(keys, shape, part * shape.used / parts, (part + 1) * shape.used / parts);
    });
  exec.for_each(parts, n > 2048 ? 1 : parts, [=](int64_t part) {
    split_all(keys, shape, part * shape.used / parts, (part + 1) * shape.used / parts);
  });
  Tensor order = empty<int32_t>(like, {n});
  int32_t* out = mut<int32_t>(order);
  exec.for_each(n, 8192, [=](int64_t i) { out[i] = keys[i].id; });
  return order;
}

// order (n,) int32 of points along the Morton curve of the box of `low` and cells per unit.
template <class T>
Tensor curve_order(const CpuExec& exec, const Tensor& points, MortonFrame frame) {
  const int64_t n = points.size(0);
  const T* p = ptr<T>(points);
  Tensor buffer = empty<int64_t>(points, {2 * n});
  uint64_t* from = reinterpret_cast<uint64_t*>(buffer.mutable_data_ptr());
  uint64_t* to = from + n;
  exec.for_each(n, 4096, [=](int64_t i) {  // 30 bits of code above 32 bits of index
    from[i] = (morton_code(frame, load3(p, i)) >> 33) << 32 | static_cast<uint64_t>(i);
  });
  for (int shift = 32; shift < 62; shift += 10) {
    int64_t count[1025] = {0};
    for (int64_t i = 0; i < n; ++i) ++count[((from[i] >> shift) & 1023) + 1];
    for (int k = 0; k < 1024; ++k) count[k + 1] += count[k];
    for (int64_t i = 0; i < n; ++i) to[count[(from[i] >> shift) & 1023]++] = from[i];
    std::swap(from, to);
  }
  Tensor order = empty<int32_t>(points, {n});
  int32_t* out = mut<int32_t>(order);
  for (int64_t i = 0; i < n; ++i) out[i] = static_cast<int32_t>(from[i]);
  return order;
}

#ifdef __CUDACC__
template <class T, class Centre>
struct MortonKeys {
  Centre centre;
  MortonFrame frame;
  uint64_t* key;
  int32_t* id;
  __host__ __device__ void operator()(int64_t i) const {
    key[i] = morton_code(frame, centre(i));
    id[i] = static_cast<int32_t>(i);
  }
};

template <class T, class Centre>
Tensor morton_sort(const CudaExec& exec, const Tensor& like, int64_t n, Centre centre,
                   MortonFrame frame) {
  Tensor keys = empty<int64_t>(like, {2, n}), id = empty<int32_t>(like, {n});
  Tensor order = empty<int32_t>(like, {n});
  uint64_t* from = reinterpret_cast<uint64_t*>(keys.mutable_data_ptr());
  exec.for_each(n, 1, MortonKeys<T, Centre>{centre, frame, from, mut<int32_t>(id)});
  size_t bytes = 0;
  ML_CUDA_CHECK(cub::DeviceRadixSort::SortPairs(nullptr, bytes, from, from + n, ptr<int32_t>(id),
                                                mut<int32_t>(order), n, 0, 63, exec.stream));
  Tensor temp = empty<uint8_t>(like, {static_cast<int64_t>(bytes)});
  ML_CUDA_CHECK(cub::DeviceRadixSort::SortPairs(temp.mutable_data_ptr(), bytes, from, from + n,
                                                ptr<int32_t>(id), mut<int32_t>(order), n, 0, 63,
                                                exec.stream));
  return order;
}

template <class T, class Centre>
Tensor tree_order(const CudaExec& exec, const Tensor& like, const TreeShape& shape, Centre centre,
                  MortonFrame frame) {
  return morton_sort<T>(exec, like, shape.items, centre, frame);
}
template <class T>
Tensor curve_order(const CudaExec& exec, const Tensor& points, MortonFrame frame) {
  return morton_sort<T>(exec, points, points.size(0), PointCentre<T>{ptr<T>(points)}, frame);
}
#endif

}  // namespace meshlearn
