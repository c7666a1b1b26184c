"""Surfaces of what only knows inside from outside: an occupancy function, or labelled voxels.

The equations, by the numbers that stand in brackets at each piece of code which computes one. The
patches of surface in a cell and the quads between them are those of (F3) and (F6) in
`meshlearn.isosurface.flexicubes`, so the mesh is manifold for every occupancy.

(O1) crossing of a grid edge whose ends differ: bisection of the edge
(O2) normal there: the surface as a height over the edge, h(v, w) along it, whose slopes are
     differences of crossings, found by bisection, of lines beside the edge; n ~ (1, -h_v, -h_w)
(O3) dual vertex: the least of the quadric of the tangent planes, (F10)
(O4) diagonal of a quad: the one whose middle lies nearer to the surface, along the mean normal
(N1) a net: dual vertices in the middle of their cells, moved towards the mean of their neighbours
     and back into the cell, some rounds

The plan of (O1) to (O4) is that of Hwang and Sung, "Occupancy-Based Dual Contouring" (2024): points
of the surface on edges first, then normals from samples near them, then the dual vertex. They take
normals from points on the faces of cells; here lines close to the edge serve. (N1) is Gibson,
"Constrained Elastic Surface Nets" (1998).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.isosurface.checks import check_grid, warn_if_empty
from meshlearn.isosurface.closing import warn_if_cut
from meshlearn.isosurface.flexicubes_parts import FlexiCubesParts, flexicubes_parts, split_faces
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.qef import quadric_vertices
from meshlearn.isosurface.tables import EDGES
from meshlearn.mesh import Mesh

HALVINGS = 14  # of an edge: a crossing is known to 6e-5 of a cell
BESIDE = 0.04  # cells that a line lies beside its edge
STEEPEST = 6.0  # slope of the height over an edge that is still told
_LINE_HALVINGS = 9
_ALONG = 0.5  # cells to both sides in which a diagonal looks for the surface
ROUNDS = 20  # of a net
NET_STEPS = (0.6, -0.64)  # Taubin's: smooth, and back, so that nothing shrinks onto its walls

Occupancy = Callable[[Tensor], Tensor]


def occupancy_dual_contouring(grid: VoxelGrid, occupancy: Occupancy) -> Mesh:
    """The surface of an occupancy function, smooth where it is and sharp where it has edges.

    Args:
        grid: where the function is looked at first; what passes between its vertices is not seen.
        occupancy: points (P, 3) -> (P,) bool, true inside, or numbers, inside from 1/2 on (the
            output of an occupancy network behind its sigmoid). It is asked about 90 times for each
            grid edge that the surface crosses, in batches.

    Returns:
        A manifold mesh, normals outward, detached; closed where the border of the grid is outside.

    Raises:
        ValueError: the function gives another shape or NaN.

    Warns:
        RuntimeWarning: nothing or everything is inside; or the surface reaches the grid's border.

    Example:
        >>> def inside(p):
        ...     return p.abs().amax(1) < 0.5      # a cube
        >>> mesh = occupancy_dual_contouring(VoxelGrid(32), inside)
    """
    check_grid(grid)
    with torch.no_grad():
        inside = _asked(occupancy, grid.vertices)
        signs = torch.where(inside, -1.0, 1.0).to(grid.dtype)
        parts = flexicubes_parts(grid, signs)
        used = parts.patch >= 0
        crossing, normal = _crossings(grid, occupancy, parts, inside)
        if len(parts.vertices):
            # (O3)
            vertices = quadric_vertices(
                grid, None, parts, parts.patch[used], crossing[used], normal[used]
            )
            faces = split_faces(parts.quads, _diagonals(occupancy, parts, vertices, normal, grid))
        else:
            vertices, faces = parts.vertices, parts.quads.new_zeros(0, 3)
    mesh = Mesh(vertices, faces, validate=False)
    warn_if_empty(mesh, grid)
    warn_if_cut(grid, signs)
    return mesh


def surface_net(grid: VoxelGrid, inside: Tensor, *, rounds: int = ROUNDS) -> Mesh:
    """The surface around labelled grid vertices, without stairs, each label on its side.

    Args:
        grid: the grid.
        inside: (N,) or grid.shape, bool.
        rounds: how often vertices move; 0 gives the stairs.

    Returns:
        A manifold mesh, normals outward; each vertex in its cell, so within a cell of any surface
        that the labels may come from.

    Raises:
        ValueError: labels that are no bool, or of another shape.

    Warns:
        RuntimeWarning: nothing or everything is inside; or the surface reaches the grid's border.

    Example:
        >>> mesh = surface_net(grid, labels == 3)
    """
    check_grid(grid)
    if isinstance(inside, Tensor) and tuple(inside.shape) == tuple(grid.shape):
        inside = inside.reshape(-1)
    check_tensor(inside, "inside", shape=(grid.num_vertices,), dtype=torch.bool)
    if not isinstance(rounds, int) or rounds < 0:
        raise ValueError(f"rounds: expected 0 or more, got {rounds!r}")
    signs = torch.where(inside, -1.0, 1.0).to(grid.dtype)
    parts = flexicubes_parts(grid, signs)
    vertices = _relaxed(grid, parts, rounds) if len(parts.vertices) else parts.vertices
    even = torch.ones(len(parts.quads), dtype=torch.bool, device=vertices.device)
    if len(even):  # the shorter diagonal
        corner = vertices[parts.quads]
        across = corner[:, :2] - corner[:, 2:]
        even = across[:, 0].norm(dim=1) <= across[:, 1].norm(dim=1)
    mesh = Mesh(vertices, split_faces(parts.quads, even), validate=False)
    warn_if_empty(mesh, grid)
    warn_if_cut(grid, signs)
    return mesh


def _relaxed(grid: VoxelGrid, parts: FlexiCubesParts, rounds: int) -> Tensor:
    """(N1)"""
    q = parts.quads
    pairs = torch.cat([q[:, [k, (k + 1) % 4]] for k in range(4)])
    pairs = torch.unique(torch.cat([pairs, pairs.flip(1)]), dim=0)
    low, high = _boxes(grid, parts)
    # a margin, so that the vertices of two patches in neighbouring cells do not meet
    margin = 0.02 * (high - low)
    low, high = low + margin, high - margin
    here, there = pairs.unbind(1)
    count = torch.bincount(here, minlength=len(low)).clamp(min=1)[:, None].to(low)
    alone = (torch.bincount(here, minlength=len(low)) == 0)[:, None]
    at = parts.vertices
    for _ in range(rounds):
        for step in NET_STEPS:
            # sorted by `here`: summed in one order whatever the threads
            mean = torch.zeros_like(at).index_add_(0, here, at[there]) / count
            at = torch.where(alone, at, at + step * (mean - at))
        at = torch.minimum(torch.maximum(at, low), high)
    return at


def _boxes(grid: VoxelGrid, parts: FlexiCubesParts) -> tuple[Tensor, Tensor]:
    """Lower and upper corner (D, 3) of each dual vertex's cell."""
    used = parts.patch >= 0
    rows = torch.arange(len(parts.patch), device=used.device)[:, None].expand_as(parts.patch)
    cell = torch.zeros(len(parts.vertices), dtype=torch.int64, device=used.device)
    cell[parts.patch[used]] = rows[used]
    at = parts.cells.xyz[cell].to(grid.dtype)
    low = torch.tensor(grid.bounds[0], dtype=grid.dtype, device=used.device)
    step = torch.tensor(grid.spacing, dtype=grid.dtype, device=used.device)
    return low + at * step, low + (at + 1) * step


