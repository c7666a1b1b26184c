#pragma once
#include "../common/tensor.h"
#include "../kernels/dipoles.h"

namespace meshlearn {

template <class Exec>
Tensor dipole_sum(const Tensor& query, const Tensor& source, const Tensor& dipole, double closest) {
  STD_TORCH_CHECK(query.dim() == 2 && query.size(1) == 3, "query: (Q, 3)");
  STD_TORCH_CHECK(source.dim() == 2 && source.size(0) == 3 && dipole.dim() == 2 &&
                      dipole.size(0) == 3 && dipole.size(1) == source.size(1),
                  "source, dipole: (3, S)");
  return ML_DISPATCH_FLOAT(query, T, ([&] {
                             expect<T>(query, "query");
                             expect<T>(source, "source");
                             expect<T>(dipole, "dipole");
                             Tensor out = empty<T>(query, {query.size(0)});
                             Exec(query).for_each(
                                 query.size(0), 16,
                                 DipoleSum<T>{ptr<T>(query), ptr<T>(source), ptr<T>(dipole),
                                              source.size(1), T(closest), mut<T>(out)});
                             return out;
                           }));
}

}  // namespace meshlearn
