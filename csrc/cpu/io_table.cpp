// Blocks of lines into arrays; see kernels/io_table.h. And triangles into the table of an STL file.
#include "../common/text_pieces.h"
#include "../kernels/io_table.h"

namespace meshlearn {

namespace {

// Reads `rows` lines from byte `begin` on. Returns the numbers (K,), how many each row has (R,) or
// nothing where all have as many, and the end in bytes; for polygons start (R + 1,) and index (C,)
// come first.
std::vector<Tensor> block(const Tensor& bytes, int64_t begin, int64_t rows, bool polygons) {
  using namespace text;
  const char* data = bytes_of(bytes);
  const int64_t size = bytes.numel();
  STD_TORCH_CHECK(begin >= 0 && begin <= size && rows >= 0 && rows <= size,
                  "the header promises more than the file holds");
  const CpuExec exec(bytes);
  std::vector<int64_t> cuts = cut_lines(data + begin, size - begin, kPiece);
  for (int64_t& cut : cuts) cut += begin;
  const auto all = static_cast<int64_t>(cuts.size()) - 1;
  std::vector<BlockPiece> pieces(all);
  std::vector<BlockTarget> targets;
  BlockCounts sum;
  sum.end = begin;
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
        STD_TORCH_CHECK(pieces[i].problem.at < 0, "line ",
                        line_number(data + begin, pieces[i].problem.at - begin), ": ",
                        pieces[i].problem.what);
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
  STD_TORCH_CHECK(sum.rows == rows, "the header promises ", rows, " lines, the file has ",
                  sum.rows);
  std::vector<Tensor> out;
  if (polygons) {
    out.push_back(empty<int64_t>(bytes, {rows + 1}));
    out.push_back(empty<int64_t>(bytes, {sum.corners}));
    mut<int64_t>(out[0])[0] = 0;
  }
  const bool ragged = rows > 0 && sum.least != sum.most;
  Tensor values = empty<double>(bytes, {sum.numbers});
  Tensor lengths = empty<int64_t>(bytes, {ragged ? rows : 0}), end = empty<int64_t>(bytes, {1});
  for (BlockTarget& to : targets) {
    to.value = mut<double>(values);
    to.length = ragged ? mut<int64_t>(lengths) : nullptr;
    to.start = polygons ? mut<int64_t>(out[0]) : nullptr;
    to.index = polygons ? mut<int64_t>(out[1]) : nullptr;
  }
  exec.for_each(static_cast<int64_t>(targets.size()), 1,
                [&](int64_t i) { fill_block(data, cuts[i], cuts[i + 1], targets[i], pieces[i]); });
  for (size_t i = 0; i < targets.size(); ++i)
    STD_TORCH_CHECK(pieces[i].problem.at < 0, "line ",
                    line_number(data + begin, pieces[i].problem.at - begin), ": ",
                    pieces[i].problem.what);
  *mut<int64_t>(end) = sum.end;
  out.push_back(values);
  out.push_back(lengths);
  out.push_back(end);
  return out;
}

}  // namespace

std::vector<Tensor> text_block(const Tensor& data, int64_t begin, int64_t rows) {
  return block(data, begin, rows, false);
}

std::vector<Tensor> text_polygons(const Tensor& data, int64_t begin, int64_t rows) {
  return block(data, begin, rows, true);
}

// The table of a binary STL, 50 bytes a triangle: unit normal (0 where there is no area), corners.
Tensor stl_pack(const Tensor& vertices, const Tensor& faces) {
  expect<int64_t>(faces, "faces");
  const int64_t rows = faces.size(0), count = vertices.size(0);
  const int64_t* index = ptr<int64_t>(faces);
  for (int64_t i = 0; i < 3 * rows; ++i)
    STD_TORCH_CHECK(index[i] >= 0 && index[i] < count, "faces: an index is out of range");
  Tensor out = empty<uint8_t>(vertices, {50 * rows});
  uint8_t* to = mut<uint8_t>(out);
  const auto pack = [&](auto* x) {
    CpuExec(vertices).for_each(rows, 1 << 16, [=](int64_t f) {
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
    return out;
  };
  return ML_DISPATCH_FLOAT(vertices, T, ([&] {
                             expect<T>(vertices, "vertices");
                             return pack(ptr<T>(vertices));
                           }));
}

}  // namespace meshlearn

STABLE_TORCH_LIBRARY_IMPL(meshlearn, CPU, m) {
  m.impl("text_block", TORCH_BOX(&meshlearn::text_block));
  m.impl("text_polygons", TORCH_BOX(&meshlearn::text_polygons));
  m.impl("stl_pack", TORCH_BOX(&meshlearn::stl_pack));
}