def _asked(occupancy: Occupancy, points: Tensor) -> Tensor:
    """(P,) bool, in batches."""
    out = []
    for part in points.split(1 << 18):
        found = occupancy(part)
        if not isinstance(found, Tensor) or found.numel() != len(part):
            shape = tuple(found.shape) if isinstance(found, Tensor) else type(found).__name__
            raise ValueError(
                f"occupancy: expected ({len(part)},) for as many points, got {shape}; give a "
                "function of points (P, 3)"
            )
        found = found.detach().reshape(-1)
        if found.dtype != torch.bool:
            if found.is_floating_point() and bool(torch.isnan(found).any()):
                raise ValueError("occupancy: expected numbers, the function gave NaN")
            found = found >= 0.5
        out.append(found)
    return torch.cat(out) if out else torch.zeros(0, dtype=torch.bool, device=points.device)


def _halved(occupancy: Occupancy, a: Tensor, b: Tensor, first: Tensor, count: int) -> Tensor:
    """(P,) share of the way from a to b (P, 3) at which occupancy changes from `first`."""
    low, high = torch.zeros_like(a[:, 0]), torch.ones_like(a[:, 0])
    for _ in range(count):
        middle = (low + high) / 2
        same = _asked(occupancy, a + (b - a) * middle[:, None]) == first
        low, high = torch.where(same, middle, low), torch.where(same, high, middle)
    return (low + high) / 2


