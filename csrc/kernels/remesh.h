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
      if (out_[v] >= 0) near_[v] = static_cast<int32_t>(face_of(out_[v]));
      if (s.size != nullptr) size_[v] = s.size[whole(v)];
    }
    std::vector<int32_t> count(total, 0);
    halves([&](int64_t h) {
      if (s.feature[3 * face_of(h) + (h & 3)] && feature_[h] == 0) feature_[h] = 1;
      const int64_t t = half_[h].twin;
      if (feature_[h] == 0 || (t >= 0 && t < h)) return;
      ++count[from(h)];
      ++count[to(h)];
    });
    kind_.resize(total);
    for (int64_t v = 0; v < total; ++v) {
      kind_[v] = odd_[v]                                           ? FIXED
                 : s.corner[v] || (count[v] != 0 && count[v] != 2) ? CORNER
                 : count[v] == 2                                   ? CURVE
                                                                   : FREE;
    }
    alive_ = s.faces;
    first_half_ = half_;
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
      relax(exec, r + 1 == rounds);
    }
  }

  std::vector<double> position;  // (V', 3)
  std::vector<int64_t> face;     // (F', 3)
  std::vector<int64_t> near;  // (V',) face of the given surface that each vertex was near to last

  void finish() {
    std::vector<int64_t> number(out_.size(), -1);
    halves([&](int64_t h) { number[whole(from(h))] = 0; });
    int64_t count = 0;
    for (size_t v = 0; v < number.size(); ++v) {
      if (number[v] < 0) continue;
      number[v] = count++;
      position.insert(position.end(), {where_[v].x, where_[v].y, where_[v].z});
    }
    halves([&](int64_t h) { face.push_back(number[whole(from(h))]); });
  }

 private:
  // how freely a vertex moves: anywhere, along a feature, nowhere but others may join it, and not
  // at all
  enum Kind : uint8_t { FREE, CURVE, CORNER, FIXED };
  static constexpr int64_t kTrims = 2;  // last rounds that bring the number of faces to the target
  static constexpr double kClasses = 12.5;  // of short edges, for a squared length of 1
  static constexpr int kSweeps = 2;         // of flips a round
  static constexpr double kNear = 0.1;      // wanted lengths, within which a place nearby will do
  static constexpr int kRestores = 6;       // times that vertices whose faces turned go back
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
  int64_t edge(int64_t h) const {
    return half_[h].twin >= 0 && half_[h].twin < h ? half_[h].twin : h;
  }
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
    halves([&](int64_t h) {
      if (half_[h].twin < 0 || half_[h].twin > h) f(h);
    });
  }

  // Lengths change by what the number of faces is off (I5).
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
  bool spoils(int64_t v, int64_t other, const Vec3<double>& p);
  bool turns_well(int64_t h);
  template <class Exec>
  void relax(const Exec& exec, bool exact);

  const RemeshSurface& s_;
  const RemeshRules rules_;
  const RemeshPlaces& places_;
  std::vector<Vec3<double>> where_, target_;
  std::vector<double> size_;
  std::vector<uint8_t> kind_;
  std::vector<int32_t> near_, mark_;
  std::vector<Entry> queue_;
  std::vector<Half> first_half_;  // of the given surface
  int64_t alive_ = 0;
  int32_t stamp_ = 0;
  double scale_ = 1;
  bool trimming_ = false;
};

// (I1) Halves every edge that is too long, the longest first; with a target, any until there are so
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
    const int64_t h = first.edge, u = from(h), v = to(h), t = half_[h].twin;
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
      if (half_[prev(g)].twin < 0) add(prev(g));
    });
  }
}

