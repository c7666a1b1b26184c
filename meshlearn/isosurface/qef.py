"""Dual vertices from a known field: the quadric of the tangent planes at the crossings."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn.isosurface.cells import displaced_vertices
from meshlearn.isosurface.constants import QEF_PULL
from meshlearn.isosurface.flexicubes_parts import FlexiCubesParts, split_faces
from meshlearn.isosurface.grid import VoxelGrid


def field_gradient(
    grid: VoxelGrid, gradient: Tensor | Callable[[Tensor], Tensor]
) -> Callable[[Tensor], Tensor]:
    """A function from points (P, 3) to unit directions (P, 3); zero where the gradient vanishes."""
    if isinstance(gradient, Tensor):
        if tuple(gradient.shape) != (grid.num_vertices, 3):
            raise ValueError(
                f"gradient: expected shape ({grid.num_vertices}, 3), got {tuple(gradient.shape)}; "
                "give one vector a grid vertex, or a function of points"
            )
        volume = gradient.to(dtype=grid.dtype).view(*grid.shape, 3).permute(3, 0, 1, 2)[None]
        low = torch.tensor(grid.bounds[0], dtype=grid.dtype, device=grid.device)
        high = torch.tensor(grid.bounds[1], dtype=grid.dtype, device=grid.device)

        def interpolate(points: Tensor) -> Tensor:
            at = ((points - low) / (high - low) * 2 - 1).flip(1)  # grid_sample: last axis first
            found = torch.nn.functional.grid_sample(
                volume, at[None, :, None, None], align_corners=True, padding_mode="border"
            )
            return found.view(3, -1).T

        evaluate: Callable[[Tensor], Tensor] = interpolate
    else:
        evaluate = gradient

    def unit(points: Tensor) -> Tensor:
        if points.numel() == 0:
            return points
        found = evaluate(points.detach())
        if tuple(found.shape) != tuple(points.shape):
            raise ValueError(
                f"gradient: expected the function to give shape {tuple(points.shape)}, got "
                f"{tuple(found.shape)}"
            )
        return torch.nn.functional.normalize(torch.nan_to_num(found).to(points), dim=1)

    return unit


def qef_mesh(
    grid: VoxelGrid,
    sdf: Tensor,
    deform: Tensor | None,
    parts: FlexiCubesParts,
    gradient: Tensor | Callable[[Tensor], Tensor],
    *,
    weight: float = QEF_PULL,
) -> tuple[Tensor, Tensor]:
    """(F10) Vertices and faces with dual vertices that minimise their quadric.

    Minimises mean (n_e . (v - u_e))^2 + weight * |v - mean u|^2, then clamps v to the box of its
    (displaced) cell, and splits each quad along the diagonal whose triangles agree better with the
    field's directions.
    """
    direction = field_gradient(grid, gradient)
    used = parts.patch >= 0
    owner, u = parts.patch[used], parts.crossing[used]
    vertices = quadric_vertices(grid, deform, parts, owner, u, direction(u), weight=weight)

    quads = parts.quads
    with torch.no_grad():
        score = []
        for diagonal_02 in (True, False):
            choice = torch.full((len(quads),), diagonal_02, device=quads.device)
            triangles = vertices[split_faces(quads, choice)]
            normal = torch.linalg.cross(
                triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0]
            )
            agreement = (
                torch.nn.functional.normalize(normal, dim=1) * direction(triangles.mean(1))
            ).sum(1)
            score.append(agreement.view(-1, 2).amin(1))
        along_02 = score[0] > score[1]
    return vertices, split_faces(quads, along_02)


def quadric_vertices(
    grid: VoxelGrid,
    deform: Tensor | None,
    parts: FlexiCubesParts,
    owner: Tensor,
    u: Tensor,
    n: Tensor,
    *,
    weight: float = QEF_PULL,
) -> Tensor:
    """(F10) (D, 3) the dual vertices of tangent planes at points u (M, 3) with normals n (M, 3).

    Args:
        owner: (M,) dual vertex of each, in the order of `parts.patch` where that is not negative.
    """
    used = parts.patch >= 0
    total = parts.vertices.shape[0]

    def gather(values: Tensor) -> Tensor:  # (M, ...) -> (D, ...), sums over a patch
        zero = values.new_zeros(total, *values.shape[1:])
        return zero.index_put((owner,), values, accumulate=True)

    count = gather(torch.ones_like(u[:, 0]))
    mean = gather(u) / count[:, None]
    offset = u - mean[owner]
    outer = gather(n[:, :, None] * n[:, None, :]) / count[:, None, None]
    moment = gather(n * (n * offset).sum(1, keepdim=True)) / count[:, None]
    identity = torch.eye(3, dtype=u.dtype, device=u.device)
    shift = torch.linalg.solve(outer + weight * identity, moment)

    cell_of = torch.zeros(total, dtype=torch.int64, device=u.device)
    rows = torch.arange(parts.patch.shape[0], device=u.device)[:, None].expand_as(parts.patch)
    cell_of[owner] = rows[used]
    box = displaced_vertices(grid, deform, parts.cells.corners)  # (A, 8, 3)
    low, high = box.amin(1)[cell_of], box.amax(1)[cell_of]
    return torch.minimum(torch.maximum(mean + shift, low), high)
