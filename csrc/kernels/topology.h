// Connectivity of faces: counting sort, edges by bucket, disjoint sets. Sequential but for
// SortBucket; on a GPU torch's sorts and the references take their place.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

// Rows of `index` by value, stable: order[start[v]] ... order[start[v + 1] - 1] are the rows of
// value v.
inline void counting_sort(const int64_t* index, int64_t rows, int64_t size, int64_t* start,
                          int64_t* order) {
  for (int64_t v = 0; v <= size; ++v) start[v] = 0;
  for (int64_t i = 0; i < rows; ++i) ++start[index[i] + 1];
  for (int64_t v = 0; v < size; ++v) start[v + 1] += start[v];
  // start[v] runs to its end while rows are placed; a shift puts it back.
  for (int64_t i = 0; i < rows; ++i) order[start[index[i]]++] = i;
  for (int64_t v = size; v > 0; --v) start[v] = start[v - 1];
  if (size > 0) start[0] = 0;
}

// Half-edges of one smaller vertex in the order of their larger vertex, then of themselves.
struct SortBucket {
  const int64_t* high;   // (H,) larger vertex of each half-edge
  const int64_t* start;  // (V + 1,)
  int64_t* order;        // (H,) half-edges by smaller vertex, ascending in a bucket
  int64_t* distinct;     // (V,) edges in the bucket

  ML_HD bool less(int64_t a, int64_t b) const {
    return high[a] < high[b] || (high[a] == high[b] && a < b);
  }
  ML_HD void sift(int64_t* row, int64_t from, int64_t count) const {
    for (int64_t child; (child = 2 * from + 1) < count; from = child) {
      if (child + 1 < count && less(row[child], row[child + 1])) ++child;
      if (!less(row[from], row[child])) return;
      int64_t t = row[from];
      row[from] = row[child];
      row[child] = t;
    }
  }
  ML_HD void operator()(int64_t v) const {
    int64_t* row = order + start[v];
    const int64_t count = start[v + 1] - start[v];
    if (count <= 24) {
      for (int64_t i = 1; i < count; ++i) {
        int64_t h = row[i], j = i;
        for (; j > 0 && less(h, row[j - 1]); --j) row[j] = row[j - 1];
        row[j] = h;
      }
    } else {
      for (int64_t i = count / 2 - 1; i >= 0; --i) sift(row, i, count);
      for (int64_t last = count - 1; last > 0; --last) {
        int64_t t = row[0];
        row[0] = row[last];
        row[last] = t;
        sift(row, 0, last);
      }
    }
    int64_t edges = 0;
    for (int64_t i = 0; i < count; ++i) edges += i == 0 || high[row[i]] != high[row[i - 1]];
    distinct[v] = edges;
  }
};

// Numbers the edges of one smaller vertex.
struct NumberEdges {
  const int64_t* high;
  const int64_t* start;
  const int64_t* order;
  const int64_t* first;  // (V + 1,) first edge of each bucket
  int64_t* edges;        // (E, 2)
  int64_t* edge_start;   // (E + 1,)
  int64_t* edge_of;      // (H,)

  ML_HD void operator()(int64_t v) const {
    int64_t edge = first[v] - 1;
    for (int64_t i = start[v]; i < start[v + 1]; ++i) {
      const int64_t h = order[i];
      if (i == start[v] || high[h] != high[order[i - 1]]) {
        ++edge;
        edges[2 * edge] = v;
        edges[2 * edge + 1] = high[h];
        edge_start[edge] = i;
      }
      edge_of[h] = edge;
    }
  }
};

// The scratch of an edge table of H half-edges over V vertices.
struct EdgeScratch {
  int64_t* low;       // (H,) smaller vertex of each half-edge; in the end its edge
  int64_t* high;      // (H,)
  int64_t* start;     // (V + 1,) half-edges by smaller vertex
  int64_t* order;     // (H,) half-edges by edge
  int64_t* distinct;  // (V,)
  int64_t* first;     // (V + 1,) first edge of each smaller vertex
};

// Sorts the half-edges of faces (H / 3, 3) by edge; returns the number of edges.
template <class Exec>
int64_t sort_half_edges(const Exec& exec, const int64_t* faces, int64_t half, int64_t size,
                        EdgeScratch s) {
  exec.for_each(half, 16384, [=](int64_t h) {
    const int64_t a = faces[h], b = faces[h % 3 == 2 ? h - 2 : h + 1];
    s.low[h] = a < b ? a : b;
    s.high[h] = a < b ? b : a;
  });
  counting_sort(s.low, half, size, s.start, s.order);
  exec.for_each(size, 4096, SortBucket{s.high, s.start, s.order, s.distinct});
  return exec.exclusive_scan(s.distinct, s.first, size);
}

// Numbers the `count` edges that `sort_half_edges` found: edges (E, 2), edge_start (E + 1,).
template <class Exec>
void number_edges(const Exec& exec, int64_t half, int64_t size, int64_t count, EdgeScratch s,
                  int64_t* edges, int64_t* edge_start) {
  exec.for_each(size, 4096,
                NumberEdges{s.high, s.start, s.order, s.first, edges, edge_start, s.low});
  edge_start[count] = half;
}

