"""Text numbers in and out: native where compiled, the same in plain Python elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from meshlearn._compiled import HAS_COMPILED, as_bytes, call, threads

_ROWS = 1 << 18  # of a piece of text


def rows_of(data: bytes | memoryview) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of all lines (K,) float64, and how many each line holds (R,); '#' comments.

    Raises:
        ValueError: a token that is no number, with its line.
    """
    if HAS_COMPILED:
        values, lengths = call("text_rows", threads(), as_bytes(data), kinds="di")
        return values, lengths
    found: list[float] = []
    counts: list[int] = []
    for number, line in enumerate(bytes(data).split(b"\n"), 1):
        tokens = line.split(b"#", 1)[0].replace(b",", b" ").split()
        try:
            found.extend(map(float, tokens))
        except ValueError:
            raise ValueError(f"line {number}: expected a number") from None
        if tokens:
            counts.append(len(tokens))
    return np.array(found, np.float64), np.array(counts, np.int64)


def said_of_rest(data: bytes | bytearray, at: int) -> list[str]:
    """A sentence on lines from byte `at` on, where all that a header promises is read before;
    blank ones and '#' comments say nothing."""
    rest = bytes(data[at:])
    count = sum(bool(line.split(b"#", 1)[0].strip()) for line in rest.split(b"\n"))
    return said_of_left(count, "lines")


def said_of_bytes(data: bytes | bytearray, at: int) -> list[str]:
    """The same of a binary file; zeros and blanks say nothing."""
    rest = bytes(data[at:])
    return said_of_left(len(rest) if rest.strip(b"\0 \t\r\n") else 0, "bytes")


def said_of_left(count: int, what: str) -> list[str]:
    """A sentence on so many lines, numbers or bytes that nothing is read from; none of 0."""
    return [f"{count:,} {what} behind what the header promises are left out"] if count else []


def _shortest(value) -> str:
    text = np.format_float_positional(value, unique=True, trim="-")
    other = np.format_float_scientific(value, unique=True, trim="-")
    return text if len(text) <= len(other) + 1 else other


def rows_text(values: np.ndarray, prefix: str = "") -> Iterator[bytes | memoryview]:
    """Lines "prefix a b c" of values (R, D), in the fewest digits that read back the same; in
    pieces."""
    if values.dtype not in (np.float32, np.float64, np.int64):
        values = values.astype(np.float64 if values.dtype.kind == "f" else np.int64)
    for first in range(0, len(values), _ROWS):
        piece = np.ascontiguousarray(values[first : first + _ROWS])
        if HAS_COMPILED:
            name, head = f"format_rows_{piece.dtype.name}", as_bytes(prefix.encode())
            width = piece.shape[1]
            yield call(name, threads(), piece, width, head, kinds="b")[0].data
            continue
        show = str if piece.dtype == np.int64 else _shortest
        lines = [prefix + " ".join(show(x) for x in row) for row in piece]
        yield ("\n".join(lines) + "\n").encode()


def columns_text(columns: list[np.ndarray], prefix: str = "") -> Iterator[bytes | memoryview]:
    """`rows_text` of arrays (R, D) side by side, each in the digits of its own precision."""
    if len({c.dtype for c in columns}) == 1:
        yield from rows_text(np.concatenate(columns, axis=1) if columns[1:] else columns[0], prefix)
        return
    texts = [rows_text(c, "" if k else prefix) for k, c in enumerate(columns)]
    for pieces in zip(*texts, strict=True):
        rows = zip(*(bytes(p).splitlines() for p in pieces), strict=True)
        yield b"".join(b" ".join(row) + b"\n" for row in rows)


def write_rows(values: np.ndarray, prefix: str = "") -> bytes:
    """`rows_text` as one piece."""
    return b"".join(rows_text(values, prefix))


def polygons_text(
    start: np.ndarray,
    fields: list[np.ndarray],
    prefix: str = "",
    *,
    base: list[int] | None = None,
    counted: bool = False,
) -> Iterator[bytes | memoryview]:
    """Lines of polygons, in pieces.

    Args:
        fields: indices of each corner (C,), joined by '/'; -1 absent.
        base: what is added to each field.
        counted: the number of corners stands in front.
    """
    base = base or [0] * len(fields)
    for first in range(0, len(start) - 1, _ROWS):
        ends = start[first : first + _ROWS + 1]
        corners = slice(int(ends[0]), int(ends[-1]))
        index = np.empty((corners.stop - corners.start, len(fields)), np.int64)
        for k, (field, add) in enumerate(zip(fields, base, strict=True)):
            index[:, k] = field[corners]
            if k and add:
                index[:, k] += np.where(index[:, k] < 0, 0, add)
            elif add:
                index[:, 0] += add
        begin = np.ascontiguousarray(ends - ends[0], dtype=np.int64)
        if HAS_COMPILED:
            head, width = as_bytes(prefix.encode()), len(fields)
            given = (threads(), begin, index, width, head, counted)
            yield call("format_polygons", *given, kinds="b")[0].data
            continue
        lines = []
        for a, b in zip(begin[:-1].tolist(), begin[1:].tolist(), strict=True):
            row = [str(b - a)] if counted else []
            for corner in index[a:b].tolist():
                row.append("/".join("" if k < 0 else str(k) for k in corner).rstrip("/"))
            lines.append(prefix + " ".join(row))
        yield ("\n".join(lines) + "\n").encode()


