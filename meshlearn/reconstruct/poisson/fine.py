"""The screened indicator on grids finer than one that fills the box could be: near points alone.

From a grid that fills the box (`spectral`) on, each level halves the cells, in bricks around the
points and around the zero set of the level before (`bricks`), and finds there the field of least

(P6) sum over edges h (chi_j - chi_i - h v_e)^2 + (1 / l) sum_i a_i chi(p_i)^2,

h the cell, v_e the normals of points over edges: each with the area a_i that it stands for, by
trilinear weights, then smoothed; l a length, below which bends of the surface are drawn to the
points. On the rim of the bricks chi is that of the level before, between its nodes, which is also
what the conjugate gradients start from. So the surface cannot leave the bricks: on all cells of
the rim signs are those of a zero set that is some cells away.

Memory and time grow with the number of cells at the surface, four times a level.

Source: Kazhdan and Hoppe, "Screened Poisson Surface Reconstruction" (2013), section 4, for the
energy and the levels that each start from the one before; trilinear weights on a lattice and one
correction a level instead of B-splines on an octree.
"""

from __future__ import annotations

import logging
import math
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._memory import check_memory
from meshlearn._segment import Incidence, segment_sum, stable_sum
from meshlearn.isosurface import SparseVoxelGrid, dual_marching_cubes
from meshlearn.mesh import Mesh
from meshlearn.progress import progress_bar
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.bricks import (
    NODES,
    SIDE,
    Bricks,
    bricks_along,
    laplacian,
    mark,
)

_log = logging.getLogger(__name__)
_AT_ONCE = 1 << 14  # bricks whose values are carried over at once: 100 MB
_FIELDS = 8  # arrays of a value for each node that are held at once
_CORNERS = tuple(product((0, 1), repeat=3))


class Level(NamedTuple):
    """An indicator on one lattice: in bricks, or on all of it."""

    nodes: int  # along the box
    end: int  # the last node along each axis that is held, as the first level repeats
    chi: Tensor  # (B, 8, 8, 8), or (N, N, N)
    bricks: Bricks | None = None
    coarser: Level | None = None


class Pins(NamedTuple):
    """Places that the indicator is drawn to zero at, one in each cell that holds points."""

    cell: Tensor  # (K, 3) int64
    part: Tensor  # (K, 3) place in it, 0 to 1
    weight: Tensor  # (K,) areas, in faces of cells
    facing: Tensor  # (K, 3) sums of normals by strengths, in faces of cells
    corner: Tensor  # (8, K) int32 places of the cell's nodes in a flat field
    share: Tensor  # (8, K) their trilinear weights


def finer_levels(
    points: Tensor,
    normals: Tensor,
    areas: Tensor,
    strengths: Tensor,
    start: Tensor,
    doublings: int,
    *,
    spacing: float,
    noise: float = 0.0,
    smoothing: float = 0.0,
    progress: bool | None = None,
) -> Level:
    """The finest of `doublings` levels beyond a grid that fills the box.

    Args:
        points: (P, 3) in the unit box.
        normals: (P, 3) unit, outward.
        areas: (P,) area that each stands for.
        strengths: (P,) areas by which the start rises by 1 over the surface, see
            `spectral_solution`.
        start: (N, N, N) indicator, node i at i / N, negative inside.
        doublings: how often cells are halved.
        spacing, noise: of the points.
        smoothing: of the normals at least, a standard deviation in cells.
        progress: a bar on stderr; None: where that is a terminal.

    Raises:
        ValueError: more memory is needed than there is.

    Example:
        >>> level = finer_levels(points, normals, areas, strengths, chi, 2, spacing=0.004)
        >>> mesh = level_mesh(level)
    """
    level = Level(start.shape[0], start.shape[0] - 1, start)
    facing = normals * strengths[:, None]
    wide = settings.FINE_SIGMA[0] * spacing + settings.FINE_SIGMA[1] * noise
    wide = min(wide, settings.FINE_SIGMA[2] * spacing)
    length = max(settings.FINE_SPACINGS * spacing, settings.FINE_NOISES * noise)
    with progress_bar("surface of points", 4.0**doublings, enabled=progress) as bar:
        for k in range(doublings):
            nodes = 2 * level.nodes
            bricks = _bricks_near(level, points)
            chi = carried(level, level.chi, bricks)
            pins = None
            if max(spacing * settings.FINE_SMOOTH, wide) * nodes <= settings.FINE_WIDE:
                pins = pinned(bricks, nodes, points, facing, areas)
                source = spread_normals(bricks, pins, max(smoothing, wide * nodes))
            else:  # points are far apart: smoothly between the nodes before
                source = carried(level, laplacian_of(level), bricks).mul_(0.25)
            steps = solve(chi, source, bricks, pins, max(settings.FINE_LENGTH, length * nodes))
            _log.info("%d nodes along the box: %d bricks, %d steps", nodes, len(bricks), steps)
            level = Level(nodes, 2 * level.end, chi, bricks, level)
            _close(level)
            bar.update(4.0 ** (k + 1), f"{nodes} nodes along the box")
    return level


