"""Grids that hold only the cells near a surface."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from meshlearn._memory import check_memory
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.isosurface.constants import POINTS_AT_ONCE
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.sparse_cells import (
    cells_near,
    check_band,
    check_values,
    children,
    choose_levels,
    dilated,
    distinct,
    find,
    key,
)
from meshlearn.isosurface.tables import CORNERS


class SparseVoxelGrid(VoxelGrid):
    """Some cells of a `VoxelGrid`, and the vertices at their corners.

    Everything that takes a VoxelGrid takes it: fields have one value for each of its N vertices,
    weights one for each of its C cells, both in the order of the full lattice (x slowest, z
    fastest). Extraction looks at its cells only: where these hold every cell that the surface
    passes through, the mesh is that of the full grid to the bit. A surface that leaves them is open
    there. Beside the cells there is one bit for each cell and vertex of the lattice.

    Args:
        cells: (C, 3) int64 coordinates of cells, in any order, each in [0, resolution).
        resolution, bounds, device, dtype: of the lattice, as for VoxelGrid.

    Attributes:
        cell_keys, vertex_keys: (C,) and (N,) int64, ascending numbers in the full lattice.

    Raises:
        ValueError: cells of the wrong shape or out of range.

    Example:
        >>> def field(p):
        ...     return p.norm(dim=1) - 0.5
        >>> grid = SparseVoxelGrid.from_field(field, 256, bounds=((-1, -1, -1), (1, 1, 1)))
        >>> mesh = marching_cubes(grid, grid.evaluate(field))
    """

    def __init__(
        self,
        cells: Tensor,
        resolution: int | Sequence[int],
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        # the lattice's bits are what a dense grid of a 32nd of the size takes
        lattice = VoxelGrid.__new__(VoxelGrid)
        coarse = [max(1, -(-int(r) // 4)) for r in VoxelGrid.three(resolution)]
        VoxelGrid.__init__(lattice, coarse, bounds=bounds, device=device, dtype=dtype)
        self.resolution = VoxelGrid.three(resolution)
        self.bounds, self.device, self.dtype = lattice.bounds, lattice.device, dtype
        self._vertices = None
        check_tensor(cells, "cells", shape=("C", 3), dtype=torch.int64)
        cells = cells.to(self.device)
        size = torch.tensor(self.resolution, device=self.device)
        if cells.numel() and (int(cells.min()) < 0 or bool((cells >= size).any())):
            raise ValueError(
                f"cells: expected coordinates in [0, {self.resolution}), got "
                f"{cells.amin(0).tolist()} to {cells.amax(0).tolist()}"
            )
        self.cell_keys = torch.unique(key(cells, self.resolution))
        corners = key(self.cells[:, None] + torch.tensor(CORNERS, device=self.device), self.shape)
        self.vertex_keys = distinct(corners, math.prod(self.shape))

    # --- makers ---------------------------------------------------------------------------------

    @classmethod
    def from_field(
        cls,
        field: Callable[[Tensor], Tensor],
        resolution: int | Sequence[int],
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        levels: int | None = None,
        band: int = 0,
        lipschitz: float = 1.0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> SparseVoxelGrid:
        """The cells that the zero set of a field passes through, found from coarse to fine.

        A cell is split while the field at its centre is small enough for a zero within it, so the
        field is evaluated near the surface only.

        Args:
            field: points (P, 3) -> (P,), negative inside.
            resolution: cells along each axis, divisible by 2^levels.
            bounds: lower and upper corner of the box.
            levels: how often cells are halved; default: down from about 16 cells an axis.
            band: how many cells around those with the surface are kept too.
            lipschitz: bound of the field's slope; 1 for a signed distance. Where the field is
                steeper than that, parts of the surface can be missed.

        Raises:
            ValueError: bad options, or a field that gives NaN.
        """
        return cls.sample(
            field,
            resolution,
            bounds=bounds,
            levels=levels,
            band=band,
            lipschitz=lipschitz,
            device=device,
            dtype=dtype,
        )[0]

    @classmethod
    def sample(
        cls,
        field: Callable[[Tensor], Tensor],
        resolution: int | Sequence[int],
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        levels: int | None = None,
        band: int = 0,
        lipschitz: float = 1.0,
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
        chunk: int = POINTS_AT_ONCE,
    ) -> tuple[SparseVoxelGrid, Tensor]:
        """`from_field`, and the field's values (N,) at the grid's vertices."""
        size = VoxelGrid.three(resolution)
        whole_levels = choose_levels(size, levels)
        check_band(band)
        if not lipschitz > 0:
            raise ValueError(f"lipschitz: expected a positive slope, got {lipschitz!r}")
        whole = VoxelGrid(
            [r >> whole_levels for r in size], bounds=bounds, device=device, dtype=dtype
        )
        cells = cells_near(field, whole, whole_levels, lipschitz, chunk)
        grid = cls(cells, size, bounds=bounds, device=device, dtype=dtype)
        values = grid.evaluate(field, chunk=chunk)
        check_values(values, grid.num_vertices)
        kept = cls(grid.surface(values, band), size, bounds=bounds, device=device, dtype=dtype)
        place = grid.vertex_index(kept.vertex_keys)
        if bool((place >= 0).all()):
            return kept, values[place]
        return kept, kept.evaluate(field, chunk=chunk)

    @classmethod
    def from_points(
        cls,
        points: Tensor,
        resolution: int | Sequence[int],
        *,
        bounds: Sequence[Sequence[float]] | Tensor,
        band: int = 1,
        dtype: torch.dtype = torch.float32,
    ) -> SparseVoxelGrid:
        """The cells that hold points (P, 3), and `band` cells around them."""
        check_tensor(points, "points", shape=("P", 3), dtype=FLOATS, finite=True)
        check_band(band)
        lattice = cls(
            torch.zeros(0, 3, dtype=torch.int64),
            resolution,
            bounds=bounds,
            device=points.device,
            dtype=dtype,
        )
        low = torch.tensor(lattice.bounds[0], dtype=torch.float64, device=points.device)
        step = torch.tensor(lattice.spacing, dtype=torch.float64, device=points.device)
        at = ((points.detach().double() - low) / step).floor().long()
        size = torch.tensor(lattice.resolution, device=points.device)
        at = at[((at >= 0) & (at < size)).all(1)]
        cells = dilated(at, band, lattice.resolution)
        return cls(cells, resolution, bounds=bounds, device=points.device, dtype=dtype)

    @classmethod
    def from_grid(cls, grid: VoxelGrid, values: Tensor, *, band: int = 0) -> SparseVoxelGrid:
        """The cells of `grid` that the zero set of `values` passes through, and `band` more."""
        check_band(band)
        cells = grid.surface(grid.check_field(values), band)
        return cls(cells, grid.resolution, bounds=grid.bounds, device=grid.device, dtype=grid.dtype)

    def refined(self, values: Tensor, *, band: int = 1) -> SparseVoxelGrid:
        """Cells of half the size where the zero set of `values` passes, with `band` more of the
        present cells around. `interpolate` carries values over."""
        check_band(band)
        return SparseVoxelGrid(
            children(self.surface(self.check_field(values), band)),
            [2 * r for r in self.resolution],
            bounds=self.bounds,
            device=self.device,
            dtype=self.dtype,
        )

    # --- what it holds --------------------------------------------------------------------------

    @property
    def num_vertices(self) -> int:
        """N, vertices of its cells."""
        return self.vertex_keys.shape[0]

    @property
    def num_cells(self) -> int:
        """C, its cells."""
        return self.cell_keys.shape[0]

    @property
    def cells(self) -> Tensor:
        """(C, 3) int64 coordinates of the cells."""
        return self.cell_coordinates(self.cell_keys)

    @property
    def vertices(self) -> Tensor:
        """(N, 3) positions of the vertices; made at first use."""
        if self._vertices is None:
            check_memory(
                self.num_vertices * 3 * (8 + self.dtype.itemsize),
                self.device,
                f"the vertices of {self}",
            )
            number = self.vertex_keys
            _, ny, nz = self.shape
            index = (number // (ny * nz), number // nz % ny, number % nz)
            self._vertices = torch.stack(
                [line[i] for line, i in zip(self.axes(), index, strict=True)], 1
            )
        return self._vertices

    def vertex_lattice(self, index: Tensor) -> Tensor:
        """Numbers in the full lattice of vertices `index`."""
        return self.vertex_keys[index]

    def vertex_index(self, lattice: Tensor) -> Tensor:
        """Numbers here of lattice vertices, -1 where there is none."""
        return find(self.vertex_keys, lattice)

    def cell_index(self, lattice: Tensor) -> Tensor:
        """Numbers here of lattice cells, -1 where there is none."""
        return find(self.cell_keys, lattice)

    @cached_property
    def cell_vertices(self) -> Tensor:
        """(C, 8) int64 vertices of each cell, in the grid's order of corners."""
        corners = self.cells[:, None] + torch.tensor(CORNERS, device=self.device)
        return self.vertex_index(key(corners, self.shape))

    @cached_property
    def cell_neighbours(self) -> Tensor:
        """(C, 6) int64 cells across the faces -x, +x, -y, +y, -z, +z, -1 where there is none."""
        found = []
        size = torch.tensor(self.resolution, device=self.device)
        for axis, step in product(range(3), (-1, 1)):
            other = self.cells
            other[:, axis] += step
            within = (other[:, axis] >= 0) & (other[:, axis] < size[axis])
            index = self.cell_index(key(other.clamp(min=0), self.resolution))
            found.append(torch.where(within, index, -1))
        return torch.stack(found, 1)

    @cached_property
    def edges(self) -> Tensor:
        """(E, 2) int64 ends of the edges of its cells, by axis, then by the lower end."""
        _, ny, nz = self.shape
        corners, ends = self.cell_vertices, []
        for axis in range(3):
            lower = [c for c in range(8) if not c >> axis & 1]
            start = torch.unique(corners[:, lower])
            step = (ny * nz, nz, 1)[axis]
            ends.append(torch.stack([start, self.vertex_index(self.vertex_keys[start] + step)], 1))
        return torch.cat(ends)

    @cached_property
    def border(self) -> Tensor:
        """(B,) int64 vertices that have fewer than eight of its cells around."""
        count = torch.bincount(self.cell_vertices.reshape(-1), minlength=self.num_vertices)
        return (count < 8).nonzero().squeeze(1)

    @cached_property
    def table(self) -> tuple[Tensor, Tensor]:
        """What the native operators read: bits int64 of 64 vertices, then cells, of a row each, and
        int32 the number of those before."""
        words = (self.shape[2] + 63) // 64
        bits, start = [], []
        for keys, size in ((self.vertex_keys, self.shape), (self.cell_keys, self.resolution)):
            row, z = keys // size[2], keys % size[2]
            word = row * words + z // 64
            one = torch.bitwise_left_shift(torch.ones_like(z), z % 64)
            count = size[0] * size[1] * words
            bits.append(torch.zeros(count, dtype=torch.int64, device=self.device))
            bits[-1].index_add_(0, word, one)
            before = torch.zeros(count + 1, dtype=torch.int32, device=self.device)
            before[1:] = torch.cumsum(torch.bincount(word, minlength=count), 0)
            start.append(before)
        return torch.cat(bits), torch.cat(start)

    def surface(self, values: Tensor, band: int = 0) -> Tensor:
        """(K, 3) its cells whose corners differ in sign, and its cells within `band` of those."""
        inside = (values.detach() < 0)[self.cell_vertices]
        cells = self.cells[inside.any(1) & ~inside.all(1)]
        if band == 0:
            return cells
        return dilated(cells, band, self.resolution)

    def interpolate(self, values: Tensor, points: Tensor) -> Tensor:
        """Trilinear interpolation of values (N,) or (N, K) at points (P, 3) in its cells.

        Points outside all cells get the value of the nearest corner of the nearest lattice cell
        that is here, or NaN.
        """
        flat = values[:, None] if values.dim() == 1 else values
        low = torch.tensor(self.bounds[0], dtype=torch.float64, device=self.device)
        step = torch.tensor(self.spacing, dtype=torch.float64, device=self.device)
        at = (points.double() - low) / step
        near = at.round()
        at = torch.where((at - near).abs() < 1e-4, near, at)  # on a face: either cell will do
        size = torch.tensor(self.resolution, device=self.device)
        cell = torch.full((len(points),), -1, device=self.device)
        base = torch.zeros(len(points), 3, dtype=torch.int64, device=self.device)
        for back in product((0, 1), repeat=3):
            offset = torch.tensor(back, device=self.device)
            found = at.floor().long() - offset
            legal = ((found >= 0) & (found < size) & (at - found <= 1)).all(1) & (cell < 0)
            index = self.cell_index(key(found.clamp(min=0).minimum(size - 1), self.resolution))
            take = legal & (index >= 0)
            cell = torch.where(take, index, cell)
            base = torch.where(take[:, None], found, base)
        corner = self.cell_vertices[cell.clamp(min=0)]
        part = (at - base).to(flat.dtype)
        total = flat.new_zeros(len(points), flat.shape[1])
        for c, sides in enumerate(CORNERS):
            weight = torch.ones_like(part[:, 0])
            for axis, side in enumerate(sides):
                weight = weight * (part[:, axis] if side else 1 - part[:, axis])
            total = total + flat[corner[:, c]] * weight[:, None]
        total = torch.where((cell >= 0)[:, None], total, torch.nan)
        return total[:, 0] if values.dim() == 1 else total

    def check_field(self, value: object, name: str = "sdf") -> Tensor:
        """`value` if it is one number a vertex of its cells."""
        return check_tensor(
            value,
            name,
            shape=(self.num_vertices,),
            dtype=self.dtype,
            device=self.device,
            like="the grid",
        )

    def to(self, target: str | torch.device | torch.dtype) -> SparseVoxelGrid:
        """The same grid for another device or dtype."""
        device, dtype = self.device, self.dtype
        if isinstance(target, torch.dtype):
            dtype = target
        else:
            device = torch.device(target)
        return SparseVoxelGrid(
            self.cells, self.resolution, bounds=self.bounds, device=device, dtype=dtype
        )

    def __repr__(self) -> str:
        rx, ry, rz = self.resolution
        return (
            f"SparseVoxelGrid({self.num_cells} of {rx} x {ry} x {rz} cells, "
            f"bounds={self.bounds}, {self.device}, {self.dtype})"
        )
