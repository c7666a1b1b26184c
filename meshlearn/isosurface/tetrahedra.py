"""(F11) Tetrahedra that fill the inside of a FlexiCubes mesh, with exactly that mesh as boundary.

Every inside grid vertex a is the apex of cones over the dual faces around it: over the surface's
triangles for a crossed edge, over the ring of dual points for an edge (a, b) with both ends inside.
The dual point of an inside edge in a cell is the patch that bounds its inside component, or a point
of its own where the component has none (cell centre) or several. Where two edges of a corner have
different dual points in a cell, the gap between their rings is coned too.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from meshlearn.isosurface.cells import crossed_edges, displaced_vertices
from meshlearn.isosurface.flexicubes_parts import FlexiCubesParts
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.tables import CORNERS, EDGES, FACES, dual_entries, inside_components
from meshlearn.isosurface.untangling import untangled
from meshlearn.mesh import TetMesh

_EDGE_OF = {frozenset(e): i for i, e in enumerate(EDGES)}


@lru_cache(maxsize=1)
def _point_tables() -> tuple[Tensor, Tensor]:
    """Per table entry: dual point of each inside corner (8), number of extra points.

    A point below 4 is a patch, 4 + k the k-th extra point; -1 for outside corners.
    """
    points, extras = [], []
    for case, flipped, patches in dual_entries():
        label = inside_components(case, flipped)
        bounding: dict[int, set[int]] = {k: set() for k in label if k >= 0}
        for number, cycle in enumerate(patches):
            for edge in cycle:
                inner = next(c for c in EDGES[edge] if label[c] >= 0)
                bounding[label[inner]].add(number)
        code, extra = {}, 0
        for k in sorted(bounding):
            if len(bounding[k]) == 1:
                code[k] = next(iter(bounding[k]))
            else:
                code[k] = 4 + extra
                extra += 1
        points.append([code[k] if k >= 0 else -1 for k in label])
        extras.append(extra)
    return torch.tensor(points), torch.tensor(extras)


def _corner_rings() -> list[tuple[int, int, int, int]]:
    """(face, corner, edge entering, edge leaving): at each corner of a face its two edges, so that
    the ring of the first runs from the cell inside to the one across the face."""
    found = []
    for face, ring in enumerate(FACES):
        for i, corner in enumerate(ring):
            after = _EDGE_OF[frozenset((corner, ring[(i + 1) % 4]))]
            before = _EDGE_OF[frozenset((corner, ring[i - 1]))]
            found.append((face, corner, after, before))
    return found


class _DualPoints:
    """Global vertex numbers of the dual points of cells."""

    def __init__(self, grid: VoxelGrid, inside: Tensor, parts: FlexiCubesParts, base: int) -> None:
        device = inside.device
        self.device = device
        points, extras = (t.to(device) for t in _point_tables())
        cells, entry = parts.cells, parts.entry
        extra = extras[entry]
        first = base + torch.cumsum(extra, 0) - extra
        code = points[entry]  # (A, 8)
        local = parts.patch  # (A, 12) global dual vertices
        beyond = torch.iinfo(torch.int64).max
        start = torch.where(local >= 0, local, beyond).amin(1)
        patch_of_code = start[:, None] + torch.arange(4, device=device)
        self.corner = torch.where(
            code >= 4,
            first[:, None] + code - 4,
            patch_of_code.gather(1, code.clamp(0, 3)),
        )
        self.edge = local
        self.special = extra > 0
        self.number = torch.full((grid.num_cells,), -1, device=device)
        self.number[cells.cell] = torch.arange(len(entry), device=device)
        # Extra points: the mean of their component's corners.
        which = (code >= 4).nonzero()
        self.extra_owner = first[which[:, 0]] + code[which[:, 0], which[:, 1]] - 4 - base
        self.extra_corner = cells.corners[which[:, 0], which[:, 1]]
        self.num_extra = int(extra.sum())
        # Full cells get their centre.
        full = torch.ones(grid.resolution, dtype=torch.bool, device=device)
        rx, ry, rz = grid.resolution
        for dx, dy, dz in CORNERS:
            full &= inside[dx : dx + rx, dy : dy + ry, dz : dz + rz]
        self.full = full.reshape(-1).nonzero().squeeze(1)
        self.centre = torch.full((grid.num_cells,), -1, device=device)
        self.centre[self.full] = (
            base + self.num_extra + torch.arange(self.full.numel(), device=device)
        )

    def __call__(self, cell: Tensor, edge: Tensor) -> Tensor:
        """Dual point of local edge `edge` in `cell`; one end of the edge is inside."""
        a = self.number[cell]
        active = a >= 0
        a = a.clamp(min=0)
        start = torch.tensor([e[0] for e in EDGES], device=self.device)[edge]
        if self.edge.shape[0] == 0:
            return self.centre[cell]
        patch = self.edge[a, edge]
        point = torch.where(patch >= 0, patch, self.corner[a, start])
        return torch.where(active, point, self.centre[cell])


def _inside_edges(grid: VoxelGrid, inside: Tensor) -> tuple[Tensor, Tensor]:
    """Grid edges with both ends inside and four cells around: start vertex and axis."""
    number = torch.arange(grid.num_vertices, device=inside.device).view(grid.shape)
    starts, axes = [], []
    for axis, n in enumerate(grid.shape):
        both = inside.narrow(axis, 0, n - 1) & inside.narrow(axis, 1, n - 1)
        for other, m in enumerate(grid.shape):
            if other != axis:
                both = both.clone()
                both.narrow(other, 0, 1).fill_(False)
                both.narrow(other, m - 1, 1).fill_(False)
        start = number.narrow(axis, 0, n - 1)[both]
        starts.append(start)
        axes.append(torch.full_like(start, axis))
    return torch.cat(starts), torch.cat(axes)


def _cells_around(grid: VoxelGrid, start: Tensor, axis: Tensor) -> tuple[Tensor, Tensor]:
    """The four cells around grid edges, counter-clockwise seen from the end, and their local
    edge."""
    _, ny, nz = grid.shape
    _, ry, rz = grid.resolution
    at = torch.stack([start // (ny * nz), start // nz % ny, start % nz], dim=1)
    rows = torch.arange(start.numel(), device=start.device)
    cells, edges = [], []
    for du, dv in ((1, 1), (0, 1), (0, 0), (1, 0)):
        c = at.clone()
        c[rows, (axis + 1) % 3] -= du
        c[rows, (axis + 2) % 3] -= dv
        cells.append((c[:, 0] * ry + c[:, 1]) * rz + c[:, 2])
        edges.append(4 * axis + torch.where(axis == 1, dv | du << 1, du | dv << 1))
    return torch.stack(cells, 1), torch.stack(edges, 1)


def _cone(apex: Tensor, polygon: Tensor) -> Tensor:
    """Positively oriented tetrahedra from `apex` (M,) to polygons (M, 4), outward seen from it.

    Repeated corners make it a triangle or nothing; a true quad is cut at its lowest corner, so that
    the two cones on either side agree.
    """
    lowest = polygon.argmin(1)
    order = (lowest[:, None] + torch.arange(4, device=polygon.device)) % 4
    q = polygon.gather(1, order)
    tets = torch.cat(
        [
            torch.stack([apex, q[:, 0], q[:, 1], q[:, 2]], 1),
            torch.stack([apex, q[:, 0], q[:, 2], q[:, 3]], 1),
        ]
    )
    a, b, c = tets[:, 1], tets[:, 2], tets[:, 3]
    return tets[(a != b) & (b != c) & (a != c)]


def fill_tetrahedra(
    grid: VoxelGrid,
    sdf: Tensor,
    deform: Tensor | None,
    parts: FlexiCubesParts,
    vertices: Tensor,
    faces: Tensor,
    training: bool,
) -> TetMesh:
    """The tetrahedral mesh inside a FlexiCubes surface (closed inside the grid).

    Its first vertices are the surface's, in order; then come points inside cells and the inside
    grid vertices. Tetrahedra are positively oriented, (b - a) x (c - a) . (d - a) > 0, and not
    flat: see `untangling`, which moves vertices of the surface too where it has to.
    """
    device = sdf.device
    inside_flat = sdf < 0
    inside = inside_flat.view(grid.shape)
    surface = vertices.shape[0]
    points = _DualPoints(grid, inside, parts, surface)
    inner = inside_flat.nonzero().squeeze(1)
    grid_base = surface + points.num_extra + points.full.numel()
    grid_vertex = torch.full((grid.num_vertices,), -1, device=device)
    grid_vertex[inner] = grid_base + torch.arange(inner.numel(), device=device)

    # 1. Cones over the surface. Triangles look outward from their inside vertex.
    start, axis = crossed_edges(grid, inside_flat, interior=True)
    _, ny, nz = grid.shape
    step = torch.tensor([ny * nz, nz, 1], device=device)[axis]
    apex = grid_vertex[torch.where(inside_flat[start], start, start + step)]
    apex = apex.repeat_interleave(4 if training else 2)
    found = [torch.cat([apex[:, None], faces], 1)]

    # 2. Rings of dual points about edges with both ends inside.
    start, axis = _inside_edges(grid, inside)
    step = torch.tensor([ny * nz, nz, 1], device=device)[axis]
    ring = points(*_cells_around(grid, start, axis))
    for k in range(4):
        found.append(
            torch.stack(
                [grid_vertex[start], ring[:, k], ring[:, (k + 1) % 4], grid_vertex[start + step]], 1
            )
        )

    # 3. and 4. Gaps between rings, at faces of cells with more than one dual point.
    found += _gaps(grid, inside_flat, grid_vertex, points, parts)
    tets = torch.cat(found)

    lattice = displaced_vertices(grid, deform, inner)
    positions = [vertices]
    extra = vertices.new_zeros(points.num_extra, 3)
    share = extra.new_zeros(points.num_extra)
    corner = displaced_vertices(grid, deform, points.extra_corner)
    extra = extra.index_put((points.extra_owner,), corner, accumulate=True)
    share = share.index_put((points.extra_owner,), torch.ones_like(corner[:, 0]), accumulate=True)
    positions.append(extra / share[:, None])
    _, ry, rz = grid.resolution
    full = points.full
    at = torch.stack([full // (ry * rz), full // rz % ry, full % rz], 1)
    at = at[:, None] + torch.tensor(CORNERS, device=device)
    index = (at[..., 0] * ny + at[..., 1]) * nz + at[..., 2]
    positions.append(displaced_vertices(grid, deform, index).mean(1))
    positions.append(lattice)
    points_all = torch.cat(positions)
    spacing = grid.spacing
    moved = untangled(points_all, tets, faces, spacing[0] * spacing[1] * spacing[2])
    shift = (moved - points_all.detach().double()).to(points_all)
    return TetMesh(points_all + shift, tets)


def _gaps(
    grid: VoxelGrid,
    inside: Tensor,
    grid_vertex: Tensor,
    points: _DualPoints,
    parts: FlexiCubesParts,
) -> list[Tensor]:
    special = points.special.nonzero().squeeze(1)
    if special.numel() == 0:
        return []
    found = []
    xyz, cell = parts.cells.xyz[special], parts.cells.cell[special]
    corners = parts.cells.corners[special]
    res = torch.tensor(grid.resolution, device=xyz.device)
    for face, corner, after, before in _corner_rings():
        axis, side = divmod(face, 2)
        other = xyz.clone()
        other[:, axis] += 2 * side - 1
        within = (other[:, axis] >= 0) & (other[:, axis] < res[axis])
        other_cell = (other[:, 0] * res[1] + other[:, 1]) * res[2] + other[:, 2]
        other_cell = torch.where(within, other_cell, 0)
        neighbour = points.number[other_cell]
        both = (neighbour >= 0) & points.special[neighbour.clamp(min=0)]
        keep = within & inside[corners[:, corner]] & ~(both & (side == 0))  # each face once
        mine, theirs = cell[keep], other_cell[keep]
        polygon = torch.stack(
            [
                points(theirs, torch.full_like(mine, _mirror(after, axis))),
                points(mine, torch.full_like(mine, after)),
                points(mine, torch.full_like(mine, before)),
                points(theirs, torch.full_like(mine, _mirror(before, axis))),
            ],
            1,
        )
        found.append(_cone(grid_vertex[corners[keep, corner]], polygon))
    for corner in range(8):
        edges = [_EDGE_OF[frozenset((corner, corner ^ 1 << axis))] for axis in range(3)]
        if bin(corner).count("1") % 2:
            edges.reverse()
        keep = inside[corners[:, corner]]
        mine = cell[keep]
        a, b, c = (points(mine, torch.full_like(mine, e)) for e in edges)
        distinct = (a != b) & (b != c) & (a != c)
        tets = torch.stack([grid_vertex[corners[keep, corner]], a, b, c], 1)
        found.append(tets[distinct])
    return found


def _mirror(edge: int, axis: int) -> int:
    """The number that an edge on a face across `axis` has in the cell on the face's other side."""
    a, b = (c ^ 1 << axis for c in EDGES[edge])
    return _EDGE_OF[frozenset((a, b))]
