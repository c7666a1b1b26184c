// A text file in pieces for several threads; what comes out is the file's, not the threads'.
#pragma once
#include <cstring>

#include "../kernels/io_text.h"
#include "call.h"

namespace meshlearn {

constexpr int64_t kPiece = 1 << 20;

inline int64_t line_number(const char* data, int64_t at) {
  int64_t lines = 1;
  for (int64_t i = 0; i < at; ++i) lines += data[i] == '\n';
  return lines;
}

template <class Piece>
void check(const char* data, const std::vector<Piece>& pieces) {
  for (const Piece& piece : pieces)
    if (piece.problem.at >= 0)
      throw FileProblem(
          concat("line ", line_number(data, piece.problem.at), ": ", piece.problem.what));
}

template <class Piece, class Parse>
std::vector<Piece> in_pieces(const Threads& threads, Span<char> text, Parse parse) {
  const std::vector<int64_t> cuts = text::cut_lines(text.data, text.size, kPiece);
  std::vector<Piece> pieces(cuts.size() - 1);
  threads.for_each(static_cast<int64_t>(pieces.size()), 1,
                   [&](int64_t i) { parse(text.data, cuts[i], cuts[i + 1], pieces[i]); });
  check(text.data, pieces);
  return pieces;
}

// Gives back a vector of each piece, one after another, freeing it on the way.
template <class T, class Piece, class Get>
void add_joined(Results& results, std::vector<Piece>& pieces, Get get) {
  int64_t total = 0;
  for (Piece& piece : pieces) total += static_cast<int64_t>(get(piece).size());
  T* to = results.add<T>(total);
  for (Piece& piece : pieces) {
    std::vector<T>& from = get(piece);
    if (!from.empty()) std::memcpy(to, from.data(), from.size() * sizeof(T));
    to += from.size();
    std::vector<T>().swap(from);
  }
}

}  // namespace meshlearn
