// What depth images say of points in space: the weighted mean of the signed distance to the surface
// that each camera saw, cut off at `reach` (Curless and Levoy 1996, "A volumetric method for
// building complex models from range images", equations 3 and 4), at the vertices of blocks of
// 4 x 4 x 4 cells. One call sums over all views, in their order.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

constexpr int kBlock = 4;          // cells of a side
constexpr int kBlockSize = 64;     // vertices of a block, z fastest
constexpr int64_t kTile = 16;      // pixels of a side
constexpr int64_t kMostTiles = 9;  // a block that covers more is not looked up in them

template <class T>
ML_HD T lower(T a, T b) {
  return a < b ? a : b;
}
template <class T>
ML_HD T higher(T a, T b) {
  return a < b ? b : a;
}

// The pixels of depth images and the lenses that they were taken by.
template <class T>
struct DepthImages {
  const T* depth;  // (N, H, W), 0 for none
  const T* lens;   // (N, 4): focal lengths and middle along u and v, in pixels
  int64_t views, height, width;
  bool orthographic;

  ML_HD T along(int64_t view, int axis, int64_t pixel) const {
    const T* l = lens + 4 * view;
    return (T(pixel) + T(0.5) - l[2 + axis]) / l[axis];
  }
  // Change of depth to a neighbour, the smaller one of both sides; 0 where there is none.
  ML_HD static T slope(const T* at, bool before, bool after, int64_t step) {
    const T here = at[0];
    const bool back = before && at[before ? -step : 0] > 0, on = after && at[after ? step : 0] > 0;
    const T down = back ? here - at[-step] : T(0), up = on ? at[step] - here : T(0);
    if (back && on) return fabs(down) < fabs(up) ? down : up;
    return back ? down : up;
  }
};

// Distance across the surface per unit of depth, and the weight, of the pixels of a row.
template <class T>
struct DepthSurface {
  DepthImages<T> images;
  T least_cosine, usual;  // depth of the weight 1
  T* surface;             // (N, H, W, 2)

  ML_HD void operator()(int64_t row) const {
    const int64_t view = row / images.height, v = row % images.height, w = images.width;
    const T* depth = images.depth + row * w;
    const T y = images.along(view, 1, v);
    for (int64_t u = 0; u < w; ++u) {
      T* out = surface + 2 * (row * w + u);
      out[0] = out[1] = T(0);
      const T z = depth[u];
      if (!(z > 0)) continue;
      T gx = images.slope(depth + u, u > 0, u + 1 < w, 1) * images.lens[4 * view];
      T gy = images.slope(depth + u, v > 0, v + 1 < images.height, w) * images.lens[4 * view + 1];
      T lean = gx * gx + gy * gy + 1, length = T(1), nearness = T(1);
      if (!images.orthographic) {
        const T x = images.along(view, 0, u);
        gx /= z;
        gy /= z;
        const T ahead = 1 + gx * x + gy * y;
        lean = gx * gx + gy * gy + ahead * ahead;
        length = sqrt(1 + x * x + y * y);
        nearness = (usual / z) * (usual / z);
      }
      out[0] = 1 / sqrt(lean);
      const T cosine = out[0] / length;
      if (cosine > least_cosine) out[1] = cosine * nearness;
    }
  }
};

// Where in the world the pixels of a row are.
template <class T>
struct DepthPoint {
  DepthImages<T> images;
  const T* pose;  // (N, 12): rows of the world's axes x, y, z of the camera, then its place

  ML_HD Vec3<T> operator()(int64_t view, T x, T y, T z) const {
    const T* p = pose + 12 * view;
    if (!images.orthographic) x *= z, y *= z;
    return {p[9] + (x * p[0] + y * p[3] + z * p[6]), p[10] + (x * p[1] + y * p[4] + z * p[7]),
            p[11] + (x * p[2] + y * p[5] + z * p[8])};
  }
};

// The box of the points of a row of pixels.
template <class T>
struct DepthExtent {
  DepthPoint<T> point;
  T* box;  // (N * H, 6): least, then greatest x, y, z; infinite where there is none

