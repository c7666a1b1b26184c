"""Where a surface is, found with few evaluations of its field and followed from step to step."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.isosurface.constants import CHECK_EVERY, LOST, MARGIN, QUICK
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.searching import evaluate_quietly, search
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.sparse_cells import choose_levels, dilated, distinct, find, key
from meshlearn.isosurface.tables import CORNERS

log = logging.getLogger(__name__)


class TrackReport(NamedTuple):
    """What a `SurfaceTracker` did in one step."""

    evaluations: int  # points at which the field was evaluated
    dense: int  # points of the full lattice
    warm: bool  # started from the cells of the step before
    rounds: int  # of cells that were added because the surface left those known
    missed: int  # cells of surface that following had missed, found by a look elsewhere
    cells: int  # that the surface passes through


@dataclass
class _Known:
    """Values at some vertices of the lattice, ascending by their number."""

    keys: Tensor  # (N,) int64
    values: Tensor  # (N,)


class SurfaceTracker:
    """Evaluates a field near its surface only, and follows that surface from call to call.

    From scratch, cells are halved from coarse to fine while the value at their centre is small
    enough for a zero within: at most `lipschitz` times half their diagonal. Unless that is given,
    the bound is measured on the way, axis by axis from the differences between the eight halves of
    a cell (times `margin`), and at the last two halvings the corners' values tell which cells the
    surface passes like a plane (there a few pieces are enough to begin with), and in which a
    component of its own or a thin sheet would show as a dip. The surface is followed across the
    faces of the cells found, so that what is missed by too small a bound are whole components only.
    Given a `lipschitz` that holds, nothing is missed.

    The next call starts from the cells of the last, if it is `warm`: their corners are evaluated,
    and the surface is followed from there. At each such call the signs on a coarse lattice are held
    against the cells (a component of that size cannot be missed), and every `check_every` calls
    the search from scratch is made as well; `report.missed` counts the cells these two found. A
    surface that jumps off its cells is searched from scratch.

    Args:
        resolution: cells along each axis of the full lattice, one or three numbers; halved while
            even down to about 16.
        bounds: box of the lattice.
        lipschitz: bound of the slope; None: measured.
        margin: factor on the measured bound, and on what a dip may hide.
        warm: start from the cells of the last call.
        check_every: calls between searches from scratch; 0 for none.
        device, dtype: of the grids.

    Attributes:
        report: `TrackReport` of the last call.
        grid: `SparseVoxelGrid` of the last call, the cells that the surface passes through.

    Example:
        >>> tracker = SurfaceTracker(128, bounds=((-1, -1, -1), (1, 1, 1)))
        >>> grid, values = tracker.sample(lambda p: p.norm(dim=1) - 0.5)
        >>> mesh = ml.marching_cubes(grid, values)      # that of the full lattice
        >>> tracker.report.dense / tracker.report.evaluations > 25
        True

    Source: the coarse-to-fine search of MeshSDF's and DeepSDF's meshing with a bound on the slope,
    as in Kalra and Barr, "Guaranteed ray intersections with implicit surfaces" (1989);
    continuation: Bloomenthal, "Polygonization of implicit surfaces" (1988).
    """

    def __init__(
        self,
        resolution: int | Sequence[int],
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        lipschitz: float | None = None,
        margin: float = MARGIN,
        warm: bool = True,
        check_every: int = CHECK_EVERY,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.resolution = VoxelGrid.three(resolution)
        self.levels = choose_levels(self.resolution, None)
        if lipschitz is not None and not lipschitz > 0:
            raise ValueError(f"lipschitz: expected a positive slope or None, got {lipschitz!r}")
        if not margin >= 1:
            raise ValueError(f"margin: expected a factor of at least 1, got {margin!r}")
        if check_every < 0:
            raise ValueError(f"check_every: expected 0 or more calls, got {check_every!r}")
        self.lipschitz, self.margin = lipschitz, float(margin)
        self.warm, self.check_every = bool(warm), int(check_every)
        coarse = [r >> self.levels for r in self.resolution]
        self.whole = VoxelGrid(coarse, bounds=bounds, device=device, dtype=dtype)
        self.bounds, self.device, self.dtype = self.whole.bounds, self.whole.device, dtype
        self.size = torch.tensor(self.resolution, device=self.device)
        self.shape = [r + 1 for r in self.resolution]
        self.grid: SparseVoxelGrid | None = None
        self.report = TrackReport(0, self.dense, False, 0, 0, 0)
        self._since, self._count, self._level = 0, 0, 0.0

    @property
    def dense(self) -> int:
        """Vertices of the full lattice."""
        return self.shape[0] * self.shape[1] * self.shape[2]

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Edge lengths of a cell."""
        return tuple(s / (1 << self.levels) for s in self.whole.spacing)  # type: ignore[return-value]

    def reset(self) -> None:
        """Forgets the cells of the last call."""
        self.grid, self._since = None, 0

    # --- one step -------------------------------------------------------------------------------

    def sample(
        self, field: Callable[..., Tensor], *, level: float = 0.0, latent: Tensor | None = None
    ) -> tuple[SparseVoxelGrid, Tensor]:
        """The cells that the level set passes through now, and the field (N,) at their corners.

        Args:
            field: points (P, 3) -> (P,); with `latent` (L,), called with it behind the points.
            level: the iso value.

        Raises:
            NonFiniteField: NaN from the field; names the tensor with the first.
        """
        self._count, self._level = 0, float(level)

        def value(points: Tensor) -> Tensor:
            self._count += len(points)
            return evaluate_quietly(field, points, latent=latent)

        rounds = missed = 0
        found = None
        if self.warm and self.grid is not None and self.grid.num_cells:
            found = self._followed(value)
        warm = found is not None
        if found is not None:
            known, cells, rounds = found
            known, cells, more = self._coarse_look(value, known, cells)
            missed += more
            if self.check_every and self._since >= self.check_every:
                before = cells
                known, cells, _ = self._searched(value, known, cells)
                missed += len(cells) - len(before)
                self._since = 0
        else:
            known, cells, rounds = self._searched(value)
            self._since = 0
        self._since += 1
        grid, values = self._grid(known, cells)
        self.grid = grid
        self.report = TrackReport(self._count, self.dense, warm, rounds, missed, grid.num_cells)
        if missed:
            log.info("found %d cells of surface that following had missed", missed)
        return grid, values

    def _grid(self, known: _Known, cells: Tensor) -> tuple[SparseVoxelGrid, Tensor]:
        grid = SparseVoxelGrid(
            self._at(cells),
            self.resolution,
            bounds=self.bounds,
            device=self.device,
            dtype=self.dtype,
        )
        return grid, known.values[find(known.keys, grid.vertex_keys)]

    def completed(
        self,
        value: Callable[[Tensor], Tensor],
        keys: Tensor,
        values: Tensor,
        cells: Tensor,
        *,
        level: float,
    ) -> tuple[SparseVoxelGrid, Tensor]:
        """The grid of the surface that meets `cells` (numbers), of whose corners `values` are known
        at `keys` (ascending); it is followed beyond them by `value`."""
        self._level = float(level)
        known, cells = _Known(keys, values), torch.unique(cells)
        known, cells, _ = self._grown(value, known, *self._crossed(known, cells))
        return self._grid(known, cells)

    # --- sets of cells by their number ----------------------------------------------------------

    def _at(self, cells: Tensor) -> Tensor:
        """(K, 3) coordinates of cells by number."""
        _, ry, rz = self.resolution
        return torch.stack([cells // (ry * rz), cells // rz % ry, cells % rz], 1)

    def corners(self, cells: Tensor) -> Tensor:
        """(K, 8) numbers of the vertices of cells."""
        offsets = torch.tensor(CORNERS, device=self.device)
        return key(self._at(cells)[:, None] + offsets, self.shape)

    def places(self, keys: Tensor) -> Tensor:
        """(N, 3) positions of vertices, to the bit those of the full grid."""
        _, ny, nz = self.shape
        at = (keys // (ny * nz), keys // nz % ny, keys % nz)
        low, step = self.bounds[0], self.spacing
        lines = [
            (low[a] + torch.arange(n, dtype=torch.float64) * step[a]).to(self.device, self.dtype)
            for a, n in enumerate(self.shape)
        ]
        return torch.stack([line[i] for line, i in zip(lines, at, strict=True)], 1)

    def _learn(self, value: Callable[[Tensor], Tensor], known: _Known, cells: Tensor) -> _Known:
        """With the values at all corners of `cells`."""
        wanted = distinct(self.corners(cells), self.dense)
        wanted = wanted[find(known.keys, wanted) < 0]
        if not len(wanted):
            return known
        keys, order = torch.cat([known.keys, wanted]).sort()
        return _Known(keys, torch.cat([known.values, value(self.places(wanted))])[order])

    def _nothing(self) -> _Known:
        none = torch.zeros(0, dtype=torch.int64, device=self.device)
        return _Known(none, none.to(self.dtype))

    def _signs(self, known: _Known, cells: Tensor) -> Tensor:
        """(K, 8) whether each corner is inside."""
        inside, corners = known.values - self._level < 0, self.corners(cells)
        if corners.numel() < self.dense // 32:
            return inside[find(known.keys, corners)]
        signs = torch.zeros(self.dense, dtype=torch.bool, device=self.device)
        return signs.index_fill_(0, known.keys[inside], True)[corners]

    def _crossed(self, known: _Known, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Those of `cells` that the surface passes through, and their `_signs`."""
        inside = self._signs(known, cells)
        crossed = inside.any(1) & ~inside.all(1)
        return cells[crossed], inside[crossed]

    def _grown(
        self, value: Callable[[Tensor], Tensor], known: _Known, cells: Tensor, inside: Tensor
    ) -> tuple[_Known, Tensor, int]:
        """Follows the surface out of `cells` (all crossed, with their `_signs`) until it is closed
        or at the border."""
        rx, ry, rz = self.resolution
        fresh, rounds = cells, 0
        while len(fresh):
            steps = []
            for axis, stride in enumerate((ry * rz, rz, 1)):
                line = fresh // stride % self.resolution[axis]
                for side, last in ((0, 0), (1, self.resolution[axis] - 1)):
                    part = inside[:, [c for c in range(8) if (c >> axis & 1) == side]]
                    leaves = part.any(1) & ~part.all(1) & (line != last)
                    steps.append(fresh[leaves] + (stride if side else -stride))
            beyond = distinct(torch.cat(steps), rx * ry * rz)
            fresh = beyond[find(cells, beyond) < 0]
            if not len(fresh):
                break
            known = self._learn(value, known, fresh)
            fresh, inside = self._crossed(known, fresh)
            cells = torch.cat([cells, fresh]).sort().values
            rounds += 1
        return known, cells, rounds

    # --- the three ways to look -----------------------------------------------------------------

    def _searched(
        self,
        value: Callable[[Tensor], Tensor],
        known: _Known | None = None,
        cells: Tensor | None = None,
    ) -> tuple[_Known, Tensor, int]:
        """From coarse to fine, together with what is known already."""
        near, _ = search(
            lambda points, _: value(points) - self._level,
            self.whole,
            self.levels,
            self.lipschitz,
            self.margin,
        )
        candidates = torch.unique(key(near, self.resolution))
        known = self._learn(value, self._nothing() if known is None else known, candidates)
        if cells is not None:
            candidates = torch.unique(torch.cat([candidates, cells]))
        return self._grown(value, known, *self._crossed(known, candidates))

    def _followed(self, value: Callable[[Tensor], Tensor]) -> tuple[_Known, Tensor, int] | None:
        """From the cells of the last call; None where most of these have lost the surface."""
        assert self.grid is not None
        before, corners = self.grid.cell_keys, self.grid.vertex_keys
        known = _Known(corners, value(self.places(corners)))
        cells, inside = self._crossed(known, before)
        if len(cells) < LOST * len(before):
            return None
        if len(cells) < QUICK * len(before):  # a quick move: a ring around, too
            ring = key(dilated(self._at(before), 1, self.resolution), self.resolution)
            known = self._learn(value, known, ring)
            cells, inside = self._crossed(known, ring)
        return self._grown(value, known, cells, inside)

    def _coarse_look(
        self, value: Callable[[Tensor], Tensor], known: _Known, cells: Tensor
    ) -> tuple[_Known, Tensor, int]:
        """Signs on the coarse lattice: each edge of it that changes sign must meet known cells."""
        if self.levels == 0:
            return known, cells, 0
        stride = 1 << self.levels
        inside = (value(self.whole.vertices) - self._level < 0).view(self.whole.shape)
        fine = torch.arange(stride, device=self.device)
        last = self.size - 1
        suspects = []
        for axis, n in enumerate(self.whole.resolution):
            change = inside.narrow(axis, 0, n) != inside.narrow(axis, 1, n)
            at = (change.nonzero() * stride)[:, None].expand(-1, stride, 3).clone()
            at[..., axis] += fine
            passed = key(at.minimum(last), self.resolution)  # cells along each edge
            lost = (find(cells, passed) < 0).all(1)
            suspects.append(passed[lost].reshape(-1))
        more = torch.unique(torch.cat(suspects))
        if not len(more):
            return known, cells, 0
        known = self._learn(value, known, more)
        count = len(cells)
        cells = torch.unique(torch.cat([cells, self._crossed(known, more)[0]]))
        known, cells, _ = self._grown(value, known, cells, self._signs(known, cells))
        return known, cells, len(cells) - count
