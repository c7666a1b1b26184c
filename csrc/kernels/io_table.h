// Blocks of lines of known number: rows of numbers, and polygons "n a b c …" with numbers behind.
// Counted first, then written into arrays of the final size.
#pragma once
#include "io_text.h"

namespace meshlearn::text {

struct BlockCounts {
  int64_t rows = 0, corners = 0, numbers = 0;  // numbers: of rows, or those behind the corners
  int64_t least = INT64_MAX, most = -1;        // numbers of a row
  int64_t end = 0;                             // behind the last line looked at
};

struct BlockTarget {
  BlockCounts at;
  int64_t limit = 0;  // rows to read
  double* value = nullptr;
  int64_t* length = nullptr;  // numbers of each row; may be null
  int64_t *start = nullptr, *index = nullptr;
};

struct BlockPiece {
  BlockCounts count;
  Problem problem;
};

// The corners a line promises: its first number, in range of the `numbers` that follow; else -1.
inline int64_t promised(const char* q, const char* eol, int64_t numbers) {
  int64_t n;
  const char* next = parse_integer(q, eol, &n);
  if (next == q || (next < eol && !is_blank(*next) && *next != '#')) return -1;
  return n < 0 || n > numbers ? -1 : n;
}

inline void count_block(const char* data, int64_t begin, int64_t end, int64_t limit, bool polygons,
                        BlockPiece& out) {
  const char *p = data + begin, *stop = data + end;
  BlockCounts n;
  for (; p < stop && n.rows < limit; ++p) {
    const char* eol = line_end(p, stop);
    const char* q = skip_blanks(p, eol);
    const int64_t where = p - data;
    p = eol;
    if (q >= eol || *q == '#') continue;
    int64_t numbers = count_tokens(q, eol);
    if (polygons) {
      const int64_t corners = promised(q, eol, numbers - 1);
      if (corners < 0) {
        out.problem.set(where, "expected the corners of a polygon");
        break;
      }
      n.corners += corners;
      numbers -= 1 + corners;
    }
    n.numbers += numbers;
    n.least = numbers < n.least ? numbers : n.least;
    n.most = numbers > n.most ? numbers : n.most;
    ++n.rows;
  }
  n.end = p - data < end ? p - data : end;
  out.count = n;
}

inline void fill_block(const char* data, int64_t begin, int64_t end, const BlockTarget& to,
                       BlockPiece& out) {
  const char *p = data + begin, *stop = data + end;
  BlockCounts at = to.at;
  const bool polygons = to.start != nullptr;
  for (int64_t left = to.limit; p < stop && left > 0; ++p) {
    const char* eol = line_end(p, stop);
    const char* q = skip_blanks(p, eol);
    const int64_t where = p - data;
    p = eol;
    if (q >= eol || *q == '#') continue;
    --left;
    if (polygons) {
      int64_t corners = 0;
      q = skip_blanks(parse_integer(q, eol, &corners), eol);
      for (int64_t k = 0; k < corners; ++k) {
        int64_t value;
        const char* next = parse_integer(q, eol, &value);
        if (next == q || (next < eol && !is_blank(*next) && *next != '#')) {
          out.problem.set(where, "expected the index of a vertex");
          return;
        }
        to.index[at.corners++] = value;
        q = skip_blanks(next, eol);
      }
      to.start[at.rows + 1] = at.corners;
    }
    const int64_t before = at.numbers;
    while (q < eol && *q != '#') {
      const char* next = parse_double(q, eol, to.value + at.numbers);
      if (next == q || (next < eol && !is_blank(*next) && *next != '#')) {
        out.problem.set(where, "expected a number");
        return;
      }
      ++at.numbers;
      q = skip_blanks(next, eol);
    }
    if (to.length) to.length[at.rows] = at.numbers - before;
    ++at.rows;
  }
}

}  // namespace meshlearn::text