def _crossings(
    grid: VoxelGrid, occupancy: Occupancy, parts: FlexiCubesParts, inside: Tensor
) -> tuple[Tensor, Tensor]:
    """(O1), (O2): crossing and unit normal of each cell's edges (A, 12, 3)."""
    device, dtype = inside.device, grid.dtype
    used = parts.patch >= 0
    ends = torch.tensor(EDGES, device=device)
    axis_of = (torch.arange(12, device=device) // 4).expand_as(parts.patch)[used]
    begin = parts.cells.corners[:, ends[:, 0]][used]
    key, inverse = torch.unique(begin * 3 + axis_of, return_inverse=True)
    start, axis = key // 3, key % 3
    spacing = torch.tensor(grid.spacing, dtype=dtype, device=device)
    along = torch.zeros(len(start), 3, dtype=dtype, device=device)
    along[torch.arange(len(start), device=device), axis] = spacing[axis]
    a = grid.vertices[start]
    first = inside[start]
    share = _halved(occupancy, a, a + along, first, HALVINGS)
    point = a + along * share[:, None]
    slopes = []
    rows = torch.arange(len(start), device=device)
    reach = BESIDE * STEEPEST
    for k in (1, 2):
        beside = torch.zeros_like(along)
        other = (axis + k) % 3
        beside[rows, other] = BESIDE * spacing[other]
        height = []
        for side in (-1.0, 1.0):
            lower, upper = (point + side * beside + s * reach * along for s in (-1.0, 1.0))
            state = _asked(occupancy, lower), _asked(occupancy, upper)
            where = 2 * _halved(occupancy, lower, upper, first, _LINE_HALVINGS) - 1
            # no change within reach: the surface is steeper, upwards or downwards
            where = torch.where(state[0] != first, -1.0, where)
            height.append(torch.where(state[1] == first, 1.0, where) * reach)
        slopes.append((height[1] - height[0]) / (2 * BESIDE))
    length = spacing[axis]
    normal = torch.zeros_like(along)
    normal[rows, axis] = 1.0 / length
    for k, slope in zip((1, 2), slopes, strict=True):
        other = (axis + k) % 3
        normal[rows, other] = -slope / spacing[other]
    normal = torch.nn.functional.normalize(normal, dim=1)
    normal = torch.where(first[:, None], normal, -normal)
    crossing = torch.zeros(*parts.patch.shape, 3, dtype=dtype, device=device)
    normals = torch.zeros_like(crossing)
    crossing[used], normals[used] = point[inverse], normal[inverse]
    return crossing, normals


def _diagonals(
    occupancy: Occupancy, parts: FlexiCubesParts, vertices: Tensor, normal: Tensor, grid: VoxelGrid
) -> Tensor:
    """(O4) Whether each quad is split along its corners 0 and 2."""
    used = parts.patch >= 0
    mean = torch.zeros_like(vertices).index_put((parts.patch[used],), normal[used], accumulate=True)
    corner = vertices[parts.quads]
    direction = torch.nn.functional.normalize(mean[parts.quads].sum(1), dim=1)
    reach = _ALONG * min(grid.spacing) * direction
    off = []
    for i, j in ((0, 2), (1, 3)):
        middle = (corner[:, i] + corner[:, j]) / 2
        state = _asked(occupancy, middle)
        far = torch.where(state[:, None], middle + reach, middle - reach)
        changes = _asked(occupancy, far) != state
        share = _halved(occupancy, middle, far, state, _LINE_HALVINGS)
        off.append(torch.where(changes, share, 1.0))
    return off[0] <= off[1]
