"""FlexiCubes in torch, with everything that lies on the way to its mesh.

The native operator is held against it; where nothing is compiled it takes the operator's place, and
tetrahedra and tangent planes always start from it. Gradients come from autograd. Numbers in
brackets are the equations of `meshlearn.isosurface.flexicubes`.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.isosurface.cells import (
    SurfaceCells,
    crossed_edges,
    displaced_vertices,
    surface_cells,
)
from meshlearn.isosurface.constants import GAMMA_LEAST, WEIGHT_RANGE
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.tables import EDGES, FLIPPED, PATCH_OF, PATCHES, PROBLEM_FACE, dual_table

_EDGES = torch.tensor(EDGES)  # (12, 2)


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
    """(F3) Table entry of each surface cell: problem cases (C16, C19) that face each other are
    flipped."""
    table = dual_table(inside.device).long()
    case_of = torch.zeros(grid.num_cells, dtype=torch.int64, device=inside.device)
    case_of[cells.cell] = cells.case
    face = table[cells.case, PROBLEM_FACE]
    axis, side = face.clamp(min=0) // 2, face.clamp(min=0) % 2
    step = torch.zeros_like(cells.xyz).scatter(1, axis[:, None], (2 * side - 1)[:, None])
    other = cells.xyz + step
    res = torch.tensor(grid.resolution, device=inside.device)
    within = ((other >= 0) & (other < res)).all(1) & (face >= 0)
    other = other.clamp(min=0).minimum(res - 1)
    number = grid.cell_index((other[:, 0] * res[1] + other[:, 1]) * res[2] + other[:, 2])
    within &= number >= 0
    meets = within & (table[case_of[number], PROBLEM_FACE] == face ^ 1)
    return torch.where(meets, table[cells.case, FLIPPED], cells.case)


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
    count = table[entry, PATCHES]
    first = torch.cumsum(count, 0) - count
    total = int(count.sum())
    local = table[entry, PATCH_OF]
    patch = torch.where(local >= 0, local + first[:, None], -1)  # (A, 12)
    used = patch >= 0

    # (F1) weights, 1 and 1/2 without parameters
    ones = torch.ones((), dtype=sdf.dtype, device=device)
    a = ones.expand(len(cells.cell), 8)
    b = ones.expand(len(cells.cell), 12)
    g = 0.5 * ones.expand(len(cells.cell))
    if alpha is not None:
        a = 1 + WEIGHT_RANGE * torch.tanh(alpha[cells.cell])
    if beta is not None:
        b = 1 + WEIGHT_RANGE * torch.tanh(beta[cells.cell])
    if gamma is not None:
        g = WEIGHT_RANGE * torch.sigmoid(gamma[cells.cell]) + GAMMA_LEAST

    # (F4) crossings
    weighted = sdf[cells.corners] * a  # (A, 8)
    x = displaced_vertices(grid, deform, cells.corners)
    i, j = _EDGES.to(device).unbind(1)
    gap = torch.where(used, weighted[:, i] - weighted[:, j], ones)
    t = (weighted[:, i] / gap).unsqueeze(2)
    crossing = x[:, i] + (x[:, j] - x[:, i]) * t  # (A, 12, 3)

    # (F5) dual vertices
    owner = patch[used]
    share = b[used]
    total_weight = share.new_zeros(total).index_put((owner,), share, accumulate=True)
    moment = crossing.new_zeros(total, 3).index_put(
        (owner,), crossing[used] * share[:, None], accumulate=True
    )
    vertices = moment / total_weight[:, None]

    # (F8) deviation
    gap_vector = vertices[owner] - crossing[used]
    squared = (gap_vector**2).sum(1)
    length = torch.where(squared > 0, squared, 1).sqrt() * (squared > 0)
    edges_of = share.new_zeros(total).index_put((owner,), torch.ones_like(share), accumulate=True)
    mean = share.new_zeros(total).index_put((owner,), length, accumulate=True) / edges_of
    deviation = (
        share.new_zeros(total).index_put((owner,), (length - mean[owner]).abs(), accumulate=True)
        / edges_of
    )

    # (F6) quads
    start, axis = crossed_edges(grid, inside, interior=True)
    cell_number = torch.full((grid.num_cells,), -1, device=device)
    cell_number[cells.cell] = torch.arange(cells.cell.numel(), device=device)
    _, ny, nz = grid.shape
    _, ry, rz = grid.resolution
    corner = grid.vertex_lattice(start)
    at = torch.stack([corner // (ny * nz), corner // nz % ny, corner % nz], dim=1)
    rows = torch.arange(start.numel(), device=device)
    around, edge_in_cell = [], []
    u, v = (axis + 1) % 3, (axis + 2) % 3
    for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):  # counter-clockwise seen from the edge's end
        c = at.clone()
        c[rows, u] -= du
        c[rows, v] -= dv
        around.append(cell_number[grid.cell_index((c[:, 0] * ry + c[:, 1]) * rz + c[:, 2])])
        edge_in_cell.append(4 * axis + torch.where(axis == 1, dv | du << 1, du | dv << 1))
    owner_cell, local_edge = torch.stack(around, 1), torch.stack(edge_in_cell, 1)
    outward = inside[start]
    owner_cell = torch.where(outward[:, None], owner_cell, owner_cell.flip(1))
    local_edge = torch.where(outward[:, None], local_edge, local_edge.flip(1))
    quads = patch[owner_cell, local_edge]
    return FlexiCubesParts(
        vertices, quads, g[owner_cell], deviation, crossing, patch, cells, entry, t.squeeze(2), b
    )


def carry_msdf(parts: FlexiCubesParts, msdf: Tensor, training: bool) -> tuple[Tensor, Tensor]:
    """(G2, G3) (V,) msdf at the vertices that `split_quads` gives, by the weights of positions.

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
    """(F7) Vertices and triangles of the quads: four about a centre (training) or two."""
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
