// World points to homogeneous image space (u w, v w, z, w), what the rasteriser reads.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

// One call makes the (4, 4) matrix of one view, in double until it is rounded once.
template <class T, class C>
struct HomogeneousMatrix {
  const C* view;    // (N, 4, 4)
  const C* focal;   // (1 or N, 2), in image heights
  const C* centre;  // (1 or N, 2), fractions of width and height
  bool many_focal, many_centre, orthographic;
  int64_t height, width;
  T* matrix;  // (N, 4, 4)

  ML_HD void operator()(int64_t n) const {
    const C *f = focal + (many_focal ? 2 * n : 0), *c = centre + (many_centre ? 2 * n : 0);
    const double fu = static_cast<double>(f[0] * static_cast<C>(height));
    const double fv = static_cast<double>(f[1] * static_cast<C>(height));
    const double cu = static_cast<double>(c[0] * static_cast<C>(width));
    const double cv = static_cast<double>(c[1] * static_cast<C>(height));
    const C* row = view + 16 * n;
    T* out = matrix + 16 * n;
    for (int j = 0; j < 4; ++j) {
      const double last = static_cast<double>(row[(orthographic ? 12 : 8) + j]);
      out[j] = static_cast<T>(fu * static_cast<double>(row[j]) + cu * last);
      out[4 + j] = static_cast<T>(fv * static_cast<double>(row[4 + j]) + cv * last);
      out[8 + j] = static_cast<T>(row[8 + j]);
      out[12 + j] = static_cast<T>(last);
    }
  }
};

template <class T>
struct HomogeneousPoints {
  const T* points;  // (P, 3)
  const T* matrix;  // (N, 4, 4)
  int64_t num_points;
  T* out;  // (N, P, 4)

  ML_HD void operator()(int64_t i) const {
    const T* p = points + 3 * (i % num_points);
    const T* m = matrix + 16 * (i / num_points);
    for (int k = 0; k < 4; ++k)
      out[4 * i + k] = p[0] * m[4 * k] + p[1] * m[4 * k + 1] + p[2] * m[4 * k + 2] + m[4 * k + 3];
  }
};

template <class T>
struct HomogeneousPointGrad {
  const T* grad;    // (N, P, 4)
  const T* matrix;  // (N, 4, 4)
  int64_t num_points, num_views;
  T* out;  // (P, 3)

  ML_HD void operator()(int64_t i) const {
    for (int j = 0; j < 3; ++j) {
      T sum = T(0);
      for (int64_t n = 0; n < num_views; ++n)
        for (int k = 0; k < 4; ++k)
          sum += grad[4 * (n * num_points + i) + k] * matrix[16 * n + 4 * k + j];
      out[3 * i + j] = sum;
    }
  }
};

}  // namespace meshlearn
