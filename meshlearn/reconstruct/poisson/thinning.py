"""Clouds of any number of points, thinned to what a surface needs as they come, in bounded memory.

Points in one cell of a lattice, whose normals face the same way along their greatest axis, become
their mean: sheets back to back and sides of an edge stay apart, and noise becomes less. The cells
are doubled whenever there are more of them than wanted, so that no box, spacing or number of points
has to be known beforehand. The sums are taken in the order of the points.
"""

from __future__ import annotations

import numpy as np

_FIRST = 4096  # cells along the first block
_BITS = 20  # of a cell's number along each axis
_FACINGS = 6  # sides that a normal may face
_LEAST = 64  # points; eight cells meet at the origin however large, each with six sides


class Thinned:
    """Points so far, at most as many as wanted.

    Args:
        most: points that are kept at most, 64 or more; while fewer have come they stay as they are.

    Example:
        >>> thin = Thinned(1_000_000)
        >>> for points, normals in blocks:
        ...     thin.add(points, normals)
        >>> points, normals = thin.result()
    """

    def __init__(self, most: int) -> None:
        self.most, self.total = max(most, _LEAST), 0
        self.cell = 0.0  # side of the cells, 0 while all points are kept
        self._whole: list[tuple[np.ndarray, np.ndarray | None]] = []
        self._with_normals: bool | None = None
        self._dtype: np.dtype | None = None
        self._origin = np.zeros(3)
        self._at = np.zeros((0, 3), np.int64)  # cells
        self._side = np.zeros(0, np.int64)  # faced
        self._sums = np.zeros((0, 7))  # of points off the origin, of normals; number

    def add(self, points: np.ndarray, normals: np.ndarray | None = None) -> None:
        """Takes a block of points (P, 3), with normals or none as all others."""
        if not len(points):
            return
        if self._with_normals is None:
            self._with_normals, self._dtype = normals is not None, points.dtype
        if self._with_normals != (normals is not None):
            raise ValueError("normals: expected in all blocks or in none")
        self.total += len(points)
        if not self.cell:
            self._whole.append((points, normals))
            if self.total <= self.most:
                return
            first = self._whole[0][0].astype(np.float64)
            low, high = first.min(0), first.max(0)
            self._origin = (low + high) / 2
            self.cell = float((high - low).max()) / _FIRST or 1.0
            waiting, self._whole = self._whole, []
            for block in waiting:
                self._sum(*block)
        else:
            self._sum(points, normals)

    def _sum(self, points: np.ndarray, normals: np.ndarray | None) -> None:
        off = points.astype(np.float64) - self._origin
        size = 1 << (_BITS - 1)
        while float(np.abs(off).max()) >= size * self.cell:
            self._double()
        at = np.floor(off / self.cell).astype(np.int64)
        side = np.zeros(len(points), np.int64)
        facing = np.zeros((len(points), 3))
        if normals is not None:
            facing[:] = normals
            axis = np.abs(facing).argmax(1)
            side = 2 * axis + (facing[np.arange(len(axis)), axis] < 0)
        rows = np.concatenate([off, facing, np.ones((len(points), 1))], 1)
        self._merge(
            np.concatenate([self._at, at]),
            np.concatenate([self._side, side]),
            np.concatenate([self._sums, rows]),
        )
        while len(self._at) > self.most:
            self._double()

    def _double(self) -> None:
        self.cell *= 2
        self._merge(self._at >> 1, self._side, self._sums)

    def _merge(self, at: np.ndarray, side: np.ndarray, rows: np.ndarray) -> None:
        """One row for each cell and side."""
        near = at + (1 << (_BITS - 1))
        key = ((near[:, 0] << _BITS | near[:, 1]) << _BITS | near[:, 2]) * _FACINGS + side
        _, first, place = np.unique(key, return_index=True, return_inverse=True)
        self._at, self._side = at[first], side[first]
        columns = [np.bincount(place, rows[:, k], len(first)) for k in range(rows.shape[1])]
        self._sums = np.stack(columns, 1)

    def result(self) -> tuple[np.ndarray, np.ndarray | None]:
        """(Q, 3) points, and unit normals (Q, 3) where there were such, in the dtype that came."""
        if not self.cell:
            if not self._whole:
                return np.zeros((0, 3), np.float32), None
            normals = [n for _, n in self._whole if n is not None]
            return (
                np.concatenate([p for p, _ in self._whole]),
                np.concatenate(normals) if normals else None,
            )
        points = (self._sums[:, :3] / self._sums[:, 6:] + self._origin).astype(self._dtype)
        if not self._with_normals:
            return points, None
        facing = self._sums[:, 3:6]
        length = np.linalg.norm(facing, axis=1, keepdims=True)
        return points, (facing / np.maximum(length, 1e-12)).astype(self._dtype)
