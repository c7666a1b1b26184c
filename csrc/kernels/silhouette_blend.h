// What silhouettes do to an image (Laine et al. 2020, section 3.5): where each crosses the line
// between two pixel centres, at the share t = a / (a - b) of edge functions a and b at the two, the
// pixel that it cuts is mixed with the other by |t - 1/2|, the part of it beyond the crossing. A
// pixel is part of four pairs at most, and one thread owns it: no atomics, one fixed order of
// summation.
#pragma once
#include "rasterize.h"

namespace meshlearn {

// Pairs of neighbouring pixels with the half-edge that parts them, in ascending order.
struct SilhouettePairs {
  const int64_t* pair;  // (P, 2): 4 pixel + 2 axis + side, half-edge
  int64_t count, height, width;

  ML_HD int64_t first(int64_t i) const { return pair[2 * i] / 4; }
  ML_HD int64_t second(int64_t i) const { return first(i) + (pair[2 * i] & 2 ? width : 1); }
  ML_HD int64_t inner(int64_t i) const { return pair[2 * i] & 1 ? second(i) : first(i); }
  ML_HD int64_t outer(int64_t i) const { return pair[2 * i] & 1 ? first(i) : second(i); }

  // The pair of a pixel and the next along an axis, or -1.
  ML_HD int64_t find(int64_t pixel, int axis) const {
    const int64_t code = 4 * pixel + 2 * axis;
    int64_t low = 0, high = count;
    while (low < high) {
      const int64_t middle = (low + high) / 2;
      if (pair[2 * middle] < code)
        low = middle + 1;
      else
        high = middle;
    }
    return low < count && pair[2 * low] < code + 2 ? low : -1;
  }

  // Up to four pairs that a pixel is part of, in ascending order, -1 where there is none.
  ML_HD void around(int64_t pixel, int64_t* out) const {
    out[0] = find(pixel - width, 1);
    out[1] = find(pixel - 1, 0);
    out[2] = find(pixel, 0);
    out[3] = find(pixel, 1);
  }
};

// The ends of a silhouette seen from a pixel centre, and the double area they span with it.
template <class T>
struct SilhouetteLine {
  const T* clip;         // (N, V, 4)
  const int64_t* faces;  // (F, 3)
  int64_t num_vertices;
  SilhouettePairs pairs;

  ML_HD int64_t row(int64_t i, int end) const {
    const int64_t half = pairs.pair[2 * i + 1];
    const int64_t view = pairs.first(i) / (pairs.height * pairs.width);
    return view * num_vertices + faces[half / 3 * 3 + (half + end) % 3];
  }
  ML_HD double u(int64_t pixel) const { return static_cast<double>(pixel % pairs.width) + 0.5; }
  ML_HD double v(int64_t pixel) const {
    return static_cast<double>(pixel / pairs.width % pairs.height) + 0.5;
  }

  // x and y of both ends relative to the pixel, times w.
  ML_HD void ends(int64_t i, int64_t pixel, double* x, double* y) const {
    for (int k = 0; k < 2; ++k) {
      const T* p = clip + 4 * row(i, k);
      const double w = static_cast<double>(p[3]);
      x[k] = static_cast<double>(p[0]) - w * u(pixel);
      y[k] = static_cast<double>(p[1]) - w * v(pixel);
    }
  }
  ML_HD double area(int64_t i, int64_t pixel) const {
    double x[2], y[2];
    ends(i, pixel, x, y);
    return x[0] * y[1] - y[0] * x[1];
  }
};

// How far past the border of the two pixels a silhouette lies, seen from the surface that ends.
template <class T>
struct SilhouetteOver {
  SilhouetteLine<T> line;
  double* over;  // (P,)

  ML_HD void operator()(int64_t i) const {
    const double a = line.area(i, line.pairs.inner(i)), b = line.area(i, line.pairs.outer(i));
    over[i] = a / (a - b) - 0.5;
  }
};

// Which pixel of a pair is blended, and which it is blended towards.
template <class T>
struct SilhouetteReach {
  SilhouettePairs pairs;
  const double* over;

  ML_HD T signed_share(int64_t i) const { return static_cast<T>(over[i]); }
  ML_HD T share(int64_t i) const {
    const T value = signed_share(i);
    return value < 0 ? -value : value;
  }
  ML_HD bool reached(int64_t i) const { return signed_share(i) >= 0; }
  ML_HD int64_t receiver(int64_t i) const { return reached(i) ? pairs.outer(i) : pairs.inner(i); }
  ML_HD int64_t donor(int64_t i) const { return reached(i) ? pairs.inner(i) : pairs.outer(i); }
};

// Blends the receiver of each pair; the first of several pairs with one receiver does it.
template <class T>
struct SilhouetteBlend {
  SilhouetteReach<T> reach;
  const T* image;  // (N H W, C)
  int64_t channels;
  T* out;  // (N H W, C), a copy of image