def write_polygons(start: np.ndarray, fields: list[np.ndarray], prefix: str = "", **more) -> bytes:
    """`polygons_text` as one piece."""
    return b"".join(polygons_text(start, fields, prefix, **more))


@dataclass
class Block:
    """Lines of a text: numbers (K,), how many each has (R,), and the byte behind the last line."""

    values: np.ndarray
    lengths: np.ndarray
    end: int

    def table(self, columns: int) -> np.ndarray | None:
        """(R, columns) of the first numbers of all rows; None where one has fewer."""
        rows = len(self.lengths)
        if rows == 0:
            return np.zeros((0, columns))
        width = int(self.lengths[0])
        if width >= columns and len(self.values) == rows * width and (self.lengths == width).all():
            return self.values.reshape(rows, width)[:, :columns]
        if int(self.lengths.min()) < columns:
            return None
        first = np.concatenate([[0], np.cumsum(self.lengths)[:-1]])
        return self.values[first[:, None] + np.arange(columns)]


def whole(values: np.ndarray) -> np.ndarray:
    """Numbers as int64.

    Raises:
        ValueError: one is not a whole number, or too large to be told from its neighbours.
    """
    if not ((np.abs(values) < 2**53) & (values == np.round(values))).all():
        raise ValueError("expected whole numbers")
    return values.astype(np.int64)


def read_block(data: bytes | bytearray, begin: int, rows: int) -> Block:
    """The next `rows` lines of numbers from byte `begin` on; '#' comments, empty lines left out.

    Raises:
        ValueError: fewer lines, or a token that is no number, with its line from `begin` on.
    """
    if HAS_COMPILED:
        given = (threads(), as_bytes(data), begin, rows)
        values, lengths, last = call("text_block", *given, kinds="dii")
        if len(lengths) == 0 and rows:
            lengths = np.broadcast_to(np.int64(len(values) // rows), rows)
        return Block(values, lengths, int(last[0]))
    lines, end = _lines(data, begin, rows)
    found = [[float(word) for word in line] for line in lines]
    lengths = np.array([len(line) for line in found], np.int64)
    return Block(np.array([x for line in found for x in line], np.float64), lengths, end)


def _lines(data: bytes | bytearray, begin: int, rows: int) -> tuple[list[list[bytes]], int]:
    out: list[list[bytes]] = []
    at, number = begin, 0
    while len(out) < rows and at < len(data):
        eol = data.find(b"\n", at)
        eol = len(data) if eol < 0 else eol
        words = bytes(data[at:eol]).split(b"#", 1)[0].replace(b",", b" ").split()
        number += 1
        try:
            for word in words:
                float(word)
        except ValueError:
            raise ValueError(f"line {number}: expected a number") from None
        if words:
            out.append(words)
        at = eol + 1
    if len(out) < rows:
        raise ValueError(f"the header promises {rows} lines, the file has {len(out)}")
    return out, min(at, len(data))


def read_polygons(
    data: bytes | bytearray, begin: int, rows: int
) -> tuple[np.ndarray, np.ndarray, Block]:
    """Lines "n a b c ..." -> start (R + 1,), index (C,), and what stands behind the corners.

    Raises:
        ValueError: as `read_block`, and where a line has fewer numbers than it promises.
    """
    if HAS_COMPILED:
        given = (threads(), as_bytes(data), begin, rows)
        start, index, values, lengths, last = call("text_polygons", *given, kinds="iidii")
        if len(lengths) == 0 and rows:
            lengths = np.broadcast_to(np.int64(len(values) // rows), rows)
        return start, index, Block(values, lengths, int(last[0]))
    lines, end = _lines(data, begin, rows)
    start_, index_, extra = [0], [], []
    for number, line in enumerate(lines, 1):
        n = int(line[0])
        if not 0 <= n < len(line):
            raise ValueError(f"line {number}: expected the corners of a polygon")
        index_ += [int(word) for word in line[1 : 1 + n]]
        start_.append(len(index_))
        extra.append([float(word) for word in line[1 + n :]])
    lengths = np.array([len(x) for x in extra], np.int64)
    values = np.array([x for row in extra for x in row], np.float64)
    return np.array(start_, np.int64), np.array(index_, np.int64), Block(values, lengths, end)
