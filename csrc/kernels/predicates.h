// Signs of determinants, exact: a double with an error bound first, expansions where it cannot
// tell. Method: Shewchuk, "Adaptive precision floating-point arithmetic and fast robust geometric
// predicates" (1997). Exact as long as no product overflows or underflows.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

// A sum of doubles kept exact: components do not overlap and grow in magnitude.
template <int Capacity>
struct Expansion {
  double part[Capacity];
  int size = 0;

  ML_HD void add(double value) {
    int kept = 0;
    for (int i = 0; i < size; ++i) {
      const double sum = value + part[i];
      const double other = sum - value;
      const double error = (value - (sum - other)) + (part[i] - other);
      value = sum;
      if (error != 0) part[kept++] = error;
    }
    if (value != 0) part[kept++] = value;
    size = kept;
  }
  ML_HD int sign() const { return size == 0 ? 0 : (part[size - 1] > 0 ? 1 : -1); }
};

ML_HD void difference(double a, double b, double out[2]) {
  const double d = a - b;
  const double other = a - d;
  const double round = other - b;
  out[0] = d;
  out[1] = (a - (d + other)) + round;
}

template <int Capacity>
ML_HD void add_product(Expansion<Capacity>& sum, double a, double b) {
  const double p = product(a, b);
  sum.add(fma(a, b, -p));
  sum.add(p);
}

template <int Capacity>
ML_HD void add_product(Expansion<Capacity>& sum, const double a[2], const double b[2],
                       const double c[2], double sign) {
  for (int i = 0; i < 2; ++i) {
    if (a[i] == 0) continue;
    for (int j = 0; j < 2; ++j) {
      if (b[j] == 0) continue;
      const double p = product(a[i], b[j]);
      const double e = fma(a[i], b[j], -p);
      for (int k = 0; k < 2; ++k) {
        if (c[k] == 0) continue;
        add_product(sum, sign * e, c[k]);
        add_product(sum, sign * p, c[k]);
      }
    }
  }
}

using Point = Vec3<double>;

ML_HD_COLD int orient3d_exact(const Point& a, const Point& b, const Point& c, const Point& d) {
  double u[9][2];
  difference(a.x, d.x, u[0]);
  difference(a.y, d.y, u[1]);
  difference(a.z, d.z, u[2]);
  difference(b.x, d.x, u[3]);
  difference(b.y, d.y, u[4]);
  difference(b.z, d.z, u[5]);
  difference(c.x, d.x, u[6]);
  difference(c.y, d.y, u[7]);
  difference(c.z, d.z, u[8]);
  Expansion<208> sum;
  add_product(sum, u[0], u[4], u[8], 1.0);
  add_product(sum, u[0], u[5], u[7], -1.0);
  add_product(sum, u[1], u[5], u[6], 1.0);
  add_product(sum, u[1], u[3], u[8], -1.0);
  add_product(sum, u[2], u[3], u[7], 1.0);
  add_product(sum, u[2], u[4], u[6], -1.0);
  return sum.sign();
}

// Sign of the volume (a - d) . ((b - d) x (c - d)): +1 where d sees a, b, c clockwise.
ML_HD int orient3d(const Point& a, const Point& b, const Point& c, const Point& d) {
  const double ax = a.x - d.x, ay = a.y - d.y, az = a.z - d.z;
  const double bx = b.x - d.x, by = b.y - d.y, bz = b.z - d.z;
  const double cx = c.x - d.x, cy = c.y - d.y, cz = c.z - d.z;
  const double bcx = by * cz, bcy = bz * cx, bcz = bx * cy;
  const double cbx = bz * cy, cby = bx * cz, cbz = by * cx;
  const double det = ax * (bcx - cbx) + ay * (bcy - cby) + az * (bcz - cbz);
  const double bound = (fabs(bcx) + fabs(cbx)) * fabs(ax) + (fabs(bcy) + fabs(cby)) * fabs(ay) +
                       (fabs(bcz) + fabs(cbz)) * fabs(az);
  if (fabs(det) > 1e-15 * bound) return det > 0 ? 1 : -1;
  return bound == 0 ? 0 : orient3d_exact(a, b, c, d);
}

ML_HD_COLD int orient2d_exact(double ax, double ay, double bx, double by, double cx, double cy) {
  Expansion<16> sum;  // ax by - ax cy - cx by - ay bx + ay cx + cy bx
  add_product(sum, ax, by);
  add_product(sum, -ax, cy);
  add_product(sum, -cx, by);
  add_product(sum, -ay, bx);
  add_product(sum, ay, cx);
  add_product(sum, cy, bx);
  return sum.sign();
}

// Sign of the area of (a, b, c) in the plane: +1 counter-clockwise.
ML_HD int orient2d(double ax, double ay, double bx, double by, double cx, double cy) {
  const double left = (ax - cx) * (by - cy), right = (ay - cy) * (bx - cx);
  const double det = left - right;
  const double bound = fabs(left) + fabs(right);
  if (fabs(det) > 4e-16 * bound) return det > 0 ? 1 : -1;
  return orient2d_exact(ax, ay, bx, by, cx, cy);
}

}  // namespace meshlearn
