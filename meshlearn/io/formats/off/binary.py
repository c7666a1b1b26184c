"""The body of binary OFF files: whole numbers and floats of 32 bits, the highest byte first.

Layout: the Geomview manual, http://www.geomview.org/docs/html/OFF.html; a face is its number of
corners, their vertices, its number of colour components (0 to 4), and these as floats.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meshlearn.io.document import FileFormatError


@dataclass(frozen=True)
class Body:
    """What stands in a file.

    Attributes:
        table: (V, width) float32 rows of vertices.
        start, index: polygons, (F + 1,) and (C,) int64.
        colours: (K,) float32 components of all faces in order.
        lengths: (F,) int64 how many of them each face has.
        end: the byte behind the last face.
    """

    table: np.ndarray
    start: np.ndarray
    index: np.ndarray
    colours: np.ndarray
    lengths: np.ndarray
    end: int


def read_body(data: bytes | bytearray, path: Path, at: int, width: int) -> Body:
    """Reads what stands behind the header.

    Args:
        at: the byte behind the word BINARY.
        width: numbers of a vertex.

    Raises:
        FileFormatError: counts that the file is too short for, or that cannot be.
    """
    end = bytes(data[at : at + 256]).find(b"\n")
    if end < 0:
        raise FileFormatError(f"{path}: expected the end of the line behind 'OFF BINARY'")
    at += end + 1
    if len(data) < at + 12:
        raise FileFormatError(f"{path}: expected the numbers of vertices, faces and edges")
    nv, nf = np.frombuffer(data, ">i4", 2, at).tolist()
    at += 12
    have = (len(data) - at) // 4
    if nv < 0 or nf < 0 or nv * width + 2 * nf > have:
        raise FileFormatError(
            f"{path}: the header promises {nv} vertices and {nf} faces, the file has "
            f"{len(data)} bytes"
        )
    table = np.frombuffer(data, ">f4", nv * width, at).astype(np.float32).reshape(nv, width)
    rest = np.frombuffer(data, ">i4", have - nv * width, at + 4 * nv * width).astype(np.int64)
    first = _first(rest, path, nf)
    sizes = rest[first]
    lengths = rest[first + 1 + sizes]
    start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    colours = rest[_behind(first + 2 + sizes, lengths)].astype(np.int32).view(np.float32)
    end = at + 4 * (nv * width + int((2 + sizes + lengths).sum()))
    return Body(table, start, rest[_behind(first + 1, sizes)], colours, lengths, end)


def _behind(first: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Positions of runs that begin at `first`, one behind the other."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(first - before, sizes) + np.arange(int(sizes.sum()))


def _first(rest: np.ndarray, path: Path, count: int) -> np.ndarray:
    """(F,) where each face begins."""
    if count == 0:
        return np.zeros(0, np.int64)
    n = int(rest[0])
    step = n + 2
    if 0 <= n and count * step <= len(rest):  # all alike, as most files are
        rows = rest[: count * step].reshape(count, step)
        if (rows[:, 0] == n).all() and (rows[:, -1] == 0).all():
            return np.arange(count, dtype=np.int64) * step
    out, at, values = [], 0, rest.tolist()
    for face in range(count):
        n = values[at] if at < len(values) else -1
        k = values[at + 1 + n] if 0 <= n < len(values) - at - 1 else -1
        if not 0 <= k <= 4 or at + 2 + n + k > len(values):
            raise FileFormatError(
                f"{path}: face {face} has {n} corners and {k} components of a colour, which "
                f"cannot be or is more than the file has"
            )
        out.append(at)
        at += 2 + n + k
    return np.array(out, np.int64)
