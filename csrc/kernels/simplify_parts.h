// What collapses are made of: quadrics, and the queue of edges. The equations are listed in
// meshlearn/geometry/collapses.py.
#pragma once
#include <vector>

#include "../common/hd.h"

namespace meshlearn {

struct Quadric {
  double xx, xy, xz, yy, yz, zz, x, y, z, c;

  void add(const Quadric& q) {
    xx += q.xx;
    xy += q.xy;
    xz += q.xz;
    yy += q.yy;
    yz += q.yz;
    zz += q.zz;
    x += q.x;
    y += q.y;
    z += q.z;
    c += q.c;
  }
  // w (g . p + d)^2  (Q1)
  void add_plane(const Vec3<double>& g, double d, double w) {
    const double gx = w * g.x, gy = w * g.y, gz = w * g.z;
    xx += gx * g.x;
    xy += gx * g.y;
    xz += gx * g.z;
    yy += gy * g.y;
    yz += gy * g.z;
    zz += gz * g.z;
    x += gx * d;
    y += gy * d;
    z += gz * d;
    c += w * d * d;
  }
  // w |p - q|^2  (Q2)
  void add_point(const Vec3<double>& q, double w) {
    xx += w;
    yy += w;
    zz += w;
    x -= w * q.x;
    y -= w * q.y;
    z -= w * q.z;
    c += w * dot(q, q);
  }
  double at(const Vec3<double>& p) const {
    const double gx = xx * p.x + xy * p.y + xz * p.z + 2 * x;
    const double gy = xy * p.x + yy * p.y + yz * p.z + 2 * y;
    const double gz = xz * p.x + yz * p.y + zz * p.z + 2 * z;
    return p.x * gx + p.y * gy + p.z * gz + c;
  }
  // The place of the least value, by Cholesky; false where it is not well given.
  bool least(Vec3<double>& p) const {
    if (!(xx > 0)) return false;
    const double a = xy / xx, b = xz / xx;
    const double d2 = yy - a * xy;
    if (!(d2 > 1e-15 * yy)) return false;
    const double e = yz - a * xz, f = e / d2;
    const double d3 = zz - b * xz - f * e;
    if (!(d3 > 1e-15 * zz)) return false;
    const double r2 = a * x - y, r3 = b * x - z - f * r2;
    p.z = r3 / d3;
    p.y = r2 / d2 - f * p.z;
    p.x = -x / xx - a * p.y - b * p.z;
    return true;
  }
};

// A heap of four children a node: keys ascend, equal ones by their edge.
class CollapseQueue {
 public:
  struct Entry {
    double key;
    int64_t edge;
    bool before(const Entry& o) const { return key < o.key || (key == o.key && edge < o.edge); }
  };
  bool empty() const { return heap_.empty(); }
  void clear() { heap_.clear(); }
  const Entry& top() const { return heap_[0]; }
  void add_unordered(Entry e) { heap_.push_back(e); }
  void order() {
    for (size_t i = heap_.size() / 4 + 1; i-- > 0;)
      if (i < heap_.size()) sink(i, heap_[i]);
  }
  void push(Entry e) {
    heap_.push_back(e);
    size_t i = heap_.size() - 1;
    for (; i > 0 && e.before(heap_[(i - 1) / 4]); i = (i - 1) / 4) heap_[i] = heap_[(i - 1) / 4];
    heap_[i] = e;
  }
  void pop() {
    const Entry last = heap_.back();
    heap_.pop_back();
    if (!heap_.empty()) sink(0, last);
  }
  void replace_top(Entry e) { sink(0, e); }
  // Whether `e` comes before all but the first.
  bool leads(const Entry& e) const {
    for (size_t k = 1; k < 5 && k < heap_.size(); ++k)
      if (heap_[k].before(e)) return false;
    return true;
  }

 private:
  void sink(size_t i, Entry e) {
    const size_t n = heap_.size();
    for (;;) {
      size_t child = 4 * i + 1;
      if (child >= n) break;
      const size_t end = child + 4 < n ? child + 4 : n;
      for (size_t k = child + 1; k < end; ++k)
        if (heap_[k].before(heap_[child])) child = k;
      if (!heap_[child].before(e)) break;
      heap_[i] = heap_[child];
      i = child;
    }
    heap_[i] = e;
  }
  std::vector<Entry> heap_;
};

}  // namespace meshlearn
