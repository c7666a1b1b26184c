"""Readable torch references: what the native operators are held against, and nothing else.

They run on any device, where nothing is compiled too, and give the same numbering of vertices and
faces as the native operators. Gradients come from autograd. FlexiCubes has its own in
`flexicubes_parts`, which tetrahedra and tangent planes start from as well.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.isosurface.cells import crossed_edges, displaced_vertices, edge_ends, surface_cells
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.tables import EDGES, triangle_table
from meshlearn.isosurface.tetgrid import PAIRS, TetGrid, TetSurface, tet_table

_EDGES = torch.tensor(EDGES)  # (12, 2)


def marching_cubes_reference(
    grid: VoxelGrid, sdf: Tensor, deform: Tensor | None
) -> tuple[Tensor, Tensor]:
    """(M1, M2) Vertices (V, 3) and faces (F, 3) of marching cubes."""
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


def tet_surface_reference(
    grid: TetGrid, sdf: Tensor, msdf: Tensor | None, position: Tensor
) -> TetSurface:
    """(M1, M2, G1, G4) Torch reference of the operator `marching_tetrahedra`."""
    device, n = sdf.device, grid.num_vertices
    inside = sdf < 0
    tets = grid.tets
    case = (inside[tets].long() << torch.arange(4, device=device)).sum(1)
    crossed = (case > 0) & (case < 15)
    tets, case = tets[crossed], case[crossed]

    ends = tets[:, torch.tensor(PAIRS, device=device)].view(-1, 2).sort(1).values
    ends = ends[inside[ends[:, 0]] != inside[ends[:, 1]]]
    keys = torch.unique(ends[:, 0] * n + ends[:, 1])
    a, b = keys // n, keys % n
    weight = sdf[a] / (sdf[a] - sdf[b])
    vertices = position[a] + (position[b] - position[a]) * weight[:, None]
    empty = sdf.new_zeros(0)
    value = empty if msdf is None else msdf[a] + (msdf[b] - msdf[a]) * weight
    fixed = weight.detach()
    weighted = empty if msdf is None else msdf[a] + (msdf[b] - msdf[a]) * fixed

    rows = tet_table(device).long()[case]
    i, j = tets.gather(1, rows[:, 1:] // 4), tets.gather(1, rows[:, 1:] % 4)
    polygon = torch.searchsorted(keys, torch.minimum(i, j) * n + torch.maximum(i, j))  # (A, 4)
    quad = rows[:, 0] == 4
    polygon = polygon.clamp(max=max(len(keys) - 1, 0))
    if msdf is not None and len(keys):
        positive = (value > 0)[polygon]
        saddle = quad & positive[:, 1] & positive[:, 3] & ~positive[:, 0] & ~positive[:, 2]
        polygon = torch.where(saddle[:, None], polygon.roll(-1, 1), polygon)
    faces = torch.stack([polygon[:, [0, 1, 2]], polygon[:, [0, 2, 3]]], 1)
    keep = torch.stack([torch.ones_like(quad), quad], 1)
    return TetSurface(vertices, faces[keep], value, weighted, torch.stack([a, b], 1))
