// Nearest neighbours among points, in the order (distance, index).
#pragma once
#include <algorithm>
#include <cstring>

#include "tree.h"

namespace meshlearn {

// Squared distance from p to points of a leaf, side by side.
template <class T>
ML_PACK Pack<T> point_distance(const T* leaf, const PackVec3<T>& p) {
  const PackVec3<T> d = load_pack3(leaf, kPointLanes) - p;
  return pack_dot<T>(d, d);
}

template <class T>
struct NearestVisit {
  const TreeView<T>& tree;
  Vec3<T> p;
  T best;
  int32_t index;
  int64_t where;

  ML_HD bool skip(T distance, int32_t least) const {
    return distance > best || (distance == best && least >= index);
  }
  ML_HD void leaf(int64_t l) {
    const PackVec3<T> at = pack_of3(p);
    const T* rows = tree.leaf + l * kPointRows * kPointLanes;
    const int32_t* ids = tree.id + l * kPointLanes;
    for (int first = 0; first < kPointLanes; first += PackOf<T>::width) {
      const Pack<T> distance = point_distance(rows + first, at);
      for (int k = 0; k < PackOf<T>::width; ++k) {
        const T d = lane(distance, k);
        if (d > best) continue;
        const int32_t id = ids[first + k];
        if (id < 0 || (d == best && id > index)) continue;
        best = d;
        index = id;
        where = l;
      }
    }
  }
};

// The k nearest as a heap, the worst on top, in the output row itself.
template <class T>
struct HeapVisit {
  const TreeView<T>& tree;
  Vec3<T> p;
  int64_t k, count;
  T* distance;
  int64_t* index;

  ML_HD bool worse(int64_t a, int64_t b) const {
    return distance[a] > distance[b] || (distance[a] == distance[b] && index[a] > index[b]);
  }
  ML_HD void swap(int64_t a, int64_t b) {
    const T d = distance[a];
    distance[a] = distance[b];
    distance[b] = d;
    const int64_t i = index[a];
    index[a] = index[b];
    index[b] = i;
  }
  ML_HD void sink(int64_t a, int64_t size) {
    for (;;) {
      int64_t child = 2 * a + 1;
      if (child >= size) return;
      if (child + 1 < size && worse(child + 1, child)) ++child;
      if (!worse(child, a)) return;
      swap(a, child);
      a = child;
    }
  }
  ML_HD void push(T d, int64_t id) {
    if (count < k) {
      int64_t a = count++;
      distance[a] = d;
      index[a] = id;
      while (a > 0 && worse(a, (a - 1) / 2)) {
        swap(a, (a - 1) / 2);
        a = (a - 1) / 2;
      }
    } else {
      distance[0] = d;
      index[0] = id;
      sink(0, k);
    }
  }
  ML_HD void sort() {
    for (int64_t size = count - 1; size > 0; --size) {
      swap(0, size);
      sink(0, size);
    }
  }
  ML_HD bool skip(T d, int32_t least) const {
    if (least == 0x7fffffff) return true;
    return count == k && (d > distance[0] || (d == distance[0] && least >= index[0]));
  }
  ML_HD void leaf(int64_t l) {
    const PackVec3<T> at = pack_of3(p);
    const T* rows = tree.leaf + l * kPointRows * kPointLanes;
    const int32_t* ids = tree.id + l * kPointLanes;
    for (int first = 0; first < kPointLanes; first += PackOf<T>::width) {
      const Pack<T> distance_here = point_distance(rows + first, at);
      for (int lane_at = 0; lane_at < PackOf<T>::width; ++lane_at) {
        const T d = lane(distance_here, lane_at);
        const int32_t id = ids[first + lane_at];
        if (id < 0) continue;
        if (count < k || d < distance[0] || (d == distance[0] && id < index[0])) push(d, id);
      }
    }
  }
};

#if !defined(__CUDACC__)

// A distance and an index as one, in the order (distance, index).
template <class T>
struct NearKey {
  T d = T(0);
  int32_t id = 0;

  bool operator<(const NearKey& o) const { return d < o.d || (d == o.d && id < o.id); }
  static NearKey of(T d, int32_t id) { return {d, id}; }
  T distance() const { return d; }
  int32_t index() const { return id; }
};
template <>
struct NearKey<float> {
  uint64_t bits;  // those of a number that is not negative order as it does

