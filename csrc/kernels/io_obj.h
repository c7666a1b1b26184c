// OBJ in two passes: the first counts what a piece of the file holds, so that the second writes
// into arrays of the final size, each piece into its own rows.
#pragma once
#include "io_text.h"

namespace meshlearn::text {

struct ObjCounts {
  int64_t v = 0, vt = 0, vn = 0, corner = 0, polygon = 0;
  bool coloured = false, has_vt = false, has_vn = false;
};

// Where the rows of a piece begin (`at`), and the arrays; colour, index_vt and index_vn may be
// null; a colour is NaN where a vertex has none, and so is its alpha.
struct ObjTarget {
  ObjCounts at;
  double *v = nullptr, *colour = nullptr, *vt = nullptr, *vn = nullptr;
  int64_t *start = nullptr, *index = nullptr, *index_vt = nullptr, *index_vn = nullptr;
};

// What is rare in a piece, and what is wrong in it.
struct ObjPiece {
  ObjCounts count;
  std::vector<int64_t> line, line_length;  // l elements
  std::vector<int64_t> point;              // p elements
  int64_t alpha = 0, longer = 0;           // vertices of 7 numbers, and of more
  std::vector<int64_t> event;              // (events, 3): polygon, offset, length of o g s usemtl …
  Problem problem;
};

inline bool is_face(const char* q, const char* eol) {
  return keyword(q, eol, "f", 1) || keyword(q, eol, "fo", 2);
}

inline void count_obj(const char* data, int64_t begin, int64_t end, ObjPiece& out) {
  const char *p = data + begin, *stop = data + end;
  ObjCounts& n = out.count;
  for (; p < stop; ++p) {
    const char* eol = line_end(p, stop);
    const char* q = skip_blanks(p, eol);
    p = eol;
    if (q >= eol) continue;
    if (*q == 'v') {
      if (keyword(q, eol, "v", 1)) {
        ++n.v;
        n.coloured = n.coloured || count_tokens(q + 1, eol) >= 6;
      } else {
        n.vt += keyword(q, eol, "vt", 2);
        n.vn += keyword(q, eol, "vn", 2);
      }
    } else if (*q == 'f' && is_face(q, eol)) {
      q += q[1] == 'o' ? 2 : 1;
      ++n.polygon;
      bool inside = false;
      int slashes = 0;
      for (; q < eol && *q != '#'; ++q) {
        const bool blank = is_blank(*q);
        if (!blank && !inside) ++n.corner, slashes = 0;
        inside = !blank;
        if (*q == '/') {
          ++slashes;
          if (slashes == 1 && q + 1 < eol && q[1] != '/') n.has_vt = true;
          if (slashes == 2) n.has_vn = true;
        }
      }
    }
  }
}

// A run of plain indices (l and p elements); vt of "v/vt" is dropped.
inline bool read_indices(const char* q, const char* eol, int64_t have, std::vector<int64_t>& out,
                         int64_t* count) {
  *count = 0;
  q = skip_blanks(q, eol);
  while (q < eol && *q != '#') {
    int64_t value;
    const char* next = parse_integer(q, eol, &value);
    if (next == q || value == 0) return false;
    out.push_back(value < 0 ? have + value : value - 1);
    ++*count;
    while (next < eol && !is_blank(*next)) ++next;
    q = skip_blanks(next, eol);
  }
  return *count > 0;
}

// Corner "v", "v/vt", "v//vn" or "v/vt/vn" at q; null if it is none of them.
inline const char* read_corner(const char* q, const char* eol, int64_t* field) {
  const char* next = parse_integer(q, eol, &field[0]);
  if (next == q || field[0] == 0) return nullptr;
  for (int k = 1; k < 3 && next < eol && *next == '/'; ++k) {
    ++next;
    if (next < eol && *next != '/' && !is_blank(*next)) {
      const char* after = parse_integer(next, eol, &field[k]);
      if (after == next || field[k] == 0) return nullptr;
      next = after;
    }
  }
  return next < eol && !is_blank(*next) && *next != '#' ? nullptr : next;
}

inline void fill_obj(const char* data, int64_t begin, int64_t end, const ObjTarget& to,
                     ObjPiece& out) {
  const char *p = data + begin, *stop = data + end;
  ObjCounts at = to.at;
  for (; p < stop; ++p) {
    const char *eol = line_end(p, stop), *start = p;
    const char* q = skip_blanks(p, eol);
    p = eol;
    if (q >= eol || *q == '#') continue;
    const int64_t where = start - data;
    if (keyword(q, eol, "v", 1)) {
      double x[8];
      int n;
      if (!read_numbers(q + 1, eol, x, 8, &n)) {
        out.problem.set(where, "expected the coordinates of a vertex");
        return;
      }
      if (n < 3 || n == 5) {
        out.problem.set(where, "expected 3 coordinates (or 4, or 3 and a colour of 3 or 4)");
        return;
      }
      const double w = n == 4 ? x[3] : 1.0;
      double* row = to.v + 3 * at.v;
      for (int k = 0; k < 3; ++k) row[k] = w != 1.0 && w != 0.0 ? x[k] / w : x[k];
      if (to.colour) {
        double* colour = to.colour + 4 * at.v;
        const bool has = n == 6 || n == 7;
        for (int k = 0; k < 3; ++k)
          colour[k] = has ? x[3 + k] : std::numeric_limits<double>::quiet_NaN();
        colour[3] = n == 7 ? x[6] : std::numeric_limits<double>::quiet_NaN();
      }
      out.alpha += n == 7;
      out.longer += n > 7;
      ++at.v;
    } else if (keyword(q, eol, "vt", 2)) {
      double x[3] = {0, 0, 0};
      int n;
      if (!read_numbers(q + 2, eol, x, 3, &n) || n < 1) {
        out.problem.set(where, "expected texture coordinates");
        return;
      }
      for (int k = 0; k < 3; ++k) to.vt[3 * at.vt + k] = x[k];
      ++at.vt;
    } else if (keyword(q, eol, "vn", 2)) {
      double x[3];
      int n;
      if (!read_numbers(q + 2, eol, x, 3, &n) || n != 3) {
        out.problem.set(where, "expected the 3 coordinates of a normal");
        return;
      }
      for (int k = 0; k < 3; ++k) to.vn[3 * at.vn + k] = x[k];
      ++at.vn;
    } else if (is_face(q, eol)) {
      q = skip_blanks(q + (q[1] == 'o' ? 2 : 1), eol);
      const int64_t have[3] = {at.v, at.vt, at.vn}, before = at.corner;
      int64_t* index[3] = {to.index, to.index_vt, to.index_vn};
      while (q < eol && *q != '#') {
        int64_t field[3] = {0, 0, 0};
        const char* next = read_corner(q, eol, field);
        if (!next) {
          out.problem.set(where, "expected corners of a face as v, v/vt, v//vn or v/vt/vn, from 1");
          return;
        }
        for (int k = 0; k < 3; ++k) {
          const int64_t value = field[k] < 0 ? have[k] + field[k] : field[k] - 1;
          if (field[k] < 0 && value < 0) {
            out.problem.set(where, "a relative index of a face reaches before the first");
            return;
          }
          if (index[k]) index[k][at.corner] = value;
        }
        ++at.corner;
        q = skip_blanks(next, eol);
      }
      if (at.corner == before) {
        out.problem.set(where, "expected the corners of a face");
        return;
      }
      to.start[++at.polygon] = at.corner;
    } else if (keyword(q, eol, "l", 1)) {
      int64_t n;
      if (!read_indices(q + 1, eol, at.v, out.line, &n)) {
        out.problem.set(where, "expected the vertices of a line");
        return;
      }
      out.line_length.push_back(n);
    } else if (keyword(q, eol, "p", 1)) {
      int64_t n;
      if (!read_indices(q + 1, eol, at.v, out.point, &n)) {
        out.problem.set(where, "expected the vertices of points");
        return;
      }
    } else {
      const char* last = eol;
      while (last > q && is_blank(last[-1])) --last;
      if (last - q > 4096) last = q + 4096;
      for (const char* c = q; c < last; ++c)
        if (static_cast<unsigned char>(*c) < 9) {
          out.problem.set(where, "expected text, got binary data");
          return;
        }
      out.event.push_back(at.polygon);
      out.event.push_back(q - data);
      out.event.push_back(last - q);
    }
  }
}

}  // namespace meshlearn::text
