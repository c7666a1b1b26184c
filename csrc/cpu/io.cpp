// Text formats: parsed and written in pieces by several threads; the result is the file's, not
// theirs.
#include "../common/text_pieces.h"
#include "../kernels/io_text.h"

namespace meshlearn {

// Numbers of all lines (K,) float64 and how many each line holds (R,).
std::tuple<Tensor, Tensor> text_rows(const Tensor& data) {
  auto pieces = in_pieces<text::Rows>(data, text::parse_rows);
  Tensor values = joined<double>(data, pieces, [](text::Rows& p) -> auto& { return p.values; });
  return std::make_tuple(
      values, joined<int64_t>(data, pieces, [](text::Rows& p) -> auto& { return p.lengths; }));
}

// Corners (3 F, 3) as numbers, and (triangle, offset, length) of each solid's name.
std::tuple<Tensor, Tensor> stl_parse(const Tensor& data) {
  using text::StlPiece;
  auto pieces = in_pieces<StlPiece>(data, text::parse_stl);
  int64_t facets = 0;
  for (StlPiece& p : pieces) {
    for (size_t e = 0; e < p.solid.size(); e += 3) p.solid[e] += facets;
    facets += p.facets;
  }
  Tensor corner = joined<double>(data, pieces, [](StlPiece& p) -> auto& { return p.corner; });
  STD_TORCH_CHECK(corner.numel() == 9 * facets, "expected 3 vertices a facet, got ",
                  corner.numel() / 3, " vertices in ", facets, " facets");
  return std::make_tuple(
      corner, joined<int64_t>(data, pieces, [](StlPiece& p) -> auto& { return p.solid; }));
}

// Elements with list properties in binary data. `layout` (props, 3): bytes of a scalar or list
// item, bytes of the list's count (0: a scalar), 1 if the count is signed. Returns for each
// property the byte offsets of its value in each row (R,), and for lists the counts (R,); last the
// end of the data.
std::vector<Tensor> ply_walk(const Tensor& data, int64_t begin, int64_t rows, const Tensor& layout,
                             bool swap) {
  expect<int64_t>(layout, "layout");
  const char* bytes = bytes_of(data);
  const int64_t size = data.numel(), props = layout.size(0);
  const int64_t* spec = ptr<int64_t>(layout);
  int64_t least = 0;
  for (int64_t k = 0; k < props; ++k) least += spec[3 * k + 1] ? spec[3 * k + 1] : spec[3 * k];
  STD_TORCH_CHECK(begin >= 0 && rows >= 0 && least > 0 && rows <= (size - begin) / least,
                  "the header promises more than the file holds");
  std::vector<Tensor> out;
  std::vector<int64_t*> offset(props), count(props);
  for (int64_t k = 0; k < props; ++k) {
    out.push_back(empty<int64_t>(data, {rows}));
    offset[k] = mut<int64_t>(out.back());
    out.push_back(empty<int64_t>(data, {spec[3 * k + 1] ? rows : 0}));
    count[k] = mut<int64_t>(out.back());
  }
  int64_t at = begin;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t k = 0; k < props; ++k) {
      const int64_t item = spec[3 * k], width = spec[3 * k + 1];
      int64_t n = 1;
      if (width) {
        STD_TORCH_CHECK(width <= size - at, "the header promises more than the file holds");
        uint64_t raw = 0;
        for (int64_t b = 0; b < width; ++b) {
          const auto byte = static_cast<unsigned char>(bytes[at + (swap ? width - 1 - b : b)]);
          raw |= static_cast<uint64_t>(byte) << (8 * b);
        }
        const int64_t top = int64_t(1) << (8 * width - 1);
        n = static_cast<int64_t>(raw);
        STD_TORCH_CHECK(!(spec[3 * k + 2] && n >= top), "row ", r,
                        ": a list has a negative length");
        at += width;
        count[k][r] = n;
      }
      STD_TORCH_CHECK(n <= (size - at) / item, "the header promises more than the file holds");
      offset[k][r] = at;
      at += n * item;
    }
  Tensor end = empty<int64_t>(data, {1});
  *mut<int64_t>(end) = at;
  out.push_back(end);
  return out;
}

namespace {

template <class F>
Tensor written(const Tensor& like, int64_t rows, F row) {
  constexpr int64_t kRows = 1 << 14;
  const int64_t pieces = (rows + kRows - 1) / kRows;
  std::vector<std::string> text(pieces);
  CpuExec(like).for_each(pieces, 1, [&](int64_t i) {
    std::string& out = text[i];
    out.reserve(kRows * 32);
    for (int64_t r = i * kRows; r < rows && r < (i + 1) * kRows; ++r) row(out, r);
  });
  int64_t total = 0;
  for (const std::string& t : text) total += static_cast<int64_t>(t.size());
  Tensor out = empty<uint8_t>(like, {total});
  uint8_t* to = mut<uint8_t>(out);
  for (std::string& t : text) {
    std::memcpy(to, t.data(), t.size());
    to += t.size();
    std::string().swap(t);
  }
  return out;
}

}  // namespace

// Rows "prefix a b c\n" of values (R, D) in the fewest digits that read back the same.
Tensor format_rows(const Tensor& values, const Tensor& prefix) {
  const std::string head(bytes_of(prefix), prefix.numel());
  const int64_t rows = values.size(0), width = values.size(1);
  const auto write = [&](auto* data) {
    return written(values, rows, [&](std::string& out, int64_t r) {
      out += head;
      for (int64_t k = 0; k < width; ++k) {
        if (k) out += ' ';
        text::append_number(out, data[r * width + k]);
      }
      out += '\n';
    });
  };
  if (values.scalar_type() == ScalarType::Long) return write(ptr<int64_t>(values));
  return ML_DISPATCH_FLOAT(values, T, ([&] {
                             expect<T>(values, "values");
                             return write(ptr<T>(values));
                           }));
}

// Polygons "prefix [count] a b c\n"; index (C, K) with K fields a corner joined by '/', -1 absent.
Tensor format_polygons(const Tensor& start, const Tensor& index, const Tensor& prefix, int64_t base,
                       bool counted) {
  expect<int64_t>(start, "start");
  expect<int64_t>(index, "index");
  const std::string head(bytes_of(prefix), prefix.numel());
  const int64_t *first = ptr<int64_t>(start), *field = ptr<int64_t>(index), fields = index.size(1);
  return written(start, start.numel() - 1, [&](std::string& out, int64_t r) {
    out += head;
    if (counted) text::append_number(out, first[r + 1] - first[r]);
    for (int64_t c = first[r]; c < first[r + 1]; ++c) {
      if (counted || c > first[r]) out += ' ';
      int64_t last = fields - 1;
      while (last > 0 && field[c * fields + last] < 0) --last;
      for (int64_t k = 0; k <= last; ++k) {
        if (k) out += '/';
        if (field[c * fields + k] >= 0) text::append_number(out, field[c * fields + k] + base);
      }
    }
    out += '\n';
  });
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("text_rows", TORCH_BOX(&meshlearn::text_rows));
  m.impl("stl_parse", TORCH_BOX(&meshlearn::stl_parse));
  m.impl("ply_walk", TORCH_BOX(&meshlearn::ply_walk));
  m.impl("format_rows", TORCH_BOX(&meshlearn::format_rows));
  m.impl("format_polygons", TORCH_BOX(&meshlearn::format_polygons));
}
