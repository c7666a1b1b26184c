// What depth images say of points in space: the weighted mean of the signed distance to the surface
// that each camera saw, cut off at `reach` (Curless and Levoy 1996, "A volumetric method for
// building complex models from range images", equations 3 and 4). One call sums over all views, in
// their order.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

template <class T>
struct FuseDepth {
  const T* points;   // (P, 3)
  const T* matrix;   // (N, 4, 4): world to (u w, v w, z, w), see homogeneous.h
  const T* depth;    // (N, H, W), 0 for none
  const T* surface;  // (N, H, W, 2): distance per depth across the surface, weight
  const T* colors;   // (N, H, W, 3), or null
  int64_t views, height, width;
  T reach;
  T* value;   // (P,) sum of weight * min(distance, reach)
  T* weight;  // (P,) sum of weights
  T* color;   // (P, 3) sum of weight * colour, or null; beside the surface only
  T* shown;   // (P,) sum of the weights of those colours, or null

  ML_HD void operator()(int64_t i) const {
    const T x = points[3 * i], y = points[3 * i + 1], z = points[3 * i + 2];
    T sum = T(0), total = T(0), seen = T(0), paint[3] = {T(0), T(0), T(0)};
    for (int64_t n = 0; n < views; ++n) {
      const T* m = matrix + 16 * n;
      const T w = x * m[12] + y * m[13] + z * m[14] + m[15];
      const T away = x * m[8] + y * m[9] + z * m[10] + m[11];
      if (!(w > 0) || !(away > 0)) continue;
      const T u = (x * m[0] + y * m[1] + z * m[2] + m[3]) / w;
      const T v = (x * m[4] + y * m[5] + z * m[6] + m[7]) / w;
      if (!(u >= 0 && v >= 0 && u < T(width) && v < T(height))) continue;
      const int64_t pixel =
          (n * height + static_cast<int64_t>(v)) * width + static_cast<int64_t>(u);
      const T nearest = depth[pixel];
      const T slope = surface[2 * pixel], trust = surface[2 * pixel + 1];
      if (!(nearest > 0) || !(trust > 0)) continue;
      const T there = between(depth + n * height * width, u, v, nearest, reach / slope);
      const T distance = (there - away) * slope;
      if (away - there > reach) continue;  // behind what was seen
      sum += trust * (distance < reach ? distance : reach);
      total += trust;
      if (colors != nullptr && distance < reach) {
        for (int k = 0; k < 3; ++k) paint[k] += trust * colors[3 * pixel + k];
        seen += trust;
      }
    }
    value[i] = sum;
    weight[i] = total;
    if (color != nullptr) {
      for (int k = 0; k < 3; ++k) color[3 * i + k] = paint[k];
      shown[i] = seen;
    }
  }

  // The depth at a place between pixel centres: bilinear, or that of the pixel itself at the rim
  // of the image, of what was seen, and where surfaces more than `apart` from each other meet.
  ML_HD T between(const T* image, T u, T v, T nearest, T apart) const {
    const T column = floor(u - T(0.5)), row = floor(v - T(0.5));
    if (column < 0 || row < 0 || column + 1 >= T(width) || row + 1 >= T(height)) return nearest;
    const T* at = image + static_cast<int64_t>(row) * width + static_cast<int64_t>(column);
    const T a = at[0], b = at[1], c = at[width], d = at[width + 1];
    const T least = low(low(a, b), low(c, d)), most = high(high(a, b), high(c, d));
    if (!(least > 0) || !(most - least < apart)) return nearest;
    const T right = u - T(0.5) - column, down = v - T(0.5) - row;
    return (a * (1 - right) + b * right) * (1 - down) + (c * (1 - right) + d * right) * down;
  }
  static ML_HD T low(T a, T b) { return a < b ? a : b; }
  static ML_HD T high(T a, T b) { return a < b ? b : a; }
};

}  // namespace meshlearn
