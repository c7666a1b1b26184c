"""A shape covered by few convexes whose planes are its own: where the direct fit of BSP-Net starts.

Planes are taken from the surface; each convex grows from a seed by the planes that cut the most
outside off for the least inside; convexes are taken until what is uncovered is not worth one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

_MOST_FALSE = 0.2  # of what a convex newly holds
_EASE = 5e-3  # share of the shape that a cut may take without mattering
_SLACK = 1e-4  # a sample this far beyond a plane is cut off, in the unit of the points


@dataclass(frozen=True)
class Cover:
    """Planes of a shape, and convexes of them.

    Attributes:
        planes: (P, 4) unit planes, inside where ax + by + cz + d <= 0.
        connection: (P, C) bool, which planes bound which convex.
        iou: of the union with the shape at the samples.
    """

    planes: Tensor
    connection: Tensor
    iou: float


def surface_planes(
    points: Tensor,
    normals: Tensor,
    *,
    count: int = 256,
    angle: float = 4.0,
    offset: float = 0.01,
    tried: int = 1500,
    least: float = 3e-4,
) -> Tensor:
    """Tangent planes that most of a surface lies along, (P, 4), those of most area first.

    Args:
        points, normals: (N, 3) samples of a surface, by area, in random order.
        count: at most so many planes.
        angle, offset: samples that a plane stands for: normals within so many degrees, points
            within so much of it.
        tried: samples whose own planes are tried.
        least: share of the samples that a plane must stand for.
    """
    own = -(normals * points).sum(1)
    some = normals[:tried]
    near = some @ normals.T > torch.cos(torch.deg2rad(torch.tensor(angle)))
    near &= (some @ points.T + own[:tried, None]).abs() < offset
    support = near.float()
    left = torch.ones_like(own)
    rows = []
    for _ in range(count):
        score = support @ left
        i = int(score.argmax())
        if score[i] < least * len(points):
            break
        rows.append(torch.cat([normals[i], own[i : i + 1]]))
        left[near[i]] = 0
    return torch.stack(rows) if rows else points.new_zeros(0, 4)


class _Grower:
    """Grows convexes over samples of a shape."""

    def __init__(self, planes: Tensor, points: Tensor, inside: Tensor) -> None:
        value = planes[:, :3] @ points.T + planes[:, 3:]
        self.beyond = (value > _SLACK).float()  # (P, N)
        self.inside = inside
        self.weight = 1.0 / float(inside.sum())  # volumes are shares of the shape's
        self.covered = torch.zeros_like(inside)

    def grow(self, seeds: Tensor, price: float, most: int) -> tuple[Tensor, Tensor]:
        """Convexes around samples `seeds` (B,): planes (B, P) bool and what they hold (B, N).

        `price` is what cutting off a sample of the inside that no convex holds yet costs, one of
        the outside being worth 1.
        """
        count = len(seeds)
        holds = self.beyond.new_ones(count, self.beyond.shape[1])
        chosen = torch.zeros(count, len(self.beyond), dtype=torch.bool)
        allowed = (self.beyond[:, seeds] == 0).T
        outside = ~self.inside * self.weight
        wanted = self.inside * torch.where(self.covered, 0.02, 1.0) * self.weight
        sides = torch.stack([outside, wanted], 1)
        for _ in range(most):
            cut = torch.stack([(holds * side) @ self.beyond.T for side in sides.T])
            worth = allowed & (cut[0] - price * cut[1] > 1e-5)
            score = torch.where(worth, cut[0] / (cut[1] + _EASE), -1.0)
            best, plane = score.max(1)
            rows = torch.nonzero(best > 0)[:, 0]
            if not len(rows):
                break
            holds[rows] *= 1 - self.beyond[plane[rows]]
            chosen[rows, plane[rows]] = True
        return chosen, holds

    def thin(self, chosen: Tensor, holds: Tensor, penalty: float) -> None:
        """Takes planes out that a convex does better without, in place."""
        for b in range(len(chosen)):
            which = torch.nonzero(chosen[b])[:, 0]
            beyond = self.beyond[which]
            times = beyond.sum(0)
            for k, p in enumerate(which.tolist()):
                back = (times == 1) & (beyond[k] == 1)
                fresh = back & self.inside & ~self.covered
                gain = int(fresh.sum()) - penalty * int((back & ~self.inside).sum())
                if gain >= 0:
                    chosen[b, p] = False
                    times -= beyond[k]
                    beyond[k] = 0
                    holds[b][back] = 1

    def scores(self, holds: Tensor, penalty: float) -> Tensor:
        """(B,) share of the shape newly held, less `penalty` times what is held outside; -1 for
        convexes that hold too much of that, since others can fit what these would."""
        fresh = holds @ ((self.inside & ~self.covered) * self.weight)
        false = holds @ ((~self.inside & ~self.covered) * self.weight)
        return torch.where(false < _MOST_FALSE * fresh, fresh - penalty * false, -1.0)


def cover(
    planes: Tensor,
    points: Tensor,
    depth: Tensor,
    *,
    generator: torch.Generator,
    convexes: int = 100,
    seeds: int = 24,
    least: float = 2e-4,
    most_planes: int = 32,
    callback: Callable[[int, float], None] | None = None,
) -> Cover:
    """Covers a shape by convexes bounded by some of `planes` (P, 4).

    Args:
        points: (N, 3) samples that fill the box around the shape evenly.
        depth: (N,) how deep each lies in the shape, negative outside.
        convexes: at most so many.
        seeds: places that each convex is tried from.
        least: share of the shape's volume that a convex has to add; two samples at least.
        most_planes: of one convex.
        callback: called after each convex with how many there are, and the IoU.
    """
    inside = depth > 0
    if not bool(inside.any()):
        raise ValueError("shape: no sample lies inside it; is it closed and does it have volume?")
    least = max(least, 2 / float(inside.sum()))
    grower = _Grower(planes, points, inside)
    found: list[Tensor] = []
    held: list[Tensor] = []
    penalty, price = 6.0, 0.04
    while len(found) < convexes:
        free = torch.nonzero(inside & ~grower.covered)[:, 0]
        if len(free) < 2:
            break
        chances = depth[free].clamp(min=1e-3)
        at = torch.multinomial(chances, min(seeds, len(free)), generator=generator)
        chosen, holds = grower.grow(free[at], price, most_planes)
        grower.thin(chosen, holds, penalty)
        scores = grower.scores(holds, penalty)
        best = int(scores.argmax())
        if scores[best] < least:
            if penalty <= 1.5:
                break
            penalty, price = penalty / 2, price / 2  # what is left needs some outside with it
            continue
        found.append(chosen[best])
        held.append(holds[best] > 0)
        grower.covered |= held[-1]
        if callback is not None:
            both = grower.covered & inside
            callback(len(found), float(both.sum() / (grower.covered | inside).sum()))
    if not found:
        raise ValueError("shape: no convex fits it; is it a closed surface of some thickness?")
    keep = _needed(torch.stack(held), inside, least)
    connection = torch.stack(found, 1)[:, keep]
    used = connection.any(1)
    union = torch.stack(held)[keep].any(0)
    iou = float((union & inside).sum() / (union | inside).sum())
    return Cover(planes[used], connection[used], iou)


def _needed(held: Tensor, inside: Tensor, least: float) -> list[int]:
    """Convexes to keep: the others add little to those that are kept. Small ones go first."""
    times = held.sum(0)
    keep = set(range(len(held)))
    for i in held.sum(1).argsort().tolist():
        alone = held[i] & (times == 1)
        gain = int((alone & inside).sum()) - int((alone & ~inside).sum())
        if gain < 0.5 * least * int(inside.sum()) and len(keep) > 1:
            keep.discard(i)
            times -= held[i].long()
    return sorted(keep)