  ML_HD void operator()(int64_t row) const {
    const DepthImages<T>& images = point.images;
    const int64_t view = row / images.height, w = images.width;
    const T* depth = images.depth + row * w;
    const T y = images.along(view, 1, row % images.height), far = T(INFINITY);
    Vec3<T> low{far, far, far}, high{-far, -far, -far};
    for (int64_t u = 0; u < w; ++u) {
      if (!(depth[u] > 0)) continue;
      const Vec3<T> p = point(view, images.along(view, 0, u), y, depth[u]);
      low = {lower(low.x, p.x), lower(low.y, p.y), lower(low.z, p.z)};
      high = {higher(high.x, p.x), higher(high.y, p.y), higher(high.z, p.z)};
    }
    store3(box, 2 * row, low);
    store3(box, 2 * row + 1, high);
  }
};

// The blocks that come within `margin` blocks of the points of a row of pixels, along each axis.
template <class T>
struct DepthBlocks {
  DepthPoint<T> point;
  double low[3], scale;  // blocks per unit
  int64_t count[3];
  int64_t step;  // of so many pixels along both sides one is looked at
  T margin;
  uint8_t* near;  // (X, Y, Z), 0 on entry

  ML_HD void operator()(int64_t i) const {
    const DepthImages<T>& images = point.images;
    const int64_t rows = (images.height + step - 1) / step, view = i / rows, v = i % rows * step;
    const T* depth = images.depth + (view * images.height + v) * images.width;
    const T y = images.along(view, 1, v);
    int64_t last[6] = {-1, -1, -1, -1, -1, -1};
    for (int64_t u = 0; u < images.width; u += step) {
      if (!(depth[u] > 0)) continue;
      const Vec3<T> p = point(view, images.along(view, 0, u), y, depth[u]);
      const T at[3] = {T((p.x - low[0]) * scale), T((p.y - low[1]) * scale),
                       T((p.z - low[2]) * scale)};
      int64_t range[6];
      bool same = true, some = true;
      for (int a = 0; a < 3; ++a) {
        const T most = T(count[a] - 1);
        const T from = floor(at[a] - margin), to = floor(at[a] + margin);
        some = some && to >= 0 && from <= most;
        range[a] = some ? static_cast<int64_t>(higher(from, T(0))) : 0;
        range[3 + a] = some ? static_cast<int64_t>(lower(to, most)) : 0;
        same = same && range[a] == last[a] && range[3 + a] == last[3 + a];
      }
      if (!some || same) continue;
      for (int k = 0; k < 6; ++k) last[k] = range[k];
      for (int64_t x = range[0]; x <= range[3]; ++x)
        for (int64_t yy = range[1]; yy <= range[4]; ++yy)
          for (int64_t z = range[2]; z <= range[5]; ++z)
            mark(near + (x * count[1] + yy) * count[2] + z);
    }
  }
  // Others write the same there at the same time.
  ML_HD static void mark(uint8_t* at) {
#if defined(__CUDA_ARCH__) || defined(_MSC_VER)
    *static_cast<volatile uint8_t*>(at) = 1;
#else
    if (__atomic_load_n(at, __ATOMIC_RELAXED) == 0) __atomic_store_n(at, 1, __ATOMIC_RELAXED);
#endif
  }
};

// The greatest depth of each tile of pixels, 0 where it has none.
template <class T>
struct DepthTiles {
  const T* depth;
  int64_t height, width, rows, columns;
  T* most;  // (N, rows, columns)

  ML_HD void operator()(int64_t i) const {
    const int64_t column = i % columns * kTile, row = i / columns % rows * kTile;
    const T* image = depth + i / (rows * columns) * height * width;
    T found = T(0);
    for (int64_t v = row; v < lower(row + kTile, height); ++v)
      for (int64_t u = column; u < lower(column + kTile, width); ++u)
        found = higher(found, image[v * width + u]);
    most[i] = found;
  }
};

