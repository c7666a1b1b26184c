"""Readable torch references of the extractors: what the native operators are held against.

They run on any device, where nothing is compiled too, and give the same numbering of vertices and
faces as the native operators. Gradients come from autograd.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.tables import CORNERS, EDGES, dual_table, triangle_table

_CORNERS = torch.tensor(CORNERS)  # (8, 3)
_EDGES = torch.tensor(EDGES)  # (12, 2)


class SurfaceCells(NamedTuple):
    """The cells that the surface passes through."""

    cell: Tensor  # (A,) numbers of the cells in the grid, ascending
    xyz: Tensor  # (A, 3) cell coordinates
    corners: Tensor  # (A, 8) grid vertices
    case: Tensor  # (A,) mask of inside corners


def displaced_vertices(grid: VoxelGrid, deform: Tensor | None, index: Tensor) -> Tensor:
    """Positions of grid vertices `index` (...,) -> (..., 3), moved by (h/2) tanh(deform)."""
    index_here, index = index, grid.vertex_lattice(index)
    _, ny, nz = grid.shape
    z, y, x = index % nz, index // nz % ny, index // (ny * nz)
    position = torch.stack(
        [line[i] for line, i in zip(grid.axes(), (x, y, z), strict=True)], dim=-1
    )
    if deform is not None:
        half = 0.5 * (1.0 - 1e-6) * torch.tensor(grid.spacing, dtype=torch.float64)
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


def marching_cubes_reference(
    grid: VoxelGrid, sdf: Tensor, deform: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Vertices (V, 3) and faces (F, 3) of marching cubes."""
    inside = sdf < 0
    start, axis = crossed_edges(grid, inside, interior=False)
    end = edge_ends(grid, start, axis)
    t = (sdf[start] / (sdf[start] - sdf[end])).unsqueeze(1)
    a, b = displaced_vertices(grid, deform, start), displaced_vertices(grid, deform, end)
    vertices = a + (b - a) * t

    number = torch.full((grid.num_vertices * 3,), -1, device=sdf.device)
    number[start * 3 + axis] = torch.arange(start.numel(), device=sdf.device)
    cells = surface_cells(grid, inside)
    rows = triangle_table(sdf.device).long()[cells.case]
    most = (rows.shape[1] - 1) // 3
    edge = rows[:, 1:].view(-1, most, 3)
    keep = torch.arange(most, device=sdf.device) < rows[:, :1]
    first = _EDGES.to(sdf.device)[edge, 0]  # (A, most, 3) start corner of each edge
    owner = cells.corners.gather(1, first.flatten(1)).view_as(first)
    return vertices, number[owner * 3 + edge // 4][keep]


class FlexiCubesParts(NamedTuple):
    """Everything on the way to the mesh, for callers that go another way from here."""

    vertices: Tensor  # (D, 3) dual vertices
    quads: Tensor  # (Q, 4) dual vertices, counter-clockwise seen from outside
    quad_gamma: Tensor  # (Q, 4)
    deviation: Tensor  # (D,)
    crossing: Tensor  # (A, 12, 3) crossings, valid where `patch` >= 0
    patch: Tensor  # (A, 12) dual vertex of each crossed edge, -1 where not crossed
    cells: SurfaceCells
    entry: Tensor  # (A,) row of the case table, ambiguity resolved
    weight: Tensor  # (A, 12) share of an edge's end in its crossing
    share: Tensor  # (A, 12) beta weight of each crossing


def resolve_cases(grid: VoxelGrid, inside: Tensor, cells: SurfaceCells) -> Tensor:
    """Table entry of each surface cell: problem cases that face each other are flipped
    (C16/C19)."""
    table = dual_table(inside.device).long()
    case_of = torch.zeros(grid.num_cells, dtype=torch.int64, device=inside.device)
    case_of[cells.cell] = cells.case
    face = table[cells.case, 13]
    axis, side = face.clamp(min=0) // 2, face.clamp(min=0) % 2
    step = torch.zeros_like(cells.xyz).scatter(1, axis[:, None], (2 * side - 1)[:, None])
    other = cells.xyz + step
    res = torch.tensor(grid.resolution, device=inside.device)
    within = ((other >= 0) & (other < res)).all(1) & (face >= 0)
    other = other.clamp(min=0).minimum(res - 1)
    number = grid.cell_index((other[:, 0] * res[1] + other[:, 1]) * res[2] + other[:, 2])
    within &= number >= 0
    meets = within & (table[case_of[number], 13] == face ^ 1)
    return torch.where(meets, table[cells.case, 14], cells.case)


def flexicubes_parts(
    grid: VoxelGrid,
    sdf: Tensor,
    deform: Tensor | None = None,
    alpha: Tensor | None = None,
    beta: Tensor | None = None,
    gamma: Tensor | None = None,
) -> FlexiCubesParts:
    """Dual vertices and quads in plain torch; arguments as `flexicubes`."""
    device = sdf.device
    inside = sdf < 0
    cells = surface_cells(grid, inside)
    entry = resolve_cases(grid, inside, cells)
    table = dual_table(device).long()
    count = table[entry, 0]
    first = torch.cumsum(count, 0) - count
    total = int(count.sum())
    local = table[entry, 1:13]
    patch = torch.where(local >= 0, local + first[:, None], -1)  # (A, 12)
    used = patch >= 0

    ones = torch.ones((), dtype=sdf.dtype, device=device)
    a = (
        1 + 0.99 * torch.tanh(alpha[cells.cell])
        if alpha is not None
        else ones.expand(len(cells.cell), 8)
    )
    b = (
        1 + 0.99 * torch.tanh(beta[cells.cell])
        if beta is not None
        else ones.expand(len(cells.cell), 12)
    )
    g = (
        0.99 * torch.sigmoid(gamma[cells.cell]) + 0.005
        if gamma is not None
        else 0.5 * ones.expand(len(cells.cell))
    )

    weighted = sdf[cells.corners] * a  # (A, 8)
    x = displaced_vertices(grid, deform, cells.corners)
    i, j = _EDGES.to(device).unbind(1)
    gap = torch.where(used, weighted[:, i] - weighted[:, j], ones)
    t = (weighted[:, i] / gap).unsqueeze(2)
    crossing = x[:, i] + (x[:, j] - x[:, i]) * t  # (A, 12, 3)

    owner = patch[used]
    share = b[used]
    total_weight = share.new_zeros(total).index_put((owner,), share, accumulate=True)
    moment = crossing.new_zeros(total, 3).index_put(
        (owner,), crossing[used] * share[:, None], accumulate=True
    )
    vertices = moment / total_weight[:, None]

    gap_vector = vertices[owner] - crossing[used]
    squared = (gap_vector**2).sum(1)
    length = torch.where(squared > 0, squared, 1).sqrt() * (squared > 0)
    edges_of = share.new_zeros(total).index_put((owner,), torch.ones_like(share), accumulate=True)
    mean = share.new_zeros(total).index_put((owner,), length, accumulate=True) / edges_of
    deviation = (
        share.new_zeros(total).index_put((owner,), (length - mean[owner]).abs(), accumulate=True)
        / edges_of
    )

    start, axis = crossed_edges(grid, inside, interior=True)
    cell_number = torch.full((grid.num_cells,), -1, device=device)
    cell_number[cells.cell] = torch.arange(cells.cell.numel(), device=device)
    _, ny, nz = grid.shape
    _, ry, rz = grid.resolution
    corner = grid.vertex_lattice(start)
    at = torch.stack([corner // (ny * nz), corner // nz % ny, corner % nz], dim=1)
    rows = torch.arange(start.numel(), device=device)
    around, local_edge = [], []
    u, v = (axis + 1) % 3, (axis + 2) % 3
    for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):  # counter-clockwise seen from the edge's end
        c = at.clone()
        c[rows, u] -= du
        c[rows, v] -= dv
        around.append(cell_number[grid.cell_index((c[:, 0] * ry + c[:, 1]) * rz + c[:, 2])])
        local_edge.append(4 * axis + torch.where(axis == 1, dv | du << 1, du | dv << 1))
    owner_cell, local_edge = torch.stack(around, 1), torch.stack(local_edge, 1)
    outward = inside[start]
    owner_cell = torch.where(outward[:, None], owner_cell, owner_cell.flip(1))
    local_edge = torch.where(outward[:, None], local_edge, local_edge.flip(1))
    quads = patch[owner_cell, local_edge]
    return FlexiCubesParts(
        vertices, quads, g[owner_cell], deviation, crossing, patch, cells, entry, t.squeeze(2), b
    )


def carry_msdf(parts: FlexiCubesParts, msdf: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    """(V,) msdf at the vertices that `split_quads` gives, by the weights of their positions.

    Twice: gradients of the second reach `msdf` only.
    """
    i, j = _EDGES.to(msdf.device).unbind(1)
    corner, used = msdf[parts.cells.corners], parts.patch >= 0
    found = []
    for free in (False, True):
        t, b, g = (x.detach() if free else x for x in (parts.weight, parts.share, parts.quad_gamma))
        value = (corner[:, i] + (corner[:, j] - corner[:, i]) * t)[used]
        share, owner = b[used], parts.patch[used]
        zero = value.new_zeros(len(parts.vertices))
        total = zero.index_put((owner,), share, accumulate=True)
        carried = zero.index_put((owner,), value * share, accumulate=True) / total
        if training:
            g02, g13 = g[:, 0] * g[:, 2], g[:, 1] * g[:, 3]
            at = carried[parts.quads]
            centre = (at[:, 0] + at[:, 2]) * g02 + (at[:, 1] + at[:, 3]) * g13
            carried = torch.cat([carried, centre * 0.5 / (g02 + g13)])
        found.append(carried)
    return found[0], found[1]


def split_quads(parts: FlexiCubesParts, training: bool) -> tuple[Tensor, Tensor]:
    """Vertices and triangles of the quads: four about a centre (training) or two."""
    vertices, quads, gamma = parts.vertices, parts.quads, parts.quad_gamma
    g02, g13 = gamma[:, 0] * gamma[:, 2], gamma[:, 1] * gamma[:, 3]
    if training:
        corner = vertices[quads]
        m02, m13 = corner[:, 0] + corner[:, 2], corner[:, 1] + corner[:, 3]
        centre = (m02 * g02[:, None] + m13 * g13[:, None]) * (0.5 / (g02 + g13))[:, None]
        middle = len(vertices) + torch.arange(len(quads), device=quads.device)
        faces = torch.stack([quads, quads.roll(-1, 1), middle[:, None].expand(-1, 4)], dim=2)
        return torch.cat([vertices, centre]), faces.reshape(-1, 3)
    first = split_faces(quads, g02 > g13)
    return vertices, first


def split_faces(quads: Tensor, along_02: Tensor) -> Tensor:
    """Two triangles a quad (Q, 4) -> (2 Q, 3), along corners 0-2 where told, else 1-3."""
    q = torch.where(along_02[:, None], quads, quads.roll(-1, 1))
    return torch.stack([q[:, [0, 1, 2]], q[:, [0, 2, 3]]], dim=1).reshape(-1, 3)
