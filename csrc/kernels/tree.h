// A balanced tree of boxes, four children a node, over items (points or triangles) in a given
// order.
//
// Node i has children 4i + 1 .. 4i + 4; those from `inner` on are leaves, of which the first `used`
// hold items: leaf l holds the items [l n / used, (l + 1) n / used) of the order. A node keeps the
// boxes of its children, low[axis][child] then high[axis][child], so that four are tested at once,
// and the least item index below each child, by which ties are cut short. A box without items has
// low = inf, high = -inf. A leaf keeps its items by lanes: row[r][lane].
#pragma once
#include "pack.h"

namespace meshlearn {

constexpr int kTriangleRows = 9, kTriangleLanes = 4;
constexpr int kPointRows = 3, kPointLanes = 8;
constexpr int kTreeStack = 64;  // three siblings a level, 16 levels: enough for 2^31 items

struct TreeShape {
  int64_t items, used, inner;
};

ML_HD TreeShape tree_shape(int64_t items, int lanes) {
  TreeShape s{items, 2, 1};
  int64_t width = 4;
  while (s.used * lanes < items) {
    s.used *= 2;
    if (s.used > width) {
      s.inner += width;
      width *= 4;
    }
  }
  return s;
}

ML_HD int64_t leaf_begin(const TreeShape& s, int64_t leaf) { return leaf * s.items / s.used; }

template <class T>
struct TreeView {
  const T* node;         // (inner, 24)
  const int32_t* least;  // (inner, 4)
  const T* leaf;         // (used, rows, lanes)
  const int32_t* id;     // (used, lanes), -1 where a lane is empty
  int64_t inner;
};

// Copies one leaf's items to its lanes; empty lanes repeat the first one.
template <class T, int Rows, int Lanes>
struct TreeLeaf {
  const T* vertices;
  const int64_t* faces;  // null for points
  const int32_t* order;
  TreeShape shape;
  T scale;
  T* leaf;
  int32_t* id;

  ML_HD void operator()(int64_t l) const {
    const int64_t begin = leaf_begin(shape, l), count = leaf_begin(shape, l + 1) - begin;
    T* out = leaf + l * Rows * Lanes;
    for (int lane = 0; lane < Lanes; ++lane) {
      id[l * Lanes + lane] = lane < count ? order[begin + lane] : -1;
      if (count == 0) {
        for (int r = 0; r < Rows; ++r) out[r * Lanes + lane] = T(0);
        continue;
      }
      const int64_t item = order[lane < count ? begin + lane : begin];
      for (int r = 0; r < Rows; ++r) {
        const int64_t vertex = faces != nullptr ? faces[3 * item + r / 3] : item;
        out[r * Lanes + lane] = vertices[3 * vertex + r % 3] * scale;
      }
    }
  }
};

// Boxes of the children of node first + i; levels are built from the bottom up.
template <class T, int Rows, int Lanes>
struct TreeNode {
  TreeShape shape;
  int64_t first;
  T inflate;
  const T* leaf;
  const int32_t* id;
  T* node;
  int32_t* least;

  ML_HD void operator()(int64_t i) const {
    i += first;
    for (int c = 0; c < 4; ++c) {
      const int64_t child = 4 * i + 1 + c;
      T low[3], high[3];
      for (int a = 0; a < 3; ++a) {
        low[a] = infinity<T>();
        high[a] = -infinity<T>();
      }
      int32_t lowest = 0x7fffffff;
      if (child >= shape.inner) {
        const int64_t l = child - shape.inner;
        if (l < shape.used && leaf_begin(shape, l) < leaf_begin(shape, l + 1)) {
          for (int r = 0; r < Rows; ++r)
            for (int lane = 0; lane < Lanes; ++lane) {
              const T v = leaf[(l * Rows + r) * Lanes + lane];
              low[r % 3] = v < low[r % 3] ? v : low[r % 3];
              high[r % 3] = v > high[r % 3] ? v : high[r % 3];
            }
          for (int a = 0; a < 3; ++a) {
            low[a] -= inflate;
            high[a] += inflate;
          }
          for (int lane = 0; lane < Lanes; ++lane) {
            const int32_t v = id[l * Lanes + lane];
            if (v >= 0 && v < lowest) lowest = v;
          }
        }
      } else {
        const T* below = node + 24 * child;
        for (int a = 0; a < 3; ++a)
          for (int k = 0; k < 4; ++k) {
            const T u = below[4 * a + k], v = below[12 + 4 * a + k];
            low[a] = u < low[a] ? u : low[a];
            high[a] = v > high[a] ? v : high[a];
          }
        for (int k = 0; k < 4; ++k)
          if (least[4 * child + k] < lowest) lowest = least[4 * child + k];
      }
      for (int a = 0; a < 3; ++a) {
        node[24 * i + 4 * a + c] = low[a];
        node[24 * i + 12 + 4 * a + c] = high[a];
      }
      least[4 * i + c] = lowest;
    }
  }
};

// Squared distance from p to boxes of a node's children, side by side.
template <class T>
ML_PACK Pack<T> box_distance(const T* node, const PackVec3<T>& p) {
  const PackVec3<T> below = load_pack3(node, 4) - p, above = p - load_pack3(node + 12, 4);
  const Pack<T> zero = pack_of(T(0));
  const PackVec3<T> d{pack_larger(pack_larger(below.x, above.x), zero),
                      pack_larger(pack_larger(below.y, above.y), zero),
                      pack_larger(pack_larger(below.z, above.z), zero)};
  return pack_dot<T>(d, d);
}

// Visits leaves, nearest boxes first. `visit.leaf(l)` looks at a leaf, `visit.skip(distance,
// least)` says whether a box that far away with that least item cannot matter any more.
template <class T, class Visit>
ML_HD void nearest_first(const TreeView<T>& tree, Vec3<T> p, Visit& visit) {
  int64_t node_stack[kTreeStack];
  T distance_stack[kTreeStack];
  int32_t least_stack[kTreeStack];
  const PackVec3<T> wide = pack_of3(p);
  int top = 0;
  int64_t at = 0;
  for (;;) {
    if (at >= tree.inner) {
      visit.leaf(at - tree.inner);
    } else {
      const int32_t* least = tree.least + 4 * at;
      const int base = top;
      Pack<T> distance{};
      for (int c = 0; c < 4; ++c) {
        if (c % PackOf<T>::width == 0) distance = box_distance(tree.node + 24 * at + c, wide);
        const T d = lane(distance, c % PackOf<T>::width);
        if (visit.skip(d, least[c])) continue;
        int k = top++;
        while (k > base && (distance_stack[k - 1] < d ||
                            (distance_stack[k - 1] == d && least_stack[k - 1] < least[c]))) {
          distance_stack[k] = distance_stack[k - 1];
          node_stack[k] = node_stack[k - 1];
          least_stack[k] = least_stack[k - 1];
          --k;
        }
        distance_stack[k] = d;
        node_stack[k] = 4 * at + 1 + c;
        least_stack[k] = least[c];
      }
    }
    do {
      if (top == 0) return;
      --top;
    } while (visit.skip(distance_stack[top], least_stack[top]));
    at = node_stack[top];
  }
}

}  // namespace meshlearn
