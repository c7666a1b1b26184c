// Order of triangles for the implicit tree: halves by the median along the longest axis.
//
// Tighter boxes than Morton order, at the price of a recursion that suits a CPU (a GPU sorts
// codes).
#pragma once
#include <algorithm>

#include "bvh.h"

namespace meshlearn {

template <class T>
struct OrderItem {
  T c[3];
  int64_t face;
};

// Splits items [begin, end) of a node that holds `leaves` leaves; returns where the right child
// begins. Ties by face number, so that the order is one.
template <class T>
int64_t split_range(OrderItem<T>* items, int64_t begin, int64_t end, int64_t leaves) {
  const int64_t middle = std::min(begin + leaves / 2 * kLeafSize, end);
  if (middle >= end) return end;
  T lo[3], hi[3];
  for (int a = 0; a < 3; ++a) lo[a] = hi[a] = items[begin].c[a];
  for (int64_t i = begin; i < end; ++i)
    for (int a = 0; a < 3; ++a) {
      lo[a] = std::min(lo[a], items[i].c[a]);
      hi[a] = std::max(hi[a], items[i].c[a]);
    }
  int axis = 0;
  for (int a = 1; a < 3; ++a)
    if (hi[a] - lo[a] > hi[axis] - lo[axis]) axis = a;
  std::nth_element(items + begin, items + middle, items + end,
                   [axis](const OrderItem<T>& a, const OrderItem<T>& b) {
                     return a.c[axis] != b.c[axis] ? a.c[axis] < b.c[axis] : a.face < b.face;
                   });
  return middle;
}

// Orders items [begin, end) under a node that holds `leaves` leaves.
template <class T>
void order_range(OrderItem<T>* items, int64_t begin, int64_t end, int64_t leaves) {
  for (; leaves > 1 && end - begin > 0; leaves /= 2) {
    const int64_t middle = split_range(items, begin, end, leaves);
    order_range(items, begin, middle, leaves / 2);
    begin = middle;
  }
}

}  // namespace meshlearn
