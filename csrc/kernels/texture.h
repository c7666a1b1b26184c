// Which texels a texture coordinate falls between, and with what weights; the gradient of the
// weights: bilinear within a level, linear between two levels (Williams 1983, "Pyramidal
// parametrics"). Texels of all mipmap levels stand one after another, row 0 of each the top (v =
// 1).
#pragma once
#include "../common/hd.h"

namespace meshlearn {

enum TextureWrap : int64_t { kRepeat = 0, kClamp = 1, kMirror = 2 };

template <class T>
struct TextureAxis {
  int64_t texel[2];
  T after;  // weight of the second texel
  T slope;  // change of `after` per unit of the coordinate
};

template <class T>
struct TextureTaps {
  const T* uv;            // (M, 2)
  const T* level;         // (M,) mipmap level, or null for the first alone
  const bool* mask;       // (M,), or null
  const int64_t* layout;  // (L, 3): rows, columns, first texel
  int64_t levels, wrap, taps;
  bool nearest;

  ML_HD TextureAxis<T> axis(T c, int64_t size) const {
    T slope = static_cast<T>(size);
    if (wrap == kClamp) {
      if (c < 0 || c > 1) slope = 0;
      c = c < 0 ? T(0) : c > 1 ? T(1) : c;
    } else if (wrap == kRepeat) {
      c -= floor(c);
    } else {
      c -= 2 * floor(c / 2);
      if (c > 1) {
        c = 2 - c;
        slope = -slope;
      }
    }
    TextureAxis<T> out;
    const T place = c * size - (nearest ? T(0) : T(0.5)), first = floor(place);
    out.after = nearest ? T(0) : place - first;
    out.slope = nearest ? T(0) : slope;
    for (int k = 0; k < 2; ++k) {
      int64_t at = static_cast<int64_t>(first) + (nearest ? 0 : k);
      if (wrap == kRepeat && !nearest) at = at < 0 ? at + size : at >= size ? at - size : at;
      out.texel[k] = at < 0 ? 0 : at >= size ? size - 1 : at;
    }
    return out;
  }

  ML_HD bool seen(int64_t m) const {
    const T u = uv[2 * m], v = uv[2 * m + 1];
    return (mask == nullptr || mask[m]) && u - u == 0 && v - v == 0;
  }

  // The two levels a sample lies between, and the share of the second.
  ML_HD int64_t lower_level(int64_t m, T& share) const {
    share = 0;
    if (level == nullptr) return 0;
    int64_t low = static_cast<int64_t>(floor(level[m]));
    if (low > levels - 2) low = levels - 2;
    if (low < 0) low = 0;
    share = level[m] - static_cast<T>(low);
    return low;
  }
};

template <class T>
struct TextureTapsForward : TextureTaps<T> {
  int64_t* rows;  // (M, taps)
  T* weight;      // (M, taps)

  ML_HD void operator()(int64_t m) const {
    int64_t* row = rows + m * this->taps;
    T* w = weight + m * this->taps;
    for (int64_t j = 0; j < this->taps; ++j) {
      row[j] = -1;
      w[j] = 0;
    }
    if (!this->seen(m)) return;
    T share;
    const int64_t low = this->lower_level(m, share);
    const int64_t each = this->nearest ? 1 : 4;
    for (int64_t step = 0; step * each < this->taps; ++step) {
      const int64_t l = low + step < this->levels ? low + step : this->levels - 1;
      const int64_t* shape = this->layout + 3 * l;
      const TextureAxis<T> x = this->axis(this->uv[2 * m], shape[1]);
      const TextureAxis<T> y = this->axis(1 - this->uv[2 * m + 1], shape[0]);
      const T part = step == 0 ? 1 - share : share;
      for (int64_t j = 0; j < each; ++j) {
        const T wy = j / 2 ? y.after : 1 - y.after, wx = j % 2 ? x.after : 1 - x.after;
        row[step * each + j] = shape[2] + y.texel[j / 2] * shape[1] + x.texel[j % 2];
        w[step * each + j] = wy * wx * part;
      }
    }
  }
};

template <class T>
struct TextureTapsBackward : TextureTaps<T> {
  const T* grad_weight;  // (M, taps)
  T* grad_uv;            // (M, 2)

  ML_HD void operator()(int64_t m) const {
    T gu = 0, gv = 0;
    if (!this->nearest && this->seen(m)) {
      T share;
      const int64_t low = this->lower_level(m, share);
      for (int64_t step = 0; step * 4 < this->taps; ++step) {
        const int64_t l = low + step < this->levels ? low + step : this->levels - 1;
        const int64_t* shape = this->layout + 3 * l;
        const TextureAxis<T> x = this->axis(this->uv[2 * m], shape[1]);
        const TextureAxis<T> y = this->axis(1 - this->uv[2 * m + 1], shape[0]);
        const T part = step == 0 ? 1 - share : share;
        const T* g = grad_weight + m * this->taps + step * 4;
        gu += part * x.slope * ((1 - y.after) * (g[1] - g[0]) + y.after * (g[3] - g[2]));
        gv -= part * y.slope * ((1 - x.after) * (g[2] - g[0]) + x.after * (g[3] - g[1]));
      }
    }
    grad_uv[2 * m] = gu;
    grad_uv[2 * m + 1] = gv;
  }
};

}  // namespace meshlearn
