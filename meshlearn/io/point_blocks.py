"""Large files of points, read a block at a time: binary PLY, LAS and LAZ, text, .npy.

`point_blocks` gives what `load_points` and `load` would, without ever holding all of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from meshlearn.io.document import FileFormatError
from meshlearn.io.numpy_files import POINTS_SUFFIXES

LARGE = 64 << 20  # bytes from which on a file is worth it
_POINTS = 1 << 20  # of a block
_TEXT = 48 << 20  # bytes of a block
_HEAD = 1 << 20  # bytes that hold any head
_AXES, _NORMALS = ("x", "y", "z"), ("nx", "ny", "nz")


class Block(NamedTuple):
    """Some points of a file.

    Attributes:
        points, normals: (P, 3), normals as they are in the file, or None.
        done: share of the file that is read so far.
    """

    points: np.ndarray
    normals: np.ndarray | None
    done: float


def point_blocks(path: Path) -> Iterator[Block] | None:
    """The points of a file by blocks, or None where the file is small or of another kind.

    Args:
        path: a file of points; a PLY file with faces is a mesh, and of another kind.

    Raises:
        OSError: it cannot be read.
        ValueError: it is damaged; raised as the blocks are taken.

    Example:
        >>> for block in point_blocks(Path("scan.las")) or ():
        ...     print(len(block.points), block.done)
    """
    if not path.is_file() or path.stat().st_size < LARGE:
        return None
    suffix = path.suffix.lower()
    if suffix == ".ply":
        return _of_ply(path)
    if suffix in (".las", ".laz"):
        return _of_las(path)
    if suffix == ".npy":
        return _of_numpy(path)
    return _of_text(path) if suffix in POINTS_SUFFIXES else None


def _of_ply(path: Path) -> Iterator[Block] | None:
    from meshlearn.io.formats.ply.header import read_header

    with open(path, "rb") as file:
        form, elements, _, begin = read_header(file.read(_HEAD), path)
    vertex = elements[0] if elements else None
    others = any(element.count for element in elements[1:])
    if vertex is None or vertex.name != "vertex" or others or form == "ascii":
        return None
    names = [given.name for given in vertex.properties]
    if any(given.count for given in vertex.properties) or not set(_AXES) <= set(names):
        return None
    order = "<" if form == "binary_little_endian" else ">"
    table = np.dtype([(given.name, order + given.type) for given in vertex.properties])
    if begin + vertex.count * table.itemsize > path.stat().st_size:
        raise FileFormatError(
            f"{path}: the header promises {vertex.count} of 'vertex', the file ends before"
        )
    facing = set(_NORMALS) <= set(names)

    def blocks() -> Iterator[Block]:
        for first in range(0, vertex.count, _POINTS):
            count = min(_POINTS, vertex.count - first)
            rows = np.fromfile(path, table, count, offset=begin + first * table.itemsize)
            yield Block(
                _columns(rows, _AXES),
                _columns(rows, _NORMALS) if facing else None,
                (first + count) / vertex.count,
            )

    return blocks()


def _columns(rows: np.ndarray, names: tuple[str, ...]) -> np.ndarray:
    wide = np.float64 if any(rows.dtype[name].itemsize == 8 for name in names) else np.float32
    return np.stack([rows[name].astype(wide) for name in names], 1)


def _of_las(path: Path) -> Iterator[Block]:
    from meshlearn.io.formats.las.read import need_library

    need_library()
    import laspy

    with laspy.open(path, laz_backend=laspy.LazBackend.Lazrs) as reader:
        total, done = max(1, int(reader.header.point_count)), 0
        for chunk in reader.chunk_iterator(_POINTS):
            done += len(chunk)
            yield Block(np.stack([chunk.x, chunk.y, chunk.z], 1), None, done / total)


def _of_numpy(path: Path) -> Iterator[Block] | None:
    rows = np.load(path, mmap_mode="r", allow_pickle=False)
    if rows.ndim != 2 or rows.shape[1] not in (3, 6) or rows.dtype.kind not in "fiu":
        return None
    wide = np.float64 if rows.dtype == np.float64 else np.float32

    def blocks() -> Iterator[Block]:
        for first in range(0, len(rows), _POINTS):
            some = np.array(rows[first : first + _POINTS], dtype=wide)
            facing = some[:, 3:] if some.shape[1] == 6 else None
            yield Block(some[:, :3], facing, min(1.0, (first + len(some)) / len(rows)))

    return blocks()


def _of_text(path: Path) -> Iterator[Block]:
    """Whole lines, each block behind the head of the file, which has the names of its columns."""
    from meshlearn.io.formats.xyz.head import read_head
    from meshlearn.io.formats.xyz.read import read

    size = path.stat().st_size
    with open(path, "rb") as file:
        some = file.read(_HEAD)
        head = some[: read_head(some).begin]
        file.seek(len(head))
        rest, facing = b"", None
        while True:
            more = file.read(_TEXT)
            body = rest + more
            cut = body.rfind(b"\n") + 1 if more else len(body)
            body, rest = body[:cut], body[cut:]
            if body.strip():
                part = read(head + body, path).parts[0]
                normals = part.vertex_fields.get("normal")
                facing = normals is not None if facing is None else facing
                yield Block(part.vertices, normals if facing else None, file.tell() / size)
            if not more:
                return
