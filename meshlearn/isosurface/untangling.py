"""Tetrahedra turned the right way round, by moving their vertices as little as it takes.

Inner points go first, towards the means of their neighbours and then down the energy of a map that
has no foldovers. Where no place of theirs will do, because the surface is folded, intersects itself
or runs so flat that the points behind it see it from the side only, vertices of the surface move as
well: freely within the surface, at a price away from it.

Source: Garanzha, Kaporin, Kudryavtseva, Protais, Ray, Sokolov, "Foldover-free maps in 50 lines of
code" (2021), equations 1 to 3, for the energy.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._threads import one_thread
from meshlearn.isosurface.constants import (
    FOLD_LEAST,
    FOLD_PART,
    LEAST_QUALITY,
    SURFACE_ACROSS,
    SURFACE_WITHIN,
    TYPICAL_EDGE,
    UNTANGLE_ROUNDS,
    UNTANGLE_STEP,
)
from meshlearn.mesh.tet import determinants, mean_ratios

# Free surface, rings of vertices about the bad tetrahedra, rounds, steps a round, part of the price
# of moving the surface; by hand.
_TRIES = (
    (False, 1, 2, 30, 1.0),
    (True, 0, 6, 30, 1.0),
    (True, 1, 12, 50, 1.0),
    (True, 1, 12, 50, 0.1),
    (True, 2, 12, 50, 0.01),
)


def untangled(points: Tensor, tets: Tensor, faces: Tensor, cell: float) -> Tensor:
    """Where the points go so that no tetrahedron is inverted or flat.

    Args:
        points: (V, 3); those that `faces` name come first and move only where there is no other
            way.
        tets: (T, 4).
        faces: (F, 3) surface, outward.
        cell: volume of a cell.

    Returns:
        (V, 3) float64. Tetrahedra whose `mean_ratios` are not above `LEAST_QUALITY` stay where the
        tries of a fixed number of steps found no better place.
    """
    size = cell ** (1 / 3)
    fixed = int(faces.max()) + 1 if len(faces) else 0
    with one_thread(), torch.inference_mode(False):
        at = points.detach().double().cpu().clone() / size
        tets, faces = tets.cpu().clone(), faces.cpu().clone()
        given, price = at, None
        at = _towards_neighbours(at, tets, fixed)
        for free_surface, rings, rounds, steps, part in _TRIES:
            bad = mean_ratios(at, tets) < LEAST_QUALITY
            if not bool(bad.any()):
                break
            free = _around(bad, tets, len(at), rings)
            if not free_surface:
                free[:fixed] = False
            elif price is None:  # inner points from where they were: the tries have tangled them
                price = _prices(at, faces, fixed)
                inner = _around(mean_ratios(given, tets) < LEAST_QUALITY, tets, len(at), 0)
                inner[:fixed] = False
                at, free = given, free | inner
            own = part * price if free_surface and price is not None else None
            at = _unfolded(at, tets, free, own, rounds, steps)
    return (at * size).to(points.device)


def _around(bad: Tensor, tets: Tensor, points: int, rings: int) -> Tensor:
    """(V,) points of the tetrahedra that are bad, and of those in rings around them."""
    found = torch.zeros(points, dtype=torch.bool)
    found[tets[bad].reshape(-1)] = True
    for _ in range(rings):
        found[tets[found[tets].any(1)].reshape(-1)] = True
    return found


def _towards_neighbours(points: Tensor, tets: Tensor, fixed: int) -> Tensor:
    """Points after the first `fixed` of bad tetrahedra on their way to the means of their
    neighbours: a grid vertex within a hair of a surface that cuts corners can lie beyond it."""
    moved = points.clone()
    for _ in range(UNTANGLE_ROUNDS):
        bad = mean_ratios(moved, tets) < LEAST_QUALITY
        apex = torch.zeros(len(points), dtype=torch.bool)
        apex[tets[bad].reshape(-1)] = True
        apex[:fixed] = False
        if not bool(apex.any()):
            break
        star = tets[apex[tets].any(1)]
        total, count = torch.zeros_like(moved), torch.zeros_like(moved[:, :1])
        centre = moved[star].mean(1)
        for k in range(4):
            total.index_put_((star[:, k],), centre, accumulate=True)
            count.index_put_((star[:, k],), torch.ones_like(centre[:, :1]), accumulate=True)
        moved[apex] += UNTANGLE_STEP * (total[apex] / count[apex] - moved[apex])
    return moved


def _prices(points: Tensor, faces: Tensor, fixed: int) -> Tensor:
    """(fixed, 3, 3) price of a square step of a surface vertex: high across the planes of its
    faces, so that one on an edge slides along it and a corner stays."""
    a, b, c = points[faces].unbind(1)
    normal = torch.linalg.cross(b - a, c - a)
    area = normal.norm(dim=1).clamp(min=1e-12)
    plane = normal[:, :, None] * normal[:, None, :] / area[:, None, None]
    total = points.new_zeros(fixed, 3, 3)
    share = points.new_zeros(fixed)
    for k in range(3):
        total.index_put_((faces[:, k],), plane, accumulate=True)
        share.index_put_((faces[:, k],), area, accumulate=True)
    within = SURFACE_WITHIN * torch.eye(3, dtype=points.dtype)
    return SURFACE_ACROSS * total / share.clamp(min=1e-12)[:, None, None] + within


def _unfolded(
    points: Tensor, tets: Tensor, free: Tensor, price: Tensor | None, rounds: int, steps: int
) -> Tensor:
    """The points with those that are free at a least energy; in units of a cell.

    Of a tetrahedron with the edges J of a regular one: |J|^2 / chi^(2/3) + (det^2 + 1) / chi with
    chi = (det + sqrt(eps^2 + det^2)) / 2, which grows without bound as det falls below 0 and eps
    goes to 0 (equations 1 to 3).
    """
    index = free.nonzero().squeeze(1)
    used, local = torch.unique(tets[free[tets].any(1)], return_inverse=True)
    base, place = points[used], torch.searchsorted(used, index)
    start = points[index]
    on_surface = torch.zeros(0, dtype=torch.int64)
    if price is not None:
        on_surface = (index < len(price)).nonzero().squeeze(1)
        price = price[index[on_surface]]
    regular = TYPICAL_EDGE**3 / 2**0.5
    with torch.enable_grad():
        free_points = start.clone().requires_grad_()
        now = base
        for _ in range(rounds):
            least = min(0.0, float((determinants(now, local) / regular).min()))
            eps2 = FOLD_LEAST**2 + (FOLD_PART * least) ** 2
            optimizer = torch.optim.LBFGS(
                [free_points],
                max_iter=steps,
                history_size=10,
                line_search_fn="strong_wolfe",
                tolerance_grad=1e-9,
                tolerance_change=1e-12,
            )

            def energy(eps2: float = eps2, optimizer: torch.optim.Optimizer = optimizer) -> Tensor:
                optimizer.zero_grad()
                at = base.index_put((place,), free_points)
                det = determinants(at, local) / regular
                chi = (det + (eps2 + det * det).sqrt()) / 2
                corner = at[local]
                side = corner[:, 1:] - corner[:, :1]
                square = side.square().sum((1, 2)) + (side - side.roll(-1, 1)).square().sum((1, 2))
                value = square / (2 * TYPICAL_EDGE**2) * chi ** (-2 / 3) + (det * det + 1) / chi
                total = value.sum()
                if price is not None:
                    step = (free_points - start)[on_surface]
                    total = total + torch.einsum("ni,nij,nj->", step, price, step)
                total.backward()
                return total

            optimizer.step(energy)
            now = base.index_put((place,), free_points.detach())
            if bool((mean_ratios(now, local) >= LEAST_QUALITY).all()):
                break
        found = points.clone()
        found[index] = free_points.detach()
    return found
