// Isotropic remeshing: Botsch and Kobbelt, A remeshing approach to multiresolution modeling, 2004,
// section 4. Sequential: edges are split, collapsed and flipped one after the other; only vertices
// move side by side.
//
// The equations are those of meshlearn/geometry/edge_passes.py; edge_passes_reference.py does the
// same in the same order. Lengths are in units of the wanted one.
#pragma once
#include "half_edges.h"
#include "remesh_place.h"

namespace meshlearn {

struct RemeshRules {
  double longest, shortest;  // of the wanted length: what is split, what is collapsed
  double agree;              // least cosine between a face's normal before and after a move
  double flip;               // the same between the faces of an edge and those after its flip
  double thin;               // least twice the area by the longest side squared
  double relax;              // share of the way to the middle of the neighbours
};

// What is made anew.
struct RemeshSurface {
  int64_t vertices, faces;
  const double* position;  // (V, 3)
  const int64_t* face;     // (F, 3), distinct vertices
  const bool* feature;     // (F, 3) edges that stay, from corner k to the next
  const bool* corner;      // (V,) vertices that stay
  const double* size;      // (V,) wanted lengths; null: 1
};

class Remesher : HalfEdges {
 public:
  Remesher(const RemeshSurface& s, const RemeshRules& rules, const RemeshPlaces& places)
      : HalfEdges(s.face, s.faces, s.vertices), s_(s), rules_(rules), places_(places) {
    const int64_t total = static_cast<int64_t>(out_.size());
    where_.resize(total);
    near_.assign(total, 0);
    mark_.assign(total, 0);
    if (s.size != nullptr) size_.resize(total);
    for (int64_t v = 0; v < total; ++v) {
      where_[v] = load3(s.position, whole(v));
      if (out_[v] >= 0) near_[v] = out_[v] / 3;
      if (s.size != nullptr) size_[v] = s.size[whole(v)];
    }
    std::vector<int32_t> count(total, 0);
    for (int64_t h = 0; h < 3 * s.faces; ++h) {
      if (s.feature[h] && feature_[h] == 0) feature_[h] = 1;
      const int64_t t = twin_[h];
      if (feature_[h] == 0 || (t >= 0 && t < h)) continue;
      ++count[from(h)];
      ++count[to(h)];
    }
    kind_.resize(total);
    for (int64_t v = 0; v < total; ++v) {
      kind_[v] = odd_[v]                                           ? FIXED
                 : s.corner[v] || (count[v] != 0 && count[v] != 2) ? CORNER
                 : count[v] == 2                                   ? CURVE
                                                                   : FREE;
    }
    alive_ = s.faces;
  }

  // `target`: faces wanted, 0: as many as the lengths make.
  template <class Exec>
  void run(int64_t rounds, int64_t target, const Exec& exec) {
    for (int64_t r = 0; r < rounds; ++r) {
      if (target > 0 && r > 0) adjust(target);
      split(0);
      collapse(0);
      if (target > 0 && r + kTrims >= rounds) {
        if (alive_ < target) split(target);
        if (alive_ > target) collapse(target);
      }
      flip();
      relax(exec);
    }
  }

  std::vector<double> position;  // (V', 3)
  std::vector<int64_t> face;     // (F', 3)
  std::vector<int64_t> near;  // (V',) face of the given surface that each vertex was near to last

  void finish() {
    std::vector<int64_t> number(out_.size(), -1);
    const int64_t half = static_cast<int64_t>(vert_.size());
    for (int64_t h = 0; h < half; ++h)
      if (!dead_[h / 3]) number[whole(vert_[h])] = 0;
    int64_t count = 0;
    for (size_t v = 0; v < number.size(); ++v) {
      if (number[v] < 0) continue;
      number[v] = count++;
      position.insert(position.end(), {where_[v].x, where_[v].y, where_[v].z});
    }
    for (int64_t h = 0; h < half; ++h)
      if (!dead_[h / 3]) face.push_back(number[whole(vert_[h])]);
  }

 private:
  // how freely a vertex moves: anywhere, along a feature, nowhere but others may join it, and not
  // at all
  enum Kind : uint8_t { FREE, CURVE, CORNER, FIXED };
  static constexpr int64_t kTrims = 2;  // last rounds that bring the number of faces to the target
  static constexpr int kSweeps = 4;     // of flips a round
  static constexpr int kRestores = 6;   // times that vertices whose faces turned go back
  struct Entry {
    double key;
    int32_t edge;
    bool operator<(const Entry& o) const {  // the least key leads
      return key > o.key || (key == o.key && edge > o.edge);
    }
  };