// One call sums for `Rows` rows of `Row` vertices along z of one block: a whole block (16 rows of
// 4) where loops over it become vector instructions, one vertex where each has a thread.
template <class T, int Rows, int Row>
struct FuseDepth {
  static constexpr int kCount = Rows * Row;
  const int64_t* blocks;  // (B, 3)
  double low[3], spacing[3];
  const T* matrix;   // (N, 4, 4): world to (u w, v w, z, w), see homogeneous.h
  const T* depth;    // (N, H, W), 0 for none
  const T* surface;  // (N, H, W, 2): distance per depth across the surface, weight
  const T* colors;   // (N, H, W, 3), or null
  DepthTiles<T> tiles;
  int64_t views, height, width;
  T reach;
  T* value;   // (B, 64) sum of weight * min(distance, reach)
  T* weight;  // (B, 64) sum of weights
  T* color;   // (B, 64, 3) sum of weight * colour, or null; beside the surface only
  T* shown;   // (B, 64) sum of the weights of those colours, or null

  ML_HD T place(int axis, int64_t block, int64_t local) const {
    return static_cast<T>(low[axis] + static_cast<double>(kBlock * block + local) * spacing[axis]);
  }

  ML_HD void operator()(int64_t i) const {
    const int64_t block = i * kCount / kBlockSize, first = i * kCount % kBlockSize;
    const int64_t* b = blocks + 3 * block;
    T xs[Rows], ys[Rows], zs[Row], sum[kCount], total[kCount];
    for (int r = 0; r < Rows; ++r) {
      xs[r] = place(0, b[0], (first + r * Row) / 16);
      ys[r] = place(1, b[1], (first + r * Row) / 4 % 4);
    }
    for (int k = 0; k < Row; ++k) zs[k] = place(2, b[2], (first + k) % 4);
    T paint[3 * kCount], seen[kCount];
    for (int l = 0; l < kCount; ++l) sum[l] = total[l] = seen[l] = T(0);
    if (colors != nullptr)
      for (int l = 0; l < 3 * kCount; ++l) paint[l] = T(0);
    for (int64_t n = 0; n < views; ++n) view(n, xs, ys, zs, sum, total, paint, seen);
    for (int l = 0; l < kCount; ++l) {  // rows are the inner loop of `view`
      const int64_t at = block * kBlockSize + first + l % Rows * Row + l / Rows;
      value[at] = sum[l];
      weight[at] = total[l];
      if (color == nullptr) continue;
      shown[at] = seen[l];
      for (int k = 0; k < 3; ++k) color[3 * at + k] = paint[3 * l + k];
    }
  }

  ML_HD void view(int64_t n, const T* xs, const T* ys, const T* zs, T* sum, T* total, T* paint,
                  T* seen) const {
    if (unseen(n, xs, ys, zs)) return;
    const T* m = matrix + 16 * n;
    T us[kCount], vs[kCount], aways[kCount], outer[4][Rows];
    for (int a = 0; a < 4; ++a)
      for (int r = 0; r < Rows; ++r) outer[a][r] = xs[r] * m[4 * a] + ys[r] * m[4 * a + 1];
    const T w = static_cast<T>(width), h = static_cast<T>(height);
    for (int k = 0; k < Row; ++k) {
      T inner[4];
      for (int a = 0; a < 4; ++a) inner[a] = zs[k] * m[4 * a + 2] + m[4 * a + 3];
      for (int r = 0; r < Rows; ++r) {
        const T last = outer[3][r] + inner[3], away = outer[2][r] + inner[2];
        const T u = (outer[0][r] + inner[0]) / last, v = (outer[1][r] + inner[1]) / last;
        const bool ok = (last > 0) & (away > 0) & (u >= 0) & (v >= 0) & (u < w) & (v < h);
        us[k * Rows + r] = ok ? u : T(-1);
        vs[k * Rows + r] = ok ? v : T(-1);
        aways[k * Rows + r] = away;
      }
    }
    add(n, us, vs, aways, sum, total, paint, seen);
  }

