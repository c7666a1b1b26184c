// Offset of places from the surface between oriented points, from the tangent planes near them.
//
// Over the points p_i with normals n_i that are near a place x, with s_i = x - p_i:
// (E1) n, the normal there: twice the mean of the n_i, by weights that fall with their distance
//      along the plane of the guess before, and with their difference from it
// (E2) for each width h: w_i = exp(-|n_i - n|^2 / 2 t^2 - (s_i . n)^2 / c - a_i / 2 h^2), a_i the
//      squared distance along the plane; m = sum w_i n_i, of length 1
// (E3) offset = sum w_i (n_i + m) . s_i / (2 sum w_i); it is in doubt by e |w| / sum w_i, e being
//      what noise explains of one point
// (E4) the widest h counts whose offset agrees, within both doubts, with those of all narrower ones
#pragma once
#include "pack_exp.h"

namespace meshlearn {

constexpr int kPlaneMost = 256;  // points of a place
constexpr int kPlaneWidths = 8;

template <class T>
struct PlaneRules {
  int widths;
  T width[kPlaneWidths];   // h, ascending, in spacings, and
  T narrow[kPlaneWidths];  // -1 / 2 h^2 in their own unit
  T turn, twice;           // -1 / 2 t^2, and of t twice as large
  T across;                // -1 / c
  T doubt;                 // e
};

template <class T>
ML_PACK T pack_sum(const Pack<T>& a) {
  T sum = lane(a, 0);
  for (int k = 1; k < PackOf<T>::width; ++k) sum += lane(a, k);
  return sum;
}

// Sums of weights and of what they weigh.
template <class T>
struct PlaneSums {
  Pack<T> total{}, squared{}, plane{};
  PackVec3<T> normal{}, step{};
};

// The points near one place, as steps to it and normals, side by side.
template <class T>
struct NearPlanes {
  static constexpr int W = PackOf<T>::width;
  int packs;
#if defined(__CUDACC__)
  const T *points, *normals;
  const int64_t* index;
  Vec3<T> place;

  ML_HD NearPlanes(const T* points, const T* normals, const int64_t* index, int count,
                   Vec3<T> place)
      : packs(count), points(points), normals(normals), index(index), place(place) {}
  ML_HD PackVec3<T> step(int j) const {
    const Vec3<T> s = place - load3(points, index[j]);
    return {s.x, s.y, s.z};
  }
  ML_HD PackVec3<T> normal(int j) const {
    const Vec3<T> n = load3(normals, index[j]);
    return {n.x, n.y, n.z};
  }
  ML_HD T there(int) const { return T(0); }
#else
  T rows[7][kPlaneMost];

  NearPlanes(const T* points, const T* normals, const int64_t* index, int count, Vec3<T> place)
      : packs((count + W - 1) / W) {
    for (int j = 0; j < packs * W; ++j) {
      const bool there = j < count;
      const int64_t i = there ? index[j] : 0;
      const T* p = points + 3 * i;
      const T* n = normals + 3 * i;
      rows[0][j] = there ? place.x - p[0] : T(0);
      rows[1][j] = there ? place.y - p[1] : T(0);
      rows[2][j] = there ? place.z - p[2] : T(0);
      rows[3][j] = there ? n[0] : T(0);
      rows[4][j] = there ? n[1] : T(0);
      rows[5][j] = there ? n[2] : T(0);
      rows[6][j] = there ? T(0) : T(-1e4);  // what is missing weighs nothing
    }
  }
  ML_PACK PackVec3<T> step(int j) const { return load_pack3(&rows[0][j * W], kPlaneMost); }
  ML_PACK PackVec3<T> normal(int j) const { return load_pack3(&rows[3][j * W], kPlaneMost); }
  ML_PACK Pack<T> there(int j) const { return load_pack(&rows[6][j * W]); }
#endif
};

template <class T>
struct PlaneOffset {
  const T* places;       // (Q, 3)
  const T* directions;   // (Q, 3)
  const T* points;       // (P, 3)
  const T* normals;      // (P, 3)
  const int64_t* index;  // (Q, K)
  int64_t count;
  PlaneRules<T> rules;
  T* offset;  // (Q,)
  T* turned;  // (Q, 3)
  T* used;    // (Q,)

