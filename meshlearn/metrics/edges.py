"""Which samples of a surface lie at its sharp edges."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_tensor


def edge_points(
    points: Tensor, normals: Tensor, *, radius: float = 0.004, max_dot: float = 0.2
) -> Tensor:
    """Samples with a neighbour whose normal is nearly perpendicular.

    A point i is an edge point where some j within `radius` has |n_i · n_j| < `max_dot` (Chen et
    al., BSP-Net, 2020; radius and bound as in Neural Marching Cubes, 2021, for 100,000 samples).

    Args:
        points: (P, 3).
        normals: (P, 3), unit.
        radius: in the unit of the points.
        max_dot: cosine bound.

    Returns:
        (P,) bool.
    """
    check_tensor(points, "points", shape=("P", 3), dtype=FLOATS, finite=True)
    check_tensor(normals, "normals", shape=(points.shape[0], 3), dtype=FLOATS)
    if not radius > 0:
        raise ValueError(f"radius: expected a positive number, got {radius!r}")
    sharp = torch.zeros(points.shape[0], dtype=torch.bool, device=points.device)
    for i, j in neighbour_pairs(points, radius):
        steep = ((normals[i] * normals[j]).sum(1)).abs() < max_dot
        sharp[i[steep]] = True
    return sharp


def neighbour_pairs(
    points: Tensor, radius: float, *, pairs: int = 1 << 21
) -> Iterator[tuple[Tensor, Tensor]]:
    """All (i, j) with |p_i - p_j| <= radius, i = j included, in batches of about `pairs` tried.

    A grid of cells as wide as the radius, held as sorted keys: the three neighbours along the last
    axis are one run, so nine searches find all 27.
    """
    count = points.shape[0]
    if count == 0:
        return
    low = points.amin(0)
    # keys stay within 63 bits: no finer than 2^20 cells an axis
    width = max(radius, float((points.amax(0) - low).max()) / 2**20)
    cell = ((points - low) / width).long() + 1
    size = cell.amax(0) + 2
    key = (cell[:, 0] * size[1] + cell[:, 1]) * size[2] + cell[:, 2]
    order = torch.argsort(key, stable=True)
    sorted_key = key[order]
    steps = torch.tensor([[x, y] for x in (-1, 0, 1) for y in (-1, 0, 1)], device=points.device)
    jump = (steps[:, 0] * size[1] + steps[:, 1]) * size[2]  # (9,)
    middle = (key[:, None] + jump).reshape(-1)
    begin = torch.searchsorted(sorted_key, middle - 1)
    run = torch.searchsorted(sorted_key, middle + 1, right=True) - begin
    end = torch.cumsum(run, 0)
    first, total = 0, int(end[-1])
    while first < total:
        last = min(first + pairs, total)
        # slots of the long list of tries that this batch covers
        slot = torch.arange(first, last, device=points.device)
        owner = torch.searchsorted(end, slot, right=True)
        i = owner // 9
        j = order[begin[owner] + slot - (end[owner] - run[owner])]
        gap = points[i] - points[j]
        near = (gap * gap).sum(1) <= radius * radius
        yield i[near], j[near]
        first = last
