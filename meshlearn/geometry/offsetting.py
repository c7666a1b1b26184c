"""The surface at a distance from another one."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.carry import carry_attributes
from meshlearn.isosurface import VoxelGrid
from meshlearn.isosurface.marching_cubes import marching_cubes
from meshlearn.mesh import Mesh

_CELLS = 64  # along the longest side, where no pitch is given
_MOST = 2**27  # points of a grid
_ROOM = 3  # cells around


def offset(mesh: Mesh, distance: float, *, pitch: float | None = None, shell: bool = False) -> Mesh:
    """The closed surface of all points at a distance outside a solid, or inside it.

    Outside, convex edges become round. Vertices lie at the distance to rounding, but where the
    nearest of the old surface jumps within a cell; faces are closed, manifold, outward. Details
    below a cell's size are lost. Attributes and materials are those of the nearest old points.

    Args:
        mesh: encloses a solid; holes are closed as the winding number sees them.
        distance: in the mesh's unit; negative goes inside.
        pitch: side of a cell of the grid; default: a 64th of the longest side.
        shell: all points at most `distance` from the surface, on both sides: of open surfaces too.

    Raises:
        ValueError: a wrong number, no faces, vertices that are not finite, a grid above 2^27
            points, or nothing is left inside.

    Example:
        >>> grown = ml.geometry.offset(part, 0.5)
        >>> hollow = ml.boolean(part, ml.geometry.offset(part, -2), "difference")
    """
    check_mesh(mesh)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    if not math.isfinite(distance) or (shell and distance <= 0):
        sign = "above 0 with shell" if shell else "finite"
        raise ValueError(f"distance: expected a number, {sign}, got {distance!r}; pass such")
    old = mesh.detach().to("cpu")
    low, high = old.bounds().double()
    near = old.to(torch.float64).with_vertices(old.vertices.double() - low)
    reach = max(distance, 0.0)
    size = float((high - low).max()) + 2 * reach
    step = size / _CELLS if pitch is None else pitch
    if not (0 < step < math.inf):
        raise ValueError(f"pitch: expected a number above 0, got {pitch!r}; pass a cell's side")
    cells = [math.ceil((x + 2 * reach) / step) + 2 * _ROOM for x in (high - low).tolist()]
    if math.prod(float(n + 1) for n in cells) > _MOST:
        raise ValueError(
            f"pitch: {step:g} makes a grid of {' x '.join(f'{n:,}' for n in cells)} cells, above "
            f"{_MOST:,} points; pass a larger one"
        )
    start = [-(reach + _ROOM * step)] * 3
    end = [a + n * step for a, n in zip(start, cells, strict=True)]
    grid = VoxelGrid(cells, bounds=(start, end), dtype=torch.float64)
    tree = MeshBVH(near)
    far = tree.signed_distance(grid.vertices)
    field = far.abs() if shell else far
    if not bool((field < distance).any()):
        raise ValueError(
            f"distance: {distance:g} leaves nothing of the mesh, whose inside is "
            f"{-float(far.min()):.4g} deep at most; pass a smaller one"
        )
    made = marching_cubes(grid, field - distance)
    made = made.with_vertices(_pulled(tree, made.vertices, distance, step, shell))
    if mesh.vertex_attributes or mesh.face_attributes or mesh.corner_attributes:
        made = carry_attributes(near, made)
    return made.with_vertices(made.vertices + low).to(mesh.dtype).to(mesh.device)


def _pulled(tree: MeshBVH, at: Tensor, distance: float, step: float, shell: bool) -> Tensor:
    """Vertices at exactly the distance from their nearest points, where that is near."""
    _, face, weight = tree.closest(at)
    foot = (tree.mesh.triangles[face] * weight[..., None]).sum(1)
    away = at - foot
    length = away.norm(dim=1, keepdim=True)
    goal = foot + away * (abs(distance) / length.clamp(min=1e-300))
    if distance == 0 and not shell:
        goal = foot
    moves = (goal - at).norm(dim=1, keepdim=True) < 0.25 * step
    return torch.where(moves, goal, at)
