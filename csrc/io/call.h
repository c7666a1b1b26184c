// What a function of `meshlearn._io` is made of: arguments, arrays that it gives back, errors.
//
// A function takes arrays as an address and a number of entries (meshlearn/_compiled.py gives them,
// of contiguous arrays of the right kind that live through the call), since Python's limited API
// before 3.11 has no buffers; it gives back bytearrays, which numpy takes over without a copy. It
// runs without Python's lock. No exception of C++ leaves it:
//   FileProblem     ValueError    the data is not what it should be; one sentence
//   FileEnds        EOFError      the data ends before what it promises
//   std::bad_alloc  MemoryError
//   any other       RuntimeError  a fault of the caller
#pragma once
#ifndef Py_GIL_DISABLED
#define Py_LIMITED_API 0x030A0000  // Python 3.10 and later: one build serves them all
#endif
#include <Python.h>

#include <limits>
#include <new>
#include <stdexcept>
#include <string>
#include <vector>

#include "threads.h"

namespace meshlearn {

struct FileProblem : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct FileEnds : std::runtime_error {
  using std::runtime_error::runtime_error;
};

inline std::string concat(const char* text) { return text; }
inline std::string concat(int64_t number) { return std::to_string(number); }
template <class First, class... Rest>
std::string concat(First first, Rest... rest) {
  return concat(first) + concat(rest...);
}
template <class... Words>
void expect_file(bool good, Words... words) {
  if (!good) throw FileProblem(concat(words...));
}
inline void expect_caller(bool good, const char* what) {
  if (!good) throw std::invalid_argument(what);
}

// An array of the caller's.
template <class T>
struct Span {
  const T* data;
  int64_t size;
};

// Arrays that a function gives back, in order. While it lives, Python's lock is free.
class Results {
 public:
  Results() : state_(PyEval_SaveThread()) {}
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;
  ~Results() {
    lock();
    for (PyObject* item : items_) Py_DECREF(item);
  }

  // Room for `count` entries, not set to anything.
  template <class T>
  T* add(int64_t count) {
    if (count < 0 || count > std::numeric_limits<Py_ssize_t>::max() / Py_ssize_t(sizeof(T)) - 1)
      throw std::bad_alloc();
    items_.reserve(items_.size() + 1);
    lock();
    PyObject* made = PyByteArray_FromStringAndSize(nullptr, count * sizeof(T));
    T* data = made ? reinterpret_cast<T*>(PyByteArray_AsString(made)) : nullptr;
    if (!made) PyErr_Clear();
    state_ = PyEval_SaveThread();
    if (!made) throw std::bad_alloc();
    items_.push_back(made);
    return data;
  }

  // The tuple of the arrays; from here on Python's lock is held.
  PyObject* take() {
    lock();
    PyObject* out = PyTuple_New(static_cast<Py_ssize_t>(items_.size()));
    if (!out) return nullptr;
    for (size_t k = 0; k < items_.size(); ++k)
      PyTuple_SetItem(out, static_cast<Py_ssize_t>(k), items_[k]);  // takes the reference
    items_.clear();
    return out;
  }

 private:
  void lock() {
    if (state_) PyEval_RestoreThread(state_);
    state_ = nullptr;
  }
  PyThreadState* state_;
  std::vector<PyObject*> items_;
};

// Runs body(results) without Python's lock -> the tuple of its results, or a Python exception.
template <class Body>
PyObject* run(Body body) noexcept {
  try {
    Results results;
    body(results);
    return results.take();
  } catch (const FileProblem& error) {
    PyErr_SetString(PyExc_ValueError, error.what());
  } catch (const FileEnds& error) {
    PyErr_SetString(PyExc_EOFError, error.what());
  } catch (const std::bad_alloc&) {
    PyErr_NoMemory();
  } catch (const std::exception& error) {
    PyErr_SetString(PyExc_RuntimeError, error.what());
  } catch (...) {
    PyErr_SetString(PyExc_RuntimeError, "an unknown error");
  }
  return nullptr;
}

// Reads the arguments of a call, in order; false with a Python exception where they do not fit.
// Spans are two numbers each: address and entries.
class Arguments {
 public:
  explicit Arguments(PyObject* tuple) : tuple_(tuple) {}

  template <class... Items>
  bool read(Items&... items) {
    const bool good = (take(items) && ...);
    if (good && at_ != PyTuple_Size(tuple_)) {
      PyErr_SetString(PyExc_TypeError, "expected fewer arguments");
      return false;
    }
    return good;
  }

 private:
  bool take(int64_t& out) {
    PyObject* item = next();
    if (!item) return false;
    out = PyLong_AsLongLong(item);
    return !(out == -1 && PyErr_Occurred());
  }
  bool take(bool& out) {
    int64_t number;
    if (!take(number)) return false;
    out = number != 0;
    return true;
  }
  template <class T>
  bool take(Span<T>& out) {
    PyObject* item = next();
    if (!item) return false;
    const unsigned long long address = PyLong_AsUnsignedLongLong(item);
    if (address == static_cast<unsigned long long>(-1) && PyErr_Occurred()) return false;
    out.data = reinterpret_cast<const T*>(static_cast<uintptr_t>(address));
    if (!take(out.size)) return false;
    if (out.size >= 0) return true;
    PyErr_SetString(PyExc_TypeError, "expected a number of entries of at least 0");
    return false;
  }
  PyObject* next() {
    if (at_ < PyTuple_Size(tuple_)) return PyTuple_GetItem(tuple_, at_++);  // borrowed
    PyErr_SetString(PyExc_TypeError, "expected more arguments");
    return nullptr;
  }
  PyObject* tuple_;
  Py_ssize_t at_ = 0;
};

// The functions of the module, by the file that defines them.
extern PyMethodDef text_methods[];
extern PyMethodDef obj_methods[];
extern PyMethodDef table_methods[];
extern PyMethodDef surface_methods[];

}  // namespace meshlearn
