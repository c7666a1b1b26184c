"""Samples of a surface that keep away from each other: blue noise, by leaving the crowded out."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn.geometry.neighbours import PointTree
from meshlearn.geometry.sampling import SurfaceSamples, sample_surface
from meshlearn.mesh import Mesh

_CANDIDATES = 5  # for each sample that is wanted
_NEIGHBOURS = 40  # of a candidate that are looked at; within the reach there are about 36
_POWER = 8  # of the weight of a neighbour, by its distance


def sample_even(mesh: Mesh, n: int, *, generator: torch.Generator | None = None) -> SurfaceSamples:
    """Exactly n points of a surface, about as far from each other as they can be.

    Of five times as many candidates, uniform by area, those are left out one after another that
    have others closest around them. Distances are straight ones, so that the two sides of a thin
    wall count as near.

    Args:
        mesh, generator: as in `sample_surface`.
        n: number of points, 0 or more.

    Returns:
        SurfaceSamples(points, faces, barycentric), in the order of faces; gradients of `points`
        reach the vertices.

    Raises:
        ValueError: as `sample_surface`.

    Example:
        >>> points = ml.geometry.sample_even(mesh, 1000).points

    Source: C. Yuksel, Sample elimination for generating Poisson disk sample sets, 2015; candidates
    that are worst among their neighbours are left out together here.
    """
    if not isinstance(mesh, Mesh) or int(n) != n or n < 2:
        return sample_surface(mesh, n, generator=generator)
    many = sample_surface(mesh, _CANDIDATES * int(n), generator=generator)
    keep = _kept(
        many.points.detach().double(), int(n), float(mesh.detach().to(torch.float64).area())
    )
    return SurfaceSamples(many.points[keep], many.faces[keep], many.barycentric[keep])


def _kept(points: Tensor, n: int, area: float) -> Tensor:
    """(n,) ascending indices of the points that stay."""
    count = len(points)
    reach = 2 * math.sqrt(area / (2 * math.sqrt(3) * n))
    near = min(_NEIGHBOURS + 1, count)
    squared, index = PointTree(points).knn(points, near)
    distance = squared.sqrt()
    rows = torch.arange(count, device=points.device)[:, None]
    weight = (1 - (distance / reach).clamp(max=1)) ** _POWER
    weight = torch.where(index == rows, 0, weight)
    # as pairs, each in both directions with the same weight, where one alone has the other
    pair = torch.stack((rows.expand_as(index)[weight > 0], index[weight > 0]), 1)
    value = weight[weight > 0]
    key = pair.sort(1).values
    key = key[:, 0] * count + key[:, 1]
    key, inverse = torch.unique(key, return_inverse=True)
    single = torch.zeros(len(key), dtype=value.dtype, device=points.device)
    single[inverse] = value
    a, b = key // count, key % count
    source, other = torch.cat((a, b)), torch.cat((b, a))
    order = torch.argsort(source, stable=True)
    source, other, value = source[order], other[order], torch.cat((single, single))[order]
    start = torch.nn.functional.pad(torch.bincount(source, minlength=count).cumsum(0), (1, 0))
    alive = torch.ones(count, dtype=torch.bool, device=points.device)
    left = count
    while left > n:
        live = value * (alive[source] & alive[other])
        total = torch.nn.functional.pad(torch.cumsum(live, 0), (1, 0))
        crowd = total[start[1:]] - total[start[:-1]]
        crowd = torch.where(alive, crowd, -1.0)
        # worst among its living neighbours; of equal ones the first
        rank = torch.empty(count, dtype=torch.int64, device=points.device)
        rank[torch.argsort(crowd, stable=True, descending=True)] = rows[:, 0]
        around = torch.where(live > 0, rank[other], count)
        best = torch.full((count,), count, dtype=torch.int64, device=points.device)
        best = best.scatter_reduce(0, source, around, "amin")
        worst = alive & (rank < best)
        chosen = worst.nonzero().squeeze(1)
        # the mildest of them wait: who is left out changes the others
        chosen = chosen[torch.argsort(rank[chosen])][: max(1, min(left - n, len(chosen) // 2))]
        alive[chosen] = False
        left -= len(chosen)
    return alive.nonzero().squeeze(1)
