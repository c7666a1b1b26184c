// Winding number of oriented points: each is a dipole, as a small piece of surface is.
//
// (W8) w(q) = sum over points of d_i . r_i / max(|r_i|, c)^3, r_i the way from q to the point, d_i
//      its normal times its area over 4 pi; within c of a point it is kept from growing
#pragma once
#include "pack.h"

namespace meshlearn {

constexpr int64_t kDipoleBlock = 256;  // that are summed in single precision at most

template <class T>
struct DipoleSum {
  const T* query;   // (Q, 3)
  const T* source;  // (3, S)
  const T* dipole;  // (3, S)
  int64_t count;
  T closest;
  T* out;  // (Q,)

  ML_HD void operator()(int64_t i) const {  // (W8)
    constexpr int W = PackOf<T>::width;
    const Vec3<T> q = load3(query, i);
    const PackVec3<T> at = pack_of3(q);
    double total = 0;
    for (int64_t first = 0; first < count; first += kDipoleBlock) {
      const int64_t end = first + kDipoleBlock < count ? first + kDipoleBlock : count;
      Pack<T> sum{};
      int64_t j = first;
      for (; j + W <= end; j += W) {
        const PackVec3<T> r{load_pack(source + j) - at.x, load_pack(source + count + j) - at.y,
                            load_pack(source + 2 * count + j) - at.z};
        const PackVec3<T> d{load_pack(dipole + j), load_pack(dipole + count + j),
                            load_pack(dipole + 2 * count + j)};
        const Pack<T> far = pack_larger(pack_sqrt(pack_dot<T>(r, r)), pack_of(closest));
        sum += pack_dot<T>(d, r) / (far * far * far);
      }
      for (int k = 0; k < W; ++k) total += lane(sum, k);
      for (; j < end; ++j) {
        const Vec3<T> r{source[j] - q.x, source[count + j] - q.y, source[2 * count + j] - q.z};
        const Vec3<T> d{dipole[j], dipole[count + j], dipole[2 * count + j]};
        const T far = larger(std::sqrt(norm2(r)), closest);
        total += dot(d, r) / (far * far * far);
      }
    }
    out[i] = static_cast<T>(total);
  }
};

}  // namespace meshlearn
