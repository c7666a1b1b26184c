// Half-space intersection of many convexes: each in its own room, then packed. See halfspace.h.
#pragma once
#include "halfspace.h"

namespace meshlearn {

struct SetOne {
  int64_t* out;
  int64_t value;
  ML_HD void operator()(int64_t) const { *out = value; }
};

struct HalfspaceInput {
  const void* planes;    // (K, 4)
  const int64_t* start;  // (C + 1,)
  const int64_t* index;  // planes of each convex
  double low[3], high[3], tolerance;
};

// Where the room of convex i begins.
struct HalfspaceScratch {
  double* reals;
  int32_t* integers;
  ML_HD Polyhedron of(const int64_t* start, int64_t i) const {
    const int64_t before = start[i], m = start[i + 1] - before;
    // the room is linear in the number of planes, so that of all before is known
    const int64_t real0 = HalfspaceRoom::reals(0), real1 = HalfspaceRoom::reals(1) - real0;
    const int64_t int0 = HalfspaceRoom::integers(0), int1 = HalfspaceRoom::integers(1) - int0;
    return Polyhedron(reals + i * real0 + before * real1, integers + i * int0 + before * int1, m);
  }
};

template <class T>
struct IntersectHalfspaces {
  HalfspaceInput in;
  HalfspaceScratch scratch;
  int64_t *vertices, *faces, *corners;  // counts of each convex
  ML_HD void operator()(int64_t i) const {
    Polyhedron body = scratch.of(in.start, i);
    const T* planes = static_cast<const T*>(in.planes);
    for (int32_t k = 0; k < body.m; ++k) {
      const T* p = planes + 4 * in.index[in.start[i] + k];
      body.plane[k] = unit_plane(p[0], p[1], p[2], p[3]);
    }
    // those that cut most first, so that most of the others cut nothing
    int32_t* order = body.order;
    const Vec3<double> centre{(in.low[0] + in.high[0]) / 2, (in.low[1] + in.high[1]) / 2,
                              (in.low[2] + in.high[2]) / 2};
    for (int32_t k = 0; k < body.m; ++k) {
      order[k] = k;
      body.side[k] = plane_at(body.plane[k], centre);
    }
    sort_down(body.side, order, body.m);
    body.start_as_box(in.low, in.high);
    bool some = true;
    for (int32_t k = 0; some && k < body.m; ++k) some = body.clip(order[k], in.tolerance);
    if (some) body.tidy();
    vertices[i] = faces[i] = corners[i] = 0;
    if (!some || body.loops.count < 4) return;
    // faces around each vertex: a list threaded through the corners
    const Loops& loops = body.loops;
    int32_t* head = body.cap;  // all -1
    int32_t* next = body.other.vertex;
    int32_t* rank = body.in_end;  // in the order in which the loops name them
    int32_t count = 0;
    for (int32_t k = 0; k < body.lives; ++k) rank[body.live[k]] = -1;
    for (int32_t f = loops.count - 1; f >= 0; --f)
      for (int32_t k = loops.start[f]; k < loops.start[f + 1]; ++k) {
        next[k] = head[loops.vertex[k]];
        head[loops.vertex[k]] = k;
      }
    for (int32_t c = 0; c < loops.start[loops.count]; ++c) {
      const int32_t v = loops.vertex[c];
      if (rank[v] < 0) {
        int32_t* around = body.out_end;
        int32_t n = 0, three[3];
        for (int32_t k = head[v]; k >= 0; k = next[k]) {
          int32_t low = 0, high = loops.count;  // the face that corner k is of
          while (high - low > 1) {
            const int32_t middle = (low + high) / 2;
            if (loops.start[middle] <= k)
              low = middle;
            else
              high = middle;
          }
          around[n++] = loops.face[low];
        }
        body.settle(v, around, n, in.tolerance, three);
        body.live[count] = v;
        body.made[count] = three[0];
        body.degree[count] = three[1];
        body.spare[count] = three[2];
        rank[v] = count++;
      }
      loops.vertex[c] = rank[v];
    }
    body.live[body.room - 1] = loops.vertex < body.other.vertex;  // which of the two holds them
    vertices[i] = count;
    faces[i] = loops.count;
    corners[i] = loops.start[loops.count];
  }
};

template <class T>
struct WriteConvex {
  HalfspaceInput in;
  HalfspaceScratch scratch;
  const int64_t *vertex_start, *face_start, *corner_start;  // (C + 1,)
  T* vertices;                                              // (V, 3)
  int64_t *vertex_planes, *start, *index, *face_plane;      // (V, 3), (F + 1,), (M,), (F,)
  ML_HD int64_t plane_id(int64_t i, int32_t face) const {
    return face < 0 ? face : in.index[in.start[i] + face];
  }
  ML_HD void operator()(int64_t i) const {
    Polyhedron body = scratch.of(in.start, i);
    const int64_t v0 = vertex_start[i], f0 = face_start[i], c0 = corner_start[i];
    const int64_t V = vertex_start[i + 1] - v0, F = face_start[i + 1] - f0;
    if (F == 0) return;
    const Loops& loops = body.live[body.room - 1] ? body.loops : body.other;
    for (int64_t v = 0; v < V; ++v) {
      const Vec3<double> p = body.point[body.live[v]];
      store3(vertices, v0 + v,
             Vec3<T>{static_cast<T>(p.x), static_cast<T>(p.y), static_cast<T>(p.z)});
      vertex_planes[3 * (v0 + v)] = plane_id(i, body.made[v]);
      vertex_planes[3 * (v0 + v) + 1] = plane_id(i, body.degree[v]);
      vertex_planes[3 * (v0 + v) + 2] = plane_id(i, body.spare[v]);
    }
    for (int64_t f = 0; f < F; ++f) {
      start[f0 + f] = c0 + loops.start[f];
      face_plane[f0 + f] = plane_id(i, loops.face[f]);
    }
    const int64_t M = corner_start[i + 1] - c0;
    for (int64_t k = 0; k < M; ++k) index[c0 + k] = v0 + loops.vertex[k];
  }
};

}  // namespace meshlearn