  Vec3<double> at(int64_t v) const { return where_[v]; }
  double wanted(int64_t v) const { return size_.empty() ? scale_ : scale_ * size_[v]; }
  // The squared length of h, by the square of the wanted one: the smaller of its two ends.
  double stretch(int64_t h) const {
    const double a = wanted(from(h)), b = wanted(to(h)), least = a < b ? a : b;
    return norm2(at(from(h)) - at(to(h))) / (least * least);
  }
  int64_t edge(int64_t h) const { return twin_[h] >= 0 && twin_[h] < h ? twin_[h] : h; }
  void push(double key, int64_t h) {
    queue_.push_back({key, static_cast<int32_t>(h)});
    std::push_heap(queue_.begin(), queue_.end());
  }
  Entry pop() {
    std::pop_heap(queue_.begin(), queue_.end());
    const Entry first = queue_.back();
    queue_.pop_back();
    return first;
  }
  // Calls f(h) for all edges, at the lower of their half-edges.
  template <class F>
  void edges(F f) {
    const int64_t half = static_cast<int64_t>(vert_.size());
    for (int64_t h = 0; h < half; ++h)
      if (!dead_[h / 3] && (twin_[h] < 0 || twin_[h] > h)) f(h);
  }

  // Lengths change by what the number of faces is off (E5).
  void adjust(int64_t target) {
    double by = std::sqrt(static_cast<double>(alive_) / static_cast<double>(target));
    by = by < 0.5 ? 0.5 : by > 2 ? 2 : by;
    scale_ *= by;
  }

  void split(int64_t target);
  void collapse(int64_t target);
  void flip();
  bool try_collapse(int64_t h);
  bool may_go(int64_t h, int64_t u, int64_t v);
  bool spoils(int64_t v, int64_t other, const Vec3<double>& p, bool any_length);
  bool turns_well(int64_t h);
  template <class Exec>
  void relax(const Exec& exec);

