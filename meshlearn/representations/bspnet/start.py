"""Where a BSP-Net starts from: small convexes all over the box, each with planes of its own.

From the T and W of the paper, N(0, 0.02), everything is inside at first; T has to find convexes
among all pairs, which takes days, and its entries are a hundred times smaller than the 1 that they
become in phase 1, so that the planes have to be learned twice.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.representations.bspnet.constants import FIRST_RADIUS, FIRST_SPREAD, STEEP


def spread_points(count: int) -> Tensor:
    """(count, 3) in [0, 1)³, evenly for any count.

    Source: Roberts, "The Unreasonable Effectiveness of Quasirandom Sequences" (2018): multiples of
    the powers of 1 / g, g⁴ = g + 1.
    """
    step = 1.22074408460575947536 ** -torch.arange(1, 4, dtype=torch.float64)
    numbers = torch.arange(1, count + 1, dtype=torch.float64)
    return (0.5 + numbers[:, None] * step).frac().float()


def first_connection(planes: int, convexes: int) -> Tensor:
    """T (P, C) of 0 and 1: planes dealt out to convexes in turn, shared where they are fewer."""
    turn = torch.arange(max(planes, convexes))
    connection = torch.zeros(planes, convexes)
    connection[turn % planes, turn % convexes] = 1
    return connection


def first_primitives(
    planes: int, convexes: int, numbers: int = 4, *, generator: torch.Generator | None = None
) -> Tensor:
    """(P, numbers): planes around the centre of the convex that each was dealt to, turned at
    random; numbers beyond the last four, for what is linear in more than x, y, z, 1, are 0."""
    normals = torch.nn.functional.normalize(torch.randn(planes, 3, generator=generator), dim=1)
    centres = FIRST_SPREAD * (spread_points(convexes) - 0.5)
    at = (normals * centres[torch.arange(planes) % convexes]).sum(1)
    found = torch.zeros(planes, numbers)
    found[:, -4:] = STEEP * torch.cat([normals, -(at + FIRST_RADIUS)[:, None]], 1)
    return found
