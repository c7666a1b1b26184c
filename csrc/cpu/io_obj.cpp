// OBJ text into arrays; see kernels/io_obj.h.
#include "../common/text_pieces.h"
#include "../kernels/io_obj.h"

namespace meshlearn {

// v (V, 3), colour (V, 3) or (0, 3), vt (T, 3), vn (N, 3), start (F + 1,), index (C,), indices of
// vt and of vn (C,) or (0,), lines, line lengths, points, events.
std::vector<Tensor> obj_parse(const Tensor& bytes) {
  using namespace text;
  const char* data = bytes_of(bytes);
  const std::vector<int64_t> cuts = cut_lines(data, bytes.numel(), kPiece);
  const auto size = static_cast<int64_t>(cuts.size()) - 1;
  std::vector<ObjPiece> pieces(size);
  std::vector<ObjTarget> targets(size);
  const CpuExec exec(bytes);
  exec.for_each(size, 1, [&](int64_t i) { count_obj(data, cuts[i], cuts[i + 1], pieces[i]); });
  ObjCounts sum;
  for (int64_t i = 0; i < size; ++i) {
    targets[i].at = sum;
    const ObjCounts& n = pieces[i].count;
    sum.v += n.v, sum.vt += n.vt, sum.vn += n.vn, sum.corner += n.corner, sum.polygon += n.polygon;
    sum.coloured |= n.coloured, sum.has_vt |= n.has_vt, sum.has_vn |= n.has_vn;
  }
  std::vector<Tensor> out = {empty<double>(bytes, {sum.v, 3}),
                             empty<double>(bytes, {sum.coloured ? sum.v : 0, 3}),
                             empty<double>(bytes, {sum.vt, 3}),
                             empty<double>(bytes, {sum.vn, 3}),
                             empty<int64_t>(bytes, {sum.polygon + 1}),
                             empty<int64_t>(bytes, {sum.corner}),
                             empty<int64_t>(bytes, {sum.has_vt ? sum.corner : 0}),
                             empty<int64_t>(bytes, {sum.has_vn ? sum.corner : 0})};
  mut<int64_t>(out[4])[0] = 0;
  for (ObjTarget& to : targets) {
    to.v = mut<double>(out[0]);
    to.colour = sum.coloured ? mut<double>(out[1]) : nullptr;
    to.vt = mut<double>(out[2]);
    to.vn = mut<double>(out[3]);
    to.start = mut<int64_t>(out[4]);
    to.index = mut<int64_t>(out[5]);
    to.index_vt = sum.has_vt ? mut<int64_t>(out[6]) : nullptr;
    to.index_vn = sum.has_vn ? mut<int64_t>(out[7]) : nullptr;
  }
  exec.for_each(size, 1,
                [&](int64_t i) { fill_obj(data, cuts[i], cuts[i + 1], targets[i], pieces[i]); });
  check(data, pieces);
  out.push_back(joined<int64_t>(bytes, pieces, [](ObjPiece& p) -> auto& { return p.line; }));
  out.push_back(joined<int64_t>(bytes, pieces, [](ObjPiece& p) -> auto& { return p.line_length; }));
  out.push_back(joined<int64_t>(bytes, pieces, [](ObjPiece& p) -> auto& { return p.point; }));
  out.push_back(joined<int64_t>(bytes, pieces, [](ObjPiece& p) -> auto& { return p.event; }));
  return out;
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("obj_parse", TORCH_BOX(&meshlearn::obj_parse));
}
