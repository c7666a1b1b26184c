// Gradients of rasterisation.
#pragma once
#include "rasterize.h"

namespace meshlearn {

// Gradient of barycentrics and depth. A face walks the pixels of its box and adds up those it owns,
// in order; a vertex then adds up its corners: no atomics, one fixed order of summation.
template <class T>
struct RasterFaceGrad {
  RasterScene<T> scene;
  const int64_t* face;        // (N, H, W)
  const T* grad_barycentric;  // (N, H, W, 3), or null
  const T* grad_depth;        // (N, H, W), or null
  T* grad_corner;             // (N, F, 3, 4)

  ML_HD void operator()(int64_t i) const {
    const int64_t view = i / scene.num_faces;
    RasterFace tri{};
    RasterBox box{0, 0, -1, -1};
    if (scene.load(view, i % scene.num_faces, tri)) box = scene.box(view, tri);
    double sum[12];
    add_box(i, tri, box, sum);
    for (int k = 0; k < 12; ++k) grad_corner[12 * i + k] = static_cast<T>(sum[k]);
  }

  // Sum over the pixels of a box that face `row` (view times F plus face) owns.
  ML_HD void add_box(int64_t row, const RasterFace& tri, RasterBox box, double* sum) const {
    const int64_t view = row / scene.num_faces, f = row % scene.num_faces;
    for (int k = 0; k < 12; ++k) sum[k] = 0;
    for (int32_t y = box.y0; y <= box.y1; ++y)
      for (int32_t x = box.x0; x <= box.x1; ++x) {
        const int64_t pixel = (view * scene.height + y) * scene.width + x;
        if (face[pixel] == f) add(tri, pixel, x + 0.5, y + 0.5, sum);
      }
  }

  // b_i = e_i / sum e with e_i = q_j x q_k, q = (x - w px, y - w py); z = sum b_i z_i.
  ML_HD void add(const RasterFace& tri, int64_t pixel, double px, double py, double* sum) const {
    double qx[3], qy[3], e[3], g[3];
    for (int k = 0; k < 3; ++k) {
      qx[k] = tri.p[k].x - tri.p[k].w * px;
      qy[k] = tri.p[k].y - tri.p[k].w * py;
    }
    double total = 0;
    for (int k = 0; k < 3; ++k) {
      const int j = (k + 1) % 3, l = (k + 2) % 3;
      e[k] = qx[j] * qy[l] - qy[j] * qx[l];
      total += e[k];
    }
    if (total == 0) return;
    const double gz = grad_depth ? static_cast<double>(grad_depth[pixel]) : 0.0;
    double mean = 0;
    for (int k = 0; k < 3; ++k) {
      g[k] = gz * tri.p[k].z;
      if (grad_barycentric) g[k] += grad_barycentric[3 * pixel + k];
      mean += g[k] * e[k] / total;
      sum[4 * k + 2] += gz * e[k] / total;
    }
    for (int k = 0; k < 3; ++k) {
      const int j = (k + 1) % 3, l = (k + 2) % 3;
      const double ge = (g[k] - mean) / total;
      push(j, ge * qy[l], -ge * qx[l], px, py, sum);
      push(l, -ge * qy[j], ge * qx[j], px, py, sum);
    }
  }

  ML_HD static void push(int k, double gx, double gy, double px, double py, double* sum) {
    sum[4 * k] += gx;
    sum[4 * k + 1] += gy;
    sum[4 * k + 3] -= gx * px + gy * py;
  }
};

template <class T>
struct RasterVertexGrad {
  const T* grad_corner;  // (N, 3F, 4)
  const int64_t* start;  // (V + 1,) into order
  const int64_t* order;  // (3F,) corners by vertex
  int64_t num_vertices, num_corners;
  T* grad_clip;  // (N, V, 4)

  ML_HD void operator()(int64_t i) const {
    const int64_t view = i / num_vertices, v = i % num_vertices;
    double sum[4] = {0, 0, 0, 0};
    for (int64_t j = start[v]; j < start[v + 1]; ++j)
      for (int k = 0; k < 4; ++k) sum[k] += grad_corner[4 * (view * num_corners + order[j]) + k];
    for (int k = 0; k < 4; ++k) grad_clip[4 * i + k] = static_cast<T>(sum[k]);
  }
};

}  // namespace meshlearn
