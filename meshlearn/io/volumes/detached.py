"""Samples in the encodings and the files that a text header (NRRD, MetaImage) names."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meshlearn._memory import check_memory
from meshlearn.io.resolver import find_named
from meshlearn.io.volumes.stream import Source, native, opened, promised

MOST_FILES = 100_000
_HEADER = 1 << 20  # bytes that a text header may have
_TEXT = 1 << 31  # bytes of samples written as text, which are all held at once


@dataclass
class Data:
    """Where samples lie.

    Attributes:
        files: in order, each with an equal share of the samples, and the byte where it begins.
        encoding: "raw", "gzip", "zlib", "bzip2", "text" or "hex".
        lines: lines to leave out at the beginning of each file.
        skip: bytes to leave out behind them, unpacked; -1: the samples are the end of the file.
    """

    files: list[tuple[Path, int]]
    encoding: str = "raw"
    lines: int = 0
    skip: int = 0

    def read(self, sizes: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """All samples as an array of these sizes, whose first index is the fastest.

        Raises:
            ValueError: fewer are there than are promised, or packed data is not what its checksum
                says.
        """
        count = math.prod(sizes)
        size = count * dtype.itemsize
        if not self.files or count % len(self.files):
            raise ValueError(f"{count:,} samples cannot be divided over {len(self.files)} files")
        if self.encoding in ("text", "hex"):
            room = sum(file.stat().st_size - at for file, at in self.files)
            promised(count * (2 if self.encoding == "hex" else 1), room + 1, sizes)
        share = size // len(self.files)
        check_memory(3 * size, "cpu", f"a volume of shape {sizes}", argument="volume")
        pieces = [self._piece(file, at, share, dtype, sizes) for file, at in self.files]
        flat = pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
        return native(flat).reshape(sizes, order="F")

    def _piece(
        self, path: Path, at: int, share: int, dtype: np.dtype, sizes: tuple[int, ...]
    ) -> np.ndarray:
        packed = "" if self.encoding in ("raw", "text", "hex") else self.encoding
        skip = self.skip
        if skip == -1:
            if packed or path.stat().st_size - at < share:
                raise ValueError(f"{path.name}: the file is shorter than its samples are")
            at, skip = path.stat().st_size - share, 0
        else:
            at = _behind_lines(path, at, self.lines)
        with opened(path, packed, at) as source:
            if self.encoding in ("text", "hex"):
                return _written(source, self.encoding, share // dtype.itemsize, dtype)
            source.skip(skip)
            promised(share, source.room - skip, sizes)
            data = source.take(share)
            source.finish()
            return np.frombuffer(data, dtype)


def _behind_lines(path: Path, at: int, lines: int) -> int:
    if not lines:
        return at
    with open(path, "rb") as file:
        file.seek(at)
        for _ in range(lines):
            if not file.readline():
                raise ValueError(f"{path.name} has fewer than the {lines} lines to leave out")
        return file.tell()


def _written(source: Source, encoding: str, count: int, dtype: np.dtype) -> np.ndarray:
    """Numbers written as text, or bytes as hexadecimal digits."""
    text = source.rest(_TEXT + 1)
    if len(text) > _TEXT:
        raise ValueError(
            f"its samples are written as more than {_TEXT:,} bytes of text; write them as raw bytes"
        )
    if encoding == "hex":
        try:
            data = bytes.fromhex("".join(text.decode("ascii").split()))
        except ValueError:
            raise ValueError("expected hexadecimal digits among its data") from None
        if len(data) < count * dtype.itemsize:
            raise ValueError("the file ends within its data; it is truncated")
        return np.frombuffer(data, dtype, count)
    words = text.replace(b",", b" ").split()
    if len(words) < count:
        raise ValueError(f"expected {count:,} numbers, found {len(words):,}; it is truncated")
    try:
        read = float if dtype.kind == "f" else int
        with np.errstate(over="ignore"):
            return np.array([read(word) for word in words[:count]], dtype.newbyteorder("="))
    except (ValueError, OverflowError):
        raise ValueError("expected a number of its type among its data") from None


def files_named(path: Path, names: list[str]) -> list[tuple[Path, int]]:
    """Files that a header names, beside it.

    Raises:
        ValueError: one is not there, or there are too many.
    """
    if len(names) > MOST_FILES:
        raise ValueError(f"it names {len(names):,} files, more than {MOST_FILES:,}")
    out = []
    for name in names:
        place = find_named(path, name)
        if place is None:
            raise ValueError(f"its data file {name!r} is not beside it")
        out.append((path.parent.resolve() / place, 0))
    return out


def numbered(pattern: str, first: int, last: int, step: int) -> list[str]:
    """Names of a pattern such as "slice%03d.raw", for the numbers from first to last.

    Raises:
        ValueError: the pattern has no number, or there are too many or no names.
    """
    found = re.search(r"%(0?)(\d{0,3})[du]", pattern)
    if found is None or "%" in pattern.replace(found[0], "", 1):
        raise ValueError(f"expected a pattern with one number such as %03d, got {pattern!r}")
    if step == 0 or not 0 <= (last - first) // step < MOST_FILES:
        raise ValueError(f"expected numbers from {first} to {last} by a step, got {step}")
    width = int(found[2] or 0)
    names = []
    for number in range(first, last + (1 if step > 0 else -1), step):
        digits = str(number).rjust(width, "0" if found[1] else " ")
        names.append(pattern.replace(found[0], digits, 1))
    return names


def header_lines(path: Path, last: str | None) -> tuple[list[str], int]:
    """Lines of a text header, and the byte behind it.

    Args:
        last: how the last line of the header begins; None: it ends with an empty line.

    Raises:
        ValueError: there is no end of the header.
    """
    lines: list[str] = []
    with open(path, "rb") as file:
        while file.tell() < _HEADER:
            raw = file.readline(_HEADER)
            if not raw:
                break
            line = raw.decode("utf-8", "replace").rstrip("\r\n")
            if last is None and not line.strip():
                return lines, file.tell()
            lines.append(line)
            if last is not None and line.strip().lower().startswith(last):
                return lines, file.tell()
        if last is None:  # a header without data behind it
            return lines, file.tell()
    raise ValueError(f"its header has no line {last!r}")


def numbers(text: str, what: str, count: int | None = None) -> np.ndarray:
    """(N,) float64: numbers of a text between spaces; NaN and infinities, which headers use for
    what is not said, are left to who asks.

    Args:
        count: how many there must be; None: any number of them, and none.

    Raises:
        ValueError: a word is no number, or there are not so many.
    """
    try:
        out = np.array([float(word) for word in text.split()], np.float64)
    except ValueError:
        raise ValueError(f"{what}: expected numbers, got {text.strip()[:60]!r}") from None
    if count is not None and len(out) != count:
        raise ValueError(f"{what}: expected {count} numbers, got {text.strip()[:60]!r}")
    return out


def whole(text: str, what: str, count: int | None = None) -> list[int]:
    """Whole numbers of a text between spaces; arguments and errors as those of `numbers`."""
    try:
        out = [int(word) for word in text.split()]
    except ValueError:
        raise ValueError(f"{what}: expected whole numbers, got {text.strip()[:60]!r}") from None
    if count is not None and len(out) != count:
        raise ValueError(f"{what}: expected {count} whole numbers, got {text.strip()[:60]!r}")
    return out


MOST_AXES = 16  # of a volume: what teem, which NRRD is from, allows


def stated_sizes(
    fields: dict[str, str], number: str, sizes: str, *, also: tuple[str, ...] = ()
) -> list[int]:
    """Samples along each axis, as a header states them.

    Args:
        fields: of the header, by names in small letters.
        number, sizes: the fields that hold the number of axes and the samples along each.
        also: fields that must be there too.

    Raises:
        ValueError: a field is absent, or it holds no positive whole numbers, as many as axes.
    """
    for key in (number, sizes, *also):
        if key not in fields:
            raise ValueError(f"its header has no field {key!r}")
    count = whole(fields[number], number, 1)[0]
    if not 1 <= count <= MOST_AXES:
        raise ValueError(f"{number}: expected 1 to {MOST_AXES} axes, got {count}")
    found = whole(fields[sizes], sizes, count)
    if min(found) < 1:
        raise ValueError(f"{sizes}: expected positive numbers, got {found}")
    return found


def spacings(values: np.ndarray, what: str) -> np.ndarray:
    """The values, where they are distances of samples.

    Raises:
        ValueError: one is not positive.
    """
    if not (np.isfinite(values).all() and (values > 0).all()):
        raise ValueError(f"{what}: expected positive numbers, got {values.tolist()}; mend the file")
    return values
