// Intersection of half-spaces inside a box, one convex a call: a polyhedron is cut by one plane
// after another. Which side a vertex lies on is decided once for all faces around it, so that what
// comes out is closed whatever the rounding. All arithmetic is in double. Equations and numbers are
// those of meshlearn/convex/constants.py, where each has its reason.
#pragma once
#include "hd_limits.h"

namespace meshlearn {

constexpr int kBoxSides = 6;
constexpr int kCutAttempts = 10;
constexpr double kToleranceGrowth = 4;
constexpr double kLeastDeterminant = 1e-8;
constexpr double kMostStep = 4;

// Room for a convex of m planes, in items.
struct HalfspaceRoom {
  ML_HD static int64_t faces(int64_t m) { return m + kBoxSides; }
  ML_HD static int64_t vertices(int64_t m) { return 4 * faces(m) + 16; }
  ML_HD static int64_t corners(int64_t m) { return 8 * faces(m) + 32; }
  ML_HD static int64_t reals(int64_t m) { return 4 * faces(m) + 4 * vertices(m); }
  ML_HD static int64_t integers(int64_t m) {
    return 2 * corners(m) + 4 * (faces(m) + 1) + 8 * vertices(m) + m;
  }
};

struct Vec4 {
  double x, y, z, w;
};

// (2)
ML_HD double plane_at(const Vec4& n, const Vec3<double>& p) {
  return n.x * p.x + n.y * p.y + n.z * p.z + n.w;
}

// (1): unit normal; a plane without normal becomes (0, 0, 0, sign of d).
ML_HD Vec4 unit_plane(double a, double b, double c, double d) {
  const double most = larger(larger(fabs(a), fabs(b)), fabs(c));
  if (!(most > 0)) return Vec4{0, 0, 0, d > 0 ? 1.0 : 0.0};
  a /= most, b /= most, c /= most, d /= most;
  const double length = sqrt(a * a + b * b + c * c);
  return Vec4{a / length, b / length, c / length, d / length};
}

// Faces as loops of vertices, counter-clockwise seen from outside, in one array.
struct Loops {
  int32_t* vertex;  // corners
  int32_t* start;   // faces + 1
  int32_t* face;    // which plane of the list, -1 to -6 sides of the box
  int32_t count;
};

struct Polyhedron {
  Vec4* plane;          // (m + 6): the planes of the list, then the sides of the box
  Vec3<double>* point;  // (vertices)
  double* side;         // (vertices) signed distance to the plane that cuts
  int32_t *live, *spare, *cap, *in_end, *out_end, *made, *degree, *out, *order;
  Loops loops, other;
  int32_t m, room, corner_room, lives, spares, crossings;

  ML_HD Polyhedron(double* reals, int32_t* integers, int64_t planes) {
    m = static_cast<int32_t>(planes);
    room = static_cast<int32_t>(HalfspaceRoom::vertices(planes));
    corner_room = static_cast<int32_t>(HalfspaceRoom::corners(planes));
    const int64_t faces = HalfspaceRoom::faces(planes);
    plane = reinterpret_cast<Vec4*>(reals);
    point = reinterpret_cast<Vec3<double>*>(reals + 4 * faces);
    side = reals + 4 * faces + 3 * static_cast<int64_t>(room);
    for (Loops* each : {&loops, &other}) {
      each->vertex = integers;
      each->start = integers + corner_room;
      each->face = each->start + faces + 1;
      each->count = 0;
      integers = each->face + faces + 1;
    }
    for (int32_t** each : {&live, &spare, &cap, &in_end, &out_end, &made, &degree, &out}) {
      *each = integers;
      integers += room;
    }
    order = integers;
  }

  ML_HD const Vec4& plane_of(int32_t face) const { return plane[face < 0 ? m - 1 - face : face]; }

  ML_HD void start_as_box(const double* low, const double* high) {
    for (int32_t v = 0; v < room; ++v) cap[v] = -1;
    for (int32_t v = 0; v < 8; ++v) {
      live[v] = v;
      point[v] = Vec3<double>{v & 1 ? high[0] : low[0], v & 2 ? high[1] : low[1],
                              v & 4 ? high[2] : low[2]};
    }
    lives = 8;
    spares = 0;
    for (int32_t v = room - 1; v >= 8; --v) spare[spares++] = v;
    const int8_t corner[6][4] = {{0, 4, 6, 2}, {1, 3, 7, 5}, {0, 1, 5, 4},
                                 {2, 6, 7, 3}, {0, 2, 3, 1}, {4, 5, 7, 6}};
    for (int32_t f = 0; f < 6; ++f) {
      for (int32_t k = 0; k < 4; ++k) loops.vertex[4 * f + k] = corner[f][k];
      loops.start[f] = 4 * f;
      loops.face[f] = -1 - f;
      const int axis = f / 2;
      const double sign = f % 2 ? 1.0 : -1.0;
      plane[m + f] = Vec4{axis == 0 ? sign : 0.0, axis == 1 ? sign : 0.0, axis == 2 ? sign : 0.0,
                          f % 2 ? -high[axis] : low[axis]};
    }
    loops.start[6] = 24;
    loops.count = 6;
  }

