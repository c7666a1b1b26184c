"""Parts by shared convexes: labels carried from a few shapes to all others."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._validate import check_index, check_tensor
from meshlearn.representations.bspnet.model import BSPNet


@torch.no_grad()
def nearest_convex(
    model: BSPNet, code: Tensor, points: Tensor, *, among: Tensor | None = None
) -> Tensor:
    """(B, N) int64: the convex that holds each of points (B, N, 3), or the nearest to it.

    Args:
        code: (B, code) of the shapes.
        among: (C,) bool, convexes to choose from; default: those with an entry in T.
    """
    known = model.connected().any(1) if among is None else among
    if not bool(known.any()):
        raise ValueError("among: expected one convex or more to choose from, got none")
    h2 = model.distances(points, code, hard=True)
    return torch.where(known, h2, torch.inf).argmin(2)


@torch.no_grad()
def vote_labels(model: BSPNet, code: Tensor, points: Tensor, labels: Tensor, parts: int) -> Tensor:
    """(C,) int64: label of each convex by the majority of labelled points; -1 where none is near.

    Args:
        code: (B, code) of the labelled shapes; a few are enough.
        points: (B, N, 3) on their surfaces.
        labels: (B, N) int64, 0 to parts - 1.

    Example:
        >>> of_convex = vote_labels(model, code[:4], points[:4], labels[:4], parts=4)
        >>> found = transfer_labels(model, code[4:], points[4:], of_convex)
    """
    check_tensor(labels, "labels", shape=tuple(points.shape[:2]), dtype=torch.int64)
    check_index(labels, "labels", parts, of="parts")
    convex = nearest_convex(model, code, points)
    count = model.connection.shape[1]
    votes = torch.bincount((convex * parts + labels).reshape(-1), minlength=count * parts)
    votes = votes.view(count, parts)
    return torch.where(votes.sum(1) > 0, votes.argmax(1), -1)


@torch.no_grad()
def transfer_labels(model: BSPNet, code: Tensor, points: Tensor, of_convex: Tensor) -> Tensor:
    """(B, N) int64: labels of points (B, N, 3) of other shapes, by the convexes they belong to.

    Points of a convex without a label take that of the nearest one that has.
    """
    check_tensor(of_convex, "of_convex", shape=(model.connection.shape[1],), dtype=torch.int64)
    return of_convex[nearest_convex(model, code, points, among=of_convex >= 0)]


def part_iou(found: Tensor, labels: Tensor, parts: int) -> list[float | None]:
    """IoU of each part over all points; None for a part that neither has."""
    out: list[float | None] = []
    for part in range(parts):
        a, b = found == part, labels == part
        either = int((a | b).sum())
        out.append(int((a & b).sum()) / either if either else None)
    return out
