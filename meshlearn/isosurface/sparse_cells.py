"""Sets of lattice cells as sorted keys: neighbours, halves, and those near a surface."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.isosurface.constants import ROUNDING
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.tables import CORNERS


def choose_levels(size: Sequence[int], levels: int | None) -> int:
    """How often cells are halved down to `size`: as told, or from about 16 cells an axis."""
    if levels is None:
        levels = 0
        while all(r % 2 ** (levels + 1) == 0 for r in size) and max(size) >> levels > 16:
            levels += 1
    if levels < 0 or any(r % 2**levels for r in size):
        raise ValueError(
            f"levels: expected resolution {tuple(size)} divisible by 2^levels, got {levels}; give "
            "fewer levels"
        )
    return levels


def cells_near(
    field: Callable[[Tensor], Tensor],
    whole: VoxelGrid,
    levels: int,
    lipschitz: float,
    chunk: int,
) -> Tensor:
    """(K, 3) cells, `levels` halvings below the grid `whole`, which a zero of `field` can be in.

    A cell stays while |field| at its centre is at most `lipschitz` times half its diagonal.
    """
    cells = whole.cell_coordinates(torch.arange(whole.num_cells, device=whole.device))
    low = torch.tensor(whole.bounds[0], dtype=torch.float64, device=whole.device)
    for level in range(levels + 1):
        step = torch.tensor(whole.spacing, dtype=torch.float64, device=whole.device) * 2.0**-level
        reach = lipschitz * 0.5 * float(step.norm()) * (1 + ROUNDING)
        near = []
        for part in cells.split(chunk):
            value = field(((part.double() + 0.5) * step + low).to(whole.dtype)).reshape(-1)
            check_values(value, len(part))
            near.append(value.abs() <= reach)
        cells = cells[torch.cat(near)]
        if level < levels:
            cells = children(cells)
    return cells


def key(at: Tensor, size: Sequence[int]) -> Tensor:
    """Lattice numbers of coordinates (..., 3)."""
    return (at[..., 0] * size[1] + at[..., 1]) * size[2] + at[..., 2]


def distinct(keys: Tensor, size: int) -> Tensor:
    """Lattice numbers in [0, size), each once and ascending: `unique`, by a bit for each number
    where these are many."""
    if keys.numel() < size // 32:
        return torch.unique(keys)
    seen = torch.zeros(size, dtype=torch.bool, device=keys.device)
    return seen.index_fill_(0, keys.reshape(-1), True).nonzero().squeeze(1)


def find(keys: Tensor, wanted: Tensor) -> Tensor:
    if keys.numel() == 0:
        return torch.full_like(wanted, -1)
    place = torch.searchsorted(keys, wanted.contiguous()).clamp(max=len(keys) - 1)
    return torch.where(keys[place] == wanted, place, -1)


def children(cells: Tensor) -> Tensor:
    """(8 K, 3) the eight halves of each cell."""
    return (2 * cells[:, None] + torch.tensor(CORNERS, device=cells.device)).reshape(-1, 3)


def dilated(cells: Tensor, band: int, size: Sequence[int]) -> Tensor:
    """Cells and all within `band` of them on the lattice, each once."""
    number = torch.unique(key(cells, size))
    step = (size[1] * size[2], size[2], 1)
    for axis in (2, 1, 0):
        line = number // step[axis] % size[axis]
        found = [number]
        for d in range(1, band + 1):
            found += [
                (number - d * step[axis])[line >= d],
                (number + d * step[axis])[line < size[axis] - d],
            ]
        number = torch.unique(torch.cat(found))
    return torch.stack([number // step[0], number // step[1] % size[1], number % size[2]], 1)


def check_band(band: int) -> None:
    if not isinstance(band, int) or band < 0:
        raise ValueError(f"band: expected a number of cells, 0 or more, got {band!r}")


def check_values(values: Tensor, count: int) -> None:
    check_tensor(values, "field", shape=(count,), finite=True)
