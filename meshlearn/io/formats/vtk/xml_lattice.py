"""XML files of lattices: images (.vti), rectilinear grids (.vtr) and structured grids (.vts)."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn._memory import check_memory
from meshlearn.io.document import Document, FileFormatError
from meshlearn.io.formats.vtk.data import GHOSTS, say_times
from meshlearn.io.formats.vtk.lattice import Lattice, check, skin
from meshlearn.io.formats.vtk.xml_file import XmlFile
from meshlearn.io.left_behind import Loss

KINDS = ("ImageData", "RectilinearGrid", "StructuredGrid")
Box = tuple[int, int, int, int, int, int]  # first and last point along each axis
Piece = tuple[Box, Lattice]


def read(data: bytes, path: Path) -> Document:
    """The outer skin of a lattice; of pieces that do not make up a whole, that of each."""
    document = Document()
    for lattice in joined(path, pieces(data, path, document.left_out)):
        document.parts.append(skin(path, lattice, document.left_out))
    say_times(document)
    return document


def pieces(data: bytes, path: Path, left_out: list[Loss] | None = None) -> list[Piece]:
    """The lattices of a file, each with its place in the whole.

    Args:
        left_out: takes the losses.

    Raises:
        FileFormatError: it holds no lattice, or a damaged one.
    """
    try:
        file = XmlFile(data)
        kind = file.root.get("type", "")
        grid = file.root.find(kind) if kind in KINDS else None
        if grid is None:
            raise ValueError(f"expected {', '.join(KINDS)}, got {kind!r}")
        found = [_piece(file, grid, piece, kind, path) for piece in grid.findall("Piece")]
        if left_out is not None:
            file.leave_whole(grid)
            left_out += file.left_out
        return found
    except FileFormatError:
        raise
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None


def _numbers(entry: Element, name: str, count: int, usual: str) -> np.ndarray:
    words = (entry.get(name) or usual).split()
    found = np.array([float(word) for word in words], np.float64)
    if len(found) != count or not np.isfinite(found).all():
        raise ValueError(f"{name}: expected {count} numbers, got {' '.join(words)[:60]!r}")
    return found


def extent(entry: Element, name: str) -> Box:
    """First and last point along each axis.

    Raises:
        ValueError: it is none.
    """
    words = (entry.get(name) or "").split()
    box = [int(word) for word in words]
    if len(box) != 6 or any(box[k] > box[k + 1] for k in (0, 2, 4)):
        raise ValueError(f"{name}: expected six whole numbers, got {' '.join(words)[:60]!r}")
    return box[0], box[1], box[2], box[3], box[4], box[5]


def _piece(file: XmlFile, grid: Element, piece: Element, kind: str, path: Path) -> Piece:
    box = extent(piece, "Extent")
    size = (box[1] - box[0] + 1, box[3] - box[2] + 1, box[5] - box[4] + 1)
    lattice = Lattice(size)
    lattice.point_fields = file.arrays(piece.find("PointData"))
    lattice.cell_fields = file.arrays(piece.find("CellData"))
    if kind == "ImageData":
        affine = np.eye(4)
        turn = _numbers(grid, "Direction", 9, "1 0 0 0 1 0 0 0 1").reshape(3, 3)
        affine[:3, :3] = turn * _numbers(grid, "Spacing", 3, "1 1 1")
        affine[:3, 3] = _numbers(grid, "Origin", 3, "0 0 0")
        affine[:3, 3] += affine[:3, :3] @ np.array([box[0], box[2], box[4]], np.float64)
        lattice.affine = affine
    elif kind == "RectilinearGrid":
        holder = piece.find("Coordinates")
        found = holder.findall("DataArray") if holder is not None else []
        if len(found) != 3:
            raise ValueError(f"expected three arrays of coordinates, got {len(found)}")
        x, y, z = (file.array(entry) for entry in found)
        lattice.axes = (x, y, z)
    else:
        holder = piece.find("Points")
        first = holder.find("DataArray") if holder is not None else None
        if first is None:
            raise ValueError("expected the points of a structured grid")
        lattice.points = file.array(first).reshape(-1, 3)
    return box, check(path, lattice)


def joined(path: Path, found: list[Piece]) -> list[Lattice]:
    """One lattice of pieces that make up a box, else each of them; pieces share their border.

    Raises:
        FileFormatError: there is no piece.
    """
    if not found:
        raise FileFormatError(f"{path}: expected a grid, it has no piece")
    if len(found) == 1:
        return [found[0][1]]
    boxes = np.array([box for box, _ in found], np.int64).reshape(-1, 3, 2)
    low, high = boxes[..., 0].min(0), boxes[..., 1].max(0)
    size = tuple((high - low + 1).tolist())
    count = int(np.prod(size, dtype=object))
    if count > sum(lattice.count for _, lattice in found):
        return [lattice for _, lattice in found]
    check_memory(64 * count, "cpu", f"a grid of {count:,} points", argument="grid")
    covered = np.zeros(size, bool)
    for box, _ in found:
        covered[_slices(box, low)] = True
    names = {frozenset((*p.point_fields, "/", *p.cell_fields)) for _, p in found}
    kinds = {(p.affine is None, p.axes is None, p.points is None) for _, p in found}
    if not covered.all() or len(names) > 1 or len(kinds) > 1:
        return [lattice for _, lattice in found]
    first = found[0][1]
    whole = Lattice(size)
    if first.affine is not None:
        whole.affine = first.affine.copy()
        whole.affine[:3, 3] += first.affine[:3, :3] @ (low - boxes[0, :, 0]).astype(np.float64)
    if first.axes is not None:
        axes = [np.zeros(n, a.dtype) for n, a in zip(size, first.axes, strict=True)]
        for box, piece in found:
            for k, slot in enumerate(_slices(box, low)):
                axes[k][slot] = piece.axes[k]  # type: ignore[index]
        whole.axes = (axes[0], axes[1], axes[2])
    if first.points is not None:
        parts = [(box, p.points, p.size) for box, p in found if p.points is not None]
        whole.points = _filled(size, low, parts, 0)
    for name in first.point_fields:
        rows = [(box, p.point_fields[name], p.size) for box, p in found]
        whole.point_fields[name] = _filled(size, low, rows, 0)
    for name in first.cell_fields:
        rows = [(box, p.cell_fields[name], p.cells) for box, p in found]
        whole.cell_fields[name] = _filled(whole.cells, low, rows, 1)
    if GHOSTS in whole.cell_fields:  # what two pieces have is there once
        whole.cell_fields[GHOSTS] = whole.cell_fields[GHOSTS] & ~1
    return [check(path, whole)]


def _slices(box: Box, low: np.ndarray, less: int = 0) -> tuple[slice, slice, slice]:
    """Where the points of a piece (the cells, for `less` 1) lie in the whole."""
    out = []
    for k in range(3):
        begin, end = box[2 * k] - int(low[k]), box[2 * k + 1] - int(low[k])
        out.append(slice(begin, max(end + 1 - less, begin + 1)))
    return out[0], out[1], out[2]


def _filled(
    size: tuple[int, ...],
    low: np.ndarray,
    rows: list[tuple[Box, np.ndarray, tuple[int, int, int]]],
    less: int,
) -> np.ndarray:
    """Rows of pieces in the order of the whole."""
    shape = rows[0][1].shape[1:]
    if any(values.shape[1:] != shape for _, values, _ in rows):
        raise ValueError("the pieces of a grid have arrays of different widths")
    out = np.zeros((*size[::-1], *shape), np.result_type(*(values for _, values, _ in rows)))
    for box, values, own in rows:
        place = _slices(box, low, less)[::-1]
        out[place] = values.reshape(*own[::-1], *shape)
    return out.reshape(-1, *shape)
