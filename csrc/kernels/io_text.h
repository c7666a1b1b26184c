// Numbers in text: exact parsing, shortest formatting, pieces of a file for several threads.
#pragma once
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <vector>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

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

// Words of a line, up to a comment: characters that are no blank behind one that is.
inline int64_t count_tokens(const char* q, const char* eol) {
  const void* comment = q < eol ? std::memchr(q, '#', eol - q) : nullptr;
  if (comment) eol = static_cast<const char*>(comment);
  int64_t tokens = 0;
  bool inside = false;
#if defined(__SSE2__)
  for (; eol - q >= 16; q += 16) {
    const __m128i c = _mm_loadu_si128(reinterpret_cast<const __m128i*>(q));
    const __m128i blank = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(c, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(c, _mm_set1_epi8(','))),
        _mm_or_si128(_mm_cmpeq_epi8(c, _mm_set1_epi8('\t')),
                     _mm_cmpeq_epi8(c, _mm_set1_epi8('\r'))));
    const unsigned full = ~static_cast<unsigned>(_mm_movemask_epi8(blank)) & 0xffffu;
    tokens += __builtin_popcount(full & ~(full << 1 | (inside ? 1u : 0u)));
    inside = full >> 15;
  }
#endif
  for (; q < eol; ++q) {
    const bool blank = is_blank(*q);
    tokens += !blank && !inside;
    inside = !blank;
  }
  return tokens;
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
  uint64_t mantissa = 0;  // of up to 19 digits; of more it is not used
  for (; p < end && is_digit(*p); ++p) mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
  int64_t digits = p - first, exponent = 0;
  if (p < end && *p == '.') {
    const char* point = ++p;
    for (; p < end && is_digit(*p); ++p) mantissa = mantissa * 10 + static_cast<uint64_t>(*p - '0');
    exponent = point - p;
    digits -= exponent;
  }
  if (digits == 0) {  // inf, nan
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
  if (parsed.ec == std::errc::result_out_of_range) {
    const char* q = first;  // the first digit that is no zero has the place 10^(exponent + digits)
    for (; q < p && (*q == '0' || *q == '.'); ++q) digits -= *q == '0';
    value = exponent + digits > 0 ? std::numeric_limits<double>::infinity() : 0.0;
  }
  if (parsed.ec != std::errc() && parsed.ec != std::errc::result_out_of_range) return begin;
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

// As `keyword`, in letters of any case; `word` is in lower case.
inline bool keyword_of_any_case(const char* p, const char* end, const char* word, int64_t n) {
  if (end - p < n || (end - p > n && !is_blank(p[n]))) return false;
  if (std::memcmp(p, word, n) == 0) return true;
  for (int64_t k = 0; k < n; ++k)
    if ((p[k] | 0x20) != word[k]) return false;
  return true;
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
    if (keyword_of_any_case(q, eol, "vertex", 6)) {
      double x[3];
      int n;
      if (!read_numbers(q + 6, eol, x, 3, &n) || n != 3) {
        out.problem.set(start - data, "expected the 3 coordinates of a vertex");
        return;
      }
      out.corner.insert(out.corner.end(), x, x + 3);
    } else if (keyword_of_any_case(q, eol, "facet", 5)) {
      ++out.facets;
    } else if (keyword_of_any_case(q, eol, "solid", 5)) {
      const char* name = skip_blanks(q + 5, eol);
      const char* last = eol;
      while (last > name && is_blank(last[-1])) --last;
      out.solid.push_back(out.facets);
      out.solid.push_back(name - data);
      out.solid.push_back(last - name);
    }
  }
}

// --- writing ---

template <class T>
inline void append_number(std::string& out, T value) {
  char buffer[40];
  const auto done = std::to_chars(buffer, buffer + sizeof(buffer), value);
  out.append(buffer, done.ptr);
}

}  // namespace meshlearn::text
