// Edge collapses by quadric error: Garland and Heckbert, Surface simplification using quadric error
// metrics, 1997, with attributes at wedges as Hoppe, New quadric metric for simplifying meshes with
// appearance attributes, 1999. Sequential: a queue gives one collapse after the other.
//
// The equations are those of meshlearn/geometry/collapses.py; collapses_reference.py does the same
// in the same order.
#pragma once
#include <algorithm>
#include <utility>
#include <vector>

#include "../common/hd.h"
#include "simplify_parts.h"

namespace meshlearn {

struct SimplifyRules {
  double steady;   // weight of staying near where the vertices were, of the area
  double border;   // weight of planes through borders, of the squared length
  double turn;     // least cosine between a face's normal before and after
  double thin;     // least area by longest side squared, unless it was less before
  double flat;     // the same, below which a face tells nothing of its attributes
  double crowded;  // a share of 1 / crowded of the edges, beyond which seams are no features
};

// Values of corners. Rows of `value` are scaled: a difference of 1 counts as a length of 1.
struct SimplifyValues {
  int64_t width;
  const int64_t* wedge;  // (F, 3) row of `value` of each corner
  const double* value;   // (R, width)
  bool flat;             // every two columns are coordinates of a texture
};

// What is simplified.
struct SimplifySurface {
  int64_t vertices, faces, seams;
  const double* position;  // (V, 3)
  const int64_t* face;     // (F, 3), distinct vertices
  const int64_t* seam;  // (seams, F, 3) what is the same on both sides of an edge that is no seam
  std::vector<SimplifyValues> values;
};

// Half-edge h = 3 f + k goes from corner k of face f to the next one.
class Simplifier {
 public:
  Simplifier(const SimplifySurface& s, const SimplifyRules& rules) : s_(s), rules_(rules) {
    link();
    split_fans();
    mark_features();
    for (const SimplifyValues& given : s.values) gather_wedges(given);
    add_quadrics();
  }

  // Collapses until `target` faces are left or nothing more can go.
  void run(int64_t target) {
    for (loose_ = 0; loose_ < 2 && alive_ > target; ++loose_) {
      // what was refused is tried again while that helps
      for (int64_t before = -1; alive_ > target && alive_ != before;) {
        before = alive_;
        fill_queue();
        drain(target);
      }
    }
  }

  // The surface that is left; vertices and faces keep their order.
  std::vector<double> position;     // (V', 3)
  std::vector<int64_t> face;        // (F', 3)
  std::vector<int64_t> face_index;  // (F',) the old face that each was
  std::vector<int64_t> vertex_map;  // (V,) new vertex of each old one; -1: no face had it
  std::vector<int64_t> nearest;     // (V',) the old vertex that is nearest of those that became it
  std::vector<std::vector<int64_t>> wedge;  // (F', 3) each, row of `value`
  std::vector<std::vector<double>> value;   // (W', width) each

  void finish() {
    const int64_t total = static_cast<int64_t>(where_.size());
    std::vector<int64_t> number(s_.vertices, -1);
    std::vector<uint8_t> used(total, 0);
    for (int64_t f = 0; f < s_.faces; ++f) {
      if (dead_[f]) continue;
      for (int k = 0; k < 3; ++k) used[vert_[3 * f + k]] = 1;
    }
    // parts of one vertex that were split are fixed, and one again
    int64_t count = 0;
    for (int64_t v = 0; v < total; ++v) {
      if (!used[v] || number[whole(v)] >= 0) continue;
      number[whole(v)] = count++;
      position.insert(position.end(), {where_[v].x, where_[v].y, where_[v].z});
      nearest.push_back(near_[v]);
    }
    vertex_map.assign(s_.vertices, -1);
    for (int64_t v = 0; v < s_.vertices; ++v) {
      int64_t root = v;
      while (parent_[root] != root) root = parent_[root];
      vertex_map[v] = number[whole(root)];
    }
    for (int64_t f = 0; f < s_.faces; ++f) {
      if (dead_[f]) continue;
      face_index.push_back(f);
      for (int k = 0; k < 3; ++k) face.push_back(number[whole(vert_[3 * f + k])]);
    }
    for (const Wedges& a : wedges_) {
      std::vector<int64_t> row(a.weight.size(), -1);
      wedge.emplace_back();
      value.emplace_back();
      for (int64_t f : face_index) {
        for (int k = 0; k < 3; ++k) {
          const int64_t w = a.of[3 * f + k];
          if (row[w] < 0) {
            row[w] = static_cast<int64_t>(value.back().size()) / a.m;
            value.back().insert(value.back().end(), &a.value[w * a.m], &a.value[w * a.m] + a.m);
          }
          wedge.back().push_back(row[w]);
        }
      }
    }
  }

