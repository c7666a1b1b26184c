// Text formats: parsed and written in pieces by several threads; the result is the file's, not
// theirs.
#include "../kernels/io_text.h"

#include "pieces.h"

namespace meshlearn {

namespace {

// (threads, text) -> numbers of all lines (K,) float64, and how many each line holds (R,).
PyObject* text_rows(PyObject*, PyObject* tuple) {
  int64_t threads;
  Span<char> text;
  if (!Arguments(tuple).read(threads, text)) return nullptr;
  return run([&](Results& results) {
    auto pieces = in_pieces<text::Rows>(Threads(threads), text, text::parse_rows);
    add_joined<double>(results, pieces, [](text::Rows& p) -> auto& { return p.values; });
    add_joined<int64_t>(results, pieces, [](text::Rows& p) -> auto& { return p.lengths; });
  });
}

// (threads, text) -> corners (3 F, 3) as numbers, and (triangle, offset, length) of each solid's
// name.
PyObject* stl_parse(PyObject*, PyObject* tuple) {
  int64_t threads;
  Span<char> text;
  if (!Arguments(tuple).read(threads, text)) return nullptr;
  return run([&](Results& results) {
    using text::StlPiece;
    auto pieces = in_pieces<StlPiece>(Threads(threads), text, text::parse_stl);
    int64_t facets = 0, numbers = 0;
    for (StlPiece& p : pieces) {
      for (size_t e = 0; e < p.solid.size(); e += 3) p.solid[e] += facets;
      facets += p.facets;
      numbers += static_cast<int64_t>(p.corner.size());
    }
    expect_file(numbers == 9 * facets, "expected 3 vertices a facet, got ", numbers / 3,
                " vertices in ", facets, " facets");
    add_joined<double>(results, pieces, [](StlPiece& p) -> auto& { return p.corner; });
    add_joined<int64_t>(results, pieces, [](StlPiece& p) -> auto& { return p.solid; });
  });
}

void expect_more(bool good) {
  if (!good) throw FileEnds("the header promises more than the file holds");
}

// Elements with list properties in binary data: (data, begin, rows, layout, swap). `layout`
// (props, 3): bytes of a scalar or list item, bytes of the list's count (0: a scalar), 1 if the
// count is signed. Gives for each property the byte offsets of its value in each row (R,), and for
// lists the counts (R,); last the end of the data (1,).
PyObject* ply_walk(PyObject*, PyObject* tuple) {
  Span<char> data;
  Span<int64_t> layout;
  int64_t begin, rows;
  bool swap;
  if (!Arguments(tuple).read(data, begin, rows, layout, swap)) return nullptr;
  return run([&](Results& results) {
    const int64_t size = data.size, props = layout.size / 3;
    const int64_t* spec = layout.data;
    int64_t least = 0;
    for (int64_t k = 0; k < props; ++k) {
      const int64_t item = spec[3 * k], width = spec[3 * k + 1];
      expect_caller(item >= 1 && item <= 8 && width >= 0 && width <= 4, "layout: unknown widths");
      least += width ? width : item;
    }
    expect_more(begin >= 0 && begin <= size && rows >= 0 && least > 0 &&
                rows <= (size - begin) / least);
    std::vector<int64_t*> offset(props), count(props);
    for (int64_t k = 0; k < props; ++k) {
      offset[k] = results.add<int64_t>(rows);
      count[k] = results.add<int64_t>(spec[3 * k + 1] ? rows : 0);
    }
    int64_t at = begin;
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t k = 0; k < props; ++k) {
        const int64_t item = spec[3 * k], width = spec[3 * k + 1];
        int64_t n = 1;
        if (width) {
          expect_more(width <= size - at);
          uint64_t raw = 0;
          for (int64_t b = 0; b < width; ++b) {
            const auto byte =
                static_cast<unsigned char>(data.data[at + (swap ? width - 1 - b : b)]);
            raw |= static_cast<uint64_t>(byte) << (8 * b);
          }
          const int64_t top = int64_t(1) << (8 * width - 1);
          n = static_cast<int64_t>(raw);
          expect_file(!(spec[3 * k + 2] && n >= top), "row ", r, ": a list has a negative length");
          at += width;
          count[k][r] = n;
        }
        expect_more(n <= (size - at) / item);
        offset[k][r] = at;
        at += n * item;
      }
    *results.add<int64_t>(1) = at;
  });
}

template <class F>
void add_written(Results& results, const Threads& threads, int64_t rows, F row) {
  constexpr int64_t kRows = 1 << 14;
  const int64_t pieces = (rows + kRows - 1) / kRows;
  std::vector<std::string> text(pieces);
  threads.for_each(pieces, 1, [&](int64_t i) {
    std::string& out = text[i];
    out.reserve(kRows * 32);
    for (int64_t r = i * kRows; r < rows && r < (i + 1) * kRows; ++r) row(out, r);
  });
  int64_t total = 0;
  for (const std::string& t : text) total += static_cast<int64_t>(t.size());
  char* to = results.add<char>(total);
  for (std::string& t : text) {
    std::memcpy(to, t.data(), t.size());
    to += t.size();
    std::string().swap(t);
  }
}

template <class T>
PyObject* format_rows(PyObject*, PyObject* tuple) {
  int64_t threads, width;
  Span<T> values;
  Span<char> prefix;
  if (!Arguments(tuple).read(threads, values, width, prefix)) return nullptr;
  return run([&](Results& results) {
    expect_caller(width >= 1 && values.size % width == 0, "values: expected whole rows");
    const std::string head(prefix.data, prefix.size);
    add_written(results, Threads(threads), values.size / width, [&](std::string& out, int64_t r) {
      out += head;
      for (int64_t k = 0; k < width; ++k) {
        if (k) out += ' ';
        text::append_number(out, values.data[r * width + k]);
      }
      out += '\n';
    });
  });
}

// (threads, start (P + 1,), index (C, K), K, prefix, counted): polygons "prefix [count] a b c\n"
// with K fields a corner joined by '/', -1 absent.
PyObject* format_polygons(PyObject*, PyObject* tuple) {
  int64_t threads, fields;
  Span<int64_t> start, index;
  Span<char> prefix;
  bool counted;
  if (!Arguments(tuple).read(threads, start, index, fields, prefix, counted)) return nullptr;
  return run([&](Results& results) {
    const int64_t *first = start.data, *field = index.data, rows = start.size - 1;
    expect_caller(rows >= 0 && fields >= 1 && first[0] >= 0, "start, index: expected polygons");
    for (int64_t r = 0; r < rows; ++r)
      expect_caller(first[r] <= first[r + 1], "start: expected ascending offsets");
    expect_caller(first[rows] <= index.size / fields, "start: it reaches behind the index");
    const std::string head(prefix.data, prefix.size);
    add_written(results, Threads(threads), rows, [&](std::string& out, int64_t r) {
      out += head;
      if (counted) text::append_number(out, first[r + 1] - first[r]);
      for (int64_t c = first[r]; c < first[r + 1]; ++c) {
        if (counted || c > first[r]) out += ' ';
        int64_t last = fields - 1;
        while (last > 0 && field[c * fields + last] < 0) --last;
        for (int64_t k = 0; k <= last; ++k) {
          if (k) out += '/';
          if (field[c * fields + k] >= 0) text::append_number(out, field[c * fields + k]);
        }
      }
      out += '\n';
    });
  });
}

}  // namespace

// format_rows_…: (threads, values (R, D), D, prefix) -> rows "prefix a b c\n" in the fewest digits
// that read back the same.
PyMethodDef text_methods[] = {{"text_rows", text_rows, METH_VARARGS, nullptr},
                              {"stl_parse", stl_parse, METH_VARARGS, nullptr},
                              {"ply_walk", ply_walk, METH_VARARGS, nullptr},
                              {"format_rows_float32", format_rows<float>, METH_VARARGS, nullptr},
                              {"format_rows_float64", format_rows<double>, METH_VARARGS, nullptr},
                              {"format_rows_int64", format_rows<int64_t>, METH_VARARGS, nullptr},
                              {"format_polygons", format_polygons, METH_VARARGS, nullptr},
                              {nullptr, nullptr, 0, nullptr}};

}  // namespace meshlearn
