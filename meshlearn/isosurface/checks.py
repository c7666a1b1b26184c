"""What extractors ask of a grid, a field and its parameters: one sentence where it is not so."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.tetgrid import TetGrid
from meshlearn.mesh import Mesh, TetMesh


def check_tetgrid(grid: object) -> TetGrid:
    """`grid` if it is a TetGrid, else ValueError."""
    if not isinstance(grid, TetGrid):
        raise ValueError(
            f"grid: expected a TetGrid, got {type(grid).__name__}; make one with "
            "TetGrid.from_voxels(64)"
        )
    return grid


def check_grid(grid: object) -> VoxelGrid:
    """`grid` if it is a VoxelGrid, else ValueError."""
    if not isinstance(grid, VoxelGrid):
        raise ValueError(
            f"grid: expected a VoxelGrid, got {type(grid).__name__}; make one with VoxelGrid(64)"
        )
    return grid


def check_optional(value: Tensor | None, name: str, grid: VoxelGrid, *shape: int) -> Tensor | None:
    """A parameter of the grid: None, or of this shape with the grid's dtype and device."""
    if value is None:
        return None
    return check_tensor(
        value, name, shape=shape, dtype=grid.dtype, device=grid.device, like="the grid"
    ).contiguous()


def check_values(grid: VoxelGrid, sdf: Tensor, level: float) -> Tensor:
    """The field less its level, checked; the operators look for its sign changes."""
    values = grid.check_field(sdf)
    level = float(level)
    if level != level or level in (float("inf"), float("-inf")):
        raise ValueError(f"level: expected a finite number, got {level}")
    return (values - level if level else values).contiguous()


def check_finite(values: Tensor, name: str = "sdf") -> None:
    """Raises ValueError when a field holds NaN or infinities."""
    check_tensor(values, name, finite=True)


@contextmanager
def finite_or_value_error(values: Tensor, name: str = "sdf") -> Iterator[None]:
    """An operator refuses NaN that it meets while it reads the signs: that as a ValueError.

    The field is looked at again only where the operator failed, so that it is read once else.
    """
    try:
        yield
    except RuntimeError:
        check_finite(values, name)
        raise


def warn_if_empty(mesh: Mesh, grid: VoxelGrid) -> None:
    """Says that a field has no zero crossing, since an empty mesh seldom is what was meant."""
    if mesh.num_vertices == 0:
        warnings.warn(
            f"the field has no zero crossing on {grid}: the mesh is empty (is the sign or the "
            "level right, and does the box hold the surface?)",
            RuntimeWarning,
            stacklevel=4,
        )


def warn_if_inverted(mesh: TetMesh) -> None:
    """Says that tetrahedra of a surface which crosses itself could not all be made positive."""
    wrong = mesh.quality() <= 0
    if bool(wrong.any()):
        corner = mesh.vertices.detach()[mesh.tets[wrong][0]].mean(0)
        place = ", ".join(f"{x:.4g}" for x in corner.tolist())
        warnings.warn(
            f"tets: {int(wrong.sum())} of {mesh.num_tets} tetrahedra have no positive volume, one "
            f"at ({place}): the surface crosses itself there; fit longer or with a larger weight "
            "of dev",
            RuntimeWarning,
            stacklevel=4,
        )


def check_deform(grid: TetGrid, deform: Tensor | None) -> Tensor | None:
    """Displacement parameters of the grid's vertices, or None."""
    if deform is None:
        return None
    return check_tensor(
        deform,
        "deform",
        shape=(grid.num_vertices, 3),
        dtype=grid.dtype,
        device=grid.device,
        like="the grid",
    )
