"""Surfaces between oriented points, from the tangent planes of those near a place.

The offset of a place x with normal n from the surface near it is the mean, over points p_i with
normals n_i, of (n + n_i) / 2 . (x - p_i), weighted by w_i: the mean of both normals makes it exact
on spheres, where n_i alone is off by half the curvature times the squared distance. Weights fall
with the distance along the surface (width h), with that across it, and with the difference of the
normals, so that planes beyond an edge, or of another sheet, do not count.

Sources: Oztireli, Guennebaud and Gross, "Feature Preserving Point Set Surfaces based on Non-Linear
Kernel Regression" (2009) for weights by normals; Rusinkiewicz, "A symmetric objective function for
ICP" (2019) for the mean of both normals; Lepski's rule (Goldenshluger and Nemirovski 1997) for the
widest h whose estimate does not contradict a narrower one's.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import normalize

from meshlearn import geometry
from meshlearn.reconstruct import settings


def local_offsets(
    places: Tensor,
    directions: Tensor,
    tree: geometry.PointTree,
    normals: Tensor,
    *,
    widths: Sequence[float],
    noise: float,
    spacing: float,
    turn: float = settings.PLANE_TURN,
    neighbours: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Signed offset of places from the surface near them, its normal there, and the width used.

    Args:
        places: (Q, 3).
        directions: (Q, 3) unit, a first guess of the normal.
        tree: of the points (P, 3).
        normals: (P, 3) unit.
        widths: candidates of h in spacings, ascending; with more than one, each place takes the
            widest whose offset lies within what noise explains of all narrower ones.
        noise, spacing: of the points.
        turn: difference of normals (length of n - n_i) at which a weight falls to exp(-1/2).
        neighbours: points that are looked at.

    Returns:
        (Q,), (Q, 3) and (Q,) of the dtype of the places.
    """
    offsets, turned, used = [], [], []
    count = min(neighbours, len(tree.points))
    size = max(256, settings.PLANE_PAIRS // count)
    reach = 2 * (settings.PLANE_ACROSS * noise + spacing) ** 2
    for x, n in zip(places.split(size), directions.split(size), strict=True):
        squared, index = tree.knn(x, count)
        step, other = x[:, None] - tree.points[index], normals[index]
        n = _own_normal(n, squared, step, other, min(widths) * spacing, turn)
        across = (step * n[:, None]).sum(2)
        along = (squared - across**2).clamp(min=0)
        fixed = -((other - n[:, None]) ** 2).sum(2) / (2 * turn**2) - across**2 / reach
        low = high = best = width = None
        normal, agrees = n, torch.ones(len(x), dtype=torch.bool, device=x.device)
        for h in widths:
            weight = torch.exp(fixed - along / (2 * (h * spacing) ** 2))
            total = weight.sum(1).clamp(min=1e-12)
            mean = normalize((weight[..., None] * other).sum(1) + 1e-9 * n, dim=1)
            planes = ((other + mean[:, None]) * step).sum(2)
            # along `mean`, as a step along it is taken
            offset = (weight * planes).sum(1) / (2 * total)
            slack = settings.PLANE_SLACK * noise * weight.norm(dim=1) / total
            if best is None or low is None or high is None or width is None:
                best, normal, low, high = offset, mean, offset - slack, offset + slack
                width = torch.full_like(offset, h)
                continue
            low, high = torch.maximum(low, offset - slack), torch.minimum(high, offset + slack)
            agrees = agrees & (low <= high)
            best = torch.where(agrees, offset, best)
            width = torch.where(agrees, h, width)
            normal = torch.where(agrees[:, None], mean, normal)
        offsets.append(best)
        turned.append(normal)
        used.append(width)
    if not offsets:
        return places[:, 0], directions, places[:, 0]
    return torch.cat(offsets), torch.cat(turned), torch.cat(used)  # type: ignore[arg-type]


def _own_normal(
    guess: Tensor, squared: Tensor, step: Tensor, other: Tensor, width: float, turn: float
) -> Tensor:
    """The guess turned to the mean of near normals that agree with it."""
    for wide in (2 * turn, turn):
        across = (step * guess[:, None]).sum(2)
        along = (squared - across**2).clamp(min=0)
        apart = ((other - guess[:, None]) ** 2).sum(2)
        weight = torch.exp(-along / (2 * width**2) - apart / (2 * wide**2))
        guess = normalize((weight[..., None] * other).sum(1) + 1e-9 * guess, dim=1)
    return guess


def smoothed_points(
    points: Tensor, normals: Tensor, *, noise: float, spacing: float, narrow: bool = False
) -> tuple[Tensor, Tensor, Tensor]:
    """Points moved onto the surface between them, by means as wide as their noise allows.

    Args:
        points, normals: (P, 3), unit.
        noise, spacing: of the points.
        narrow: by the least means only, to see which points are off their neighbours' surface.

    Returns:
        (P, 3) points, (P, 3) unit normals there, and (P,) how far each was moved, signed.
    """
    ratio = noise / max(spacing, 1e-300)
    least = min(max(settings.WIDTH_NOISE * ratio, settings.WIDTHS[0]), settings.WIDTHS[1])
    widths = [least * (settings.WIDTHS[2] / least) ** (k / 4) for k in range(5)]
    widths = [w for w in widths if w <= settings.WIDTH_OF_NOISE * max(ratio, 0.2)] or widths[:1]
    if narrow:
        widths = widths[:1]
    offset, turned, _ = local_offsets(
        points,
        normals,
        geometry.PointTree(points),
        normals,
        widths=widths,
        noise=noise,
        spacing=spacing,
        turn=settings.PLANE_TURN,
        neighbours=int(min(settings.WIDTH_POINTS, settings.WIDTH_SHARE * widths[-1] ** 2 + 12)),
    )
    return points - offset[:, None] * turned, turned, offset
