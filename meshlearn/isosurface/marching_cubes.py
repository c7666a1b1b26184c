"""Marching cubes with consistent topology, differentiable in the field."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from meshlearn._native import use_native
from meshlearn._validate import check_tensor
from meshlearn.isosurface import _ops  # noqa: F401  (registers the operators)
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.reference import marching_cubes_reference
from meshlearn.isosurface.tables import triangle_table
from meshlearn.mesh import Mesh


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
def finite_or_value_error() -> Iterator[None]:
    """The operators look for NaN while they read the signs: their word for it as a ValueError."""
    try:
        yield
    except RuntimeError as error:
        if "NaN or infinite" not in str(error):
            raise
        found = next(line for line in str(error).splitlines() if "NaN or infinite" in line)
        raise ValueError(f"{found[found.index('sdf') :]}; remove them first") from None


def warn_if_empty(mesh: Mesh, grid: VoxelGrid) -> None:
    """Says that a field has no zero crossing, since an empty mesh seldom is what was meant."""
    if mesh.num_vertices == 0:
        warnings.warn(
            f"the field has no zero crossing on {grid}: the mesh is empty (is the sign or the "
            "level right, and does the box hold the surface?)",
            RuntimeWarning,
            stacklevel=3,
        )


def marching_cubes(
    grid: VoxelGrid,
    sdf: Tensor,
    *,
    level: float = 0.0,
    deform: Tensor | None = None,
) -> Mesh:
    """The surface where a field on a grid passes `level`, by marching cubes.

    One vertex on each crossed grid edge, by linear interpolation; triangles by a case table whose
    ambiguous faces are cut by one fixed rule on both sides, so that a field which is positive on
    the
    border of the grid always gives a closed, manifold and oriented mesh, noise included. Vertices
    are shared; a surface that leaves the grid is open there.

    Args:
        grid: the grid.
        sdf: (N,) or grid.shape, negative inside, of the grid's dtype and device. A corner is inside
            where ``sdf < level``; exactly `level` is outside.
        level: the iso value.
        deform: (N, 3) unconstrained displacement parameters: grid vertices move by
            ``(spacing / 2) * tanh(deform)``.

    Returns:
        The mesh, normals towards larger values. Gradients reach `sdf` and `deform`.

    Raises:
        ValueError: wrong shape, dtype or device, or NaN in the field.

    Warns:
        RuntimeWarning: no zero crossing; the mesh is empty.

    Example:
        >>> grid = VoxelGrid(32)
        >>> mesh = marching_cubes(grid, grid.vertices.norm(dim=1) - 0.5)
        >>> mesh.is_watertight
        True

    Source: Lorensen and Cline, "Marching Cubes" (1987); table derived by tracing cell faces
    (`meshlearn.isosurface.tables`).
    """
    check_grid(grid)
    values = check_values(grid, sdf, level)
    deform = check_optional(deform, "deform", grid, grid.num_vertices, 3)
    if use_native(values):
        with finite_or_value_error():
            vertices, faces, _, _ = torch.ops.meshlearn.marching_cubes(
                values,
                deform,
                triangle_table(values.device),
                list(grid.resolution),
                grid.flat_bounds,
                *grid.table,
            )
    else:
        check_finite(values)
        vertices, faces = marching_cubes_reference(grid, values, deform)
    mesh = Mesh(vertices, faces, validate=False)
    warn_if_empty(mesh, grid)
    return mesh