 private:
  // how freely a vertex moves: anywhere, along a feature, nowhere but it may go, not at all
  enum Kind : uint8_t { FREE, CURVE, CORNER, FIXED };
  enum State : uint8_t { NEVER, QUEUED, PLAIN, REFUSED };  // of an edge, at one of its half-edges

  static int64_t next(int64_t h) { return h % 3 == 2 ? h - 2 : h + 1; }
  static int64_t prev(int64_t h) { return h % 3 == 0 ? h + 2 : h - 1; }
  int64_t from(int64_t h) const { return vert_[h]; }
  int64_t to(int64_t h) const { return vert_[next(h)]; }
  int64_t whole(int64_t v) const { return v < s_.vertices ? v : split_[v - s_.vertices]; }

  // Calls f(h) for the half-edges that leave v, counter-clockwise.
  template <class F>
  void around(int64_t v, F f) const {
    const int64_t start = out_[v];
    for (int64_t h = start; h >= 0;) {
      f(h);
      h = twin_[prev(h)];
      if (h == start) break;
    }
  }

  // Corners of a vertex that have the same values are one wedge. Of the edge that is looked at,
  // `member` lists the wedges of its ends, `group` the class of each, `mixed` the classes' values.
  struct Wedges {
    int64_t m;
    bool flat;
    std::vector<int32_t> of;     // (3 F)
    std::vector<int32_t> count;  // (V)
    std::vector<double> weight;  // (W)
    std::vector<double> value;   // (W, m)
    std::vector<double> slope;   // (W, m, 4) sums of w g and w d
    std::vector<int32_t> member, group;
    std::vector<double> mixed;  // (groups, m)
    int groups = 0;

    int64_t class_of(int32_t w) const {
      for (size_t i = 0; i < member.size(); ++i)
        if (member[i] == w) return group[i];
      return -1;
    }
  };

