#pragma once
#include "../common/tensor.h"
#include "../kernels/planes.h"

namespace meshlearn {

// rules: turn, across, doubt, spacing, then the widths in spacings, ascending.
template <class Exec>
std::tuple<Tensor, Tensor, Tensor> plane_offsets(const Tensor& places, const Tensor& directions,
                                                 const Tensor& points, const Tensor& normals,
                                                 const Tensor& index, std::vector<double> rules) {
  expect<int64_t>(index, "index");
  STD_TORCH_CHECK(index.dim() == 2 && index.size(0) == places.size(0) && index.size(1) > 0 &&
                      index.size(1) <= kPlaneMost,
                  "index: (Q, K), K at most 256");
  STD_TORCH_CHECK(rules.size() > 4 && rules.size() <= 4 + kPlaneWidths, "rules: 1 to 8 widths");
  return ML_DISPATCH_FLOAT(
      places, T, ([&]() -> std::tuple<Tensor, Tensor, Tensor> {
        expect<T>(places, "places");
        expect<T>(directions, "directions");
        expect<T>(points, "points");
        expect<T>(normals, "normals");
        PlaneRules<T> given{};
        const auto falling = [](double width) { return T(-0.5 / (width * width)); };
        given.turn = falling(rules[0]);
        given.twice = falling(2 * rules[0]);
        given.across = T(-1 / rules[1]);
        given.doubt = T(rules[2]);
        given.widths = static_cast<int>(rules.size()) - 4;
        for (int h = 0; h < given.widths; ++h) {
          given.width[h] = T(rules[4 + h]);
          given.narrow[h] = falling(rules[4 + h] * rules[3]);
        }
        const int64_t n = places.size(0);
        Tensor offset = empty<T>(places, {n}), turned = empty<T>(places, {n, 3});
        Tensor used = empty<T>(places, {n});
        Exec(places).for_each(n, 64,
                              PlaneOffset<T>{ptr<T>(places), ptr<T>(directions), ptr<T>(points),
                                             ptr<T>(normals), ptr<int64_t>(index), index.size(1),
                                             given, mut<T>(offset), mut<T>(turned), mut<T>(used)});
        return {offset, turned, used};
      }));
}

}  // namespace meshlearn
