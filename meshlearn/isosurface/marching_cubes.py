"""Marching cubes with consistent topology, differentiable in the field.

The equations, by the numbers in brackets at the code which computes them: that is
csrc/kernels/marching_cubes.h and `reference`, and for marching tetrahedra csrc/kernels/tets.h.

(M1) vertex on a crossed edge (a, b): x_a + (x_b - x_a) t, t = s_a / (s_a - s_b)
(M2) triangles of a cell or tetrahedron by the mask of its corners with s < 0
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._native import use_native
from meshlearn.isosurface._ops import MarchingCubesTensors
from meshlearn.isosurface.checks import (
    check_finite,
    check_grid,
    check_optional,
    check_values,
    finite_or_value_error,
    warn_if_empty,
)
from meshlearn.isosurface.closing import closed, warn_if_cut
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.reference import marching_cubes_reference
from meshlearn.isosurface.tables import triangle_table
from meshlearn.mesh import Mesh


@eager
def marching_cubes(
    grid: VoxelGrid,
    sdf: Tensor,
    *,
    level: float = 0.0,
    deform: Tensor | None = None,
    close: bool = False,
) -> Mesh:
    """The surface where a field on a grid passes `level`, by marching cubes.

    One vertex on each crossed grid edge, by linear interpolation; triangles by a case table whose
    ambiguous faces are cut by one fixed rule on both sides, so that a field which is positive on
    the border of the grid always gives a closed, manifold and oriented mesh, noise included.
    Vertices are shared; a surface that leaves the grid is open there, unless it is closed.

    Args:
        grid: the grid.
        sdf: (N,) or grid.shape, negative inside, of the grid's dtype and device. A corner is inside
            where ``sdf < level``; exactly `level` is outside.
        level: the iso value.
        deform: (N, 3) unconstrained displacement parameters: grid vertices move by
            ``(spacing / 2) * tanh(deform)``.
        close: cap the surface where it leaves the grid, at the border.

    Returns:
        The mesh, normals towards larger values. Gradients reach `sdf` and `deform`.

    Raises:
        ValueError: wrong shape, dtype or device, or NaN in the field.

    Warns:
        RuntimeWarning: no zero crossing, the mesh is empty; or the surface reaches the border of
            the grid, and is open there.

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
    if close:
        grid, values, (deform,), _ = closed(grid, values, [deform], [])
    if use_native(values):
        with finite_or_value_error(values):
            made = MarchingCubesTensors(
                *torch.ops.meshlearn.marching_cubes(
                    values,
                    deform,
                    triangle_table(values.device),
                    list(grid.resolution),
                    grid.flat_bounds,
                    *grid.table,
                )
            )
        vertices, faces = made.vertices, made.faces
    else:
        check_finite(values)
        vertices, faces = marching_cubes_reference(grid, values, deform)
    mesh = Mesh(vertices, faces, validate=False)
    warn_if_empty(mesh, grid)
    if not close:
        warn_if_cut(grid, values)
    return mesh
