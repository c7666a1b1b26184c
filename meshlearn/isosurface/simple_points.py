"""Sign changes of a grid's field that leave the topology of its zero set as it is.

A vertex of the grid is *simple* where its side can change without a component, a handle or a cavity
coming or going (Bertrand and Malandain 1994): in its 26 neighbours

(D1) T26(inside) = 1 and T6(outside) = 1    inside joined by faces, edges and corners,
(D2) T6(inside) = 1 and T26(outside) = 1    or outside so;

T26 counts the parts of a side among the 26 neighbours that are joined by faces, edges or corners,
T6 those among the 18 neighbours by faces and edges, joined by faces, that hold one of the 6 by
faces. Extractors choose at an ambiguous face which side is joined, so both are asked for; one that
chooses differently from face to face may still join otherwise, which its mesh shows.
Topology-preserving level sets go by the same test (Han, Xu and Prince 2003). A vertex taken as a
closed unit cube, the Euler number of the surface changes as it comes inside by

(D3) 2 (1 - V + E - F),  V, E, F: its corners, edges and faces that cubes inside touch.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import product

import torch
from torch import Tensor

from meshlearn.isosurface.grid import VoxelGrid

_AROUND = [at for at in product((-1, 0, 1), repeat=3) if at != (0, 0, 0)]
_AT_ONCE = 4096  # vertices tested together: their tables take 3 kB each
_REACHED = 4  # squarings: a way through 26 neighbours has at most 13 steps


@lru_cache(maxsize=8)
def _joined(device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of the 26 neighbours: which touch (26, 26), which share a face among the 18 (26, 26), which
    share a face with the middle (26,), and their offsets (26, 3)."""
    at = torch.tensor(_AROUND, device=device)
    apart = (at[:, None] - at[None]).abs()
    near = at.abs().sum(1) <= 2
    by_face = (apart.sum(2) == 1) & near[:, None] & near[None]
    return apart.amax(2) <= 1, by_face | torch.diag(near), at.abs().sum(1) == 1, at


def _parts(member: Tensor, joined: Tensor, counted: Tensor) -> Tensor:
    """(P,) parts of the members (P, 26), by `joined` (26, 26), that hold one of `counted`."""
    way = (member[:, :, None] & member[:, None, :] & joined).to(torch.float32)
    for _ in range(_REACHED):
        way = (way @ way).clamp_(max=1)
    first = way * (counted & member)[:, None, :].to(way)
    lower = torch.ones(26, 26, device=member.device).tril(-1)  # of which an earlier one is reached
    return (member & counted & ((first * lower).sum(2) == 0)).sum(1)


def is_simple(inside: Tensor) -> Tensor:
    """Whether the middle of 3 x 3 x 3 vertices may change sides, by (D1) and (D2).

    Args:
        inside: (P, 26) bool, which neighbours are inside, x slowest, the middle left out.

    Returns:
        (P,) bool.
    """
    touching, by_face, faces, _ = _joined(inside.device)
    every = torch.ones_like(faces)
    found = []
    for some in inside.split(_AT_ONCE):
        good = torch.ones_like(some[:, 0])
        for side in (some, ~some):
            good &= (_parts(side, touching, every) == 1) & (_parts(side, by_face, faces) == 1)
        found.append(good)
    return torch.cat(found) if found else torch.zeros_like(inside[:, 0])


@lru_cache(maxsize=8)
def _touched(device: torch.device) -> tuple[Tensor, Tensor]:
    """Which neighbours touch each of the 26 corners, edges and faces of the middle's cube (26, 26),
    and its sign in (D3) (26,): a cell at offset c is shared with those at offsets that agree with
    c where they are not 0."""
    at = torch.tensor(_AROUND, device=device)
    agrees = (at[None] == 0) | (at[None] == at[:, None])
    sign = torch.tensor([0, -1, 1, -1], device=device)[at.abs().sum(1)]
    return agrees.all(2), sign


def euler_change(inside: Tensor, side: Tensor) -> tuple[Tensor, Tensor]:
    """Change of the surface's Euler number as the middle of 3 x 3 x 3 vertices goes to `side`.

    Args:
        inside: (P, 26) as for `is_simple`.
        side: (P,) bool, where it goes.

    Returns:
        (P,) int64 twice: by (D3) with the inside joined at corners, and with the outside so.
    """
    touch, sign = _touched(inside.device)
    found = []
    for member, way in ((inside, side), (~inside, ~side)):
        covered = (member.to(torch.float32) @ touch.T.to(torch.float32)) > 0
        change = 2 * (1 + (covered * sign).sum(1))
        found.append(torch.where(way, change, -change))
    return found[0], found[1]


def is_alone(inside: Tensor, side: Tensor) -> Tensor:
    """Whether a vertex on `side` (P,) bool would be a part or a cavity of its own, no neighbour of
    (P, 26) on its side."""
    return (inside != side[:, None]).all(1)


def kept_signs(
    grid: VoxelGrid,
    before: Tensor,
    wanted: Tensor,
    *,
    only_births: bool = False,
    free: Tensor | None = None,
    euler: int = 0,
) -> Tensor:
    """Sides of a grid's vertices as near to `wanted` as sign changes one by one can bring them
    without a change of topology.

    Args:
        grid: N vertices, also sparse; what lies beyond its cells is on the side of the vertex.
        before, wanted: (N,) bool, inside.
        only_births: handles and joins are free; only parts and cavities of one vertex are not.
        free: (N,) bool, vertices that may change the topology too, until the surface's Euler number
            has changed by `euler`, in its direction only.

    Returns:
        (N,) bool.

    Example:
        >>> now = kept_signs(grid, sdf_before < 0, sdf < 0)
    """
    inside = before.clone()
    *_, offsets = _joined(before.device)
    changed = (before != wanted).nonzero().squeeze(1)
    _, ny, nz = grid.shape
    size = torch.tensor(grid.shape, device=before.device)
    while len(changed):
        keys = grid.vertex_lattice(changed)
        at = torch.stack([keys // (ny * nz), keys // nz % ny, keys % nz], 1)
        order = (at % 2) @ torch.tensor([4, 2, 1], device=at.device)
        left, turned = [], 0
        for turn in range(8):  # vertices of one parity have no neighbours in common
            mine = changed[order == turn]
            if not len(mine):
                continue
            other = at[order == turn][:, None] + offsets
            valid = ((other >= 0) & (other < size)).all(2)
            other = (other[..., 0] * ny + other[..., 1]) * nz + other[..., 2]
            index = torch.where(valid, grid.vertex_index(torch.where(valid, other, 0)), -1)
            around = torch.where(index >= 0, inside[index.clamp(min=0)], inside[mine][:, None])
            may = ~is_alone(around, wanted[mine]) if only_births else is_simple(around)
            if free is not None and euler:
                change, other = euler_change(around, wanted[mine])
                good = ~may & free[mine] & (change == other) & (change * euler > 0)
                good &= ~is_alone(around, wanted[mine])
                good &= change.where(good, 0).cumsum(0).abs() <= abs(euler)
                euler -= int(change[good].sum())
                may |= good
            inside[mine[may]] = wanted[mine[may]]
            left.append(mine[~may])
            turned += int(may.sum())
        changed = torch.cat(left)
        if not turned:
            break
    return inside