// (I2) Makes every edge that is too short a point, the shortest first, where nothing folds, opens
// or grows too long; with a target, any until there are so few faces.
inline void Remesher::collapse(int64_t target) {
  trimming_ = target > 0;
  const double limit = trimming_ ? 4 : rules_.shortest * rules_.shortest;
  // in classes by their length, and in each as they are found: in the order of memory, mostly
  std::vector<std::vector<int32_t>> found(static_cast<size_t>(limit * kClasses) + 1);
  std::vector<size_t> next_one(found.size(), 0);
  size_t k = 0;
  auto rank = [&](double s) { return static_cast<size_t>(s * kClasses); };
  auto add = [&](int64_t e) {
    const double s = stretch(e);
    if (!(s < limit)) return;
    found[rank(s)].push_back(static_cast<int32_t>(edge(e)));
    if (rank(s) < k) k = rank(s);
  };
  edges(add);
  while (k < found.size() && (target == 0 || alive_ > target)) {
    if (next_one[k] == found[k].size()) {
      ++k;
      continue;
    }
    const int64_t h = found[k][next_one[k]++];
    if (dead_[face_of(h)]) continue;
    const double s = stretch(h);
    if (!(s < limit) || rank(s) != k) continue;
    const int64_t v = kind_[from(h)] > kind_[to(h)] ? from(h) : to(h);
    if (!try_collapse(h)) continue;
    around(v, [&](int64_t g) {
      add(g);
      if (half_[prev(g)].twin < 0) add(prev(g));
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
  if (spoils(u, v, p) || (both && spoils(v, u, p)) || !may_go(h, u, v)) return false;
  alive_ -= half_[h].twin >= 0 ? 2 : 1;
  collapse_edge(h, u, v);
  where_[v] = p;
  if (both && !size_.empty()) size_[v] = (size_[u] + size_[v]) * 0.5;
  return true;
}

// Whether the surface stays a manifold, and features what they are, when u becomes v: no neighbours
// in common but the corners beside h (Dey, Edelsbrunner, Guha, Nekhayev, Topology preserving edge
// contraction, 1999).
inline bool Remesher::may_go(int64_t h, int64_t u, int64_t v) {
  const int64_t t = half_[h].twin;
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
inline bool Remesher::spoils(int64_t v, int64_t other, const Vec3<double>& p) {
  bool bad = false;
  const Vec3<double> old = at(v);
  const double mine = wanted(v), limit = rules_.longest * rules_.longest;
  around(v, [&](int64_t g) {
    if (bad) return;
    const int64_t i = to(g), j = from(prev(g));
    if (i == other || j == other) return;
    const Vec3<double> a = at(i), b = at(j);
    const double la = norm2(a - p), lb = norm2(b - p);
    if (!trimming_) {
      const double wi = wanted(i), wj = wanted(j);
      const double sa = wi < mine ? wi : mine, sb = wj < mine ? wj : mine;
      if (la > limit * sa * sa || lb > limit * sb * sb) {
        bad = true;
        return;
      }
    }
    const Vec3<double> before = cross(a - old, b - old), after = cross(a - p, b - p);
    const double nb = norm2(before), na = norm2(after), both = dot(before, after);
    const double side = norm2(b - a);
    double longest = la > lb ? la : lb;
    if (side > longest) longest = side;
    bad = (nb > 0 && !(both > 0 && both * both >= rules_.agree * rules_.agree * nb * na)) ||
          !(na > rules_.thin * rules_.thin * longest * longest);
  });
  return bad;
}

// (I3) Flips edges where the ends of both, before and after, then have more nearly six neighbours,
// four at borders.
inline void Remesher::flip() {
  std::vector<int8_t> off(out_.size());  // of the wished number of neighbours; 100 is enough
  for (size_t v = 0; v < off.size(); ++v) {
    const int32_t by = valence_[v] - (border_[v] ? 4 : 6);
    off[v] = static_cast<int8_t>(by < 100 ? by : 100);
  }
  for (int sweep = 0; sweep < kSweeps; ++sweep) {
    int64_t done = 0;
    edges([&](int64_t h) {
      const int64_t t = half_[h].twin;
      if (t < 0) return;
      const int64_t u = from(h), v = from(t), a = from(prev(h)), b = from(prev(t));
      // the sum of squares falls by 2 (off(u) + off(v) - off(a) - off(b)) - 4
      if (off[u] + off[v] - off[a] - off[b] <= 2 || feature_[h]) return;
      if (a == b || valence_[u] <= (border_[u] ? 2 : 3) || valence_[v] <= (border_[v] ? 2 : 3))
        return;
      if (kind_[a] == FIXED && kind_[b] == FIXED) return;
      bool joined = false;
      beside(a, [&](int64_t w) { joined = joined || w == b; });
      if (joined || !turns_well(h)) return;
      flip_edge(h);
      ++done;
      for (int64_t w : {u, v, a, b}) {
        const int32_t by = valence_[w] - (border_[w] ? 4 : 6);
        off[w] = static_cast<int8_t>(by < 100 ? by : 100);
      }
    });
    if (done == 0) break;
  }
}

// Whether both faces after a flip of h look where both before do, and are not thin.
inline bool Remesher::turns_well(int64_t h) {
  const int64_t t = half_[h].twin;
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

// (I4) Moves free vertices in their tangent planes towards the middle of their neighbours, and back
// onto the surface; those whose faces would turn stay.
template <class Exec>
void Remesher::relax(const Exec& exec, bool exact) {
  const int64_t total = static_cast<int64_t>(out_.size());
  target_ = where_;
  std::vector<double> size = size_;
  exec.for_each(total, 256, [&](int64_t v) {
    if (out_[v] < 0 || kind_[v] != FREE) return;
    const Vec3<double> here = at(v);
    Vec3<double> sum{0, 0, 0}, normal{0, 0, 0}, a = at(to(out_[v])) - here;
    double weight = 0;
    around(v, [&](int64_t g) {
      const Vec3<double> b = at(from(prev(g))) - here;
      const double w = size_.empty() ? 1 : 1 / size_[to(g)];
      sum = sum + a * w;
      weight += w;
      normal = normal + cross(a, b);
      a = b;
    });
    const double length = std::sqrt(norm2(normal));
    if (!(length > 0)) return;
    const Vec3<double> unit = normal * (1 / length);
    Vec3<double> step = sum * (rules_.relax / weight);
    step = step - unit * dot(step, unit);
    const Vec3<double> aim = here + step;
    RemeshPlace place;
    if (exact || !places_.walk(aim, near_[v], first_half_, kNear * wanted(v), place))
      place = places_.at(aim, near_[v]);
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
      const int64_t c[3] = {half_[4 * f].vert, half_[4 * f + 1].vert, half_[4 * f + 2].vert};
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
      for (int j = 0; j < 3; ++j) target_[half_[4 * f + j].vert] = where_[half_[4 * f + j].vert];
  }
  where_.swap(target_);
}

}  // namespace meshlearn