  // Whether the vertices lie beside the image, or behind all that was seen around them by more than
  // the reach: what they project to is within what their outermost do.
  ML_HD bool unseen(int64_t n, const T* xs, const T* ys, const T* zs) const {
    const T* m = matrix + 16 * n;
    T u0 = T(INFINITY), v0 = u0, away0 = u0, u1 = -u0, v1 = -u0;
    for (int c = 0; c < (kCount == 1 ? 1 : 8); ++c) {
      const T x = xs[c & 1 ? Rows - 1 : 0], y = ys[c & 2 ? Rows - 1 : 0];
      const T z = zs[c & 4 ? Row - 1 : 0];
      const T last = (x * m[12] + y * m[13]) + (z * m[14] + m[15]);
      const T away = (x * m[8] + y * m[9]) + (z * m[10] + m[11]);
      if (!(last > 0) || !(away > 0)) return false;
      const T u = ((x * m[0] + y * m[1]) + (z * m[2] + m[3])) / last;
      const T v = ((x * m[4] + y * m[5]) + (z * m[6] + m[7])) / last;
      u0 = lower(u, u0), v0 = lower(v, v0), away0 = lower(away, away0);
      u1 = higher(u, u1), v1 = higher(v, v1);
    }
    const T w = static_cast<T>(width), h = static_cast<T>(height);
    // a pixel more: another is read for the place between two, and rounding
    u0 = higher(u0 - T(1.5), T(0)), v0 = higher(v0 - T(1.5), T(0));
    u1 = lower(u1 + T(1.5), w - 1), v1 = lower(v1 + T(1.5), h - 1);
    if (u0 > u1 || v0 > v1) return true;
    const int64_t left = static_cast<int64_t>(u0) / kTile, top = static_cast<int64_t>(v0) / kTile;
    const int64_t right = static_cast<int64_t>(u1) / kTile;
    const int64_t bottom = static_cast<int64_t>(v1) / kTile;
    if ((right - left + 1) * (bottom - top + 1) > kMostTiles) return false;
    T most = T(0);
    for (int64_t v = top; v <= bottom; ++v)
      for (int64_t u = left; u <= right; ++u)
        most = higher(most, tiles.most[(n * tiles.rows + v) * tiles.columns + u]);
    return !(most > 0) || away0 - most > reach * T(1.0001);
  }

  ML_HD void add(int64_t n, const T* us, const T* vs, const T* aways, T* sum, T* total, T* paint,
                 T* seen) const {
    const T* image = depth + n * height * width;
    const T* pixels = surface + 2 * n * height * width;
    const T* painted = colors == nullptr ? nullptr : colors + 3 * n * height * width;
    const T limit = reach;
    for (int l = 0; l < kCount; ++l) {
      const T u = us[l], v = vs[l], away = aways[l];
      if (u < 0) continue;
      const int64_t pixel = static_cast<int64_t>(v) * width + static_cast<int64_t>(u);
      const T nearest = image[pixel], slope = pixels[2 * pixel], share = pixels[2 * pixel + 1];
      if (!(nearest > 0) || !(share > 0)) continue;
      T off = (nearest - away) * slope;
      // between pixels the surface is less than the reach from where it is at this one
      if (limit * slope + limit < -off) continue;  // behind it
      if (off < 2 * limit) {
        const T there = between(image, u, v, nearest, slope);
        if (away - there > limit) continue;
        off = (there - away) * slope;
      }
      total[l] += share;
      if (off >= limit) {
        sum[l] += share * limit;
        continue;
      }
      sum[l] += share * off;
      if (painted == nullptr) continue;
      for (int k = 0; k < 3; ++k) paint[3 * l + k] += share * painted[3 * pixel + k];
      seen[l] += share;
    }
  }

  // The depth at a place between pixel centres: bilinear, or that of the pixel itself at the rim
  // of the image, of what was seen, and where surfaces farther than the reach meet.
  ML_HD T between(const T* image, T u, T v, T nearest, T slope) const {
    if (u < T(0.5) || v < T(0.5)) return nearest;
    u -= T(0.5), v -= T(0.5);
    const int64_t column = static_cast<int64_t>(u), row = static_cast<int64_t>(v);
    if (column + 1 >= width || row + 1 >= height) return nearest;
    const T* at = image + row * width + column;
    const T a = at[0], b = at[1], c = at[width], d = at[width + 1];
    const T least = lower(lower(a, b), lower(c, d)), most = higher(higher(a, b), higher(c, d));
    if (!(least > 0) || !((most - least) * slope < reach)) return nearest;
    const T x = u - T(column), y = v - T(row);
    return (a * (1 - x) + b * x) * (1 - y) + (c * (1 - x) + d * x) * y;
  }
};

}  // namespace meshlearn
