// Thin helpers over the stable tensor: allocation, pointers, dtype dispatch. Drivers include this.
#pragma once
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>
#include <torch/headeronly/util/Exception.h>

#include <initializer_list>
#include <optional>
#include <vector>

namespace meshlearn {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

template <class T>
struct scalar_of;
template <>
struct scalar_of<float> {
  static constexpr ScalarType value = ScalarType::Float;
};
template <>
struct scalar_of<double> {
  static constexpr ScalarType value = ScalarType::Double;
};
template <>
struct scalar_of<int64_t> {
  static constexpr ScalarType value = ScalarType::Long;
};
template <>
struct scalar_of<int32_t> {
  static constexpr ScalarType value = ScalarType::Int;
};
template <>
struct scalar_of<uint8_t> {
  static constexpr ScalarType value = ScalarType::Byte;
};
template <>
struct scalar_of<bool> {
  static constexpr ScalarType value = ScalarType::Bool;
};

// A new tensor of element type T on the device of `like`.
template <class T>
Tensor empty(const Tensor& like, std::initializer_list<int64_t> size) {
  return torch::stable::new_empty(like, {size.begin(), size.size()}, scalar_of<T>::value);
}
template <class T>
Tensor zeros(const Tensor& like, std::initializer_list<int64_t> size) {
  return torch::stable::new_zeros(like, {size.begin(), size.size()}, scalar_of<T>::value);
}

template <class T>
T* mut(const Tensor& t) {
  return static_cast<T*>(t.mutable_data_ptr());
}
template <class T>
const T* ptr(const Tensor& t) {
  return static_cast<const T*>(t.const_data_ptr());
}
template <class T>
const T* ptr_or_null(const std::optional<Tensor>& t) {
  return t.has_value() ? static_cast<const T*>(t->const_data_ptr()) : nullptr;
}

// Second line of defence only: users meet a ValueError in Python before a kernel runs.
template <class T>
void expect(const Tensor& t, const char* name) {
  STD_TORCH_CHECK(t.scalar_type() == scalar_of<T>::value, name, ": unexpected dtype");
  STD_TORCH_CHECK(t.is_contiguous(), name, ": must be contiguous");
}

// Runs fn.template operator()<float|double>() for a floating tensor: `fn` is a generic functor
// object.
#define ML_DISPATCH_FLOAT(tensor, scalar_t, ...)                                       \
  [&] {                                                                                \
    if ((tensor).scalar_type() == ::torch::headeronly::ScalarType::Float) {            \
      using scalar_t = float;                                                          \
      return __VA_ARGS__();                                                            \
    }                                                                                  \
    STD_TORCH_CHECK((tensor).scalar_type() == ::torch::headeronly::ScalarType::Double, \
                    "expected float32 or float64");                                    \
    using scalar_t = double;                                                           \
    return __VA_ARGS__();                                                              \
  }()

}  // namespace meshlearn
