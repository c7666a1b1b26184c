// Exponentials in lockstep.
#pragma once
#include "pack.h"

namespace meshlearn {

// exp(x) to a unit in the last place or two, the same on all machines: x = n ln 2 + r, a polynomial
// in r, and n into the exponent (Cody and Waite, Software Manual for the Elementary Functions,
// 1980). Below -87 it stays at 1e-38, above 88 at 2e38.
ML_PACK Pack<float> pack_exp(Pack<float> x) {
  const Pack<float> round = pack_of(12582912.0f);  // 1.5 * 2^23: a sum has whole numbers alone
  x = pack_smaller(pack_larger(x, pack_of(-87.0f)), pack_of(88.0f));
  const Pack<float> lifted = x * pack_of(1.44269504f) + round;
  const Pack<float> n = lifted - round;
  const Pack<float> r = (x - n * pack_of(0.693359375f)) + n * pack_of(2.12194440e-4f);
  Pack<float> y = pack_of(1.0f / 5040);
  for (const float c : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    y = y * r + pack_of(c);
  return pack_times_power(y, lifted);
}

ML_PACK Pack<double> pack_exp(Pack<double> x) {
#if defined(__GNUC__) && !defined(__CUDACC__)
  for (int k = 0; k < PackOf<double>::width; ++k) x[k] = std::exp(x[k]);
  return x;
#else
  return std::exp(x);
#endif
}

}  // namespace meshlearn
