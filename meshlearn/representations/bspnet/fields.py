"""From planes to a field: distances beyond planes, convexes, their union; losses of all phases.

Written for points (B, N, 3), planes (B, P, K), connection T (P, C) and weights W (C,). A point is
in convex j where h2_j = 0, h2 = max(D, 0) T, D = monomials(x) . planes, positive outside. Numbers
of equations are those of `constants`.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from meshlearn._segment import Incidence, gather
from meshlearn.representations.bspnet.constants import CHUNK, FEW_ENTRIES, INSIDE


def monomials(points: Tensor, primitives: str = "planes") -> Tensor:
    """What a primitive is linear in: (x, y, z, 1), and before it the six products for quadrics."""
    ones = torch.ones_like(points[..., :1])
    if primitives == "planes":
        return torch.cat([points, ones], -1)
    x, y, z = points.split(1, -1)
    return torch.cat([x * x, y * y, z * z, x * y, y * z, z * x, points, ones], -1)


class _ConvexDistances(torch.autograd.Function):
    """(1) and (2), max(X Pᵀ, 0) T, by slices of the points: D is never whole in memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, planes: Tensor, connection: Tensor) -> Tensor:
        ctx.save_for_backward(x, planes, connection)
        out = x.new_empty(*x.shape[:2], connection.shape[1])
        for b, rows in _slices(x, planes):
            torch.matmul((x[b, rows] @ planes[b].T).clamp_(min=0), connection, out=out[b, rows])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, Tensor | None]:
        x, planes, connection = ctx.saved_tensors
        wants_x, _, wants_t = ctx.needs_input_grad
        grad_x = torch.zeros_like(x) if wants_x else None
        grad_planes = torch.zeros_like(planes)
        grad_t = torch.zeros_like(connection) if wants_t else None
        for b, rows in _slices(x, planes):
            part = x[b, rows]
            beyond = (part @ planes[b].T).clamp_(min=0)
            if grad_t is not None:
                grad_t.addmm_(beyond.T, grad[b, rows])
            back = _where_positive(grad[b, rows] @ connection.T, beyond)
            grad_planes[b].addmm_(back.T, part)
            if grad_x is not None:
                grad_x[b, rows] = back @ planes[b]
        return grad_x, grad_planes, grad_t


