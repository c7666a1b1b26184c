// Numbers in text: exact parsing, shortest formatting, pieces of a file for several threads.
#pragma once
#include <charconv>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace meshlearn::text {

inline bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == ','; }
inline bool is_digit(char c) { return static_cast<unsigned char>(c - '0') < 10; }

inline const char* skip_blanks(const char* p, const char* end) {
  while (p < end && is_blank(*p)) ++p;
  return p;
}
inline const char* line_end(const char* p, const char* end) {
  const void* found = p < end ? std::memchr(p, '\n', end - p) : nullptr;
  return found ? static_cast<const char*>(found) : end;
}

// Parses a number at p; returns the character behind it, or p where there is none. Correctly
// rounded: the short way where mantissa and power of ten are exact doubles (Clinger), else
// from_chars.
inline const char* parse_double(const char* p, const char* end, double* out) {
  static constexpr double kPower[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                      1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
  const char* begin = p;
  bool negative = false;
  if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
  const char* first = p;
  uint64_t mantissa = 0;
  int digits = 0, exponent = 0;
  while (p < end && is_digit(*p)) {
    if (digits < 19) {
      mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
      digits += mantissa != 0;
    } else {
      ++digits;
    }
    ++p;
  }
  bool any = p > first;
  if (p < end && *p == '.') {
    const char* point = ++p;
    while (p < end && is_digit(*p)) {
      if (digits < 19) {
        mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
        digits += mantissa != 0;
        --exponent;
      } else {
        ++digits;
      }
      ++p;
    }
    any = any || p > point;
  }
  if (!any) {  // inf, nan
    double value;
    const auto parsed = std::from_chars(first, end, value);
    if (parsed.ec != std::errc() || parsed.ptr == first) return begin;
    *out = negative ? -value : value;
    return parsed.ptr;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    const char* q = p + 1;
    bool down = false;
    if (q < end && (*q == '-' || *q == '+')) down = *q++ == '-';
    if (q < end && is_digit(*q)) {
      int value = 0;
      while (q < end && is_digit(*q)) {
        if (value < 100000) value = value * 10 + (*q - '0');
        ++q;
      }
      exponent += down ? -value : value;
      p = q;
    }
  }
  if (digits <= 19 && mantissa < (uint64_t(1) << 53) && exponent >= -22 && exponent <= 22) {
    const double m = static_cast<double>(mantissa);
    const double value = exponent < 0 ? m / kPower[-exponent] : m * kPower[exponent];
    *out = negative ? -value : value;
    return p;
  }
  double value = 0;
  const auto parsed = std::from_chars(first, p, value);
  if (parsed.ec == std::errc::result_out_of_range)
    value = exponent > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  else if (parsed.ec != std::errc())
    return begin;
  *out = negative ? -value : value;
  return p;
}

inline const char* parse_integer(const char* p, const char* end, int64_t* out) {
  const char* begin = p;
  bool negative = false;
  if (p < end && (*p == '-' || *p == '+')) negative = *p++ == '-';
  const char* first = p;
  int64_t value = 0;
  while (p < end && is_digit(*p)) {
    if (value > (int64_t(1) << 58)) return begin;
    value = value * 10 + (*p - '0');
    ++p;
  }
  if (p == first) return begin;
  *out = negative ? -value : value;
  return p;
}

// Cuts [0, size) into pieces that end behind a line break, about `wanted` bytes each.
inline std::vector<int64_t> cut_lines(const char* data, int64_t size, int64_t wanted) {
  std::vector<int64_t> cuts{0};
  while (cuts.back() < size) {
    int64_t at = cuts.back() + wanted;
    if (at >= size) {
      cuts.push_back(size);
      break;
    }
    const char* found = line_end(data + at, data + size);
    cuts.push_back(found < data + size ? found - data + 1 : size);
  }
  return cuts;
}

// What is wrong, where: byte offset of the line.
struct Problem {
  int64_t at = -1;
  const char* what = nullptr;
  void set(int64_t where, const char* text) {
    if (at < 0) at = where, what = text;
  }
};

// Rows of numbers, one a line; '#' starts a comment; empty lines are left out.
struct Rows {
  std::vector<double> values;
  std::vector<int64_t> lengths;
  Problem problem;
};

inline void parse_rows(const char* data, int64_t begin, int64_t end, Rows& out) {
  const char *p = data + begin, *stop = data + end;
  while (p < stop) {
    const char* eol = line_end(p, stop);
    const char* q = skip_blanks(p, eol);
    int64_t count = 0;
    while (q < eol && *q != '#') {
      double value;
      const char* next = parse_double(q, eol, &value);
      if (next == q || (next < eol && !is_blank(*next) && *next != '#')) {
        out.problem.set(p - data, "expected a number");
        return;
      }
      out.values.push_back(value);
      ++count;
      q = skip_blanks(next, eol);
    }
    if (count > 0) out.lengths.push_back(count);
    p = eol + 1;
  }
}

// One piece of an OBJ file. Indices count from 0; negative ones of the file are relative to what
// the piece has read so far and listed in `relative`, to be moved by what came before the piece.
struct ObjPiece {
  std::vector<double> v, colour, vt, vn;
  std::vector<int64_t> corner;             // (corners, 3): v, vt, vn; -1 where absent
  std::vector<int64_t> length;             // corners of each polygon
  std::vector<int64_t> line, line_length;  // l elements
  std::vector<int64_t> point;              // p elements
  std::vector<int64_t> relative;           // 3 * corner + field
  std::vector<int64_t> relative_line, relative_point;
  std::vector<int64_t> event;  // (events, 3): polygon, offset, length of o g s usemtl …
  int64_t num_v = 0, num_vt = 0, num_vn = 0;
  Problem problem;
};

inline bool keyword(const char* p, const char* end, const char* word, int64_t n) {
  return end - p > n && std::memcmp(p, word, n) == 0 && is_blank(p[n]);
}

inline const char* read_numbers(const char* p, const char* eol, double* out, int most, int* count) {
  *count = 0;
  p = skip_blanks(p, eol);
  while (p < eol && *p != '#' && *count < most) {
    const char* next = parse_double(p, eol, out + *count);
    if (next == p || (next < eol && !is_blank(*next) && *next != '#')) return nullptr;
    ++*count;
    p = skip_blanks(next, eol);
  }
  return p;
}

// A run of plain indices (l and p elements); vt of "v/vt" is dropped.
inline bool read_indices(const char* q, const char* eol, int64_t have, std::vector<int64_t>& out,
                         std::vector<int64_t>& relative, int64_t* count) {
  *count = 0;
  q = skip_blanks(q, eol);
  while (q < eol && *q != '#') {
    int64_t value;
    const char* next = parse_integer(q, eol, &value);
    if (next == q || value == 0) return false;
    if (value < 0) {
      relative.push_back(static_cast<int64_t>(out.size()));
      out.push_back(have + value);
    } else {
      out.push_back(value - 1);
    }
    ++*count;
    while (next < eol && !is_blank(*next)) ++next;
    q = skip_blanks(next, eol);
  }
  return *count > 0;
}

inline void parse_obj(const char* data, int64_t begin, int64_t end, ObjPiece& out) {
  const char *p = data + begin, *stop = data + end;
  for (; p < stop; ++p) {
    const char *eol = line_end(p, stop), *start = p;
    const char* q = skip_blanks(p, eol);
    p = eol;
    if (q >= eol || *q == '#') continue;
    const int64_t where = start - data;
    if (keyword(q, eol, "v", 1)) {
      double x[7];
      int n;
      if (!read_numbers(q + 1, eol, x, 7, &n)) {
        out.problem.set(where, "expected the coordinates of a vertex");
        return;
      }
      if (n != 3 && n != 4 && n != 6 && n != 7) {
        out.problem.set(where, "expected 3 coordinates (or 4, or 3 and a colour)");
        return;
      }
      const double w = n == 4 || n == 7 ? x[3] : 1.0;
      for (int k = 0; k < 3; ++k) out.v.push_back(w != 1.0 && w != 0.0 ? x[k] / w : x[k]);
      if (n >= 6) {
        out.colour.resize(3 * out.num_v, 1.0);
        for (int k = 0; k < 3; ++k) out.colour.push_back(x[n - 3 + k]);
      }
      ++out.num_v;
    } else if (keyword(q, eol, "vt", 2)) {
      double x[3] = {0, 0, 0};
      int n;
      if (!read_numbers(q + 2, eol, x, 3, &n) || n < 1) {
        out.problem.set(where, "expected texture coordinates");
        return;
      }
      out.vt.push_back(x[0]);
      out.vt.push_back(x[1]);
      ++out.num_vt;
    } else if (keyword(q, eol, "vn", 2)) {
      double x[3];
      int n;
      if (!read_numbers(q + 2, eol, x, 3, &n) || n != 3) {
        out.problem.set(where, "expected the 3 coordinates of a normal");
        return;
      }
      for (int k = 0; k < 3; ++k) out.vn.push_back(x[k]);
      ++out.num_vn;
    } else if (keyword(q, eol, "f", 1) || keyword(q, eol, "fo", 2)) {
      q = skip_blanks(q + (q[1] == 'o' ? 2 : 1), eol);
      int64_t corners = 0;
      while (q < eol && *q != '#') {
        int64_t field[3] = {0, 0, 0};
        const char* next = parse_integer(q, eol, &field[0]);
        bool good = next != q && field[0] != 0;
        for (int k = 1; k < 3 && good && next < eol && *next == '/'; ++k) {
          ++next;
          if (next < eol && *next != '/' && !is_blank(*next)) {
            const char* after = parse_integer(next, eol, &field[k]);
            good = after != next && field[k] != 0;
            next = after;
          }
        }
        if (!good || (next < eol && !is_blank(*next))) {
          out.problem.set(where, "expected corners of a face as v, v/vt, v//vn or v/vt/vn, from 1");
          return;
        }
        const int64_t have[3] = {out.num_v, out.num_vt, out.num_vn};
        for (int k = 0; k < 3; ++k) {
          if (field[k] < 0) out.relative.push_back(static_cast<int64_t>(out.corner.size()));
          out.corner.push_back(field[k] < 0 ? have[k] + field[k] : field[k] - 1);
        }
        ++corners;
        q = skip_blanks(next, eol);
      }
      if (corners < 1) {
        out.problem.set(where, "expected the corners of a face");
        return;
      }
      out.length.push_back(corners);
    } else if (keyword(q, eol, "l", 1)) {
      int64_t n;
      if (!read_indices(q + 1, eol, out.num_v, out.line, out.relative_line, &n)) {
        out.problem.set(where, "expected the vertices of a line");
        return;
      }
      out.line_length.push_back(n);
    } else if (keyword(q, eol, "p", 1)) {
      int64_t n;
      if (!read_indices(q + 1, eol, out.num_v, out.point, out.relative_point, &n)) {
        out.problem.set(where, "expected the vertices of points");
        return;
      }
    } else {
      const char* last = eol;
      while (last > q && (is_blank(last[-1]))) --last;
      if (last - q > 512) last = q + 512;
      for (const char* c = q; c < last; ++c)
        if (static_cast<unsigned char>(*c) < 9) {
          out.problem.set(where, "expected text, got binary data");
          return;
        }
      out.event.push_back(static_cast<int64_t>(out.length.size()));
      out.event.push_back(q - data);
      out.event.push_back(last - q);
    }
  }
}

// Corners of the triangles of an ASCII STL: the numbers behind each "vertex".
struct StlPiece {
  std::vector<double> corner;
  std::vector<int64_t> solid;  // (solids, 3): triangles before, offset, length of the name
  int64_t facets = 0;
  Problem problem;
};

inline void parse_stl(const char* data, int64_t begin, int64_t end, StlPiece& out) {
  const char *p = data + begin, *stop = data + end;
  for (; p < stop; ++p) {
    const char *eol = line_end(p, stop), *q = skip_blanks(p, eol), *start = p;
    p = eol;
    if (keyword(q, eol, "vertex", 6)) {
      double x[3];
      int n;
      if (!read_numbers(q + 6, eol, x, 3, &n) || n != 3) {
        out.problem.set(start - data, "expected the 3 coordinates of a vertex");
        return;
      }
      out.corner.insert(out.corner.end(), x, x + 3);
    } else if (keyword(q, eol, "facet", 5)) {
      ++out.facets;
    } else if (eol - q >= 5 && std::memcmp(q, "solid", 5) == 0) {
      const char* name = skip_blanks(q + 5, eol);
      const char* last = eol;
      while (last > name && is_blank(last[-1])) --last;
      out.solid.push_back(out.facets);
      out.solid.push_back(name - data);
      out.solid.push_back(last - name);
    }
  }
}

// --- writing
// --------------------------------------------------------------------------------------

template <class T>
inline void append_number(std::string& out, T value) {
  char buffer[40];
  const auto done = std::to_chars(buffer, buffer + sizeof(buffer), value);
  out.append(buffer, done.ptr);
}

}  // namespace meshlearn::text