  const RemeshSurface& s_;
  const RemeshRules rules_;
  const RemeshPlaces& places_;
  std::vector<Vec3<double>> where_, target_;
  std::vector<double> size_;
  std::vector<uint8_t> kind_;
  std::vector<int32_t> near_, mark_;
  std::vector<Entry> queue_;
  int64_t alive_ = 0;
  int32_t stamp_ = 0;
  double scale_ = 1;
  bool trimming_ = false;
};

// (E1) Halves every edge that is too long, the longest first; with a target, any until there are so
// many faces.
inline void Remesher::split(int64_t target) {
  const double limit = target > 0 ? 0 : rules_.longest * rules_.longest;
  queue_.clear();
  edges([&](int64_t h) {
    if (feature_[h] == 2) return;
    const double s = stretch(h);
    if (s > limit) queue_.push_back({-s, static_cast<int32_t>(h)});
  });
  std::make_heap(queue_.begin(), queue_.end());
  while (!queue_.empty() && (target == 0 || alive_ < target)) {
    const Entry first = pop();
    const int64_t h = first.edge, u = from(h), v = to(h), t = twin_[h];
    if (-first.key != stretch(h)) continue;
    const Vec3<double> middle = (at(u) + at(v)) * 0.5;
    const double size = size_.empty() ? 1 : (size_[u] + size_[v]) * 0.5;
    const Kind kind = feature_[h] ? CURVE : FREE;
    alive_ += t >= 0 ? 2 : 1;
    const int64_t m = split_edge(h);
    if (m == static_cast<int64_t>(where_.size())) {
      where_.push_back(middle);
      kind_.push_back(kind);
      near_.push_back(near_[u]);
      mark_.push_back(0);
      if (!size_.empty()) size_.push_back(size);
    } else {
      where_[m] = middle;
      kind_[m] = kind;
      near_[m] = near_[u];
      if (!size_.empty()) size_[m] = size;
    }
    around(m, [&](int64_t g) {
      auto add = [&](int64_t e) {
        const double s = stretch(e);
        if (s > limit && feature_[e] != 2) push(-s, edge(e));
      };
      add(g);
      add(next(g));  // it may have another number now
      if (twin_[prev(g)] < 0) add(prev(g));
    });
  }
}

// (E2) Makes every edge that is too short a point, the shortest first, where nothing folds, opens
// or grows too long; with a target, any until there are so few faces.
inline void Remesher::collapse(int64_t target) {
  trimming_ = target > 0;
  const double limit = trimming_ ? 4 : rules_.shortest * rules_.shortest;
  queue_.clear();
  edges([&](int64_t h) {
    const double s = stretch(h);
    if (s < limit) queue_.push_back({s, static_cast<int32_t>(h)});
  });
  std::make_heap(queue_.begin(), queue_.end());
  while (!queue_.empty() && (target == 0 || alive_ > target)) {
    const Entry first = pop();
    const int64_t h = first.edge;
    if (dead_[h / 3] || first.key != stretch(h)) continue;
    int64_t v = kind_[from(h)] > kind_[to(h)] ? from(h) : to(h);
    if (!try_collapse(h)) continue;
    around(v, [&](int64_t g) {
      auto add = [&](int64_t e) {
        const double s = stretch(e);
        if (s < limit) push(s, edge(e));
      };
      add(g);
      if (twin_[prev(g)] < 0) add(prev(g));
    });
  }
  trimming_ = false;
}

inline bool Remesher::try_collapse(int64_t h) {
  int64_t u = from(h), v = to(h);
  if (kind_[u] > kind_[v]) std::swap(u, v);
  if (kind_[u] > CURVE || feature_[h] == 2) return false;
  if (kind_[u] == CURVE && !feature_[h]) return false;
  const bool both = kind_[v] == FREE;
  const Vec3<double> p = both ? (at(u) + at(v)) * 0.5 : at(v);
  if (!may_go(h, u, v) || spoils(u, v, p, trimming_) || (both && spoils(v, u, p, trimming_)))
    return false;
  alive_ -= twin_[h] >= 0 ? 2 : 1;
  collapse_edge(h, u, v);
  where_[v] = p;
  if (both && !size_.empty()) size_[v] = (size_[u] + size_[v]) * 0.5;
  return true;
}

// Whether the surface stays a manifold, and features what they are, when u becomes v: no neighbours
// in common but the corners beside h (Dey, Edelsbrunner, Guha, Nekhayev, Topology preserving edge
// contraction, 1999).
inline bool Remesher::may_go(int64_t h, int64_t u, int64_t v) {
  const int64_t t = twin_[h];
  if (t >= 0 && border_[u] && border_[v]) return false;
  for (int64_t g : {h, t}) {
    if (g < 0) continue;
    const int64_t a = from(prev(g));
    if (valence_[a] <= (border_[a] ? 2 : 3)) return false;
    if (feature_[next(g)] && feature_[prev(g)]) return false;
  }
  ++stamp_;
  bool apart = true;
  beside(u, [&](int64_t w) {
    mark_[w] = stamp_;
    if (kind_[v] == FIXED && kind_[w] == FIXED && w != v) apart = false;
  });
  int common = 0;
  beside(v, [&](int64_t w) { common += mark_[w] == stamp_; });
  return apart && common == (t >= 0 ? 2 : 1);
}

// Whether a face at v, but those at `other` too, would turn, become thin or too long, with v at p.
inline bool Remesher::spoils(int64_t v, int64_t other, const Vec3<double>& p, bool any_length) {
  bool bad = false;
  const Vec3<double> old = at(v);
  const double mine = wanted(v);
  around(v, [&](int64_t g) {
    if (bad) return;
    const int64_t i = to(g), j = from(prev(g));
    if (i == other || j == other) return;
    const Vec3<double> a = at(i), b = at(j);
    const Vec3<double> before = cross(a - old, b - old), after = cross(a - p, b - p);
    const double nb = norm2(before), na = norm2(after), both = dot(before, after);
    if (nb > 0 && !(both > 0 && both * both >= rules_.agree * rules_.agree * nb * na)) {
      bad = true;
      return;
    }
    const double la = norm2(a - p), lb = norm2(b - p), side = norm2(b - a);
    double longest = la > lb ? la : lb;
    if (side > longest) longest = side;
    if (!(na > rules_.thin * rules_.thin * longest * longest)) {
      bad = true;
      return;
    }
    if (any_length) return;
    const double limit = rules_.longest * rules_.longest;
    const double wi = wanted(i), wj = wanted(j);
    const double sa = wi < mine ? wi : mine, sb = wj < mine ? wj : mine;
    if (la > limit * sa * sa || lb > limit * sb * sb) bad = true;
  });
  return bad;
}

// (E3) Flips edges where the ends of both, before and after, then have more nearly six neighbours,
// four at borders.
inline void Remesher::flip() {
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    int64_t done = 0;
    edges([&](int64_t h) {
      const int64_t t = twin_[h];
      if (t < 0 || feature_[h]) return;
      const int64_t u = from(h), v = to(h), a = from(prev(h)), b = from(prev(t));
      auto off = [&](int64_t w) { return valence_[w] - (border_[w] ? 4 : 6); };
      // the sum of squares falls by 2 (off(u) + off(v) - off(a) - off(b)) - 4
      if (off(u) + off(v) - off(a) - off(b) <= 2) return;
      if (a == b || valence_[u] <= (border_[u] ? 2 : 3) || valence_[v] <= (border_[v] ? 2 : 3))
        return;
      if (kind_[a] == FIXED && kind_[b] == FIXED) return;
      bool joined = false;
      beside(a, [&](int64_t w) { joined = joined || w == b; });
      if (joined || !turns_well(h)) return;
      flip_edge(h);
      ++done;
    });
    if (done == 0) break;
  }
}