inline int64_t find_root(int64_t* parent, int64_t node) {
  while (parent[node] != node) {
    parent[node] = parent[parent[node]];
    node = parent[node];
  }
  return node;
}

// Roots are always the smaller node.
inline void unite(int64_t* parent, int64_t a, int64_t b) {
  a = find_root(parent, a);
  b = find_root(parent, b);
  if (a < b) {
    parent[b] = a;
  } else {
    parent[a] = b;
  }
}

inline void start_sets(int64_t* parent, int64_t size) {
  for (int64_t i = 0; i < size; ++i) parent[i] = i;
}

inline void point_to_roots(int64_t* parent, int64_t size) {
  for (int64_t i = 0; i < size; ++i) parent[i] = parent[parent[i]];
}

// Smallest node of each node's component.
inline void component_roots(const int64_t* links, int64_t count, int64_t size, int64_t* parent) {
  start_sets(parent, size);
  for (int64_t i = 0; i < count; ++i) unite(parent, links[2 * i], links[2 * i + 1]);
  point_to_roots(parent, size);
}

// Faces joined across edges, or where `corners` is set the corners of faces joined around their
// vertices. start (E + 1,) and order (3F,) list the half-edges on each edge.
inline void edge_unions(const int64_t* faces, const int64_t* start, const int64_t* order,
                        int64_t edges, int64_t size, bool corners, int64_t* parent) {
  start_sets(parent, size);
  for (int64_t e = 0; e < edges; ++e) {
    for (int64_t i = start[e] + 1; i < start[e + 1]; ++i) {
      const int64_t a = order[i - 1], b = order[i];
      if (!corners) {
        unite(parent, a / 3, b / 3);
        continue;
      }
      const int64_t next_a = a % 3 == 2 ? a - 2 : a + 1, next_b = b % 3 == 2 ? b - 2 : b + 1;
      const bool same = faces[a] == faces[b];
      unite(parent, a, same ? b : next_b);
      unite(parent, next_a, same ? next_b : b);
    }
  }
  point_to_roots(parent, size);
}

// First row (x, y, z) equal to each row; NaN equals nothing. `table` has `slots` entries, a power
// of two above the number of rows.
template <class T>
void first_equal_rows(const T* rows, int64_t count, int64_t* table, uint64_t slots, int64_t* out) {
  for (uint64_t s = 0; s < slots; ++s) table[s] = -1;
  for (int64_t i = 0; i < count; ++i) {
    const T* p = rows + 3 * i;
    out[i] = i;
    if (p[0] != p[0] || p[1] != p[1] || p[2] != p[2]) continue;
    uint64_t hash = 0;
    for (int k = 0; k < 3; ++k) {
      double value = static_cast<double>(p[k]) + 0.0;  // -0 to 0
      uint64_t bits;
      __builtin_memcpy(&bits, &value, 8);
      hash = (hash ^ bits) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 32;
    }
    uint64_t slot = hash & (slots - 1);
    for (; table[slot] >= 0; slot = (slot + 1) & (slots - 1)) {
      const T* q = rows + 3 * table[slot];
      if (p[0] == q[0] && p[1] == q[1] && p[2] == q[2]) break;
    }
    if (table[slot] >= 0) {
      out[i] = table[slot];
    } else {
      table[slot] = i;
    }
  }
}

// Whether two rows (x, y, z) that differ are equal when they are rounded to float32; NaN equals
// nothing. `table` has `slots` entries, a power of two above the number of rows.
inline bool rounded_rows_meet(const double* rows, int64_t count, int32_t* table, uint64_t slots) {
  constexpr int64_t kBlock = 64;  // rows whose slots are fetched before they are looked at
  uint64_t slot_of[kBlock];
  float rounded[3 * kBlock];
  for (uint64_t s = 0; s < slots; ++s) table[s] = -1;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t size = count - begin < kBlock ? count - begin : kBlock;
    for (int64_t i = 0; i < size; ++i) {
      uint64_t hash = 0;
      for (int k = 0; k < 3; ++k) {
        float value = static_cast<float>(rows[3 * (begin + i) + k]) + 0.0f;  // -0 to 0
        rounded[3 * i + k] = value;
        uint32_t bits;
        __builtin_memcpy(&bits, &value, 4);
        hash = (hash ^ bits) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 32;
      }
      slot_of[i] = hash & (slots - 1);
      __builtin_prefetch(table + slot_of[i], 1);
    }
    for (int64_t i = 0; i < size; ++i) {
      const float* p = rounded + 3 * i;
      if (p[0] != p[0] || p[1] != p[1] || p[2] != p[2]) continue;
      const double* own = rows + 3 * (begin + i);
      uint64_t slot = slot_of[i];
      for (; table[slot] >= 0; slot = (slot + 1) & (slots - 1)) {
        const double* q = rows + 3 * static_cast<int64_t>(table[slot]);
        if (own[0] == q[0] && own[1] == q[1] && own[2] == q[2]) break;
        if (p[0] == static_cast<float>(q[0]) && p[1] == static_cast<float>(q[1]) &&
            p[2] == static_cast<float>(q[2]))
          return true;
      }
      table[slot] = static_cast<int32_t>(begin + i);
    }
  }
  return false;
}

}  // namespace meshlearn
