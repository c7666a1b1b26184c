"""Faces that cut other faces of the same mesh, decided exactly."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh


def self_intersections(mesh: Mesh) -> Tensor:
    """For each face, one that it intersects.

    Two faces intersect where they share a point beyond a common vertex or edge: they cut through,
    touch, lie on top of each other, or are folded flat onto their neighbour. Vertices at the same
    position count as common, so unmerged triangles are read as the surface they show. The tests are
    exact (signs of determinants in expansion arithmetic), so no tolerance decides. Faces without
    area and faces with a coordinate that is not finite take part in nothing.

    Returns:
        (F,) int64: the index of a face that it intersects, -1 where there is none.

    Example:
        >>> percent = 100 * (ml.metrics.self_intersections(mesh) >= 0).double().mean()
    """
    return crossing(mesh.vertices, mesh.faces)


def morton_order(vertices: Tensor, faces: Tensor) -> Tensor:
    """(F,) faces in the order of the Morton code of their centroids (21 bits an axis)."""
    if faces.shape[0] == 0:
        return faces.new_empty(0)
    centre = vertices.double()[faces].mean(1)
    finite = torch.isfinite(centre).all(1)
    centre = torch.where(finite[:, None], centre, 0.0)
    low = centre.amin(0)
    extent = float((centre.amax(0) - low).max()) or 1.0
    code = ((centre - low) * ((2**21 - 1) / extent)).long()
    for shift, mask in (
        (32, 0x1F00000000FFFF),
        (16, 0x1F0000FF0000FF),
        (8, 0x100F00F00F00F00F),
        (4, 0x10C30C30C30C30C3),
        (2, 0x1249249249249249),
    ):
        code = (code | (code << shift)) & mask
    return torch.argsort(code[:, 0] | (code[:, 1] << 1) | (code[:, 2] << 2), stable=True)


def self_intersections_reference(vertices: Tensor, faces: Tensor, order: Tensor) -> Tensor:
    """Reference of the operator: pairs of overlapping boxes, then signs by rational numbers.

    Which partner is named differs from the operator where there are several; whether there is one
    does not.
    """
    partner = torch.full((faces.shape[0],), -1, dtype=torch.int64)
    corner = vertices.detach().cpu().double()[faces.cpu()]
    for f, g in overlapping(corner).tolist():
        if partner[f] >= 0 and partner[g] >= 0:
            continue
        if _intersect(corner[f].tolist(), corner[g].tolist()):
            partner[f] = g if partner[f] < 0 else partner[f]
            partner[g] = f if partner[g] < 0 else partner[g]
    return partner.to(faces.device)


def crossing(
    vertices: Tensor, faces: Tensor, query: Tensor | None = None, *, order: Tensor | None = None
) -> Tensor:
    """As `self_intersections`, of the faces `query` (Q,) int64 alone where they are given: (Q,).

    `order`: (F,) that of `morton_order`, also of vertices that have moved a little since.
    """
    vertices, faces = vertices.detach().contiguous(), faces.contiguous()
    order = morton_order(vertices, faces) if order is None else order
    if use_native(vertices):
        return torch.ops.meshlearn.self_intersections(vertices, faces, order, query)
    found = self_intersections_reference(vertices, faces, order)
    return found if query is None else found[query]


def overlapping(corner: Tensor) -> Tensor:
    """(P, 2) pairs f < g of faces whose boxes meet."""
    low, high = corner.amin(1), corner.amax(1)
    usable = torch.isfinite(corner).all(2).all(1)
    by_x = torch.argsort(low[:, 0], stable=True)
    by_x = by_x[usable[by_x]]
    low, high = low[by_x], high[by_x]
    end = torch.searchsorted(low[:, 0].contiguous(), high[:, 0].contiguous(), right=True)
    pairs = []
    for i in range(by_x.numel()):
        j = torch.arange(i + 1, int(end[i]))
        meet = ((low[i] <= high[j]) & (low[j] <= high[i])).all(1)
        pairs.append(torch.stack((by_x[i].expand(int(meet.sum())), by_x[j[meet]]), 1))
    found = torch.cat(pairs) if pairs else torch.empty(0, 2, dtype=torch.int64)
    return found.sort(1).values


def _orient(rows: list[list[float]]) -> int:
    """Sign of the determinant of the differences of the rows to the last one."""
    exact = [[Fraction(v) for v in row] for row in rows]
    last = exact.pop()
    m = [[v - w for v, w in zip(row, last, strict=True)] for row in exact]
    if len(m) == 2:
        value = m[0][0] * m[1][1] - m[0][1] * m[1][0]
    else:
        value = (
            m[0][0] * (m[1][1] * m[2][2] - m[1][2] * m[2][1])
            + m[0][1] * (m[1][2] * m[2][0] - m[1][0] * m[2][2])
            + m[0][2] * (m[1][0] * m[2][1] - m[1][1] * m[2][0])
        )
    return (value > 0) - (value < 0)


def _flat(p: list[float], axis: int) -> list[float]:
    return [p[(axis + 1) % 3], p[(axis + 2) % 3]]


def _axis(t: list[list[float]]) -> int:
    found = [k for k in range(3) if _orient([_flat(p, k) for p in t])]
    return found[0] if found else -1


def _alike(signs: list[int]) -> bool:
    return min(signs) >= 0 or max(signs) <= 0


def _intersect(a: list[list[float]], b: list[list[float]]) -> bool:
    if _axis(a) < 0 or _axis(b) < 0:
        return False
    common = [p for p in a if p in b]
    if len(common) == 3:
        return True
    if len(common) == 2:
        (p,), (q,) = ([x for x in t if x not in common] for t in (a, b))
        if _orient([*common, p, q]):
            return False
        k = _axis(a)
        edge = [_flat(x, k) for x in common]
        return _orient([*edge, _flat(p, k)]) == _orient([*edge, _flat(q, k)])
    if len(common) == 1:
        edges = [([x for x in a if x not in common], b), ([x for x in b if x not in common], a)]
    else:
        edges = [([t[k], t[(k + 1) % 3]], o) for t, o in ((a, b), (b, a)) for k in range(3)]
    return any(_segment_meets(p, q, t) for (p, q), t in edges)


def _segment_meets(p: list[float], q: list[float], t: list[list[float]]) -> bool:
    sides = [_orient([*t, p]), _orient([*t, q])]
    rounds = [(t[k], t[(k + 1) % 3]) for k in range(3)]
    if sides[0] * sides[1] > 0:
        return False
    if any(sides):
        return _alike([_orient([p, q, u, v]) for u, v in rounds])
    k = _axis(t)
    p, q = _flat(p, k), _flat(q, k)
    rounds = [(_flat(u, k), _flat(v, k)) for u, v in rounds]
    if any(_alike([_orient([u, v, x]) for u, v in rounds]) for x in (p, q)):
        return True
    for u, v in rounds:
        s = [_orient([u, v, p]), _orient([u, v, q]), _orient([p, q, u]), _orient([p, q, v])]
        if not any(s):
            if all(
                min(p[d], q[d]) <= max(u[d], v[d]) and min(u[d], v[d]) <= max(p[d], q[d])
                for d in (0, 1)
            ):
                return True
        elif s[0] * s[1] <= 0 and s[2] * s[3] <= 0:
            return True
    return False


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::self_intersections")
    def _(vertices: Tensor, faces: Tensor, order: Tensor, query: Tensor | None = None) -> Tensor:
        return torch.empty_like(order if query is None else query)
