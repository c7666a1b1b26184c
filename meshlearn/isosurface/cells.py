"""The cells and edges of a grid that a surface passes through, in torch.

They run on any device, and number cells and edges as the native operators do.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.isosurface.constants import DISPLACEMENT
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.tables import CORNERS, EDGES

_CORNERS = torch.tensor(CORNERS)  # (8, 3)


class SurfaceCells(NamedTuple):
    """The cells that the surface passes through."""

    cell: Tensor  # (A,) numbers of the cells in the grid, ascending
    xyz: Tensor  # (A, 3) cell coordinates
    corners: Tensor  # (A, 8) grid vertices
    case: Tensor  # (A,) mask of inside corners


def displaced_vertices(grid: VoxelGrid, deform: Tensor | None, index: Tensor) -> Tensor:
    """(F2) Positions of grid vertices `index` (...,) -> (..., 3), displaced by `deform`."""
    index_here, index = index, grid.vertex_lattice(index)
    _, ny, nz = grid.shape
    z, y, x = index % nz, index // nz % ny, index // (ny * nz)
    position = torch.stack(
        [line[i] for line, i in zip(grid.axes(), (x, y, z), strict=True)], dim=-1
    )
    if deform is not None:
        half = 0.5 * DISPLACEMENT * torch.tensor(grid.spacing, dtype=torch.float64)
        position = position + half.to(position) * torch.tanh(deform[index_here])
    return position


def surface_cells(grid: VoxelGrid, inside: Tensor) -> SurfaceCells:
    """Surface cells of `inside`, (N,) bool."""
    device = inside.device
    if isinstance(grid, SparseVoxelGrid):
        case = (inside[grid.cell_vertices].long() << torch.arange(8, device=device)).sum(1)
        cell = ((case > 0) & (case < 255)).nonzero().squeeze(1)
        return SurfaceCells(cell, grid.cells[cell], grid.cell_vertices[cell], case[cell])
    inside = inside.view(grid.shape)
    rx, ry, rz = grid.resolution
    _, ny, nz = grid.shape
    case = torch.zeros(rx, ry, rz, dtype=torch.int64, device=device)
    for c, (dx, dy, dz) in enumerate(CORNERS):
        case |= inside[dx : dx + rx, dy : dy + ry, dz : dz + rz].long() << c
    cell = ((case > 0) & (case < 255)).reshape(-1).nonzero().squeeze(1)
    xyz = torch.stack([cell // (ry * rz), cell // rz % ry, cell % rz], dim=1)
    at = xyz[:, None, :] + _CORNERS.to(device)
    corners = (at[..., 0] * ny + at[..., 1]) * nz + at[..., 2]
    return SurfaceCells(cell, xyz, corners, case.reshape(-1)[cell])


def crossed_edges(grid: VoxelGrid, inside: Tensor, *, interior: bool) -> tuple[Tensor, Tensor]:
    """Grid edges whose ends differ: start vertex (E,) and axis (E,), in the operators' order.

    Ordered by row, by block of 64 along z, by axis, by z. `interior`: only edges with four cells.
    """
    nx, ny, nz = grid.shape
    if isinstance(grid, SparseVoxelGrid):
        edges = torch.tensor(EDGES, device=inside.device)
        first = torch.arange(12, device=inside.device) // 4
        keys = (grid.cell_vertices[:, edges[:, 0]] * 3 + first).reshape(-1)
        keys, count = torch.unique(keys, return_counts=True)
        if interior:
            keys = keys[count == 4]
        start, axis_of = keys // 3, keys % 3
        crossed = inside[start] != inside[edge_ends(grid, start, axis_of)]
        return _in_order(grid, start[crossed], axis_of[crossed])
    inside = inside.view(grid.shape)
    starts, axes = [], []
    number = torch.arange(nx * ny * nz, device=inside.device).view(nx, ny, nz)
    for axis, n in enumerate((nx, ny, nz)):
        crossed = inside.narrow(axis, 0, n - 1) != inside.narrow(axis, 1, n - 1)
        if interior:
            for other, m in enumerate((nx, ny, nz)):
                if other != axis:
                    crossed = crossed.clone()
                    crossed.narrow(other, 0, 1).fill_(False)
                    crossed.narrow(other, m - 1, 1).fill_(False)
        start = number.narrow(axis, 0, n - 1)[crossed]
        starts.append(start)
        axes.append(torch.full_like(start, axis))
    return _in_order(grid, torch.cat(starts), torch.cat(axes))


def _in_order(grid: VoxelGrid, start: Tensor, axis_of: Tensor) -> tuple[Tensor, Tensor]:
    nz = grid.shape[2]
    row, z = grid.vertex_lattice(start) // nz, grid.vertex_lattice(start) % nz
    key = ((row * ((nz + 63) // 64) + z // 64) * 3 + axis_of) * 64 + z % 64
    order = torch.argsort(key)
    return start[order], axis_of[order]


def edge_ends(grid: VoxelGrid, start: Tensor, axis: Tensor) -> Tensor:
    """The far ends of grid edges, given by their start and axis."""
    _, ny, nz = grid.shape
    step = torch.tensor([ny * nz, nz, 1], device=start.device)[axis]
    return grid.vertex_index(grid.vertex_lattice(start) + step)