  ML_HD void operator()(int64_t i) const {
    const int64_t pixel = reach.receiver(i);
    int64_t near[4];
    reach.pairs.around(pixel, near);
    for (int k = 0; k < 4; ++k) {
      if (near[k] >= 0 && reach.receiver(near[k]) != pixel) near[k] = -1;
      if (near[k] >= 0 && near[k] < i) return;
    }
    for (int64_t c = 0; c < channels; ++c) {
      const T mine = image[pixel * channels + c];
      T sum = T(0);
      for (int k = 0; k < 4; ++k)
        if (near[k] >= 0)
          sum += reach.share(near[k]) * (image[reach.donor(near[k]) * channels + c] - mine);
      out[pixel * channels + c] = mine + sum;
    }
  }
};

// Gradient in the image; the first of several pairs that a pixel is part of adds it up.
template <class T>
struct SilhouetteImageGrad {
  SilhouetteReach<T> reach;
  const T* grad;  // (N H W, C)
  int64_t channels;
  T* out;  // (N H W, C), a copy of grad

  ML_HD void operator()(int64_t i) const {
    of_pixel(i, reach.pairs.inner(i));
    of_pixel(i, reach.pairs.outer(i));
  }
  ML_HD void of_pixel(int64_t i, int64_t pixel) const {
    int64_t near[4];
    reach.pairs.around(pixel, near);
    for (int k = 0; k < 4; ++k)
      if (near[k] >= 0 && near[k] < i) return;
    for (int64_t c = 0; c < channels; ++c) {
      const T own = grad[pixel * channels + c];
      T sum = T(0);
      for (int k = 0; k < 4; ++k)
        if (near[k] >= 0 && reach.receiver(near[k]) == pixel) sum -= reach.share(near[k]) * own;
      for (int k = 0; k < 4; ++k)
        if (near[k] >= 0 && reach.receiver(near[k]) != pixel)
          sum += reach.share(near[k]) * grad[reach.receiver(near[k]) * channels + c];
      out[pixel * channels + c] = own + sum;
    }
  }
};

// Gradient in both ends of each silhouette.
template <class T, class P>
struct SilhouetteEndGrad {
  SilhouetteLine<P> line;
  SilhouetteReach<T> reach;
  const T* grad;   // (N H W, C)
  const T* image;  // (N H W, C)
  int64_t channels;
  P* out;        // (P, 2, 4)
  int64_t* key;  // (2P,): row of clip times 2P plus end

  ML_HD void operator()(int64_t i) const {
    const int64_t receiver = reach.receiver(i), donor = reach.donor(i);
    T slope = T(0);
    for (int64_t c = 0; c < channels; ++c)
      slope += grad[receiver * channels + c] *
               (image[donor * channels + c] - image[receiver * channels + c]);
    const T over = reach.signed_share(i);
    const double g = static_cast<double>(over > 0 ? slope : over < 0 ? -slope : T(0));
    const int64_t inner = line.pairs.inner(i), outer = line.pairs.outer(i);
    double xa[2], ya[2], xb[2], yb[2];
    line.ends(i, inner, xa, ya);
    line.ends(i, outer, xb, yb);
    const double a = xa[0] * ya[1] - ya[0] * xa[1], b = xb[0] * yb[1] - yb[0] * xb[1];
    const double ga = -g * b / ((a - b) * (a - b)), gb = g * a / ((a - b) * (a - b));
    for (int k = 0; k < 2; ++k) {
      const double turn = k ? -1 : 1;
      const double gxa = turn * ga * ya[1 - k], gya = -turn * ga * xa[1 - k];
      const double gxb = turn * gb * yb[1 - k], gyb = -turn * gb * xb[1 - k];
      P* to = out + 8 * i + 4 * k;
      to[0] = static_cast<P>(gxa + gxb);
      to[1] = static_cast<P>(gya + gyb);
      to[2] = P(0);
      to[3] = static_cast<P>(-(gxa * line.u(inner) + gya * line.v(inner)) -
                             (gxb * line.u(outer) + gyb * line.v(outer)));
      key[2 * i + k] = line.row(i, k) * 2 * line.pairs.count + 2 * i + k;
    }
  }
};

// Sums the ends of each vertex, in order; the first of its sorted keys does it.
template <class T>
struct SilhouetteVertexGrad {
  const int64_t* key;  // (2P,) sorted
  const T* ends;       // (2P, 4)
  int64_t count;
  T* out;  // (N V, 4), zero

  ML_HD void operator()(int64_t i) const {
    const int64_t row = key[i] / count;
    if (i > 0 && key[i - 1] / count == row) return;
    T sum[4] = {T(0), T(0), T(0), T(0)};
    for (int64_t j = i; j < count && key[j] / count == row; ++j)
      for (int k = 0; k < 4; ++k) sum[k] += ends[4 * (key[j] % count) + k];
    for (int k = 0; k < 4; ++k) out[4 * row + k] = sum[k];
  }
};

}  // namespace meshlearn