  bool operator<(const NearKey& o) const { return bits < o.bits; }
  static NearKey of(float d, int32_t id) {
    uint32_t high;
    std::memcpy(&high, &d, sizeof(high));
    return {static_cast<uint64_t>(high) << 32 | static_cast<uint32_t>(id)};
  }
  float distance() const {
    const uint32_t high = static_cast<uint32_t>(bits >> 32);
    float d;
    std::memcpy(&d, &high, sizeof(d));
    return d;
  }
  int32_t index() const { return static_cast<int32_t>(bits & 0xffffffffu); }
};

constexpr int kNearBuffer = 1024;  // of candidates
constexpr int kNearMost = 256;     // neighbours up to which there is one
constexpr int kNearLeast = 20;     // and from which on
constexpr int kNearSteps = 16;     // of the search for the distance of the last one

// Candidates for the k nearest in a buffer, cut to them whenever it is full: quicker than a heap
// where memory is at hand. `worst` is never below the distance of the k-th.
template <class T>
struct NearBuffer {
  T distance[kNearBuffer + PackOf<T>::width];
  int32_t index[kNearBuffer + PackOf<T>::width];
  int count = 0;
  T worst = infinity<T>();
  int32_t worst_id = 0x7fffffff;

  void clear(T bound) {
    count = 0;
    worst = bound;
    worst_id = 0x7fffffff;
  }
  int within(T limit) const {  // how many are no farther
    using P = Pack<T>;
    constexpr int W = PackOf<T>::width;
    const P at = pack_of(limit);
    P sum{};
    int found = 0, j = 0;
    for (; j + W <= count; j += W)
      sum += pack_select(at - load_pack(distance + j), pack_of(T(1)), pack_of(T(0)));
    for (int k = 0; k < W; ++k) found += static_cast<int>(lane(sum, k));
    for (; j < count; ++j) found += distance[j] <= limit;
    return found;
  }
  // Keeps the k nearest, in their order. Distances of points of a surface, squared, are spread
  // evenly, so that a straight line tells where the k-th is; else they are sorted.
  void cut(int k) {
    if (count <= k) return;
    T low = T(0), high = worst;
    int below = 0, above = count;
    for (int step = 0; step < kNearSteps && high < infinity<T>(); ++step) {
      const T share = (static_cast<T>(k - below) - T(0.5)) / static_cast<T>(above - below);
      const T at = low + (high - low) * (step % 4 == 3 ? T(0.5) : share);
      const int found = within(at);
      if (found == k) {
        keep(at, 0x7fffffff);
        return;
      }
      (found < k ? low : high) = at;
      (found < k ? below : above) = found;
    }
    NearKey<T> keys[kNearBuffer];
    for (int j = 0; j < count; ++j) keys[j] = NearKey<T>::of(distance[j], index[j]);
    std::nth_element(keys, keys + k - 1, keys + count);
    keep(keys[k - 1].distance(), keys[k - 1].index());
  }
  void keep(T limit, int32_t last) {
    int kept = 0;
    for (int j = 0; j < count; ++j) {
      const T d = distance[j];
      const int32_t id = index[j];
      distance[kept] = d;
      index[kept] = id;
      kept += (d < limit) | ((d == limit) & (id <= last));
    }
    count = kept;
    worst = limit;
    worst_id = last;
  }
  // By (distance, index): into as many buckets as there are, of even width, then by insertion.
  void sort() {
    constexpr int kCrowded = 16;
    NearKey<T> keys[kNearMost];
    int first[kNearMost + 1] = {0}, most = 0;
    const T scale = static_cast<T>(count) / (worst + tiny<T>());
    const auto bucket = [&](T d) {
      return d * scale < static_cast<T>(count) ? static_cast<int>(d * scale) : count - 1;
    };
    const bool small = count <= kCrowded || !(scale < infinity<T>());
    if (small) {
      for (int j = 0; j < count; ++j) keys[j] = NearKey<T>::of(distance[j], index[j]);
      most = count;
    } else {
      for (int j = 0; j < count; ++j) ++first[bucket(distance[j]) + 1];
      for (int b = 0; b < count; ++b) {
        if (first[b + 1] > most) most = first[b + 1];
        first[b + 1] += first[b];
      }
      for (int j = 0; j < count; ++j)
        keys[first[bucket(distance[j])]++] = NearKey<T>::of(distance[j], index[j]);
    }
    if (most > kCrowded) {
      std::sort(keys, keys + count);
    } else {
      for (int j = 1; j < count; ++j) {
        const NearKey<T> key = keys[j];
        int at = j;
        for (; at > 0 && key < keys[at - 1]; --at) keys[at] = keys[at - 1];
        keys[at] = key;
      }
    }
    for (int j = 0; j < count; ++j) {
      distance[j] = keys[j].distance();
      index[j] = keys[j].index();
    }
  }
};

template <class T>
struct BufferVisit {
  const TreeView<T>& tree;
  Vec3<T> p;
  int k;
  NearBuffer<T>& found;

