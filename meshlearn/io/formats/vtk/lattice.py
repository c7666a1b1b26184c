"""Lattices of VTK (images, rectilinear and structured grids): their outer skin as a part."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from meshlearn._memory import check_memory
from meshlearn.io.document import FileFormatError, Part
from meshlearn.io.formats.vtk import data as vtk_data
from meshlearn.io.formats.vtk.data import GHOST_BITS, GHOSTS
from meshlearn.io.left_behind import Loss, LossKind

_HIDDEN_POINT = 2  # a bit of ghosts of points
_MOST_BARE = 1 << 22  # points of a lattice without any data


@dataclass
class Lattice:
    """Points in rows, columns and layers; fields have a row a point or a cell, x fastest.

    Attributes:
        size: points along each axis.
        affine: (4, 4), of an image: from an index (i, j, k, 1) to a position.
        axes: three arrays of coordinates, of a rectilinear grid.
        points: (N, 3), of a structured grid.
    """

    size: tuple[int, int, int]
    affine: np.ndarray | None = None
    axes: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
    points: np.ndarray | None = None
    point_fields: dict[str, np.ndarray] = field(default_factory=dict)
    cell_fields: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def count(self) -> int:
        """Points."""
        return self.size[0] * self.size[1] * self.size[2]

    @property
    def cells(self) -> tuple[int, int, int]:
        """Cells along each axis; 1 where there is one layer of points."""
        x, y, z = self.size
        return max(x - 1, 1), max(y - 1, 1), max(z - 1, 1)

    def positions(self, index: np.ndarray) -> np.ndarray:
        """(P, 3) of the numbers (P,) of points."""
        if self.points is not None:
            return self.points[index]
        ijk = np.stack(np.unravel_index(index, self.size, order="F"), -1)
        if self.axes is not None:
            return np.stack([self.axes[k][ijk[:, k]] for k in range(3)], -1)
        assert self.affine is not None
        return ijk @ self.affine[:3, :3].T + self.affine[:3, 3]

    @property
    def mirrored(self) -> bool:
        """Whether rows, columns and layers are a left hand."""
        if self.points is None:
            if self.axes is not None:
                signs = [np.sign(a[-1].astype(np.float64) - a[0]) for a in self.axes if len(a) > 1]
                return bool(np.prod(signs) < 0)
            assert self.affine is not None
            return bool(np.linalg.det(self.affine[:3, :3]) < 0)
        box = self.points.reshape(*self.size[::-1], 3).astype(np.float64)
        first = box[:-1, :-1, :-1]
        steps = [box[:-1, :-1, 1:] - first, box[:-1, 1:, :-1] - first, box[1:, :-1, :-1] - first]
        with np.errstate(invalid="ignore", over="ignore"):
            return bool(np.einsum("zyxk,zyxk->", np.cross(steps[0], steps[1]), steps[2]) < 0)


def check(path: Path, lattice: Lattice) -> Lattice:
    """The lattice, where its arrays belong to it.

    Raises:
        FileFormatError: they do not, or there are points without end and nothing on them.
    """
    count, cells = lattice.count, int(np.prod(lattice.cells, dtype=object))
    if min(lattice.size) < 1:
        raise FileFormatError(f"{path}: a grid of {' × '.join(map(str, lattice.size))} points")
    for fields, rows, kind in (
        (lattice.point_fields, count, "points"),
        (lattice.cell_fields, cells, "cells"),
    ):
        for name, values in fields.items():
            if len(values) != rows:
                raise FileFormatError(f"{path}: {len(values)} values of {name!r} for {rows} {kind}")
    if lattice.points is not None and len(lattice.points) != count:
        raise FileFormatError(f"{path}: {len(lattice.points)} points for a grid of {count}")
    for axis, values in enumerate(lattice.axes or ()):
        if len(values) != lattice.size[axis]:
            raise FileFormatError(
                f"{path}: {len(values)} coordinates for {lattice.size[axis]} points along an axis"
            )
    bare = lattice.points is None and not lattice.point_fields and not lattice.cell_fields
    if bare and count > _MOST_BARE:
        raise FileFormatError(f"{path}: a grid of {count:,} points, and nothing is said of them")
    return lattice


def _visible(lattice: Lattice) -> np.ndarray | None:
    """(X, Y, Z) of cells; None where all are."""
    seen = np.ones(lattice.cells, bool)
    ghosts = lattice.cell_fields.get(GHOSTS)
    if ghosts is not None and ghosts.dtype.kind in "iu" and ghosts.ndim == 1:
        seen &= (ghosts & GHOST_BITS).reshape(lattice.cells, order="F") == 0
    ghosts = lattice.point_fields.get(GHOSTS)
    if ghosts is not None and ghosts.dtype.kind in "iu" and ghosts.ndim == 1:
        gone = (ghosts & _HIDDEN_POINT).reshape(lattice.size, order="F") != 0
        for axis, n in enumerate(lattice.size):
            if n > 1:
                gone = np.delete(gone, n - 1, axis) | np.delete(gone, 0, axis)
        seen &= ~gone
    return None if seen.all() else seen


def _sides(lattice: Lattice, axis: int) -> list[tuple[np.ndarray, bool]]:
    """Cells (N, 3) with a free side across an axis, below and above them."""
    seen, out = _visible(lattice), []
    for above in (False, True):
        if seen is None:
            ranges = [np.arange(n) for n in lattice.cells]
            ranges[axis] = ranges[axis][-1:] if above else ranges[axis][:1]
            grid = np.meshgrid(*ranges, indexing="ij")
            out.append((np.stack([g.reshape(-1, order="F") for g in grid], -1), above))
            continue
        beside = np.zeros_like(seen)
        into: list[slice] = [slice(None)] * 3
        of: list[slice] = [slice(None)] * 3
        into[axis] = slice(None, -1) if above else slice(1, None)
        of[axis] = slice(1, None) if above else slice(None, -1)
        beside[tuple(into)] = seen[tuple(of)]
        out.append((np.argwhere(seen & ~beside), above))
    return out


def skin(path: Path, lattice: Lattice, left_out: list[Loss]) -> Part:
    """The outer faces of a lattice of three dimensions; one of two is a sheet, of one a line.

    Args:
        left_out: takes the points inside.
    """
    check(path, lattice)
    x, y, _ = lattice.size
    flat = [k for k in range(3) if lattice.size[k] == 1]
    cells = lattice.cells
    area = sum(2 * cells[a] * cells[b] for a, b in ((0, 1), (1, 2), (0, 2)))
    check_memory(300 * area, "cpu", f"the skin of {lattice.count:,} points", argument="grid")
    strides = np.array([1, x, x * y])

    def number(cell: np.ndarray, *steps: int) -> np.ndarray:
        at = cell @ strides
        for axis in steps:
            at = at + strides[axis]
        return at

    faces: list[np.ndarray] = []
    owners: list[np.ndarray] = []
    if not flat:
        turned = lattice.mirrored
        for axis in range(3):
            b, c = (axis + 1) % 3, (axis + 2) % 3
            for found, above in _sides(lattice, axis):
                base = (axis,) if above else ()
                steps = (base, (*base, b), (*base, b, c), (*base, c))
                quads = np.stack([number(found, *s) for s in steps], -1)
                faces.append(quads if above != turned else quads[:, ::-1])
                owners.append(found)
    elif len(flat) == 1:
        b, c = (k for k in range(3) if k != flat[0])
        seen = _visible(lattice)
        if seen is None:
            seen = np.ones(cells, bool)
        found = np.stack(np.unravel_index(np.nonzero(seen.reshape(-1, order="F"))[0], cells, "F"))
        found = found.T
        steps = ((), (b,), (b, c), (c,))
        faces.append(np.stack([number(found, *s) for s in steps], -1))
        owners.append(found)
    elif len(flat) == 2:
        part = Part(vertices=_vertices(lattice, np.arange(lattice.count)))
        part.lines = list(np.stack([np.arange(lattice.count - 1), np.arange(1, lattice.count)], -1))
        part.line_fields = vtk_data.usual(dict(lattice.cell_fields))
        part.vertex_fields = vtk_data.usual(dict(lattice.point_fields))
        return part
    else:
        part = Part(vertices=_vertices(lattice, np.arange(1)), points=np.zeros(1, np.int64))
        part.vertex_fields = vtk_data.usual(dict(lattice.point_fields))
        part.point_fields = vtk_data.usual(dict(lattice.cell_fields))
        return part
    corners = np.concatenate(faces).astype(np.int64)
    used, index = np.unique(corners, return_inverse=True)
    owner = np.concatenate(owners) @ np.array([1, cells[0], cells[0] * cells[1]])
    part = Part(vertices=_vertices(lattice, used))
    part.polygon_index = index.reshape(-1).astype(np.int64)
    part.polygon_start = np.arange(0, 4 * len(corners) + 1, 4, dtype=np.int64)
    fields = {k: v for k, v in lattice.point_fields.items() if k != GHOSTS}
    part.vertex_fields = {k: v[used] for k, v in vtk_data.usual(fields).items()}
    fields = {k: v for k, v in lattice.cell_fields.items() if k != GHOSTS}
    part.face_fields = {k: v[owner] for k, v in vtk_data.usual(fields).items()}
    inside = lattice.count - len(used)
    if inside:
        limit = "makes its outer skin of a grid; extract takes a surface inside"
        name = "points inside a grid"
        holder = "the reader of VTK"
        left_out.append(Loss(LossKind.OTHER, name=name, count=inside, limit=limit, holder=holder))
    return part


def _vertices(lattice: Lattice, index: np.ndarray) -> np.ndarray:
    found = lattice.positions(index)
    return found if found.dtype in (np.float32, np.float64) else found.astype(np.float64)