  // (3): where the edge from a kept vertex to one cut away meets the plane; -1 without room. A
  // vertex on the plane is that place itself.
  ML_HD int32_t crossing(int32_t in, int32_t out, double tolerance) {
    if (side[in] >= -tolerance) return in;
    for (int32_t k = 0; k < crossings; ++k)
      if (in_end[k] == in && out_end[k] == out) return made[k];
    if (spares == 0) return -1;
    const int32_t v = spare[--spares];
    const double t = side[in] / (side[in] - side[out]);
    point[v] = point[in] + (point[out] - point[in]) * t;
    in_end[crossings] = in;
    out_end[crossings] = out;
    made[crossings++] = v;
    return v;
  }

  // The loops cut at side > tolerance, into `other`. False where rounding has left something that a
  // plane cannot cut from a convex: a face cut twice, or a cap that is no simple loop.
  ML_HD bool cut(int32_t face, double tolerance) {
    int32_t corners = 0, faces = 0, arcs = 0, first = -1;
    for (int32_t f = 0; f < loops.count; ++f) {
      const int32_t begin = loops.start[f], end = loops.start[f + 1], from = corners;
      int32_t gone = 0;
      for (int32_t k = begin; k < end; ++k) gone += out[loops.vertex[k]];
      if (gone == end - begin) continue;
      if (gone == 0) {
        if (corners + end - begin > corner_room) return false;
        for (int32_t k = begin; k < end; ++k) other.vertex[corners++] = loops.vertex[k];
        other.start[faces] = from;
        other.face[faces++] = loops.face[f];
        continue;
      }
      int32_t exits = 0, exit = -1, entry = -1;
      int32_t a = loops.vertex[end - 1];
      bool a_out = out[a];
      for (int32_t k = begin; k < end; ++k) {
        const int32_t b = loops.vertex[k];
        const bool b_out = out[b];
        if (corners + 2 > corner_room) return false;
        if (a_out != b_out) {
          const int32_t x = a_out ? crossing(b, a, tolerance) : crossing(a, b, tolerance);
          if (x < 0) return false;
          if (a_out)
            entry = x;
          else
            exit = x, ++exits;
          if (corners == from || other.vertex[corners - 1] != x) other.vertex[corners++] = x;
        }
        if (!b_out && (corners == from || other.vertex[corners - 1] != b))
          other.vertex[corners++] = b;
        a = b;
        a_out = b_out;
      }
      if (exits > 1) return false;
      while (corners - from > 1 && other.vertex[corners - 1] == other.vertex[from]) --corners;
      if (exits == 1 && exit != entry) {
        if (cap[entry] >= 0) return false;
        cap[entry] = exit;
        first = entry;
        ++arcs;
      }
      if (corners - from < 3) {
        corners = from;
        continue;
      }
      other.start[faces] = from;
      other.face[faces++] = loops.face[f];
    }
    if (arcs < 3 || corners + arcs > corner_room || faces > m + kBoxSides - 1) return false;
    other.start[faces] = corners;
    other.face[faces++] = face;
    int32_t v = first;
    for (int32_t k = 0; k < arcs; ++k) {
      if (v < 0 || (k > 0 && v == first)) return false;
      other.vertex[corners++] = v;
      v = cap[v];
    }
    if (v != first) return false;
    other.start[faces] = corners;
    other.count = faces;
    return true;
  }

  ML_HD void forget_cap() {
    for (int32_t k = 0; k < lives; ++k) cap[live[k]] = -1;
    for (int32_t k = 0; k < crossings; ++k) cap[made[k]] = -1;
  }

