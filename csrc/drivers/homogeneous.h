#pragma once
#include "../common/tensor.h"
#include "../kernels/homogeneous.h"

namespace meshlearn {

// (N, 4, 4) in the dtype of `like`.
template <class T, class Exec>
Tensor homogeneous_matrix(const Exec& exec, const Tensor& like, const Tensor& view,
                          const Tensor& focal, const Tensor& centre, bool orthographic,
                          int64_t height, int64_t width) {
  const int64_t views = view.numel() / 16;
  STD_TORCH_CHECK(view.numel() == 16 * views &&
                      (focal.numel() == 2 || focal.numel() == 2 * views) &&
                      (centre.numel() == 2 || centre.numel() == 2 * views),
                  "view: (N, 4, 4); focal, centre: (2,) or (N, 2)");
  Tensor matrix = empty<T>(like, {views, 4, 4});
  ML_DISPATCH_FLOAT(view, C, ([&] {
                      expect<C>(view, "view");
                      expect<C>(focal, "focal");
                      expect<C>(centre, "centre");
                      exec.for_each(
                          views, 1024,
                          HomogeneousMatrix<T, C>{ptr<C>(view), ptr<C>(focal), ptr<C>(centre),
                                                  focal.numel() > 2, centre.numel() > 2,
                                                  orthographic, height, width, mut<T>(matrix)});
                    }));
  return matrix;
}

template <class Exec>
Tensor homogeneous(const Tensor& points, const Tensor& view, const Tensor& focal,
                   const Tensor& centre, bool orthographic, int64_t height, int64_t width) {
  STD_TORCH_CHECK(points.dim() == 2 && points.size(1) == 3, "points: (P, 3)");
  return ML_DISPATCH_FLOAT(
      points, T, ([&] {
        expect<T>(points, "points");
        const Exec exec(points);
        const Tensor matrix =
            homogeneous_matrix<T>(exec, points, view, focal, centre, orthographic, height, width);
        const int64_t count = points.size(0), views = matrix.size(0);
        Tensor out = empty<T>(points, {views, count, 4});
        exec.for_each(views * count, 8192,
                      HomogeneousPoints<T>{ptr<T>(points), ptr<T>(matrix), count, mut<T>(out)});
        return out;
      }));
}

template <class Exec>
Tensor homogeneous_backward(const Tensor& grad, const Tensor& view, const Tensor& focal,
                            const Tensor& centre, bool orthographic, int64_t height,
                            int64_t width) {
  STD_TORCH_CHECK(grad.dim() == 3 && grad.size(2) == 4, "grad: (N, P, 4)");
  return ML_DISPATCH_FLOAT(
      grad, T, ([&] {
        expect<T>(grad, "grad");
        const Exec exec(grad);
        const Tensor matrix =
            homogeneous_matrix<T>(exec, grad, view, focal, centre, orthographic, height, width);
        STD_TORCH_CHECK(matrix.size(0) == grad.size(0), "view: as many as grad");
        const int64_t count = grad.size(1), views = grad.size(0);
        Tensor out = empty<T>(grad, {count, 3});
        exec.for_each(
            count, 4096,
            HomogeneousPointGrad<T>{ptr<T>(grad), ptr<T>(matrix), count, views, mut<T>(out)});
        return out;
      }));
}

}  // namespace meshlearn
