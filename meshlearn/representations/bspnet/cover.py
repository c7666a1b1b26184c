"""A shape covered by few convexes whose planes are its own: where the direct fit of BSP-Net starts.

Planes are taken from the surface; each convex grows from a seed by the planes that cut the most
outside off for the least inside; convexes are taken until what is uncovered is not worth one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from meshlearn.representations.bspnet.constants import (
    EASE,
    HELD,
    LAST_PENALTY,
    LEAST_DEPTH,
    LEAST_SAMPLES,
    MOST_ANGLE,
    MOST_FALSE,
    MOST_MISSED,
    NEEDED,
    PENALTY,
    PRICE,
    SLACK,
    TURNS,
)


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
    own = -_dot(normals, points)
    rows: list[int] = []
    if len(points):
        some, at = normals[:tried, None], own[:tried, None]
        near = (_dot(some, points) + at).abs() < offset
        turn = _dot(some, normals)
        while True:
            alike = near & (turn > math.cos(math.radians(angle)))
            rows, missed = _most_held(alike, count, least * len(points))
            if missed <= MOST_MISSED or 2 * angle > MOST_ANGLE:
                break
            angle *= 2
    return torch.cat([normals[rows], own[rows, None]], 1)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Products of vectors (..., 3), added in one order: a matrix product's last bits are those of
    the processor, and decisions hang on them."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]


def _most_held(near: Tensor, count: int, least: float) -> tuple[list[int], float]:
    """Rows of `near` (M, N) bool that hold the most columns that no other one does, one after
    another: at most `count`, each `least` or more; and the share of the columns that none holds."""
    score = near.sum(1)
    columns = near.T.contiguous()
    left = torch.ones(near.shape[1], dtype=torch.bool)
    rows: list[int] = []
    while len(rows) < count:
        row = int(score.argmax())
        if score[row] < max(least, 1):
            break
        rows.append(row)
        fresh = torch.nonzero(near[row] & left)[:, 0]
        score -= columns[fresh].sum(0)
        left[fresh] = False
    return rows, float(left.float().mean())


def _drawn(chances: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """(count,) different rows by their chances (N,).

    `torch.multinomial` draws others on processors of other makers.

    Source: Efraimidis and Spirakis, "Weighted random sampling with a reservoir" (2006).
    """
    even = torch.rand(len(chances), generator=generator, dtype=torch.float64)
    return (even.log() / chances.double()).topk(count).indices


class _Grower:
    """Grows convexes over samples of a shape, those inside it first. What it decides by are numbers
    of samples, which are exact in any order of adding: the same on every processor."""

    def __init__(self, planes: Tensor, points: Tensor, inside: Tensor) -> None:
        value = _dot(planes[:, None], points) + planes[:, 3:]
        self.beyond = (value > SLACK).float()  # (P, N)
        self.inside = inside
        self.count = int(inside.sum())
        self.covered = torch.zeros_like(inside)

    def around(
        self, seeds: Tensor, price: float, penalty: float, most: int
    ) -> tuple[Tensor, Tensor]:
        """Convexes around samples `seeds` (B,): planes (B, P) bool and what they hold (B, N).

        They are grown and thinned in turn: planes that later ones made needless leave room for
        others. One that has no room left while it still holds too much of the outside spent its
        planes on small cuts: it starts again with an eye for large ones.

        Args:
            price: what cutting off a sample of the inside costs that no convex holds yet, one of
                the outside being worth 1.
            penalty: of a sample held outside, one newly held inside being worth 1.
            most: planes of one convex.
        """
        holds = self.beyond.new_ones(len(seeds), self.beyond.shape[1])
        chosen = torch.zeros(len(seeds), len(self.beyond), dtype=torch.bool)
        rows = torch.arange(len(seeds))
        for ease in EASE:
            some, those = torch.zeros_like(chosen[rows]), torch.ones_like(holds[rows])
            for _ in range(TURNS):
                before = some.clone()
                self.grow(some, those, seeds[rows], price, most, ease * self.count)
                full = some.sum(1) == most
                self.thin(some, those, max(penalty, 1 / MOST_FALSE))
                if not bool(full.any()) or torch.equal(some, before):
                    break
            chosen[rows], holds[rows] = some, those
            rows = rows[full & (self.scores(those, 0.0) < 0)]
            if not len(rows):
                break
        return chosen, holds

    def grow(
        self,
        chosen: Tensor,
        holds: Tensor,
        seeds: Tensor,
        price: float,
        most: int,
        ease: float,
    ) -> None:
        """Adds the planes to each convex, one after another, that cut the most outside off for the
        least inside, in place; `ease` samples of the inside do not matter."""
        allowed = (self.beyond[:, seeds] == 0).T
        inner = self.count
        wanted = torch.where(self.covered[:inner], HELD, 1.0)
        rows = torch.nonzero(chosen.sum(1) < most)[:, 0]
        while len(rows):
            some = holds[rows]
            taken = (some[:, :inner] * wanted) @ self.beyond[:, :inner].T
            cut = some[:, inner:] @ self.beyond[:, inner:].T
            worth = allowed[rows] & (cut > price * taken)
            score = torch.where(worth, cut / (taken + ease), -1.0)
            best, plane = score.max(1)
            rows, plane = rows[best > 0], plane[best > 0]
            holds[rows] *= 1 - self.beyond[plane]
            chosen[rows, plane] = True
            rows = rows[chosen[rows].sum(1) < most]

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
        """(B,) samples newly held, less `penalty` times those held outside; -1 for convexes that
        hold too many of these, since others can fit what these would."""
        fresh = holds @ (self.inside & ~self.covered).float()
        false = holds @ (~self.inside & ~self.covered).float()
        return torch.where(false < MOST_FALSE * fresh, fresh - penalty * false, -1.0)


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
    order = torch.argsort((~inside).to(torch.uint8), stable=True)
    points, depth, inside = points[order], depth[order], inside[order]
    grower = _Grower(planes, points, inside)
    least = max(least * grower.count, LEAST_SAMPLES)  # samples
    found: list[Tensor] = []
    held: list[Tensor] = []
    penalty, price = PENALTY, PRICE
    while len(found) < convexes:
        free = torch.nonzero(inside & ~grower.covered)[:, 0]
        if len(free) < 2:
            break
        chances = depth[free].clamp(min=LEAST_DEPTH)
        at = free[_drawn(chances, min(seeds, len(free)), generator)]
        chosen, holds = grower.around(at, price, penalty, most_planes)
        scores = grower.scores(holds, penalty)
        best = int(scores.argmax())
        if scores[best] < least:
            if penalty <= LAST_PENALTY:
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
    """Convexes to keep: the others add less than half of `least` samples to those that are kept.
    Small ones go first."""
    times = held.sum(0)
    keep = set(range(len(held)))
    for i in held.sum(1).argsort(stable=True).tolist():
        alone = held[i] & (times == 1)
        gain = int((alone & inside).sum()) - int((alone & ~inside).sum())
        if gain < NEEDED * least and len(keep) > 1:
            keep.discard(i)
            times -= held[i].long()
    return sorted(keep)
