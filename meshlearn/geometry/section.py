"""Sections: where a plane meets a mesh or a line of points."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._validate import TensorLike, as_tensor
from meshlearn.geometry._space import check_points
from meshlearn.mesh import Mesh

_SIDES = ((0, 1), (1, 2), (2, 0))


def plane_section(mesh: Mesh, origin: TensorLike, normal: TensorLike) -> Tensor:
    """Segments (S, 2, 3) in which a plane meets the faces of a mesh, one a face that it crosses.

    A vertex on the plane counts as above it, so a closed mesh gives closed lines; a face in the
    plane gives none. Differentiable in the vertices.

    Args:
        mesh: any mesh.
        origin, normal: a point of the plane and its normal of any length, (3,) each.

    Raises:
        ValueError: `mesh` is no Mesh, a shape is wrong, or the normal is zero.

    Example:
        >>> ring = plane_section(ml.data.shapes.icosphere(3), torch.zeros(3), torch.eye(3)[2])
        >>> (ring[:, 1] - ring[:, 0]).norm(dim=1).sum()      # near 2 π
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    side = _heights(mesh.vertices, origin, normal)
    corner, height = mesh.vertices[mesh.faces], side[mesh.faces]  # (F, 3, 3), (F, 3)
    ends, hits = [], []
    for a, b in _SIDES:
        hit, end = _crossings(corner[:, a], corner[:, b], height[:, a], height[:, b])
        ends.append(end)
        hits.append(hit)
    found = []
    for p, q in _SIDES:
        both = hits[p] & hits[q]
        found.append(torch.stack([ends[p][both], ends[q][both]], 1))
    return torch.cat(found)


def polyline_section(points: TensorLike, origin: TensorLike, normal: TensorLike) -> Tensor:
    """Points (P, 3) where a plane meets the line through points (K, 3), in the line's order.

    Args:
        points: of an open line; repeat the first one at the end to close it.
        origin, normal: as in `plane_section`.

    Raises:
        ValueError: a shape is wrong, or the normal is zero.

    Example:
        >>> line = torch.tensor([[0.0, 0, -1], [0, 0, 3]])
        >>> polyline_section(line, torch.zeros(3), torch.eye(3)[2])
        tensor([[0., 0., 0.]])
    """
    points = check_points(points, "points") if not isinstance(points, Tensor) else points
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (K, 3), got {tuple(points.shape)}")
    side = _heights(points, origin, normal)
    hit, end = _crossings(points[:-1], points[1:], side[:-1], side[1:])
    return end[hit]


def _heights(points: Tensor, origin: TensorLike, normal: TensorLike) -> Tensor:
    """Heights (K,) of points over the plane, in lengths of the normal."""
    origin, normal = as_tensor(origin, "origin"), as_tensor(normal, "normal")
    for name, value in (("origin", origin), ("normal", normal)):
        if value.shape != (3,):
            raise ValueError(f"{name}: expected (3,), got {tuple(value.shape)}")
    if not bool((normal != 0).any()):
        raise ValueError("normal: expected a direction, got zeros")
    return (points - origin.to(points)) @ normal.to(points)


def _crossings(a: Tensor, b: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Which segments from a to b (N, 3), of heights low and high, cross, (N,), and where (N, 3)."""
    hit = (low < 0) != (high < 0)
    share = torch.where(hit, low, 0.0) / torch.where(hit, low - high, 1.0)
    return hit, a + share[:, None] * (b - a)
