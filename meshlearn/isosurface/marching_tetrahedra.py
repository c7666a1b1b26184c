"""Marching tetrahedra, differentiable in the field and in the grid's displacement."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import eager, once
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._zeros import zeros_lazily
from meshlearn.isosurface.checks import check_deform, check_tetgrid
from meshlearn.isosurface.reference import tet_surface_reference
from meshlearn.isosurface.tetgrid import TetGrid, TetSurface, tet_table
from meshlearn.mesh import Mesh


@eager
def marching_tetrahedra(grid: TetGrid, sdf: Tensor, *, deform: Tensor | None = None) -> Mesh:
    """The surface where a field on a tetrahedral grid changes sign.

    One vertex on each crossed grid edge, by linear interpolation; a triangle or two in each crossed
    tetrahedron. There are no ambiguous cases: a field that is positive on the border of the grid
    gives a closed, manifold and oriented mesh, noise included. Vertices are ordered by the ends of
    their edges, faces by tetrahedron.

    Args:
        grid: the grid; N vertices.
        sdf: (N,) negative inside, of the grid's dtype and device; exactly 0 is outside.
        deform: (N, 3) unconstrained displacement parameters: a grid vertex moves by
            ``grid.reach * tanh(deform)``, half of its shortest edge at most.

    Returns:
        The mesh, normals towards larger values. Gradients reach `sdf` and `deform`.

    Raises:
        ValueError: wrong shape, dtype or device, or NaN in the field.

    Warns:
        RuntimeWarning: no zero crossing; the mesh is empty.

    Example:
        >>> grid = TetGrid.from_voxels(32)
        >>> mesh = marching_tetrahedra(grid, grid.vertices.norm(dim=1) - 0.5)

    Source: Doi and Koide (1991); Shen et al., "Deep Marching Tetrahedra" (2021).
    """
    check_tetgrid(grid)
    surface = tet_surface(grid, grid.check_field(sdf), None, check_deform(grid, deform))
    mesh = Mesh(surface.vertices, surface.faces, validate=False)
    if mesh.num_vertices == 0:
        warnings.warn(
            f"the field has no zero crossing on {grid}: the mesh is empty (is the sign right, and "
            "does the grid hold the surface?)",
            RuntimeWarning,
            stacklevel=3,
        )
    return mesh


def tet_surface(
    grid: TetGrid, sdf: Tensor, msdf: Tensor | None, deform: Tensor | None
) -> TetSurface:
    """Vertices, faces and msdf at the vertices; arguments are checked.

    With an msdf, quads whose positive corners lie across are cut between these.
    """
    position = grid.displaced(deform)
    if not use_native(sdf):
        return tet_surface_reference(grid, sdf, msdf, position)
    made = TetTensors(
        *torch.ops.meshlearn.marching_tetrahedra(
            position.contiguous(),
            sdf.contiguous(),
            None if msdf is None else msdf.contiguous(),
            grid.tets32,
            *grid.neighbours,
            tet_table(sdf.device),
        )
    )
    return TetSurface(made.vertices, made.faces, made.msdf, made.msdf_weighted, made.ends)


class TetTensors(NamedTuple):
    """Outputs of the operator `marching_tetrahedra`, in the order of csrc/drivers/tets.h."""

    vertices: Tensor  # (V, 3)
    faces: Tensor  # (F, 3) int64
    msdf: Tensor  # (V,) or (0,)
    msdf_weighted: Tensor  # the same
    ends: Tensor  # (V, 2) int64
    inside: Tensor  # (N,) uint8, kept for the backward pass
    first: Tensor  # (N + 1,) int32, kept for the backward pass


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::marching_tetrahedra")
    def _(position, sdf, msdf, tets, start, neighbour, table):
        ctx = torch.library.get_ctx()
        v, f = ctx.new_dynamic_size(), ctx.new_dynamic_size()
        values = 0 if msdf is None else v
        made = TetTensors(
            vertices=sdf.new_empty(v, 3),
            faces=sdf.new_empty(f, 3, dtype=torch.int64),
            msdf=sdf.new_empty(values),
            msdf_weighted=sdf.new_empty(values),
            ends=sdf.new_empty(v, 2, dtype=torch.int64),
            inside=sdf.new_empty(sdf.shape[0], dtype=torch.uint8),
            first=sdf.new_empty(sdf.shape[0] + 1, dtype=torch.int32),
        )
        return list(made)

    @torch.library.register_fake("meshlearn::marching_tetrahedra_backward")
    def _(*_args):
        return None

    def _setup(ctx, inputs, output) -> None:
        position, sdf, msdf, tets, start, neighbour, _ = inputs
        ctx.set_materialize_grads(False)
        made = TetTensors(*output)
        ctx.save_for_backward(position, sdf, msdf, tets, start, neighbour, made.inside, made.first)
        ctx.count = made.vertices.shape[0]

    @once("marching_tetrahedra")
    def _backward(ctx, grads):
        position, sdf, msdf, *rest = ctx.saved_tensors
        found = [
            zeros_lazily(sdf, tuple(given.shape)) if wants and given is not None else None
            for wants, given in zip(ctx.needs_input_grad[:3], (position, sdf, msdf), strict=True)
        ]
        grad = TetTensors(*grads)
        along = sdf.new_zeros(ctx.count, 3) if grad.vertices is None else grad.vertices
        torch.ops.meshlearn.marching_tetrahedra_backward(
            along.contiguous(),
            None if grad.msdf is None else grad.msdf.contiguous(),
            None if grad.msdf_weighted is None else grad.msdf_weighted.contiguous(),
            position,
            sdf,
            msdf,
            *rest,
            *found,
        )
        return *found, None, None, None, None

    torch.library.register_autograd(
        "meshlearn::marching_tetrahedra", _backward, setup_context=_setup
    )