class _FewDistances(torch.autograd.Function):
    """(1) and (2) as sums of max(X Rᵀ, 0) over the rows of each convex.

    R (B, m C, K) has the rows of the convexes in turn.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, table: Tensor, convexes: int) -> Tensor:
        ctx.save_for_backward(x, table)
        ctx.convexes = convexes
        out = x.new_empty(*x.shape[:2], convexes)
        for b, rows in _slices(x, table):
            beyond = (x[b, rows] @ table[b].T).clamp_(min=0)
            torch.sum(beyond.view(len(beyond), -1, convexes), 1, out=out[b, rows])
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor, None]:
        x, table = ctx.saved_tensors
        grad_x = torch.zeros_like(x) if ctx.needs_input_grad[0] else None
        grad_table = torch.zeros_like(table)
        for b, rows in _slices(x, table):
            part = x[b, rows]
            beyond = (part @ table[b].T).view(len(part), -1, ctx.convexes)
            back = _where_positive(grad[b, rows, None].expand_as(beyond), beyond).flatten(1)
            grad_table[b].addmm_(back.T, part)
            if grad_x is not None:
                grad_x[b, rows] = back @ table[b]
        return grad_x, grad_table, None


def _where_positive(grad: Tensor, values: Tensor) -> Tensor:
    """grad where values > 0, else 0, in one pass."""
    return torch.ops.aten.threshold_backward(grad, values, 0)


def _slices(x: Tensor, planes: Tensor) -> list[tuple[int, slice]]:
    rows = max(1, CHUNK // max(1, planes.shape[1]))
    count = x.shape[1]
    return [
        (b, slice(k, min(k + rows, count)))
        for b in range(x.shape[0])
        for k in range(0, count, rows)
    ]


def convex_distances(
    points: Tensor, planes: Tensor, connection: Tensor, primitives: str = "planes"
) -> Tensor:
    """h2 (B, N, C), (2): sums of the distances beyond the planes of each convex, 0 inside.

    Where T takes no gradient and has few entries, as in the phases in which it is of 0 and 1, only
    those are gone through. Computed in the planes' precision whatever autocast says: distances near
    0 decide.
    """
    with torch.autocast(points.device.type, enabled=False):
        dtype = torch.float64 if planes.dtype == torch.float64 else torch.float32
        x = monomials(points.to(dtype), primitives)
        planes, connection = planes.to(dtype), connection.to(dtype)
        if not (connection.requires_grad and torch.is_grad_enabled()):
            table = _few_rows(planes, connection.detach())
            if table is not None:
                return _FewDistances.apply(x, table, connection.shape[1])
        return _ConvexDistances.apply(x, planes, connection)


def _few_rows(planes: Tensor, connection: Tensor) -> Tensor | None:
    """(B, m C, K): the planes of each convex times their entries of T, padded by 0; convex j has
    rows j, C + j, … None where T has many entries or negative ones."""
    count, convexes = connection.shape
    convex, plane = torch.nonzero(connection.T, as_tuple=True)
    sizes = torch.bincount(convex, minlength=convexes)
    most = int(sizes.max())
    entries = connection[plane, convex]
    if not 0 < most * convexes <= FEW_ENTRIES * count or bool((entries < 0).any()):
        return None
    turn = torch.arange(len(convex), device=convex.device) - (sizes.cumsum(0) - sizes)[convex]
    at = turn * convexes + convex
    index, factor = plane.new_zeros(most * convexes), entries.new_zeros(most * convexes)
    index[at], factor[at] = plane, entries
    flat = planes.transpose(0, 1).reshape(count, -1)
    rows = gather(flat, Incidence(index, count)) * factor[:, None]
    return rows.view(len(rows), *planes.shape[::2]).transpose(0, 1).contiguous()


def hard_connection(connection: Tensor) -> Tensor:
    """T of 0 and 1, without gradient: entries above 0.01 connect."""
    return (connection.detach() > INSIDE).to(connection.dtype)


def soft_union(h2: Tensor, weights: Tensor) -> Tensor:
    """S+ (B, N) in [0, 1], 1 inside: (3).

    Both clamps have a gradient where they would have none and nothing could be learned from then
    on: the outer one is passed through, which under a squared error leads back into its range
    only; a point that no convex reaches draws the nearest one.
    """
    total = (1 - h2).clamp(0, 1) @ weights
    least = h2.amin(-1)
    total = total + torch.where(least >= 1, least.detach() - least, 0)  # 0, but for the gradient
    return total + (total.clamp(0, 1) - total).detach()


def hard_union(h2: Tensor) -> Tensor:
    """S* (B, N), 0 inside (below 0.01), growing outside: (4)."""
    return h2.amin(-1)


def overlap_loss(h2: Tensor, inside: Tensor) -> Tensor:
    """(9): minus the mean of h2 over samples of the shape in two convexes or more, in those.

    It draws the convexes that share a place apart.
    """
    within = (h2.detach() < INSIDE).to(h2.dtype)
    shared = (within.sum(-1, keepdim=True) > 1).to(h2.dtype)
    return -(h2 * within * shared * inside[..., None]).mean()


def phase_losses(
    h2: Tensor, inside: Tensor, connection: Tensor, weights: Tensor, phase: int
) -> dict[str, Tensor]:
    """The terms of one of the five phases; their sum is what the paper minimises.

    Args:
        h2: (B, N, C), of the connection that the phase uses: T itself in phases 0, 3 and 4,
            `hard_connection` in 1 and 2.
        inside: (B, N), 1 inside the shape, 0 outside.
        connection: T (P, C).
        weights: W (C,).
        phase: 0 continuous; 1 hard T; 2 hard T with overlap; 3 soft T; 4 soft T with overlap.

    Returns:
        ``occupancy``; ``connection`` (phases 0, 3 and 4), ``weights`` (0), ``overlap`` (2 and 4).

    Source: Chen, Tagliasacchi, Zhang, "BSP-Net" (CVPR 2020).
    """
    if phase not in range(5):
        raise ValueError(f"phase: expected 0 to 4, got {phase}")
    inside = inside.to(h2.dtype)
    terms: dict[str, Tensor] = {}
    if phase == 0:
        terms["occupancy"] = (inside - soft_union(h2, weights)).square().mean()  # (5)
        terms["weights"] = (weights - 1).abs().sum()  # (7)
        excess = (connection - 1).clamp(min=0) - connection.clamp(max=0)
        terms["connection"] = excess.sum()  # (6)
        return terms
    union = hard_union(h2)
    missing, surplus = inside * union.clamp(min=0), (1 - inside) * (1 - union.clamp(max=1))
    terms["occupancy"] = (missing + surplus).mean()  # (8)
    if phase >= 3:  # (10)
        low = connection.detach() < INSIDE
        terms["connection"] = torch.where(low, connection.abs(), (connection - 1).abs()).sum()
    if phase in (2, 4):
        terms["overlap"] = overlap_loss(h2, inside)
    return terms