def _bricks_near(level: Level, points: Tensor) -> Bricks:
    """Bricks of half a level's cells, around points and where its zero set is."""
    nodes = 2 * level.nodes
    wanted = torch.zeros((bricks_along(nodes),) * 3, dtype=torch.bool, device=points.device)
    mark(wanted, (points * nodes).long(), 1, settings.FINE_BAND)
    mark(wanted, 2 * mixed_cells(level), 2, settings.FINE_BAND)
    need = int(wanted.sum()) * NODES * points.element_size() * _FIELDS
    check_memory(need, points.device, f"the surface on {nodes} cells along the box")
    return Bricks(wanted)


def _close(level: Level) -> None:
    """What would leave the box ends at it, closed."""
    assert level.bricks is not None
    for axis in range(3):
        for node in (0, level.end):
            rows = (level.bricks.at[:, axis] == node // SIDE).nonzero()[:, 0]
            layer = level.chi.select(axis + 1, node % SIDE)
            layer[rows] = layer[rows].clamp(min=settings.POISSON_BORDER)


def laplacian_of(level: Level) -> Tensor:
    """Six times each value of a level less its neighbours', 0 at the rim."""
    if level.bricks is not None:
        return laplacian(level.chi, level.bricks.near).masked_fill_(level.bricks.rim(), 0)
    out = 6 * level.chi
    for axis in range(3):
        out -= level.chi.roll(1, axis) + level.chi.roll(-1, axis)
    return out


def mixed_cells(level: Level) -> Tensor:
    """(M, 3) cells of a level with corners of both signs, by their first node."""
    if level.bricks is not None:
        return level.bricks.mixed_cells(level.chi)
    inside, count = level.chi < 0, level.nodes - 1
    any_in = all_in = inside[:-1, :-1, :-1]
    for dx, dy, dz in _CORNERS[1:]:
        one = inside[dx : dx + count, dy : dy + count, dz : dz + count]
        any_in, all_in = any_in | one, all_in & one
    return (any_in & ~all_in).nonzero()


def carried(level: Level, field: Tensor, bricks: Bricks) -> Tensor:
    """(B, 8, 8, 8) values of a level's field on bricks of half its cells, by trilinear weights."""
    out = field.new_empty(len(bricks), SIDE, SIDE, SIDE)
    steps = torch.arange(SIDE // 2 + 1, device=out.device)
    offset = torch.stack(torch.meshgrid(steps, steps, steps, indexing="ij"), 3)
    for first in range(0, len(bricks), _AT_ONCE):
        at = bricks.at[first : first + _AT_ONCE] * (SIDE // 2)
        values = _values(level, field, at[:, None, None, None] + offset)
        for d in (1, 2, 3):
            low, high = values.narrow(d, 0, SIDE // 2), values.narrow(d, 1, SIDE // 2)
            values = torch.stack((low, (low + high) / 2), d + 1).flatten(d, d + 1)
        out[first : first + _AT_ONCE] = values
    return out


def _values(level: Level, field: Tensor, nodes: Tensor) -> Tensor:
    """(...,) values at nodes (..., 3) of a level; where no brick is, of the level before, between
    its nodes, and 0 of a field that it has not."""
    if level.bricks is None:
        x, y, z = nodes.clamp(0, level.end).unbind(-1)
        return field[x, y, z]
    place = level.bricks.place(nodes)
    out = field.reshape(-1)[place.clamp(min=0)]
    lost = place < 0
    if not bool(lost.any()):
        return out
    out[lost] = 0
    last = level.coarser
    if field is level.chi and last is not None:
        at = nodes[lost]
        total = torch.zeros_like(out[lost])
        for shift in _CORNERS:
            other = (at + torch.tensor(shift, device=at.device)) >> 1
            total = total + _values(last, last.chi, other)
        out[lost] = total / 8
    return out


def pinned(bricks: Bricks, nodes: int, points: Tensor, facing: Tensor, areas: Tensor) -> Pins:
    """Points of one cell as one pin at their mean, which lies on the surface but for its bend."""
    at = points * nodes
    cell = at.long()
    held, cell_of = torch.unique(bricks.place(cell), return_inverse=True)
    unit = float(nodes) ** 2
    weights = areas[:, None] * unit
    rows = torch.cat((weights, weights * (at - cell), facing * unit), 1)
    sums = segment_sum(rows, Incidence(cell_of, len(held)))
    weight = sums[:, 0]
    part = (sums[:, 1:4] / weight[:, None].clamp(min=torch.finfo(weight.dtype).tiny)).clamp(0, 1)
    number, local = held // NODES, held % NODES
    cell = bricks.at[number] * SIDE + torch.stack((local >> 6, local >> 3 & 7, local & 7), 1)
    corner, share = [], []
    for shift in _CORNERS:
        side = torch.tensor(shift, device=cell.device)
        corner.append(bricks.place(cell + side).int())
        share.append(torch.where(side.bool(), part, 1 - part).prod(1))
    return Pins(cell, part, weight, sums[:, 4:], torch.stack(corner), torch.stack(share))


def spread_normals(bricks: Bricks, pins: Pins, sigma: float) -> Tensor:
    """(B, 8, 8, 8) right side of (P6): normals spread over edges by trilinear weights, what of them
    each node gets and gives, smoothed over `sigma` cells by steps of heat."""
    values, slopes = _along(pins.part)
    field = pins.part.new_zeros(len(bricks) * NODES)
    for shift in product(range(4), repeat=3):
        amount = None
        for axis in range(3):
            if any(shift[k] in (0, 3) for k in range(3) if k != axis):
                continue
            one = pins.facing[:, axis] * slopes[:, axis, shift[axis]]
            for k in range(3):
                one = one * values[:, k, shift[k] - 1] if k != axis else one
            amount = one if amount is None else amount + one
        if amount is not None:  # of one place each, as every cell has one pin
            node = pins.cell + torch.tensor(shift, device=field.device) - 1
            place = bricks.place(node)
            held = place >= 0
            field.index_add_(0, place[held], amount[held])
    field = field.view(-1, SIDE, SIDE, SIDE)
    steps = math.ceil(sigma**2 / settings.FINE_HEAT)
    for _ in range(steps):
        field.sub_(laplacian(field, bricks.near), alpha=sigma**2 / (2 * steps))
    return field


def _along(part: Tensor) -> tuple[Tensor, Tensor]:
    """(K, 3, 2) weights of the nodes at 0 and 1 along each axis, and (K, 3, 4) what the nodes at
    -1 to 2 get of a unit that is spread linearly over the middles of edges."""
    values = torch.stack((1 - part, part), 2)
    before = (part < 0.5).to(part)  # the edge before the cell's own has a share, or the next one
    off = part - 0.5 + before
    slopes = part.new_zeros(*part.shape, 4)
    ends = torch.stack((-(1 - off), 1 - 2 * off, off), 2)  # gives to the left, gets from there
    slopes[..., :3] += ends * before[..., None]
    slopes[..., 1:] += ends * (1 - before)[..., None]
    return values, slopes


def solve(chi: Tensor, source: Tensor, bricks: Bricks, pins: Pins | None, length: float) -> int:
    """Turns chi into the field of least (P6), its values at the rim kept; steps that were taken.

    Conjugate gradients, preconditioned by the diagonal.

    Args:
        chi: (B, 8, 8, 8) start, changed in place.
        source: (B, 8, 8, 8) right side.
        pins: None for none.
        length: cells, see l in (P6).
    """
    corners = [] if pins is None else list(zip(pins.corner, pins.share, strict=True))
    strength = chi.new_zeros(0) if pins is None else pins.weight / length

    def applied(field: Tensor) -> Tensor:
        out = laplacian(field, bricks.near)
        read = torch.zeros_like(strength)
        for corner, share in corners:
            read.addcmul_(field.view(-1)[corner], share)
        read.mul_(strength)
        for corner, share in corners:
            out.view(-1).index_add_(0, corner, read * share)
        return out

    inverse = torch.full_like(chi, 6.0)
    for corner, share in corners:
        inverse.view(-1).index_add_(0, corner, strength * share**2)
    inverse.reciprocal_()[bricks.rim()] = 0  # what has no direction keeps its value
    left = applied(chi).neg_().add_(source)
    direction = left * inverse
    size = first = _dot(left, direction)
    for step in range(settings.FINE_STEPS):
        if not size > settings.FINE_END * first:
            return step
        turned = applied(direction)
        along = size / _dot(direction, turned)
        chi.add_(direction, alpha=along)
        left.sub_(turned, alpha=along)
        torch.mul(left, inverse, out=turned)
        before, size = size, _dot(left, turned)
        direction.mul_(size / before).add_(turned)
    return settings.FINE_STEPS


def _dot(a: Tensor, b: Tensor) -> float:
    return float(stable_sum(torch.linalg.vecdot(a.view(-1, NODES), b.view(-1, NODES)).double()))


def level_mesh(level: Level) -> Mesh:
    """The zero set of a level in bricks, in the unit box."""
    assert level.bricks is not None
    cells = mixed_cells(level)
    cells = cells[(cells < level.end).all(1)]
    if not len(cells):
        return Mesh(level.chi.new_zeros(0, 3), cells)
    low, high = cells.amin(0), cells.amax(0) + 1
    grid = SparseVoxelGrid(
        cells - low,
        (high - low).tolist(),
        bounds=((low / level.nodes).tolist(), (high / level.nodes).tolist()),
        device=level.chi.device,
        dtype=level.chi.dtype,
    )
    _, ny, nz = grid.shape
    key = grid.vertex_keys
    node = torch.stack((key // (ny * nz), key // nz % ny, key % nz), 1) + low
    return dual_marching_cubes(grid, level.chi.reshape(-1)[level.bricks.place(node)])
