"""Marching tetrahedra, differentiable in the field and in the grid's displacement."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._validate import check_tensor
from meshlearn.isosurface._ops import zeros_lazily
from meshlearn.isosurface.tetgrid import PAIRS, TetGrid, tet_table
from meshlearn.mesh import Mesh


class TetSurface(NamedTuple):
    """What marching tetrahedra gives, before it is a mesh."""

    vertices: Tensor  # (V, 3)
    faces: Tensor  # (F, 3)
    msdf: Tensor  # (V,), or empty without an msdf
    msdf_weighted: Tensor  # the same values, whose gradients leave the weights of sdf alone
    ends: Tensor  # (V, 2) grid vertices of each crossed edge, the lower first


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
            stacklevel=2,
        )
    return mesh


def check_tetgrid(grid: object) -> TetGrid:
    """`grid` if it is a TetGrid, else ValueError."""
    if not isinstance(grid, TetGrid):
        raise ValueError(
            f"grid: expected a TetGrid, got {type(grid).__name__}; make one with "
            "TetGrid.from_voxels(64)"
        )
    return grid


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


def tet_surface(
    grid: TetGrid, sdf: Tensor, msdf: Tensor | None, deform: Tensor | None
) -> TetSurface:
    """Vertices, faces and msdf at the vertices; arguments are checked.

    With an msdf, quads whose positive corners lie across are cut between these.
    """
    position = grid.displaced(deform)
    if not use_native(sdf):
        return tet_surface_reference(grid, sdf, msdf, position)
    out = torch.ops.meshlearn.marching_tetrahedra(
        position.contiguous(),
        sdf.contiguous(),
        None if msdf is None else msdf.contiguous(),
        grid.tets32,
        *grid.neighbours,
        tet_table(sdf.device),
    )
    return TetSurface(*out[:5])


def tet_surface_reference(
    grid: TetGrid, sdf: Tensor, msdf: Tensor | None, position: Tensor
) -> TetSurface:
    """Torch reference of the operator `marching_tetrahedra`."""
    device, n = sdf.device, grid.num_vertices
    inside = sdf < 0
    tets = grid.tets
    case = (inside[tets].long() << torch.arange(4, device=device)).sum(1)
    crossed = (case > 0) & (case < 15)
    tets, case = tets[crossed], case[crossed]

    ends = tets[:, torch.tensor(PAIRS, device=device)].view(-1, 2).sort(1).values
    ends = ends[inside[ends[:, 0]] != inside[ends[:, 1]]]
    keys = torch.unique(ends[:, 0] * n + ends[:, 1])
    a, b = keys // n, keys % n
    weight = sdf[a] / (sdf[a] - sdf[b])
    vertices = position[a] + (position[b] - position[a]) * weight[:, None]
    empty = sdf.new_zeros(0)
    value = empty if msdf is None else msdf[a] + (msdf[b] - msdf[a]) * weight
    fixed = weight.detach()
    weighted = empty if msdf is None else msdf[a] + (msdf[b] - msdf[a]) * fixed

    rows = tet_table(device).long()[case]
    i, j = tets.gather(1, rows[:, 1:] // 4), tets.gather(1, rows[:, 1:] % 4)
    polygon = torch.searchsorted(keys, torch.minimum(i, j) * n + torch.maximum(i, j))  # (A, 4)
    quad = rows[:, 0] == 4
    polygon = polygon.clamp(max=max(len(keys) - 1, 0))
    if msdf is not None and len(keys):
        positive = (value > 0)[polygon]
        saddle = quad & positive[:, 1] & positive[:, 3] & ~positive[:, 0] & ~positive[:, 2]
        polygon = torch.where(saddle[:, None], polygon.roll(-1, 1), polygon)
    faces = torch.stack([polygon[:, [0, 1, 2]], polygon[:, [0, 2, 3]]], 1)
    keep = torch.stack([torch.ones_like(quad), quad], 1)
    return TetSurface(vertices, faces[keep], value, weighted, torch.stack([a, b], 1))


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::marching_tetrahedra")
    def _(position, sdf, msdf, tets, start, neighbour, table):
        ctx = torch.library.get_ctx()
        v, f = ctx.new_dynamic_size(), ctx.new_dynamic_size()
        values = 0 if msdf is None else v
        return [
            sdf.new_empty(v, 3),
            sdf.new_empty(f, 3, dtype=torch.int64),
            sdf.new_empty(values),
            sdf.new_empty(values),
            sdf.new_empty(v, 2, dtype=torch.int64),
            sdf.new_empty(sdf.shape[0], dtype=torch.uint8),
            sdf.new_empty(sdf.shape[0] + 1, dtype=torch.int32),
        ]

    @torch.library.register_fake("meshlearn::marching_tetrahedra_backward")
    def _(*_args):
        return None

    def _setup(ctx, inputs, output) -> None:
        position, sdf, msdf, tets, start, neighbour, _ = inputs
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(position, sdf, msdf, tets, start, neighbour, *output[5:])
        ctx.count = output[0].shape[0]

    def _backward(ctx, grads):
        position, sdf, msdf, *rest = ctx.saved_tensors
        found = [
            zeros_lazily(sdf, tuple(given.shape)) if wants and given is not None else None
            for wants, given in zip(ctx.needs_input_grad[:3], (position, sdf, msdf), strict=True)
        ]
        grad_vertices, _, grad_value, grad_weighted, *_ = grads
        if grad_vertices is None:
            grad_vertices = sdf.new_zeros(ctx.count, 3)
        torch.ops.meshlearn.marching_tetrahedra_backward(
            grad_vertices.contiguous(),
            None if grad_value is None else grad_value.contiguous(),
            None if grad_weighted is None else grad_weighted.contiguous(),
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
