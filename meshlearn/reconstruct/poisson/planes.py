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
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn.geometry.neighbours import along_curve
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
    count = min(neighbours, len(tree.points))
    own = (places, directions, tree.points, normals)
    native = use_native(places) and count <= _MOST and not any(t.requires_grad for t in own)
    order = along_curve(places) if native else torch.arange(len(places), device=places.device)
    reach = 2 * (settings.PLANE_ACROSS * noise + spacing) ** 2
    rules = [turn, reach, settings.PLANE_SLACK * noise, spacing, *(float(h) for h in widths)]
    offsets, turned = torch.empty_like(places[:, 0]), torch.empty_like(directions)
    used = torch.empty_like(offsets)
    for rows in order.split(max(256, settings.PLANE_PAIRS // count)):
        x, n = places[rows], directions[rows]
        index = tree.around(x, count)
        found = plane_offsets if native else plane_offsets_reference
        offsets[rows], turned[rows], used[rows] = found(x, n, tree.points, normals, index, rules)
    return offsets, turned, used


_MOST = 256  # neighbours that the operator takes, see csrc/kernels/planes.h


def plane_offsets(
    x: Tensor, n: Tensor, points: Tensor, normals: Tensor, index: Tensor, rules: list[float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Offsets, normals and widths of places by the points near them; no gradients.

    Args:
        x, n: (Q, 3) places, and a first guess of the normals there.
        points, normals: (P, 3).
        index: (Q, K) int64 points near each place, in any order, K at most 256.
        rules: difference of normals and square of the distance across at which weights fall; the
            doubt of one point; the spacing; then 1 to 8 widths in spacings, ascending.
    """
    own = [t.contiguous() for t in (x, n, points, normals, index)]
    return torch.ops.meshlearn.plane_offsets(*own, rules)


def plane_offsets_reference(
    x: Tensor, n: Tensor, points: Tensor, normals: Tensor, index: Tensor, rules: list[float]
) -> tuple[Tensor, Tensor, Tensor]:
    """Torch reference of `plane_offsets`; its equations are listed in csrc/kernels/planes.h."""
    turn, reach, doubt, spacing, *widths = rules
    step, other = x[:, None] - points[index], normals[index]
    squared = (step**2).sum(2)
    n = _own_normal(n, squared, step, other, widths[0] * spacing, turn)  # (E1)
    across = (step * n[:, None]).sum(2)
    along = (squared - across**2).clamp(min=0)
    fixed = -((other - n[:, None]) ** 2).sum(2) / (2 * turn**2) - across**2 / reach
    low = high = best = width = None
    normal, agrees = n, torch.ones(len(x), dtype=torch.bool, device=x.device)
    for h in widths:
        weight = torch.exp(fixed - along / (2 * (h * spacing) ** 2))  # (E2)
        total = weight.sum(1).clamp(min=1e-12)
        mean = normalize((weight[..., None] * other).sum(1) + 1e-9 * n, dim=1)
        planes = ((other + mean[:, None]) * step).sum(2)
        # along `mean`, as a step along it is taken
        offset = (weight * planes).sum(1) / (2 * total)  # (E3)
        slack = doubt * weight.norm(dim=1) / total
        if best is None or low is None or high is None or width is None:
            best, normal, low, high = offset, mean, offset - slack, offset + slack
            width = torch.full_like(offset, h)
            continue
        low, high = torch.maximum(low, offset - slack), torch.minimum(high, offset + slack)
        agrees = agrees & (low <= high)  # (E4)
        best = torch.where(agrees, offset, best)
        width = torch.where(agrees, h, width)
        normal = torch.where(agrees[:, None], mean, normal)
    assert best is not None and width is not None
    return best, normal, width


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


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::plane_offsets")
    def _(places, directions, points, normals, index, rules):
        n = places.shape[0]
        return places.new_empty(n), places.new_empty(n, 3), places.new_empty(n)
