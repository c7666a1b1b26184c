// Where silhouettes part neighbouring pixels: a walk over the mesh from the face seen at one pixel
// centre along the straight line to the next, until the surface ends or folds back. What is done
// there is the analytic antialiasing of Laine et al. 2020 ("Modular primitives for high-performance
// differentiable rendering", section 3.5); where there only edges of the two faces seen are tried,
// the walk finds silhouettes also where faces are smaller than pixels.
#pragma once
#include "rasterize.h"

namespace meshlearn {

constexpr int kSilhouetteSteps = 64;

template <class T>
struct SilhouetteFind {
  const T* clip;           // (N, V, 4)
  const int64_t* faces;    // (F, 3)
  const T* near;           // (N,)
  const int64_t* face;     // (N, H, W)
  const T* depth;          // (N, H, W)
  const int64_t* edge_of;  // (3F,) edge of each half-edge
  const int64_t* start;    // (E + 1,) into order
  const int64_t* order;    // half-edges by edge
  int64_t num_vertices, height, width;
  int32_t* found;  // (N, H, W, 2): 2 half-edge + side towards the right and the lower pixel, or -1

  ML_HD void operator()(int64_t pixel) const {
    const int64_t x = pixel % width, y = pixel / width % height;
    found[2 * pixel] = x + 1 < width ? pair(pixel, pixel + 1, true) : -1;
    found[2 * pixel + 1] = y + 1 < height ? pair(pixel, pixel + width, false) : -1;
  }

  ML_HD int32_t pair(int64_t a, int64_t b, bool right) const {
    const int64_t f = face[a], g = face[b];
    if (f == g) return -1;
    // the nearer surface is the one that should end; the other where the nearer runs on beneath it
    int32_t side = f < 0 || (g >= 0 && depth[b] < depth[a]);
    bool passed = false;
    int64_t half = side ? walk(b, a, right, passed) : walk(a, b, right, passed);
    if (passed && f >= 0 && g >= 0) {
      side = 1 - side;
      half = side ? walk(b, a, right, passed) : walk(a, b, right, passed);
    }
    return half < 0 ? -1 : static_cast<int32_t>(2 * half + side);
  }

  ML_HD RasterCorner corner(int64_t view, int64_t v) const {
    const T* row = clip + 4 * (view * num_vertices + v);
    return {row[0], row[1], row[2], row[3]};
  }

  // The half-edge of the silhouette, or -1; `passed`: the surface runs on to the other centre
  // without being what is seen there.
  ML_HD int64_t walk(int64_t from, int64_t to, bool right, bool& passed) const {
    const int64_t view = from / (height * width), target = face[to];
    const double ax = from % width + 0.5, ay = from / width % height + 0.5;
    const double bx = to % width + 0.5, by = to / width % height + 0.5;
    int64_t f = face[from];
    int entry = -1;
    passed = false;
    for (int step = 0; step < kSilhouetteSteps; ++step) {
      if (f == target) return -1;
      RasterCorner p[3];
      for (int k = 0; k < 3; ++k) p[k] = corner(view, faces[3 * f + k]);
      RasterEdge lines[3];
      for (int k = 0; k < 3; ++k) lines[k] = raster_edge(p[k], p[k == 2 ? 0 : k + 1]);
      const double det = side_of(lines[0], p[2]);
      const double sign = det > 0 ? 1 : det < 0 ? -1 : 0;
      double out = 1;
      int k = -1;
      for (int j = 0; j < 3; ++j) {
        if (j == entry) continue;
        const double va = sign * lines[j].at(ax, lines[j].row(ay));
        const double vb = sign * lines[j].at(bx, lines[j].row(by));
        if (!(va > vb)) continue;
        const double t = va / (va - vb);
        if (t < out) {
          out = t;
          k = j;
        }
      }
      if (k < 0) {
        passed = true;
        return -1;
      }
      // the first other face on the edge that lies beyond it
      const RasterEdge line = lines[k];
      const int64_t half = 3 * f + k, edge = edge_of[half];
      int64_t next = -1;
      for (int64_t j = start[edge]; j < start[edge + 1] && next < 0; ++j) {
        const int64_t other = order[j];
        if (other == half) continue;
        const int64_t tip = faces[other / 3 * 3 + (other + 2) % 3];
        const double across = side_of(line, corner(view, tip));
        if ((across > 0 && det < 0) || (across < 0 && det > 0)) next = other;
      }
      if (next >= 0) {
        f = next / 3;
        entry = static_cast<int>(next % 3);
        continue;
      }
      // each edge belongs to the axis that crosses it the steeper
      const double la = fabs(line.a), lb = fabs(line.b);
      if (!(right ? la >= lb : la < lb)) return -1;
      const double z = depth_on(p[k], p[k == 2 ? 0 : k + 1], (1 - out) * ax + out * bx,
                                (1 - out) * ay + out * by);
      return z >= static_cast<double>(near[view]) ? half : -1;
    }
    return -1;
  }

  ML_HD static double side_of(const RasterEdge& line, const RasterCorner& p) {
    return line.a * p.x + line.b * p.y + line.c * p.w;
  }

  // Depth of the point of edge pq that is seen at (u, v).
  ML_HD static double depth_on(const RasterCorner& p, const RasterCorner& q, double u, double v) {
    const double px = p.x - p.w * u, py = p.y - p.w * v, qx = q.x - q.w * u, qy = q.y - q.w * v;
    const bool across = fabs(px) + fabs(qx) >= fabs(py) + fabs(qy);
    const double a = across ? px : py, b = across ? qx : qy, s = a / (a - b);
    return (1 - s) * p.z + s * q.z;
  }
};

// Of each run of pixels, how many pairs a silhouette parts. Runs are short, so that a GPU has many.
constexpr int64_t kSilhouetteRun = 64;

struct SilhouetteCount {
  const int32_t* found;
  int64_t entries;
  int64_t* counts;  // (runs,)

  ML_HD void operator()(int64_t run) const {
    const int64_t end = (run + 1) * kSilhouetteRun < entries ? (run + 1) * kSilhouetteRun : entries;
    int64_t count = 0;
    for (int64_t j = run * kSilhouetteRun; j < end; ++j) count += found[j] >= 0;
    counts[run] = count;
  }
};

struct SilhouetteFill {
  const int32_t* found;
  int64_t entries;
  const int64_t* start;  // (runs + 1,)
  int64_t* out;          // (P, 2)

  ML_HD void operator()(int64_t run) const {
    int64_t at = start[run];
    if (at == start[run + 1]) return;
    const int64_t end = (run + 1) * kSilhouetteRun < entries ? (run + 1) * kSilhouetteRun : entries;
    for (int64_t j = run * kSilhouetteRun; j < end; ++j) {
      if (found[j] < 0) continue;
      out[2 * at] = 2 * j + found[j] % 2;
      out[2 * at + 1] = found[j] / 2;
      ++at;
    }
  }
};

}  // namespace meshlearn
