"""Cells that zeros of a field may be in, from coarse to fine, with a bound of its slope."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from meshlearn.fields.neural import check_output
from meshlearn.isosurface.constants import (
    DIP,
    FLAT,
    POINTS_AT_ONCE,
    POINTS_AT_ONCE_CPU,
    ROUNDING,
    SEED,
)
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.sparse_cells import children, key
from meshlearn.isosurface.tables import CORNERS


def evaluate_quietly(
    field: Callable[..., Tensor],
    points: Tensor,
    *,
    latent: Tensor | None = None,
    index: Tensor | None = None,
    chunk: int | None = None,
) -> Tensor:
    """(P,) values of a field at points (P, 3): in pieces, without a graph, in full precision.

    Args:
        latent: a code (L,) or codes (B, L), given to the field behind the points.
        index: (P,) int64, which of the codes belongs to each point.
        chunk: points at a time; default by the device.

    Raises:
        NonFiniteField: NaN or infinities; names the tensor with the first.
    """
    if chunk is None:
        chunk = POINTS_AT_ONCE_CPU if points.device.type == "cpu" else POINTS_AT_ONCE
    if isinstance(field, nn.parallel.DistributedDataParallel):
        field = field.module  # nothing to synchronise, and ranks have different numbers of points
    found = []
    with torch.no_grad(), torch.autocast(points.device.type, enabled=False):
        for begin in range(0, len(points), chunk):
            part = points[begin : begin + chunk]
            own = None if index is None else index[begin : begin + chunk]
            more = [x for x in (latent, own) if x is not None]
            values = field(part, *more)
            found.append(
                check_output(values, len(part), field, where="on the lattice", latent=latent)
            )
    return torch.cat(found).to(points.dtype) if found else points.new_zeros(0)


def search(
    value: Callable[[Tensor, Tensor], Tensor],
    whole: VoxelGrid,
    levels: int,
    lipschitz: float | None,
    margin: float,
    owners: int = 1,
) -> tuple[Tensor, Tensor]:
    """Cells, `levels` halvings below the grid `whole`, which zeros of fields may be in.

    Args:
        value: points (P, 3) and owners (P,) int64 -> (P,), one field an owner.
        whole: the coarsest grid, all of whose cells are looked at.
        lipschitz: bound of the slope, for a value of at most that times half a diagonal; None:
            `margin` times what the differences between the halves of a cell show, and at least
            what that of the median cell does.
        owners: number of fields.

    Returns:
        (K, 3) int64 cells and (K,) int64 owners. The last halving is not looked at: its cells are
        the halves of those before, since their corners have to be evaluated anyway.

        With a measured bound the cells of the last two levels are also told apart by the values at
        their corners (`_told_apart`): of a cell that the surface passes like a plane there are only
        the pieces where a trilinear field would pass, of one without surface there is nothing. So
        the cells returned touch the surface, and the caller follows it to the others.
    """
    device = whole.device
    cells = whole.cell_coordinates(torch.arange(whole.num_cells, device=device))
    owner = torch.arange(owners, device=device).repeat_interleave(len(cells))
    cells = cells.repeat(owners, 1)
    low = torch.tensor(whole.bounds[0], dtype=torch.float64, device=device)
    least = torch.zeros((), dtype=whole.dtype, device=device)
    traced = []
    for level in range(levels):
        step = torch.tensor(whole.spacing, dtype=torch.float64, device=device) * 2.0**-level
        centre = value(((cells.double() + 0.5) * step + low).to(whole.dtype), owner)
        half = 0.5 * float(step.norm())
        if lipschitz is not None:
            reach = torch.full_like(centre, lipschitz * half)
        elif level == 0:
            reach = margin * half * _steepest(centre, step.to(centre), whole, owners)
        else:
            reach, least = _reaches(centre, least)
            reach = margin * reach
        near = centre.abs() <= reach * (1 + ROUNDING)
        cells, owner, centre = cells[near], owner[near], centre[near]
        if lipschitz is None and level >= levels - 2:
            numbers, place = _corners(cells, owner, [(r << level) + 1 for r in whole.resolution])
            at = (numbers[:, :3].double() * step + low).to(whole.dtype)
            corners = value(at, numbers[:, 3])[place]
            flat, bent = _told_apart(corners, centre, margin)
            traced.append(
                _predicted(cells[flat], owner[flat], corners[flat], 1 << (levels - level))
            )
            cells, owner = cells[bent], owner[bent]
        cells, owner = children(cells), owner.repeat_interleave(8)
    if traced:
        cells = torch.cat([cells, *(c for c, _ in traced)])
        owner = torch.cat([owner, *(o for _, o in traced)])
    return cells, owner


def _steepest(values: Tensor, step: Tensor, whole: VoxelGrid, owners: int) -> Tensor:
    """The largest slope that differences on the coarsest grid show; 0-d."""
    volume = values.view(owners, *whole.resolution)
    inner = [slice(None), *(slice(max(1, n - 1)) for n in whole.resolution)]
    squared = values.new_zeros(())
    for axis in range(3):
        change = torch.diff(volume, dim=axis + 1) / step[axis]
        if change.numel():
            squared = squared + change[tuple(inner)] ** 2
    return squared.max().sqrt()


def _reaches(values: Tensor, least: Tensor) -> tuple[Tensor, Tensor]:
    """(K,) how far a value may be from those in its cell, by the changes along the three axes.

    The changes are those between the eight halves of the cell before, which are one behind another;
    along a flat surface they are less than a slope times half a diagonal. No reach is below the
    median one, nor below half of `least`, that median of the level before; the second result is the
    bound of this level.
    """
    reach = 0.5 * _change(values.view(-1, 8))
    least = 0.5 * least
    if len(reach):
        least = least.maximum(reach.median())
    return reach.maximum(least).repeat_interleave(8), least


def _change(corners: Tensor) -> Tensor:
    """(K,) how much values (K, 8) change along the three axes, together."""
    block = corners.view(-1, 2, 2, 2)  # z, y, x
    parts = [torch.diff(block, dim=axis).square().mean((1, 2, 3)).sqrt() for axis in (1, 2, 3)]
    return parts[0] + parts[1] + parts[2]


def _corners(cells: Tensor, owner: Tensor, shape: list[int]) -> tuple[Tensor, Tensor]:
    """Corners of cells, each once: (N, 4) coordinates and owner, and (K, 8) which are a cell's."""
    at = cells[:, None] + torch.tensor(CORNERS, device=cells.device)
    number = owner[:, None] * (shape[0] * shape[1] * shape[2]) + key(at, shape)
    number, place = torch.unique(number, return_inverse=True)
    _, ny, nz = shape
    parts = [number // (ny * nz) % shape[0], number // nz % ny, number % nz]
    return torch.stack([*parts, number // (shape[0] * ny * nz)], 1), place


def _told_apart(corners: Tensor, centre: Tensor, margin: float) -> tuple[Tensor, Tensor]:
    """Cells that the surface passes like a plane, and those to be halved; (K,) bool each.

    A component of its own in a cell, or a thin sheet, makes a dip: the value at the centre is
    nearer to 0 than the mean of the corners is, by about as much as the corners are away from 0.
    A cell whose signs agree and whose dip is too small for that holds no surface: it is neither.
    """
    inside = torch.cat([corners, centre[:, None]], 1) < 0
    crossed = inside.any(1) & ~inside.all(1)
    mean = corners.mean(1)
    dip = margin * torch.where(crossed, (centre - mean).abs(), mean.abs() - centre.abs())
    bent = dip > 0.5 * FLAT * _change(corners)
    hidden = DIP * dip >= corners.abs().amin(1)
    return crossed & ~bent, torch.where(crossed, bent, hidden)


def _predicted(cells: Tensor, owner: Tensor, corners: Tensor, parts: int) -> tuple[Tensor, Tensor]:
    """Those of the `parts`^3 pieces of cells that a trilinear field of these corners passes."""
    line = (torch.arange(parts, device=cells.device, dtype=corners.dtype) + 0.5) / parts
    weight = torch.stack([1 - line, line])
    slope = torch.stack([-torch.ones_like(line), torch.ones_like(line)]) / parts

    def spread(x: Tensor, y: Tensor, z: Tensor) -> Tensor:
        return torch.einsum("kcba,ax,by,cz->kxyz", corners.view(-1, 2, 2, 2), x, y, z)

    change = (
        spread(slope, weight, weight).abs()
        + spread(weight, slope, weight).abs()
        + spread(weight, weight, slope).abs()
    )
    passed = spread(weight, weight, weight).abs() <= 0.5 * SEED * change
    cell, *piece = passed.nonzero().unbind(1)
    return cells[cell] * parts + torch.stack(piece, 1), owner[cell]