  ML_HD void operator()(int64_t i) const {
    const Vec3<T> place = load3(places, i);
    const NearPlanes<T> near(points, normals, index + i * count, static_cast<int>(count), place);
    Vec3<T> n = load3(directions, i);
    n = own_normal(near, n, rules.twice);  // (E1)
    n = own_normal(near, n, rules.turn);
    PlaneSums<T> sums[kPlaneWidths];
    const PackVec3<T> at = pack_of3(n);
    const int widths = rules.widths;
    for (int j = 0; j < near.packs; ++j) {
      const PackVec3<T> step = near.step(j), other = near.normal(j), off = other - at;
      const Pack<T> across = pack_dot<T>(step, at), lift = across * across;
      const Pack<T> along = pack_larger(pack_dot<T>(step, step) - lift, pack_of(T(0)));
      const Pack<T> fixed = pack_dot<T>(off, off) * pack_of(rules.turn) +
                            lift * pack_of(rules.across) + near.there(j);
      const Pack<T> plane = pack_dot<T>(other, step);
      for (int h = 0; h < widths; ++h) {
        const Pack<T> w = pack_exp(fixed + along * pack_of(rules.narrow[h]));
        PlaneSums<T>& s = sums[h];  // (E2)
        s.total += w;
        s.squared += w * w;
        s.plane += w * plane;
        add(s.normal, w, other);
        add(s.step, w, step);
      }
    }
    // (E3), (E4)
    T best = T(0), low = T(0), high = T(0), width = T(0);
    Vec3<T> normal = n;
    bool agrees = true;
    for (int h = 0; h < widths && agrees; ++h) {
      const PlaneSums<T>& s = sums[h];
      const T total = larger(pack_sum<T>(s.total), T(1e-12));
      const Vec3<T> mean = unit(sum3(s.normal) + n * T(1e-9));
      const T found = (pack_sum<T>(s.plane) + dot(mean, sum3(s.step))) / (T(2) * total);
      const T slack = rules.doubt * std::sqrt(pack_sum<T>(s.squared)) / total;
      if (h > 0) {
        low = larger(low, found - slack);
        high = smaller(high, found + slack);
        agrees = low <= high;
        if (!agrees) break;
      } else {
        low = found - slack;
        high = found + slack;
      }
      best = found;
      normal = mean;
      width = rules.width[h];
    }
    offset[i] = best;
    store3(turned, i, normal);
    used[i] = width;
  }

  ML_HD Vec3<T> own_normal(const NearPlanes<T>& near, Vec3<T> guess, T turn) const {
    PackVec3<T> sum{};
    const PackVec3<T> at = pack_of3(guess);
    for (int j = 0; j < near.packs; ++j) {
      const PackVec3<T> step = near.step(j), other = near.normal(j), off = other - at;
      const Pack<T> across = pack_dot<T>(step, at);
      const Pack<T> along = pack_larger(pack_dot<T>(step, step) - across * across, pack_of(T(0)));
      add(sum, pack_exp(along * pack_of(rules.narrow[0]) + pack_dot<T>(off, off) * pack_of(turn)),
          other);
    }
    return unit(sum3(sum) + guess * T(1e-9));
  }

  static ML_PACK void add(PackVec3<T>& sum, const Pack<T>& w, const PackVec3<T>& v) {
    sum.x += w * v.x;
    sum.y += w * v.y;
    sum.z += w * v.z;
  }
  ML_HD static Vec3<T> sum3(const PackVec3<T>& v) {
    return {pack_sum<T>(v.x), pack_sum<T>(v.y), pack_sum<T>(v.z)};
  }
  ML_HD static Vec3<T> unit(Vec3<T> v) {
    return v * (T(1) / larger(std::sqrt(norm2(v)), T(1e-12)));
  }
};

}  // namespace meshlearn
