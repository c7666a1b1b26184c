"""Signed distances on blocks of 4 x 4 x 4 cells near what was seen, and the surface in them.

A block has the values of the 64 vertices at the lower corners of its cells; those at its far sides
are its neighbours'. Only cells that the surface passes through are looked at to extract it.
"""

from __future__ import annotations

import warnings
from functools import cached_property
from itertools import product

import torch
from torch import Tensor

from meshlearn.isosurface.marching_cubes import marching_cubes
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.sparse_cells import find, key
from meshlearn.mesh import Mesh

BLOCK = 4  # cells of a side


class Lattice:
    """Blocks of cells in a box: which there are, and where.

    Args:
        blocks: (B, 3) int64, in order of their numbers, x slowest.
        count: blocks along each axis of the box.
        low: (3,) float64, corner of the box.
        cell: side of a cell.
        dtype: of positions.
    """

    def __init__(
        self, blocks: Tensor, count: list[int], low: Tensor, cell: float, dtype: torch.dtype
    ) -> None:
        self.blocks, self.count, self.cell, self.dtype = blocks, count, cell, dtype
        self.resolution = [BLOCK * n for n in count]
        size = torch.tensor(self.resolution, dtype=torch.float64) * cell
        self.bounds = torch.stack((low, low + size))
        self.keys = key(blocks, count)

    @property
    def spacing(self) -> list[float]:
        """Sides of a cell as a grid of these bounds has them."""
        size = (self.bounds[1] - self.bounds[0]).tolist()
        return [s / r for s, r in zip(size, self.resolution, strict=True)]

    def grid(self, cells: Tensor) -> SparseVoxelGrid:
        """A grid of some cells (C, 3) of the box."""
        return SparseVoxelGrid(
            cells,
            self.resolution,
            bounds=self.bounds,
            device=self.blocks.device,
            dtype=self.dtype,
        )

    def cells(self) -> Tensor:
        """(64 B, 3) all cells of the blocks."""
        local = torch.arange(BLOCK**3, device=self.blocks.device)
        within = torch.stack((local // 16, local // 4 % 4, local % 4), 1)
        return (BLOCK * self.blocks[:, None] + within).reshape(-1, 3)

    def place(self, vertices: Tensor) -> Tensor:
        """Number among the 64 B values of vertices by their number in the box, -1 for none."""
        ny, nz = self.resolution[1] + 1, self.resolution[2] + 1
        x, y, z = vertices // (ny * nz), vertices // nz % ny, vertices % nz
        block = torch.stack((x // BLOCK, y // BLOCK, z // BLOCK), 1)
        size = torch.tensor(self.count, device=block.device)
        found = torch.where((block < size).all(1), find(self.keys, key(block, self.count)), -1)
        local = (x % BLOCK * BLOCK + y % BLOCK) * BLOCK + z % BLOCK
        return torch.where(found >= 0, found * BLOCK**3 + local, -1)

    def crossed(self, inside: Tensor) -> Tensor:
        """(C, 3) cells with corners inside and outside, of `inside` (B, 64); what no block holds is
        outside."""
        own = torch.cat((inside.view(-1, 4, 4, 4), inside.new_zeros(1, 4, 4, 4)))
        around = inside.new_empty(len(inside), 5, 5, 5)
        around[:, :4, :4, :4] = own[:-1]
        size = torch.tensor(self.count, device=inside.device)
        for step in list(product((0, 1), repeat=3))[1:]:
            other = self.blocks + torch.tensor(step, device=inside.device)
            there = find(self.keys, key(other, self.count))
            there = torch.where((other < size).all(1), there, -1)
            x, y, z = (slice(4, 5) if s else slice(0, 4) for s in step)
            u, v, w = (slice(0, 1) if s else slice(0, 4) for s in step)
            around[:, x, y, z] = own[:, u, v, w][there]
        some = every = around
        for axis in (1, 2, 3):
            n = some.shape[axis] - 1
            some = some.narrow(axis, 0, n) | some.narrow(axis, 1, n)
            every = every.narrow(axis, 0, n) & every.narrow(axis, 1, n)
        block, *local = (some & ~every).nonzero().unbind(1)
        return BLOCK * self.blocks[block] + torch.stack(local, 1)


class Fused:
    """Signed distances on the cells near what was seen.

    Attributes:
        grid: the cells.
        values: (N,) at its vertices, positive outside, at most the reach; NaN where no image tells.
        weights: (N,) sum of the images' weights, 1 for an image of the mean depth that looks
            straight at the surface; 0 where none tells.
        colors: (N, 3) in 0 to 1, or None; NaN where no image tells.
    """

    def __init__(
        self, lattice: Lattice, values: Tensor, weights: Tensor, colors: Tensor | None
    ) -> None:
        self.lattice = lattice
        self._values, self._weights, self._colors = values, weights, colors  # (B, 64, ..)

    @cached_property
    def grid(self) -> SparseVoxelGrid:
        return self.lattice.grid(self.lattice.cells())

    @cached_property
    def values(self) -> Tensor:
        return self._at(self._values, torch.nan)

    @cached_property
    def weights(self) -> Tensor:
        return self._at(self._weights, 0.0)

    @cached_property
    def colors(self) -> Tensor | None:
        return None if self._colors is None else self._at(self._colors, torch.nan)

    def _at(self, values: Tensor, missing: float) -> Tensor:
        place = self.lattice.place(self.grid.vertex_keys)
        flat = values.flatten(0, 1)
        rows = flat[place.clamp(min=0)]
        rows[place < 0] = missing
        return rows

    def mesh(self, *, least: float = 0.0) -> Mesh:
        """The surface, normals towards the cameras; open where a cell has an unknown corner.

        Args:
            least: weight up to which a vertex of the grid counts as unknown.

        Returns:
            A mesh with the vertex attribute "color" (V, 3), where there are colours.
        """
        known = self._weights > least
        values = torch.where(known, self._values, torch.inf)
        cells = self.lattice.crossed(values < 0)
        grid = self.lattice.grid(cells)
        place = self.lattice.place(grid.vertex_keys)
        at = place.clamp(min=0)
        known = known.view(-1)[at] & (place >= 0)
        far = torch.where(known, self._values.view(-1)[at], 0.0)
        far = torch.where(known, far, far.abs().max() if len(far) else 1.0)
        with warnings.catch_warnings():  # that it is open is no fault here
            warnings.filterwarnings("ignore", "the surface reaches the border")
            mesh = marching_cubes(grid, far)
        painted = self._colors is not None
        if mesh.num_vertices == 0 or (not painted and bool(known.all())):
            return mesh
        a, b, part = _ends(grid, mesh.vertices)
        # what lies on an edge of which an end is unknown is no surface
        share = known[a].to(part) * (1 - part) + known[b].to(part) * part
        keep = (share > 1 - 1e-4)[mesh.faces].all(1)
        if painted:
            assert self._colors is not None
            colors = self._colors.flatten(0, 1)[at]
            mixed = torch.lerp(colors[a], colors[b], part[:, None].to(colors))
            mesh.vertex_attributes["color"] = mixed
        if not bool(keep.all()):
            mesh = mesh.submesh(keep).mesh
        if painted and mesh.num_vertices:
            mesh.vertex_attributes["color"] = _painted(mesh).clamp(0, 1)
        return mesh


def _ends(grid: SparseVoxelGrid, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The vertices of a grid at both ends of the edges that points (P, 3) lie on, and which part of
    the way each is along."""
    low = torch.tensor(grid.bounds[0], dtype=torch.float64, device=points.device)
    step = torch.tensor(grid.spacing, dtype=torch.float64, device=points.device)
    at = (points.double() - low) / step
    near = at.round()
    axis = (at - near).abs().argmax(1, keepdim=True)
    first = near.scatter(1, axis, at.gather(1, axis).floor())
    part = (at - first).gather(1, axis)[:, 0]
    lower = grid.vertex_index(key(first.long(), grid.shape))
    upper = grid.vertex_index(
        key(first.long().scatter_add(1, axis, torch.ones_like(axis)), grid.shape)
    )
    # within rounding of a corner, the edge may be one that the grid does not have
    whole = torch.where(lower >= 0, lower, upper)
    return whole, torch.where(upper >= 0, upper, whole), part


def _painted(mesh: Mesh) -> Tensor:
    """The colours of vertices, those of corners beyond the reach of all images their nearest's."""
    from meshlearn.geometry import knn

    colors = mesh.vertex_attributes["color"]
    missing = torch.isnan(colors).any(1)
    if bool(missing.all()):
        return torch.full_like(colors, 0.5)
    if bool(missing.any()):
        near = knn(mesh.vertices[missing], mesh.vertices[~missing], 1).index[:, 0]
        colors[missing] = colors[~missing][near]
    return colors