  void link();
  void split_fans();
  void mark_features();
  void gather_wedges(const SimplifyValues& given);
  void add_quadrics();
  void fill_queue();
  void drain(int64_t target);
  double evaluate(int64_t h, Vec3<double>& p, bool plain = false);
  void classes(int64_t h, Wedges& a);
  bool may_go(int64_t h);
  bool turns(int64_t v, int64_t other, const Vec3<double>& p);
  void mix(int64_t h, const Vec3<double>& p);
  void join_wedges(int64_t u, int64_t v);
  void collapse(int64_t h, int64_t u, int64_t v, const Vec3<double>& p);
  Vec3<double> at(int64_t v) const { return where_[v]; }
  const SimplifySurface& s_;
  const SimplifyRules rules_;
  int64_t alive_ = 0;
  int loose_ = 0;  // 1: features give way
  std::vector<int32_t> vert_, twin_, out_, parent_, near_, valence_, mark_, split_;
  std::vector<uint8_t> dead_, kind_, feature_, queued_, border_;
  std::vector<uint8_t> stuck_;  // vertices that an edge was refused at
  int32_t stamp_ = 0;
  std::vector<Vec3<double>> where_;
  std::vector<Quadric> quadric_;
  std::vector<Wedges> wedges_;
  CollapseQueue queue_;
};

// The wedges at both ends of an edge: those that its faces join are one class.
inline void Simplifier::classes(int64_t h, Wedges& a) {
  const int64_t t = twin_[h], u = from(h), v = to(h);
  a.member.clear();
  auto take = [&](int64_t vertex, int64_t any) {
    if (a.count[vertex] == 1) {
      a.member.push_back(a.of[any]);
      return;
    }
    const size_t first = a.member.size();
    around(vertex, [&](int64_t g) {
      for (size_t i = first; i < a.member.size(); ++i)
        if (a.member[i] == a.of[g]) return;
      a.member.push_back(a.of[g]);
    });
  };
  take(u, h);
  take(v, next(h));
  a.group.resize(a.member.size());
  for (size_t i = 0; i < a.member.size(); ++i) a.group[i] = static_cast<int32_t>(i);
  auto join = [&](int32_t one, int32_t other) {
    int64_t x = a.class_of(one), y = a.class_of(other);
    if (x == y) return;
    if (y < x) std::swap(x, y);
    for (int32_t& g : a.group)
      if (g == y) g = static_cast<int32_t>(x);
  };
  join(a.of[h], a.of[next(h)]);
  if (t >= 0) join(a.of[next(t)], a.of[t]);
  a.groups = 0;
  for (size_t i = 0; i < a.group.size(); ++i) {
    const bool head = a.group[i] == static_cast<int32_t>(i);
    a.group[i] = head ? a.groups++ : a.group[a.group[i]];
  }
}

// What it costs to make the ends of h one, at the place p where that is least; negative: never.
inline double Simplifier::evaluate(int64_t h, Vec3<double>& p, bool plain) {
  const int64_t u = from(h), v = to(h);
  const Kind ku = static_cast<Kind>(kind_[u]), kv = static_cast<Kind>(kind_[v]);
  int64_t stay = -1;  // the vertex that does not move
  if (ku == FIXED && kv == FIXED) return -1;
  if (ku == FIXED || kv == FIXED) {
    if (ku != FREE && kv != FREE && !feature_[h] && !loose_) return -1;
    stay = ku == FIXED ? u : v;
  } else if (ku == FREE || kv == FREE) {
    stay = ku != FREE ? u : kv != FREE ? v : -1;
  } else if (!loose_) {
    if (!feature_[h] || (ku == CORNER && kv == CORNER)) return -1;
    stay = ku == CORNER ? u : kv == CORNER ? v : -1;
  }
  Quadric q = quadric_[u];
  q.add(quadric_[v]);
  for (Wedges& a : wedges_) {  // (Q5)
    classes(h, a);
    for (int g = 0; g < a.groups; ++g) {
      double w = 0;
      for (size_t i = 0; i < a.member.size(); ++i)
        if (a.group[i] == g) w += a.weight[a.member[i]];
      if (!(w > 0)) continue;
      for (int64_t j = 0; j < a.m; ++j) {
        Vec3<double> slope{0, 0, 0};
        double d = 0;
        for (size_t i = 0; i < a.member.size(); ++i) {
          if (a.group[i] != g) continue;
          const double* part = &a.slope[(a.member[i] * a.m + j) * 4];
          slope = slope + Vec3<double>{part[0], part[1], part[2]};
          d += part[3];
        }
        q.add_plane(slope * (1 / w), d / w, -w);
      }
    }
  }
  if (stay >= 0) {
    p = at(stay);
  } else if (plain || !q.least(p)) {
    const Vec3<double> middle = (at(u) + at(v)) * 0.5;
    const double cu = q.at(at(u)), cv = q.at(at(v)), cm = q.at(middle);
    p = cm <= cu && cm <= cv ? middle : cu <= cv ? at(u) : at(v);
  }
  const double cost = q.at(p);
  return cost > 0 ? cost : 0;
}

inline void Simplifier::fill_queue() {
  const int64_t half = 3 * s_.faces;
  queue_.clear();
  queued_.assign(half, NEVER);
  stuck_.assign(where_.size(), 0);
  Vec3<double> p;
  for (int64_t h = 0; h < half; ++h) {
    if (dead_[h / 3] || (twin_[h] >= 0 && twin_[h] < h)) continue;
    const double cost = evaluate(h, p);
    if (!(cost >= 0)) continue;
    queued_[h] = QUEUED;
    queue_.add_unordered({cost, h});
  }
  queue_.order();
}

inline void Simplifier::drain(int64_t target) {
  Vec3<double> p;
  while (alive_ > target && !queue_.empty()) {
    const CollapseQueue::Entry first = queue_.top();
    const int64_t h = first.edge;
    if (dead_[h / 3]) {
      queue_.pop();
      continue;
    }
    // costs only grow: one that has grown goes back to its place
    const bool plain = queued_[h] == PLAIN;
    const CollapseQueue::Entry now{evaluate(h, p, plain), h};
    if (now.key >= 0 && !queue_.leads(now)) {
      queue_.replace_top(now);
      continue;
    }
    queue_.pop();
    queued_[h] = NEVER;
    if (!(now.key >= 0)) continue;
    int64_t u = from(h), v = to(h);
    if (kind_[u] == FIXED) std::swap(u, v);
    queued_[h] = REFUSED;
    stuck_[u] = stuck_[v] = 1;
    if (!may_go(h)) continue;
    mix(h, p);
    if (turns(u, v, p) || turns(v, u, p)) {
      // an end of the edge, or its middle, may do where the best place does not
      Vec3<double> place;
      const double cost = plain ? -1 : evaluate(h, place, true);
      if (cost >= 0 && !(place.x == p.x && place.y == p.y && place.z == p.z)) {
        queued_[h] = PLAIN;
        queue_.push({cost, h});
      }
      continue;
    }
    collapse(h, u, v, p);
    // edges of v cost something else now; what was refused nearby may go
    stuck_[v] = 0;
    auto again = [&](int64_t e, bool changed) {
      const int64_t t = twin_[e];
      const uint8_t here = queued_[e], there = t >= 0 ? queued_[t] : NEVER;
      if (here == QUEUED || there == QUEUED || here == PLAIN || there == PLAIN) return;
      if (!changed && here != REFUSED && there != REFUSED) return;
      Vec3<double> place;
      const double cost = evaluate(e, place);
      if (!(cost >= 0)) return;
      queued_[e] = QUEUED;
      queue_.push({cost, e});
    };
    around(v, [&](int64_t g) {
      again(g, true);
      if (twin_[prev(g)] < 0) again(prev(g), true);
    });
    around(v, [&](int64_t g) {
      auto near = [&](int64_t w) {
        if (!stuck_[w]) return;
        stuck_[w] = 0;
        around(w, [&](int64_t e) {
          again(e, false);
          if (twin_[prev(e)] < 0) again(prev(e), false);
        });
      };
      near(to(g));
      if (twin_[prev(g)] < 0) near(from(prev(g)));
    });
  }
}

// Whether the surface stays a manifold without h: the ends have no neighbours in common but the
// corners beside h (Dey, Edelsbrunner, Guha, Nekhayev, Topology preserving edge contraction, 1999).
inline bool Simplifier::may_go(int64_t h) {
  const int64_t t = twin_[h], u = from(h), v = to(h);
  if (t >= 0 && border_[u] && border_[v]) return false;
  for (int64_t g : {h, t}) {
    if (g < 0) continue;
    const int64_t a = from(prev(g));
    if (valence_[a] <= (border_[a] ? 2 : 3)) return false;
    if (!loose_ && feature_[next(g)] && feature_[prev(g)]) return false;
  }
  ++stamp_;
  auto mark = [&](int64_t g) {
    mark_[to(g)] = stamp_;
    const int64_t p = prev(g);
    if (twin_[p] < 0) mark_[from(p)] = stamp_;
  };
  around(u, mark);
  int common = 0;
  auto count = [&](int64_t w) {
    common += mark_[w] == stamp_;
    mark_[w] = 0;  // each once
  };
  around(v, [&](int64_t g) {
    count(to(g));
    const int64_t p = prev(g);
    if (twin_[p] < 0) count(from(p));
  });
  return common == (t >= 0 ? 2 : 1);
}

// Whether a face at v, but those at `other` too, would turn over, become too thin, or turn over in
// the texture, with v at p.
inline bool Simplifier::turns(int64_t v, int64_t other, const Vec3<double>& p) {
  bool bad = false;
  const Vec3<double> old = at(v);
  around(v, [&](int64_t g) {
    if (bad) return;
    const int64_t i = to(g), j = from(prev(g));
    if (i == other || j == other) return;
    const Vec3<double> a = at(i), b = at(j), side = b - a;
    const Vec3<double> before = cross(a - old, b - old), after = cross(a - p, b - p);
    const double nb = norm2(before), na = norm2(after), both = dot(before, after);
    if (!(both > 0 || nb == 0) || both * both < rules_.turn * rules_.turn * nb * na) {
      bad = true;
      return;
    }
    double longest = norm2(side);
    if (norm2(a - p) > longest) longest = norm2(a - p);
    if (norm2(b - p) > longest) longest = norm2(b - p);
    double long_before = norm2(side);
    if (norm2(a - old) > long_before) long_before = norm2(a - old);
    if (norm2(b - old) > long_before) long_before = norm2(b - old);
    // squares of twice the area by the longest side squared, times both of these
    const double limit = 2 * rules_.thin * longest;
    if (!(na > limit * limit) && !(na * long_before * long_before > nb * longest * longest)) {
      bad = true;
      return;
    }
    if (loose_) return;
    for (const Wedges& w : wedges_) {
      for (int64_t j = 0; w.flat && j + 1 < w.m; j += 2) {
        const double* x = &w.value[w.of[g] * w.m + j];
        const double* y = &w.value[w.of[next(g)] * w.m + j];
        const double* z = &w.value[w.of[prev(g)] * w.m + j];
        const double* n = &w.mixed[w.class_of(w.of[g]) * w.m + j];
        const double was = (y[0] - x[0]) * (z[1] - x[1]) - (y[1] - x[1]) * (z[0] - x[0]);
        const double is = (y[0] - n[0]) * (z[1] - n[1]) - (y[1] - n[1]) * (z[0] - n[0]);
        if (was != 0 && !(was > 0 ? is > 0 : is < 0)) bad = true;
      }
    }
  });
  return bad;
}

// The values of each class where h goes to p (Q6).
inline void Simplifier::mix(int64_t h, const Vec3<double>& p) {
  for (Wedges& a : wedges_) {
    classes(h, a);
    a.mixed.assign(a.groups * a.m, 0);
    for (int g = 0; g < a.groups; ++g) {
      double w = 0;
      int64_t any = -1;
      for (size_t i = 0; i < a.member.size(); ++i) {
        if (a.group[i] != g) continue;
        w += a.weight[a.member[i]];
        any = a.member[i];
      }
      for (int64_t j = 0; j < a.m; ++j) {
        double sum = 0;
        for (size_t i = 0; i < a.member.size(); ++i) {
          if (a.group[i] != g) continue;
          const double* s = &a.slope[(a.member[i] * a.m + j) * 4];
          sum += s[0] * p.x + s[1] * p.y + s[2] * p.z + s[3];
        }
        a.mixed[g * a.m + j] = w > 0 ? sum / w : a.value[any * a.m + j];
      }
    }
  }
}

// The first wedge of a class takes the others.
inline void Simplifier::join_wedges(int64_t u, int64_t v) {
  for (Wedges& a : wedges_) {
    std::vector<int32_t> head(a.groups, -1);
    for (size_t i = 0; i < a.member.size(); ++i) {
      const int32_t w = a.member[i];
      int32_t& first = head[a.group[i]];
      if (first < 0) {
        first = w;
        continue;
      }
      a.weight[first] += a.weight[w];
      for (int64_t j = 0; j < 4 * a.m; ++j)
        a.slope[first * a.m * 4 + j] += a.slope[w * a.m * 4 + j];
    }
    for (int g = 0; g < a.groups; ++g)
      for (int64_t j = 0; j < a.m; ++j) a.value[head[g] * a.m + j] = a.mixed[g * a.m + j];
    auto rename = [&](int64_t g) { a.of[g] = head[a.class_of(a.of[g])]; };
    around(u, rename);
    around(v, rename);
    a.count[v] = a.groups;
  }
}

// Makes the end u of h the other end v, at p.
inline void Simplifier::collapse(int64_t h, int64_t u, int64_t v, const Vec3<double>& p) {
  const int64_t t = twin_[h];
  if (kind_[v] != FIXED) {
    const Vec3<double> nu = load3(s_.position, near_[u]) - p;
    const Vec3<double> nv = load3(s_.position, near_[v]) - p;
    if (norm2(nu) < norm2(nv)) near_[v] = near_[u];
  }
  join_wedges(u, v);
  around(u, [&](int64_t g) { vert_[g] = static_cast<int32_t>(v); });
  parent_[u] = static_cast<int32_t>(v);
  quadric_[v].add(quadric_[u]);
  where_[v] = p;
  const bool both = kind_[u] != FREE && kind_[v] != FREE;
  if (both && !feature_[h] && kind_[u] != FIXED && kind_[v] != FIXED) {
    kind_[v] = CORNER;
  } else if (kind_[u] > kind_[v]) {
    kind_[v] = kind_[u];
  }
  border_[v] = border_[u] | border_[v];
  valence_[v] += valence_[u] - 2;
  int64_t start = -1;
  for (int64_t g : {h, t}) {
    if (g < 0) continue;
    const int64_t n = next(g), q = prev(g), a = from(q), tn = twin_[n], tq = twin_[q];
    dead_[g / 3] = 1;
    --alive_;
    --valence_[v];
    --valence_[a];
    if (tn >= 0) twin_[tn] = static_cast<int32_t>(tq);
    if (tq >= 0) twin_[tq] = static_cast<int32_t>(tn);
    const uint8_t kept = feature_[n] | feature_[q];
    if (tn >= 0) feature_[tn] = kept;
    if (tq >= 0) feature_[tq] = kept;
    if (out_[a] == q) out_[a] = static_cast<int32_t>(tn >= 0 ? tn : next(tq));
    if (start < 0) start = tn >= 0 ? next(tn) : tq;
  }
  // the first of a fan with ends has no face before it
  if (border_[v]) {
    while (twin_[start] >= 0) start = next(twin_[start]);
  }
  out_[v] = static_cast<int32_t>(start);
}

}  // namespace meshlearn

#include "simplify_given.h"
