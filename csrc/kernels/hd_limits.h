// Constants and selections of floating types on host and device.
#pragma once
#include "../common/hd.h"

namespace meshlearn {

template <class T>
ML_HD constexpr T infinity();
template <>
ML_HD constexpr float infinity<float>() {
  return __builtin_huge_valf();
}
template <>
ML_HD constexpr double infinity<double>() {
  return __builtin_huge_val();
}
template <class T>
ML_HD constexpr T epsilon();
template <>
ML_HD constexpr float epsilon<float>() {
  return 1.1920929e-07f;
}
template <>
ML_HD constexpr double epsilon<double>() {
  return 2.220446049250313e-16;
}
template <class T>
ML_HD constexpr T tiny();  // smallest normal number
template <>
ML_HD constexpr float tiny<float>() {
  return 1.17549435e-38f;
}
template <>
ML_HD constexpr double tiny<double>() {
  return 2.2250738585072014e-308;
}
template <class T>
ML_HD T larger(T a, T b) {
  return a > b ? a : b;
}
template <class T>
ML_HD T smaller(T a, T b) {
  return a < b ? a : b;
}
template <class T>
ML_HD T clamp01(T a) {
  return smaller(larger(a, T(0)), T(1));
}

}  // namespace meshlearn
