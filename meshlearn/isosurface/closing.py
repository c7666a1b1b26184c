"""Surfaces that reach the border of their grid: told, or capped there.

The border of a box is connected, so a field that has both signs on it has a surface that passes
through it, and is open there. A cap is made by one more layer of cells around the grid, whose far
vertices are so far outside that the surface crosses to them within a thousandth of a cell.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.sparse import SparseVoxelGrid

FAR_OUTSIDE = 1e3  # of the largest value of a field: a cap is a thousandth of a cell off the border


def border_values(grid: VoxelGrid, values: Tensor) -> Tensor:
    """The values (N,) at the vertices on the box of a grid, also sparse; some of them twice."""
    if isinstance(grid, SparseVoxelGrid):
        keys = grid.vertex_keys
        _, ny, nz = grid.shape
        at = torch.stack([keys // (ny * nz), keys // nz % ny, keys % nz], 1)
        last = torch.tensor(grid.shape, device=at.device) - 1
        return values[((at == 0) | (at == last)).any(1)]
    return _sides(values.view(grid.shape))


def _sides(volume: Tensor) -> Tensor:
    sides = [
        volume.select(axis, side).reshape(-1) for axis, n in enumerate(volume.shape)
        for side in (0, n - 1)
    ]  # fmt: skip
    return torch.cat(sides)


def leaves(volume: Tensor, level: float = 0.0) -> bool:
    """Whether a surface at `level` passes through the border of samples (X, Y, Z).

    Example:
        >>> leaves(torch.linspace(-1, 1, 4).expand(4, 4, 4))
        True
    """
    return _both(_sides(volume) < level)


def _both(inside: Tensor) -> bool:
    return len(inside) > 0 and bool(inside.any()) and not bool(inside.all())


def warn_if_cut(grid: VoxelGrid, values: Tensor) -> None:
    """Says that a surface reaches the border of its grid, where the mesh is open then."""
    if _both(border_values(grid, values.detach()) < 0):
        warnings.warn(
            f"the surface reaches the border of its grid, the box {grid.bounds}, and is open "
            "there; enlarge the box, or cap it by close=True (of marching_cubes, "
            "dual_marching_cubes, flexicubes and extract_volume; extract --close)",
            RuntimeWarning,
            stacklevel=4,
        )


def check_closable(grid: VoxelGrid) -> None:
    """Raises ValueError for a grid that `closed` cannot surround."""
    if isinstance(grid, SparseVoxelGrid):
        raise ValueError("close: expected a full VoxelGrid, got a sparse one; enlarge its box")


def closed(
    grid: VoxelGrid,
    values: Tensor,
    at_vertices: Sequence[Tensor | None],
    at_cells: Sequence[Tensor | None],
) -> tuple[VoxelGrid, Tensor, list[Tensor | None], list[Tensor | None]]:
    """A grid and its field with one more layer of cells, outside, on each side.

    Args:
        grid: full, N vertices and C cells.
        values: (N,) less their level.
        at_vertices, at_cells: (N, ...) and (C, ...) parameters or None; at rest in the new layer.

    Returns:
        The same of the larger grid.
    """
    check_closable(grid)
    low, high = torch.tensor(grid.bounds, dtype=torch.float64)
    step = (high - low) / torch.tensor(grid.resolution)
    larger = VoxelGrid(
        tuple(n + 2 for n in grid.resolution),
        bounds=torch.stack([low - step, high + step]),
        device=grid.device,
        dtype=grid.dtype,
    )
    top = float(values.detach().abs().amax()) if values.numel() else 0.0
    far = FAR_OUTSIDE * top if 0 < top < float("inf") else 1.0

    def around(value: Tensor, shape: tuple[int, ...], rest: float = 0.0) -> Tensor:
        layer = (0, 0) + (1,) * 6
        padded = torch.nn.functional.pad(value.view(*shape, -1), layer, value=rest)
        return padded.view(-1, *value.shape[1:])

    return (
        larger,
        around(values, grid.shape, far),
        [None if v is None else around(v, grid.shape) for v in at_vertices],
        [None if v is None else around(v, grid.resolution) for v in at_cells],
    )
