// Blocks of lines into arrays; see kernels/io_table.h. And triangles into the table of an STL file.
#include "../kernels/io_table.h"

#include "pieces.h"

namespace meshlearn {

namespace {

// Reads `rows` lines from byte `begin` on. Gives the numbers (K,), how many each row has (R,) or
// nothing where all have as many, and the end in bytes (1,); for polygons start (R + 1,) and index
// (C,) come first.
void block(Results& results, const Threads& exec, Span<char> bytes, int64_t begin, int64_t rows,
           bool polygons) {
  using namespace text;
  const char* data = bytes.data;
  const int64_t size = bytes.size;
  expect_file(begin >= 0 && begin <= size && rows >= 0 && rows <= size,
              "the header promises more than the file holds");
  std::vector<int64_t> cuts = cut_lines(data + begin, size - begin, kPiece);
  for (int64_t& cut : cuts) cut += begin;
  const auto all = static_cast<int64_t>(cuts.size()) - 1;
  std::vector<BlockPiece> pieces(all);
  std::vector<BlockTarget> targets;
  BlockCounts sum;
  sum.end = begin;
  const auto refuse = [&](const Problem& problem) {
    if (problem.at >= 0)
      throw FileProblem(
          concat("line ", line_number(data + begin, problem.at - begin), ": ", problem.what));
  };
  constexpr int64_t kWave = 16;
  for (int64_t first = 0; first < all && sum.rows < rows; first += kWave) {
    const int64_t wave = first + kWave < all ? kWave : all - first;
    exec.for_each(wave, 1, [&](int64_t i) {
      count_block(data, cuts[first + i], cuts[first + i + 1], INT64_MAX, polygons,
                  pieces[first + i]);
    });
    for (int64_t i = first; i < first + wave && sum.rows < rows; ++i) {
      if (pieces[i].count.rows > rows - sum.rows || pieces[i].problem.at >= 0) {
        pieces[i] = BlockPiece();
        count_block(data, cuts[i], cuts[i + 1], rows - sum.rows, polygons, pieces[i]);
        refuse(pieces[i].problem);
      }
      const BlockCounts& n = pieces[i].count;
      BlockTarget to;
      to.at = sum;
      to.limit = n.rows;
      targets.push_back(to);
      sum.rows += n.rows, sum.corners += n.corners, sum.numbers += n.numbers, sum.end = n.end;
      sum.least = n.least < sum.least ? n.least : sum.least;
      sum.most = n.most > sum.most ? n.most : sum.most;
    }
  }
  expect_file(sum.rows == rows, "the header promises ", rows, " lines, the file has ", sum.rows);
  int64_t* start = polygons ? results.add<int64_t>(rows + 1) : nullptr;
  int64_t* index = polygons ? results.add<int64_t>(sum.corners) : nullptr;
  if (start) start[0] = 0;
  const bool ragged = rows > 0 && sum.least != sum.most;
  double* values = results.add<double>(sum.numbers);
  int64_t* lengths = results.add<int64_t>(ragged ? rows : 0);
  for (BlockTarget& to : targets) {
    to.value = values;
    to.length = ragged ? lengths : nullptr;
    to.start = start;
    to.index = index;
  }
  exec.for_each(static_cast<int64_t>(targets.size()), 1,
                [&](int64_t i) { fill_block(data, cuts[i], cuts[i + 1], targets[i], pieces[i]); });
  for (size_t i = 0; i < targets.size(); ++i) refuse(pieces[i].problem);
  *results.add<int64_t>(1) = sum.end;
}

template <bool polygons>
PyObject* text_block(PyObject*, PyObject* tuple) {
  int64_t threads, begin, rows;
  Span<char> text;
  if (!Arguments(tuple).read(threads, text, begin, rows)) return nullptr;
  return run(
      [&](Results& results) { block(results, Threads(threads), text, begin, rows, polygons); });
}

// (threads, vertices (V, 3), faces (F, 3)) -> the table of a binary STL, 50 bytes a triangle: unit
// normal (0 where there is no area), corners.
template <class T>
PyObject* stl_pack(PyObject*, PyObject* tuple) {
  int64_t threads;
  Span<T> vertices;
  Span<int64_t> faces;
  if (!Arguments(tuple).read(threads, vertices, faces)) return nullptr;
  return run([&](Results& results) {
    const int64_t rows = faces.size / 3, count = vertices.size / 3;
    const int64_t* index = faces.data;
    const T* x = vertices.data;
    for (int64_t i = 0; i < 3 * rows; ++i)
      expect_caller(index[i] >= 0 && index[i] < count, "faces: an index is out of range");
    char* to = results.add<char>(50 * rows);
    Threads(threads).for_each(rows, 1 << 16, [=](int64_t f) {
      double p[3][3];
      float row[12];
      for (int c = 0; c < 3; ++c)
        for (int k = 0; k < 3; ++k) {
          p[c][k] = static_cast<double>(x[3 * index[3 * f + c] + k]);
          row[3 + 3 * c + k] = static_cast<float>(x[3 * index[3 * f + c] + k]);
        }
      double n[3];
      for (int k = 0; k < 3; ++k) {
        const int a = (k + 1) % 3, b = (k + 2) % 3;
        n[k] =
            (p[1][a] - p[0][a]) * (p[2][b] - p[0][b]) - (p[1][b] - p[0][b]) * (p[2][a] - p[0][a]);
      }
      const double length = std::sqrt(n[0] * n[0] + n[1] * n[1] + n[2] * n[2]);
      const bool good = length > 0 && length <= std::numeric_limits<double>::max();
      for (int k = 0; k < 3; ++k) row[k] = good ? static_cast<float>(n[k] / length) : 0.0f;
      std::memcpy(to + 50 * f, row, 48);
      std::memset(to + 50 * f + 48, 0, 2);
    });
  });
}

}  // namespace

PyMethodDef table_methods[] = {{"text_block", text_block<false>, METH_VARARGS, nullptr},
                               {"text_polygons", text_block<true>, METH_VARARGS, nullptr},
                               {"stl_pack_float32", stl_pack<float>, METH_VARARGS, nullptr},
                               {"stl_pack_float64", stl_pack<double>, METH_VARARGS, nullptr},
                               {nullptr, nullptr, 0, nullptr}};

}  // namespace meshlearn