  // Cuts by plane `face`; false when nothing is left.
  ML_HD bool clip(int32_t face, double tolerance) {
    const Vec4 n = plane[face];
    double most = -infinity<double>(), least = infinity<double>();
    for (int32_t k = 0; k < lives; ++k) {
      const int32_t v = live[k];
      side[v] = plane_at(n, point[v]);
      most = larger(most, side[v]);
      least = smaller(least, side[v]);
    }
    for (int attempt = 0; attempt < kCutAttempts; ++attempt, tolerance *= kToleranceGrowth) {
      if (most <= tolerance) return true;
      if (least >= -tolerance) return false;
      crossings = 0;
      for (int32_t k = 0; k < lives; ++k) out[live[k]] = side[live[k]] > tolerance;
      const bool good = cut(face, tolerance);
      forget_cap();
      if (!good) {
        for (int32_t k = 0; k < crossings; ++k) spare[spares++] = made[crossings - 1 - k];
        continue;
      }
      for (int32_t k = 0; k < lives; ++k) degree[live[k]] = 0;
      for (int32_t k = 0; k < other.start[other.count]; ++k) degree[other.vertex[k]] = 1;
      int32_t kept = 0;
      for (int32_t k = 0; k < lives; ++k) {
        if (degree[live[k]])
          live[kept++] = live[k];
        else
          spare[spares++] = live[k];
      }
      for (int32_t k = 0; k < crossings; ++k) live[kept++] = made[k];
      lives = kept;
      const Loops was = loops;
      loops = other;
      other = was;
      return true;
    }
    return -least > most;  // thinner than any tolerance tried on one side: that side goes
  }

  // Takes vertices out that only two faces have, and faces of two corners.
  ML_HD void tidy() {
    for (bool changed = true; changed;) {
      changed = false;
      for (int32_t k = 0; k < lives; ++k) degree[live[k]] = 0;
      for (int32_t k = 0; k < loops.start[loops.count]; ++k) ++degree[loops.vertex[k]];
      int32_t corners = 0, faces = 0;
      for (int32_t f = 0; f < loops.count; ++f) {
        const int32_t begin = loops.start[f], end = loops.start[f + 1], from = corners;
        for (int32_t k = begin; k < end; ++k) {
          const int32_t v = loops.vertex[k];
          if (degree[v] >= 3) loops.vertex[corners++] = v;
        }
        if (corners - from != end - begin) changed = true;
        if (corners - from < 3)
          corners = from;
        else {
          loops.face[faces] = loops.face[f];
          loops.start[faces++] = from;
        }
      }
      loops.start[faces] = corners;
      loops.count = faces;
    }
  }

  // The three planes of a vertex whose normals span most, and the vertex as their intersection (4)
  // where that is no further off than the tolerance allows.
  ML_HD void settle(int32_t v, const int32_t* around, int32_t count, double tolerance,
                    int32_t* three) {
    const Vec4 a = plane_of(around[0]);
    const Vec3<double> na{a.x, a.y, a.z};
    int32_t second = 1, third = -1;
    double best = -1;
    for (int32_t k = 1; k < count; ++k) {
      const Vec4 p = plane_of(around[k]);
      const double span = norm2(cross(na, Vec3<double>{p.x, p.y, p.z}));
      if (span > best) best = span, second = k;
    }
    const Vec4 b = plane_of(around[second]);
    const Vec3<double> nb{b.x, b.y, b.z}, ab = cross(na, nb);
    best = -1;
    for (int32_t k = 1; k < count; ++k) {
      if (k == second) continue;
      const Vec4 p = plane_of(around[k]);
      const double span = fabs(dot(ab, Vec3<double>{p.x, p.y, p.z}));
      if (span > best) best = span, third = k;
    }
    const Vec4 c = plane_of(around[third]);
    const Vec3<double> nc{c.x, c.y, c.z};
    three[0] = around[0];
    three[1] = around[second];
    three[2] = around[third];
    const double det = dot(ab, nc);
    if (fabs(det) < kLeastDeterminant) return;
    const double ra = plane_at(a, point[v]), rb = plane_at(b, point[v]), rc = plane_at(c, point[v]);
    const Vec3<double> step = (cross(nb, nc) * ra + cross(nc, na) * rb + ab * rc) * (1 / det);
    if (norm2(step) <= kMostStep * kMostStep * tolerance * tolerance) point[v] = point[v] - step;
  }
};

// `order` (n,) by falling value, equal ones by rising index; a heap sort.
ML_HD void sort_down(const double* value, int32_t* order, int32_t n) {
  auto sooner = [=](int32_t a, int32_t b) {
    return value[a] > value[b] || (value[a] == value[b] && a < b);
  };
  for (int32_t size = n, from = n / 2; size > 1;) {
    int32_t moving;
    if (from > 0)
      moving = order[--from];
    else {
      moving = order[--size];
      order[size] = order[0];
    }
    int32_t at = from;
    for (int32_t child = 2 * at + 1; child < size; child = 2 * at + 1) {
      if (child + 1 < size && sooner(order[child], order[child + 1])) ++child;
      if (!sooner(moving, order[child])) break;
      order[at] = order[child];
      at = child;
    }
    order[at] = moving;
  }
}

}  // namespace meshlearn
