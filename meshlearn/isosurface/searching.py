"""Cells that zeros of a field may be in, from coarse to fine, with a bound of its slope."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from meshlearn.fields.neural import check_output
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.sparse_cells import children

CHUNK = 4096  # points at a time on the CPU: the layers' outputs stay in the cache


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
        chunk = CHUNK if points.device.type == "cpu" else 1 << 18
    if isinstance(field, nn.parallel.DistributedDataParallel):
        field = field.module  # nothing to synchronise, and ranks have different numbers of points
    found = []
    with torch.no_grad(), torch.autocast(points.device.type, enabled=False):
        for begin in range(0, len(points), chunk):
            part = points[begin : begin + chunk]
            more = () if latent is None else (latent,)
            if index is not None:
                more = (latent, index[begin : begin + chunk])
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
    """
    device = whole.device
    cells = whole.cell_coordinates(torch.arange(whole.num_cells, device=device))
    owner = torch.arange(owners, device=device).repeat_interleave(len(cells))
    cells = cells.repeat(owners, 1)
    low = torch.tensor(whole.bounds[0], dtype=torch.float64, device=device)
    for level in range(levels):
        step = torch.tensor(whole.spacing, dtype=torch.float64, device=device) * 2.0**-level
        found = value(((cells.double() + 0.5) * step + low).to(whole.dtype), owner)
        half = 0.5 * float(step.norm())
        if lipschitz is not None:
            reach = torch.full_like(found, lipschitz * half)
        elif level == 0:
            reach = margin * half * _steepest(found, step.to(found), whole, owners)
        else:
            reach = margin * _reaches(found)
        near = found.abs() <= reach * (1 + 1e-5)
        cells, owner = children(cells[near]), owner[near].repeat_interleave(8)
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


def _reaches(values: Tensor) -> Tensor:
    """(K,) how far a value may be from those in its cell, by the changes along the three axes.

    The changes are those between the eight halves of the cell before, which are one behind another;
    along a flat surface they are less than a slope times half a diagonal.
    """
    block = values.view(-1, 2, 2, 2)  # z, y, x
    reach = sum(
        0.5 * torch.diff(block, dim=axis).square().mean((1, 2, 3)).sqrt() for axis in (1, 2, 3)
    )
    assert isinstance(reach, Tensor)
    if len(reach):
        reach = reach.maximum(reach.median())
    return reach.repeat_interleave(8)
