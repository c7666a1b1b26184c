// OBJ text into arrays; see kernels/io_obj.h.
#include "../kernels/io_obj.h"

#include "pieces.h"

namespace meshlearn {

namespace {

// (threads, text) -> v (V, 3), colour (V, 4) or (0, 4), vt (T, 3), vn (N, 3), start (F + 1,), index
// (C,), indices of vt and of vn (C,) or (0,), lines, line lengths, points, (how many vertices have
// 7 numbers, and more), events.
PyObject* obj_read(PyObject*, PyObject* tuple) {
  using namespace text;
  int64_t threads;
  Span<char> bytes;
  if (!Arguments(tuple).read(threads, bytes)) return nullptr;
  return run([&](Results& results) {
    const char* data = bytes.data;
    const std::vector<int64_t> cuts = cut_lines(data, bytes.size, kPiece);
    const auto size = static_cast<int64_t>(cuts.size()) - 1;
    std::vector<ObjPiece> pieces(size);
    std::vector<ObjTarget> targets(size);
    const Threads exec(threads);
    exec.for_each(size, 1, [&](int64_t i) { count_obj(data, cuts[i], cuts[i + 1], pieces[i]); });
    ObjCounts sum;
    for (int64_t i = 0; i < size; ++i) {
      targets[i].at = sum;
      const ObjCounts& n = pieces[i].count;
      sum.v += n.v, sum.vt += n.vt, sum.vn += n.vn;
      sum.corner += n.corner, sum.polygon += n.polygon;
      sum.coloured |= n.coloured, sum.has_vt |= n.has_vt, sum.has_vn |= n.has_vn;
    }
    ObjTarget all;
    all.v = results.add<double>(3 * sum.v);
    all.colour = results.add<double>(sum.coloured ? 4 * sum.v : 0);
    all.vt = results.add<double>(3 * sum.vt);
    all.vn = results.add<double>(3 * sum.vn);
    all.start = results.add<int64_t>(sum.polygon + 1);
    all.index = results.add<int64_t>(sum.corner);
    all.index_vt = results.add<int64_t>(sum.has_vt ? sum.corner : 0);
    all.index_vn = results.add<int64_t>(sum.has_vn ? sum.corner : 0);
    all.start[0] = 0;
    if (!sum.coloured) all.colour = nullptr;
    if (!sum.has_vt) all.index_vt = nullptr;
    if (!sum.has_vn) all.index_vn = nullptr;
    for (ObjTarget& to : targets) {
      all.at = to.at;
      to = all;
    }
    exec.for_each(size, 1,
                  [&](int64_t i) { fill_obj(data, cuts[i], cuts[i + 1], targets[i], pieces[i]); });
    check(data, pieces);
    add_joined<int64_t>(results, pieces, [](ObjPiece& p) -> auto& { return p.line; });
    add_joined<int64_t>(results, pieces, [](ObjPiece& p) -> auto& { return p.line_length; });
    add_joined<int64_t>(results, pieces, [](ObjPiece& p) -> auto& { return p.point; });
    int64_t* facts = results.add<int64_t>(2);
    facts[0] = facts[1] = 0;
    for (const ObjPiece& p : pieces) facts[0] += p.alpha, facts[1] += p.longer;
    add_joined<int64_t>(results, pieces, [](ObjPiece& p) -> auto& { return p.event; });
  });
}

}  // namespace

PyMethodDef obj_methods[] = {{"obj_read", obj_read, METH_VARARGS, nullptr},
                             {nullptr, nullptr, 0, nullptr}};

}  // namespace meshlearn