  bool skip(T d, int32_t least) const {
    return d > found.worst || (d == found.worst && least > found.worst_id) || least == 0x7fffffff;
  }
  void leaf(int64_t l) {
    constexpr int W = PackOf<T>::width;
    if (found.count > kNearBuffer - kPointLanes) found.cut(k);
    const PackVec3<T> at = pack_of3(p);
    const T* rows = tree.leaf + l * kPointRows * kPointLanes;
    const int32_t* ids = tree.id + l * kPointLanes;
    for (int first = 0; first < kPointLanes; first += W) {
      const Pack<T> distance = point_distance(rows + first, at);
      if (!pack_any(distance <= found.worst)) continue;
      for (int m = 0; m < W; ++m) {
        const T d = lane(distance, m);
        const int32_t id = ids[first + m];
        found.distance[found.count] = d;
        found.index[found.count] = id;
        found.count += (d <= found.worst) & (id >= 0);
      }
    }
  }
};

// As `KnnQuery`, by buffers; k at most kNearMost; not `sorted`: in the order of the tree. The k-th
// neighbour of a point is no farther than that of the one before and the way between the two.
template <class T>
struct KnnBufferQuery {
  TreeView<T> tree;
  const T* points;       // (P, 3)
  const int32_t* order;  // (P,)
  int64_t num_points, block, k;
  bool sorted;
  T scale;
  T* squared;      // (P, k)
  int64_t* index;  // (P, k)

  void operator()(int64_t group) const {
    const T back = T(1) / (scale * scale);
    NearBuffer<T> found;
    Vec3<T> before{};
    T reach = infinity<T>();
    const int64_t end = (group + 1) * block < num_points ? (group + 1) * block : num_points;
    for (int64_t j = group * block; j < end; ++j) {
      const int64_t i = order[j];
      const Vec3<T> p = load3(points, i) * scale;
      if (reach < infinity<T>()) {
        const T far = std::sqrt(reach) + std::sqrt(norm2(p - before));
        reach = far * far * (T(1) + T(64) * epsilon<T>()) + tiny<T>();
      }
      found.clear(reach);
      BufferVisit<T> visit{tree, p, static_cast<int>(k), found};
      nearest_first(tree, p, visit);
      if (found.count < k) {  // only where distances overflow
        found.clear(infinity<T>());
        nearest_first(tree, p, visit);
      }
      found.cut(static_cast<int>(k));
      if (sorted) found.sort();
      for (int64_t m = 0; m < k; ++m) {
        const bool there = m < found.count;
        squared[i * k + m] = there ? found.distance[m] * back : infinity<T>();
        index[i * k + m] = there ? found.index[m] : 0;
      }
      reach = found.worst;
      before = p;
    }
  }
};

#endif

template <class T>
struct KnnQuery {
  TreeView<T> tree;
  const T* points;       // (P, 3)
  const int32_t* order;  // (P,)
  int64_t num_points, block, k;
  T scale;
  T* squared;      // (P, k)
  int64_t* index;  // (P, k)

  ML_HD void operator()(int64_t group) const {
    const T back = T(1) / (scale * scale);
    int64_t warm = -1;
    const int64_t end = (group + 1) * block < num_points ? (group + 1) * block : num_points;
    for (int64_t j = group * block; j < end; ++j) {
      const int64_t i = order[j];
      const Vec3<T> p = load3(points, i) * scale;
      if (k == 1) {
        NearestVisit<T> visit{tree, p, infinity<T>(), 0x7fffffff, -1};
        if (warm >= 0) visit.leaf(warm);
        nearest_first(tree, p, visit);
        warm = visit.where;
        squared[i] = visit.best * back;
        index[i] = visit.where < 0 ? 0 : visit.index;  // not found only where distances overflow
      } else {
        HeapVisit<T> visit{tree, p, k, 0, squared + i * k, index + i * k};
        nearest_first(tree, p, visit);
        visit.sort();
        for (int64_t m = 0; m < k; ++m) squared[i * k + m] *= back;
      }
    }
  }
};

}  // namespace meshlearn
