// Nearest neighbours among points, in the order (distance, index).
#pragma once
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