// Whether both faces after a flip of h look where both before do, and are not thin.
inline bool Remesher::turns_well(int64_t h) {
  const int64_t t = twin_[h];
  const Vec3<double> u = at(from(h)), v = at(to(h)), a = at(from(prev(h))), b = at(from(prev(t)));
  const Vec3<double> before[2] = {cross(v - u, a - u), cross(u - v, b - v)};
  const Vec3<double> after[2] = {cross(a - b, u - b), cross(b - a, v - a)};
  const Vec3<double> ends[2] = {u, v};
  const double across = norm2(a - b);
  for (int k = 0; k < 2; ++k) {
    const double na = norm2(after[k]), la = norm2(a - ends[k]), lb = norm2(b - ends[k]);
    double longest = la > lb ? la : lb;
    if (across > longest) longest = across;
    if (!(na > rules_.thin * rules_.thin * longest * longest)) return false;
    for (int j = 0; j < 2; ++j) {
      const double nb = norm2(before[j]), both = dot(before[j], after[k]);
      if (nb > 0 && !(both > 0 && both * both > rules_.flip * rules_.flip * nb * na)) return false;
    }
  }
  return true;
}

// (E4) Moves free vertices in their tangent planes towards the middle of their neighbours, and back
// onto the surface; those whose faces would turn stay.
template <class Exec>
void Remesher::relax(const Exec& exec) {
  const int64_t total = static_cast<int64_t>(out_.size());
  target_ = where_;
  std::vector<double> size = size_;
  exec.for_each(total, 256, [&](int64_t v) {
    if (out_[v] < 0 || kind_[v] != FREE) return;
    const Vec3<double> here = at(v);
    Vec3<double> sum{0, 0, 0}, normal{0, 0, 0};
    double weight = 0;
    around(v, [&](int64_t g) {
      const int64_t i = to(g);
      const Vec3<double> a = at(i) - here, b = at(from(prev(g))) - here;
      const double w = size_.empty() ? 1 : 1 / size_[i];
      sum = sum + a * w;
      weight += w;
      normal = normal + cross(a, b);
    });
    const double length = std::sqrt(norm2(normal));
    if (!(length > 0)) return;
    const Vec3<double> unit = normal * (1 / length);
    Vec3<double> step = sum * (rules_.relax / weight);
    step = step - unit * dot(step, unit);
    RemeshPlace place = places_.at(here + step, near_[v]);
    if (!(dot(place.normal, unit) > 0)) return;
    target_[v] = place.point;
    near_[v] = place.face;
    if (!size_.empty()) {
      const int64_t* corner = s_.face + 3 * static_cast<int64_t>(place.face);
      size[v] = s_.size[corner[0]] * place.a + s_.size[corner[1]] * place.b +
                s_.size[corner[2]] * place.c;
    }
  });
  size_.swap(size);
  for (int k = 0; k < kRestores; ++k) {
    std::vector<int32_t> turned;
    for (size_t f = 0; f < dead_.size(); ++f) {
      if (dead_[f]) continue;
      const int32_t* c = &vert_[3 * f];
      const Vec3<double> before = cross(at(c[1]) - at(c[0]), at(c[2]) - at(c[0]));
      const Vec3<double> after =
          cross(target_[c[1]] - target_[c[0]], target_[c[2]] - target_[c[0]]);
      const double nb = norm2(before), na = norm2(after), both = dot(before, after);
      if (!(both > 0 && both * both >= rules_.agree * rules_.agree * nb * na)) {
        turned.push_back(static_cast<int32_t>(f));
      }
    }
    if (turned.empty()) break;
    for (int32_t f : turned)
      for (int j = 0; j < 3; ++j) target_[vert_[3 * f + j]] = where_[vert_[3 * f + j]];
  }
  where_.swap(target_);
}

}  // namespace meshlearn
