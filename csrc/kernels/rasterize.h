// Rasterisation in homogeneous image space: no triangle is ever clipped.
//
// A vertex is (u w, v w, z, w): pixel position times w, camera depth, and w (the depth for a
// perspective camera, 1 for an orthographic one). The edge function of two vertices is the dot
// product of the pixel with their cross product (Olano and Greer 1997), so triangles that cross the
// camera plane need no clipping; the near plane is a test per pixel. Edge functions are evaluated
// in double, and so that swapping the two vertices exactly negates the value: two faces that share
// an edge never both miss or both take a pixel.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

constexpr int32_t kRasterTile = 16;

struct RasterCorner {
  double x, y, z, w;
};

struct RasterEdge {
  double a, b, c;
  ML_HD double at(double px, double row) const { return a * px + row; }
  ML_HD double row(double py) const { return b * py + c; }
  // A pixel on the edge counts as lying where (px + e, py + e^2) lies for an infinitesimal e.
  ML_HD bool positive(double value) const {
    return value > 0 || (value == 0 && (a > 0 || (a == 0 && b > 0)));
  }
  ML_HD bool negative(double value) const {
    return value < 0 || (value == 0 && (a < 0 || (a == 0 && b < 0)));
  }
};

ML_HD RasterEdge raster_edge(RasterCorner p, RasterCorner q) {
  return {product(p.y, q.w) - product(p.w, q.y), product(p.w, q.x) - product(p.x, q.w),
          product(p.x, q.y) - product(p.y, q.x)};
}

struct RasterBox {
  int32_t x0, y0, x1, y1;  // inclusive pixels; empty where x0 > x1
};

struct RasterFace {
  RasterCorner p[3];
  RasterEdge e[3];

  ML_HD void setup() {
    e[0] = raster_edge(p[1], p[2]);
    e[1] = raster_edge(p[2], p[0]);
    e[2] = raster_edge(p[0], p[1]);
  }

  ML_HD bool covers(double e0, double e1, double e2) const {
    if (e0 > 0 && e1 > 0 && e2 > 0) return true;
    if (e0 < 0 && e1 < 0 && e2 < 0) return true;
    if (e0 != 0 && e1 != 0 && e2 != 0) return false;
    if (e0 == 0 && e1 == 0 && e2 == 0) return false;
    return (e[0].positive(e0) && e[1].positive(e1) && e[2].positive(e2)) ||
           (e[0].negative(e0) && e[1].negative(e1) && e[2].negative(e2));
  }

  // Whether the face holds the pixel: its edge functions e, and the depth z of the point seen.
  ML_HD bool hit(double px, double py, double near, double* e, double& z) const {
    return hit(px, this->e[0].row(py), this->e[1].row(py), this->e[2].row(py), near, e, z);
  }
  ML_HD bool hit(double px, double r0, double r1, double r2, double near, double* v,
                 double& z) const {
    const double e0 = e[0].at(px, r0), e1 = e[1].at(px, r1), e2 = e[2].at(px, r2);
    const double low = e0 < e1 ? (e0 < e2 ? e0 : e2) : (e1 < e2 ? e1 : e2);
    const double high = e0 > e1 ? (e0 > e2 ? e0 : e2) : (e1 > e2 ? e1 : e2);
    if (!((low > 0) | (high < 0)) && ((low < 0) & (high > 0) || !covers(e0, e1, e2))) return false;
    const double total = e0 + e1 + e2;
    z = (e0 * p[0].z + e1 * p[1].z + e2 * p[2].z) / total;
    v[0] = e0;
    v[1] = e1;
    v[2] = e2;
    return z >= near && (e0 * p[0].w + e1 * p[1].w + e2 * p[2].w) * total > 0;
  }
};

template <class T>
struct RasterScene {
  const T* clip;         // (N, V, 4)
  const int64_t* faces;  // (F, 3)
  const T* near;         // (N,)
  int64_t num_views, num_vertices, num_faces;
  int32_t height, width, tiles_x, tiles_y, num_chunks;

  ML_HD int64_t num_tiles() const { return static_cast<int64_t>(tiles_x) * tiles_y; }

