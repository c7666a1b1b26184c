#include "../kernels/cholesky.h"

#include <limits>
#include <tuple>
#include <vector>

#include "../common/exec_cpu.h"

namespace meshlearn {

// order (N,) of points (N, 3) float64 that the pattern of a symmetric matrix joins
static Tensor dissection(const Tensor& points, const Tensor& start, const Tensor& column) {
  expect<double>(points, "points");
  expect<int64_t>(start, "start");
  expect<int64_t>(column, "column");
  const int64_t n = start.numel() - 1;
  Tensor order = empty<int64_t>(start, {n});
  Dissection(ptr<double>(points), ptr<int64_t>(start), ptr<int64_t>(column), n)
      .run(mut<int64_t>(order), n);
  return order;
}

// first (N + 1,), row and value (nnz,), diagonal (N,), all NaN where the matrix is not positive
static std::tuple<Tensor, Tensor, Tensor, Tensor> cholesky(const Tensor& start,
                                                           const Tensor& column,
                                                           const Tensor& value,
                                                           const Tensor& order) {
  expect<int64_t>(start, "start");
  expect<int64_t>(column, "column");
  expect<double>(value, "value");
  expect<int64_t>(order, "order");
  const int64_t n = start.numel() - 1;
  std::vector<int64_t> place(n);
  for (int64_t i = 0; i < n; ++i) place[ptr<int64_t>(order)[i]] = i;
  std::vector<int32_t> parent(n);
  Tensor first = empty<int64_t>(start, {n + 1}), diagonal = empty<double>(value, {n});
  const int64_t count =
      cholesky_pattern(ptr<int64_t>(start), ptr<int64_t>(column), ptr<int64_t>(order), place.data(),
                       n, parent.data(), mut<int64_t>(first));
  Tensor row = empty<int32_t>(start, {count}), lower = empty<double>(value, {count});
  const int64_t bad =
      cholesky_values(ptr<int64_t>(start), ptr<int64_t>(column), ptr<double>(value),
                      ptr<int64_t>(order), place.data(), n, parent.data(), ptr<int64_t>(first),
                      mut<int32_t>(row), mut<double>(lower), mut<double>(diagonal));
  if (bad >= 0) {
    for (int64_t i = 0; i < n; ++i) {
      mut<double>(diagonal)[i] = std::numeric_limits<double>::quiet_NaN();
    }
  }
  return std::make_tuple(first, row, lower, diagonal);
}

// (N, D) solutions for right-hand sides (N, D)
static Tensor cholesky_solve(const Tensor& order, const Tensor& first, const Tensor& row,
                             const Tensor& value, const Tensor& diagonal, const Tensor& right) {
  expect<int64_t>(order, "order");
  expect<int64_t>(first, "first");
  expect<int32_t>(row, "row");
  expect<double>(value, "value");
  expect<double>(diagonal, "diagonal");
  expect<double>(right, "right");
  const int64_t n = order.numel(), width = right.size(1);
  Tensor out = empty<double>(right, {n, width});
  std::vector<double> y(n);
  for (int64_t k = 0; k < width; ++k) {
    cholesky_solve_column(ptr<int64_t>(order), n, ptr<int64_t>(first), ptr<int32_t>(row),
                          ptr<double>(value), ptr<double>(diagonal), ptr<double>(right) + k,
                          mut<double>(out) + k, width, y.data());
  }
  return out;
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("dissection", TORCH_BOX(&meshlearn::dissection));
  m.impl("cholesky", TORCH_BOX(&meshlearn::cholesky));
  m.impl("cholesky_solve", TORCH_BOX(&meshlearn::cholesky_solve));
}
