// A text file in pieces for several threads; what comes out is the file's, not the threads'.
#pragma once
#include "../kernels/io_text.h"
#include "exec_cpu.h"

namespace meshlearn {

constexpr int64_t kPiece = 1 << 20;

inline const char* bytes_of(const Tensor& data) {
  expect<uint8_t>(data, "data");
  return reinterpret_cast<const char*>(ptr<uint8_t>(data));
}

inline int64_t line_number(const char* data, int64_t at) {
  int64_t lines = 1;
  for (int64_t i = 0; i < at; ++i) lines += data[i] == '\n';
  return lines;
}

template <class Piece>
void check(const char* data, const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces)
    if (piece.problem.at >= 0)
      STD_TORCH_CHECK(false, "line ", line_number(data, piece.problem.at), ": ",
                      piece.problem.what);
}

template <class Piece, class Parse>
std::vector<Piece> in_pieces(const Tensor& bytes, Parse parse) {
  const char* data = bytes_of(bytes);
  const std::vector<int64_t> cuts = text::cut_lines(data, bytes.numel(), kPiece);
  std::vector<Piece> pieces(cuts.size() - 1);
  CpuExec(bytes).for_each(static_cast<int64_t>(pieces.size()), 1,
                          [&](int64_t i) { parse(data, cuts[i], cuts[i + 1], pieces[i]); });
  check(data, pieces);
  return pieces;
}

// Concatenates a vector of each piece into a tensor, freeing it on the way.
template <class T, class Piece, class Get>
Tensor joined(const Tensor& like, std::vector<Piece>& pieces, Get get) {
  int64_t total = 0;
  for (Piece& piece : pieces) total += static_cast<int64_t>(get(piece).size());
  Tensor out = empty<T>(like, {total});
  T* to = mut<T>(out);
  for (Piece& piece : pieces) {
    std::vector<T>& from = get(piece);
    if (!from.empty()) std::memcpy(to, from.data(), from.size() * sizeof(T));
    to += from.size();
    std::vector<T>().swap(from);
  }
  return out;
}

}  // namespace meshlearn