  // False for a face with a coordinate that is not finite.
  ML_HD bool load(int64_t view, int64_t face, RasterFace& out) const {
    for (int k = 0; k < 3; ++k) {
      const T* row = clip + 4 * (view * num_vertices + faces[3 * face + k]);
      out.p[k] = {row[0], row[1], row[2], row[3]};
      const double sum = (out.p[k].x + out.p[k].y) + (out.p[k].z + out.p[k].w);
      if (!(sum - sum == 0)) return false;
    }
    return true;
  }

  // Depth of a face at a pixel; false where it is none or does not hold the pixel.
  ML_HD bool depth_of(int64_t view, int64_t f, double px, double py, double& z) const {
    RasterFace face;
    double e[3];
    if (f < 0 || !load(view, f, face)) return false;
    face.setup();
    return face.hit(px, py, -1e300, e, z);
  }

  // Pixels whose centres may lie in the part of the face behind the near plane.
  ML_HD RasterBox box(int64_t view, const RasterFace& f) const {
    const double n = near[view];
    const RasterBox none{0, 0, -1, -1};
    double lx = 1e300, ly = 1e300, hx = -1e300, hy = -1e300;
    for (int k = 0; k < 3; ++k) {
      const RasterCorner p = f.p[k], q = f.p[k == 2 ? 0 : k + 1];
      if (p.z >= n) grow(p.x, p.y, p.w, lx, ly, hx, hy);
      if ((p.z >= n) != (q.z >= n)) {
        const double t = (n - p.z) / (q.z - p.z);
        grow(p.x + t * (q.x - p.x), p.y + t * (q.y - p.y), p.w + t * (q.w - p.w), lx, ly, hx, hy);
      }
    }
    if (!(lx <= hx)) return none;
    const double ex = 1e-6 + 1e-9 * (fabs(lx) + fabs(hx)), ey = 1e-6 + 1e-9 * (fabs(ly) + fabs(hy));
    lx = ceil(lx - 0.5 - ex);
    ly = ceil(ly - 0.5 - ey);
    hx = floor(hx - 0.5 + ex);
    hy = floor(hy - 0.5 + ey);
    if (lx > hx || ly > hy || hx < 0 || hy < 0 || lx > width - 1 || ly > height - 1) return none;
    return {static_cast<int32_t>(lx < 0 ? 0 : lx), static_cast<int32_t>(ly < 0 ? 0 : ly),
            static_cast<int32_t>(hx > width - 1 ? width - 1 : hx),
            static_cast<int32_t>(hy > height - 1 ? height - 1 : hy)};
  }

  ML_HD static void grow(double x, double y, double w, double& lx, double& ly, double& hx,
                         double& hy) {
    if (!(w > 0)) return;
    const double u = x / w, v = y / w;
    lx = u < lx ? u : lx;
    ly = v < ly ? v : ly;
    hx = u > hx ? u : hx;
    hy = v > hy ? v : hy;
  }

  ML_HD int64_t chunk_begin(int64_t chunk) const { return num_faces * chunk / num_chunks; }
};

template <class T>
struct RasterOutput {
  int64_t* face;   // (N, H, W)
  T* barycentric;  // (N, H, W, 3)
  T* depth;        // (N, H, W)

  // Perspective-correct barycentric coordinates are the edge functions over their sum: b_i = e_i /
  // (e_0 + e_1 + e_2), e_i the triple product of the pixel with corners i + 1 and i + 2 (Olano and
  // Greer 1997, "Triangle scan conversion using 2D homogeneous coordinates").
  ML_HD void put(int64_t pixel, int64_t f, const double* e, double z) const {
    const double scale = f < 0 ? 0.0 : 1.0 / (e[0] + e[1] + e[2]);
    face[pixel] = f;
    depth[pixel] = f < 0 ? T(0) : static_cast<T>(z);
    for (int k = 0; k < 3; ++k)
      barycentric[3 * pixel + k] = f < 0 ? T(0) : static_cast<T>(e[k] * scale);
  }
};

}  // namespace meshlearn
