"""Which points lie in which convexes, and which convexes lie in which."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_tensor
from meshlearn.convex.constants import INNER_TOLERANCE
from meshlearn.convex.halfspaces import Convexes

_CHUNK = 1 << 22  # pairs of points and planes looked at together


def face_planes(convexes: Convexes) -> Tensor:
    """(F, 4) unit planes of the faces, from their corners: inside where ax + by + cz + d <= 0."""
    x = convexes.vertices.detach().double()
    faces, face = convexes._fans
    count = convexes.face_plane.numel()
    a, b, c = x[faces].unbind(1)
    area = torch.linalg.cross(b - a, c - a, dim=1)
    normal = x.new_zeros(count, 3).index_add_(0, face, area)
    normal = torch.nn.functional.normalize(normal, dim=1, eps=1e-300)
    owner = torch.repeat_interleave(torch.arange(count, device=x.device), convexes.start.diff())
    height = (normal[owner] * x[convexes.index]).sum(1)
    top = torch.full((count,), -torch.inf, dtype=x.dtype, device=x.device)
    top = top.scatter_reduce_(0, owner, height, "amax")
    return torch.cat([normal, -top[:, None]], 1)


def contains(convexes: Convexes, points: Tensor, *, margin: float = 0.0) -> Tensor:
    """(N, C) bool: whether each point (N, 3) lies in each convex, its surface included.

    Args:
        margin: how far beyond a face a point may lie, in the unit of the points; negative: how far
            behind it must.

    Example:
        >>> contains(convexes, torch.zeros(1, 3)).sum()  # how many convexes hold the origin
    """
    check_tensor(points, "points", shape=("N", 3), dtype=FLOATS, device=convexes.vertices.device)
    count = len(convexes)
    planes, which = face_planes(convexes), convexes.face_convex
    out = torch.zeros(points.shape[0], count, dtype=torch.bool, device=points.device)
    if not planes.numel():
        return out
    for first in range(0, points.shape[0], max(1, _CHUNK // len(planes))):
        rows = slice(first, first + max(1, _CHUNK // len(planes)))
        value = points[rows].detach().double() @ planes[:, :3].T + planes[:, 3]
        most = torch.full((len(value), count), torch.inf, dtype=value.dtype, device=value.device)
        most.scatter_reduce_(1, which.expand(len(value), -1), value, "amax", include_self=False)
        out[rows] = most <= margin
    return out


def inner_convexes(convexes: Convexes, *, tolerance: float | None = None) -> Tensor:
    """(C,) bool: convexes that lie wholly in a single other one; of equal ones, all but the first.

    They add nothing to a union. Those that only several others cover together are not found here,
    see `union_convexes`.

    Args:
        tolerance: how far a vertex may stand out; default: 1e-6 of the largest coordinate.
    """
    count = len(convexes)
    if tolerance is None:
        most = float(convexes.vertices.detach().abs().amax()) if len(convexes.vertices) else 1.0
        tolerance = INNER_TOLERANCE * most
    inside = contains(convexes, convexes.vertices.detach(), margin=tolerance)  # (V, C)
    sizes = convexes.vertex_start.diff()
    which = torch.repeat_interleave(torch.arange(count, device=sizes.device), sizes)
    held = inside.new_zeros(count, count, dtype=torch.int64)
    held.index_add_(0, which, inside.long())
    within = (held == sizes[:, None]) & (sizes > 0)[:, None] & ~convexes.empty[None]
    within.fill_diagonal_(False)
    order = torch.arange(count, device=sizes.device)
    twins = within & within.T
    return (within & (~twins | (order[None] < order[:, None]))).any(1)


def select(convexes: Convexes, keep: Tensor) -> Convexes:
    """The same number of convexes, those not in `keep` (C,) bool empty: indices stay."""
    check_tensor(keep, "keep", shape=(len(convexes),), dtype=torch.bool)
    vertex_size, face_size = convexes.vertex_start.diff(), convexes.face_start.diff()
    vertex = torch.repeat_interleave(keep, vertex_size)
    face = keep[convexes.face_convex]
    corner = torch.repeat_interleave(face, convexes.start.diff())

    def starts(sizes: Tensor) -> Tensor:
        return torch.nn.functional.pad(torch.cumsum(sizes, 0), (1, 0))

    rank = torch.cumsum(vertex, 0) - 1
    return replace(
        convexes,
        vertices=convexes.vertices[vertex],
        vertex_planes=convexes.vertex_planes[vertex],
        start=starts(convexes.start.diff()[face]),
        index=rank[convexes.index[corner]],
        face_plane=convexes.face_plane[face],
        vertex_start=starts(vertex_size * keep),
        face_start=starts(face_size * keep),
    )
