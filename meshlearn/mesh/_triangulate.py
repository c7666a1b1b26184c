"""Triangulation of polygons: the compiled operator, and its reference."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native


def triangle_offsets(start: Tensor) -> Tensor:
    """(P + 1,) first triangle of each polygon: a polygon of n corners has max(n - 2, 0)."""
    counts = (start.diff() - 2).clamp_min(0)
    return torch.nn.functional.pad(torch.cumsum(counts, 0), (1, 0))


def triangulate(vertices: Tensor, start: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Triangles of polygons: (F, 3) int64 positions in `index`, (F,) int64 polygon of each.

    A triangle is kept as it is; a quadrilateral is cut along the diagonal that lies inside, the
    shorter one where both do; a larger polygon by clipping the best-shaped ear again and again
    (Meisters, Polygons have ears, 1975), seen along the axis it faces most.
    """
    target = triangle_offsets(start)
    total = int(target[-1])
    owner = torch.repeat_interleave(
        torch.arange(start.numel() - 1, device=start.device), target.diff(), output_size=total
    )
    vertices = vertices.detach()
    if use_native(vertices):
        corners = torch.ops.meshlearn.triangulate_polygons(
            vertices.contiguous(), start.contiguous(), index.contiguous(), target, total
        )
    else:
        corners = triangulate_reference(vertices, start, index, target, total)
    return corners, owner


def triangulate_reference(
    vertices: Tensor, start: Tensor, index: Tensor, target: Tensor, total: int
) -> Tensor:
    """Torch reference of `triangulate_polygons` -> (F, 3): large polygons in turn."""
    out = index.new_empty(total, 3)
    sizes = start.diff()
    three = (sizes == 3).nonzero().squeeze(1)
    out[target[three]] = start[three][:, None] + torch.arange(3, device=index.device)
    four = (sizes == 4).nonzero().squeeze(1)
    if four.numel():
        corners = start[four][:, None] + torch.arange(4, device=index.device)
        cut = _cut_quads(vertices[index[corners]].double())
        pattern = torch.tensor([[[0, 1, 2], [0, 2, 3]], [[0, 1, 3], [1, 2, 3]]]).to(index.device)
        pattern = pattern[cut.long()] + corners[:, :1, None]
        out[target[four]], out[target[four] + 1] = pattern[:, 0], pattern[:, 1]
    for i in (sizes > 4).nonzero().squeeze(1).tolist():
        first, end = int(start[i]), int(start[i + 1])
        triangles = _clip_ears(vertices[index[first:end]])
        out[int(target[i]) : int(target[i + 1])] = torch.tensor(triangles).to(out) + first
    return out


def _flatten(points: Tensor) -> Tensor | None:
    """Corners (n, 3) seen along the axis the polygon faces most, (n, 2); None without area."""
    edges = points - points[0]
    normal = points.new_zeros(3)
    for term in _cross(edges[1:-1], edges[2:]):
        normal = normal + term
    x, y, z = normal.abs().tolist()
    if not x + y + z > 0:
        return None
    axis = 0 if x >= y and x >= z else 1 if y >= z else 2
    flat = edges[:, [(axis + 1) % 3, (axis + 2) % 3]]
    return flat.flip(1) if normal[axis] < 0 else flat


def _cut_quads(points: Tensor) -> Tensor:
    """(Q, 4, 3) -> (Q,) bool: cut from corner 1 to 3 instead of 0 to 2."""
    edges = points - points[:, :1]
    normal = _cross(edges[:, 1], edges[:, 2]) + _cross(edges[:, 2], edges[:, 3])
    size = normal.abs()
    axis = torch.where(
        (size[:, 0] >= size[:, 1]) & (size[:, 0] >= size[:, 2]),
        0,
        torch.where(size[:, 1] >= size[:, 2], 1, 2),
    )
    pick = torch.stack([(axis + 1) % 3, (axis + 2) % 3], 1)
    turned = normal.gather(1, axis[:, None]) < 0
    pick = torch.where(turned, pick.flip(1), pick)
    flat = edges.gather(2, pick[:, None].expand(-1, 4, -1))

    def turn(a: int, b: int, c: int) -> Tensor:
        u, v = flat[:, b] - flat[:, a], flat[:, c] - flat[:, a]
        return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]

    ac = (turn(0, 1, 2) > 0) & (turn(0, 2, 3) > 0)
    bd = (turn(0, 1, 3) > 0) & (turn(1, 2, 3) > 0)
    longer = _square(points[:, 2] - points[:, 0]) > _square(points[:, 3] - points[:, 1])
    flat_quad = ~(size.sum(1) > 0)
    return torch.where(ac == bd, longer, bd) & ~flat_quad


def _cross(a: Tensor, b: Tensor) -> Tensor:
    """Cross product of rows, each product rounded as in the kernel (linalg.cross may fuse them)."""
    (ax, ay, az), (bx, by, bz) = a.unbind(1), b.unbind(1)
    return torch.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)


def _square(v: Tensor) -> Tensor:
    return v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2]


def _clip_ears(points: Tensor) -> list[tuple[int, int, int]]:
    count = len(points)
    # Corners are known to some units in the last place of the largest coordinate.
    slack = float(points.abs().max()) * (2.0**-21 if points.dtype == torch.float32 else 2.0**-50)
    plane = _flatten(points.double())
    if plane is None:
        return [(0, i, i + 1) for i in range(1, count - 1)]
    at = [tuple(p) for p in plane.tolist()]

    def turn(a: int, b: int, c: int) -> float:
        p, q, r = at[a], at[b], at[c]
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    def square(a: int, b: int) -> float:
        x, y = at[b][0] - at[a][0], at[b][1] - at[a][1]
        return x * x + y * y

    def ear(k: int) -> float:
        """Shape of the ear, less 2 where a corner is within `slack` of it, -4 where it is none."""
        a, b, c = ring[k - 1], ring[k], ring[(k + 1) % len(ring)]
        area = turn(a, b, c)
        if not area > 0:
            return -4.0
        ab, bc, ca = square(a, b), square(b, c), square(c, a)
        near_ab, near_bc, near_ca = (-slack * math.sqrt(s) for s in (ab, bc, ca))
        doubtful = area <= -(near_ab + near_bc + near_ca)
        for p in ring:
            u, v, w = turn(a, b, p), turn(b, c, p), turn(c, a, p)
            if not (u >= near_ab and v >= near_bc and w >= near_ca):
                continue
            if at[p] in (at[a], at[b], at[c]):
                continue
            if u >= 0 and v >= 0 and w >= 0:
                return -4.0
            doubtful = True
        shape = area / (ab + bc + ca)
        return shape - 2 if doubtful else shape

    ring = list(range(count))
    quality = [ear(k) for k in range(count)]
    triangles = []
    while len(ring) > 3:
        n = len(ring)
        best = max(range(n), key=lambda k: (quality[k], -k))
        if quality[best] < -3:
            turns = [turn(ring[k - 1], ring[k], ring[(k + 1) % n]) for k in range(n)]
            best = max(range(n), key=lambda k: (turns[k], -k))
        triangles.append((ring[best - 1], ring[best], ring[(best + 1) % n]))
        del ring[best], quality[best]
        for k in ((best - 1) % (n - 1), best % (n - 1)):
            quality[k] = ear(k)
    triangles.append((ring[-1], ring[0], ring[1]))
    return triangles


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::triangulate_polygons")
    def _(vertices: Tensor, start: Tensor, index: Tensor, target: Tensor, triangles: int) -> Tensor:
        return index.new_empty(triangles, 3)
