"""FlexiCubes and dual marching cubes: a vertex for each patch of surface in a cell, quads across
edges.

The equations, by the numbers that stand in brackets at each piece of code which computes one. (F1)
to (F8) are computed by csrc/kernels/flexicubes.h and their gradient by flexicubes_backward.h beside
it, on every machine; the module `flexicubes_parts` says the same in torch. (F9) is here, (F10) in
`qef` and (F11) in `tetrahedra`; these two start from `flexicubes_parts`. Sections are those of Shen
et al. (2023).

(F1) weights of parameters a, b, g: alpha = 1 + 0.99 tanh(a), beta = 1 + 0.99 tanh(b),
     gamma = 0.99 / (1 + exp(-g)) + 0.005; the authors' code
(F2) displaced grid vertex: x + (1 - 1e-6) (h / 2) tanh(d), h the spacing of the grid
(F3) case of a cell: the mask of its corners with s < 0; where two cells that share an ambiguous
     face would join the same two vertices twice (the cases C16 and C19), both cut that face the
     other way; supplement, section 1.3
(F4) crossing of edge e = (a, b) in a cell:
     u_e = (s_a alpha_a x_b - s_b alpha_b x_a) / (s_a alpha_a - s_b alpha_b); section 4.2
(F5) dual vertex of a patch: v = sum beta_e u_e / sum beta_e over its edges; section 4.2
(F6) a quad of the four dual vertices around each crossed edge with four cells, from inside to
     outside; Nielson (2004)
(F7) its split, with gamma_k that of the cell of corner k: in training a fifth vertex
     (gamma_0 gamma_2 (v_0 + v_2) / 2 + gamma_1 gamma_3 (v_1 + v_3) / 2)
     / (gamma_0 gamma_2 + gamma_1 gamma_3); else the diagonal whose product is larger; section 4.3
(F8) deviation: the mean over a patch of | |v - u_e| - mean |v - u_e| |; equation 8
(F9) sign loss on the ends a, b of crossed edges: H(sigmoid(s_a), sign s_b) +
     H(sigmoid(s_b), sign s_a), H the cross entropy; Munkberg et al. (2022), equation 2
(F10) dual vertex of a known field: the least of mean (n_e . (v - u_e))^2 + 1e-3 |v - mean u|^2,
     kept in the box of its cell; the authors' code, after Schaefer et al., "Manifold Dual
     Contouring" (2007)
(F11) tetrahedra inside; section 4.5
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._native import use_native
from meshlearn._segment import Incidence, gather, stable_mean
from meshlearn.isosurface._ops import FlexiCubesTensors
from meshlearn.isosurface.checks import (
    check_finite,
    check_grid,
    check_optional,
    check_values,
    finite_or_value_error,
    warn_if_empty,
    warn_if_inverted,
)
from meshlearn.isosurface.closing import closed, warn_if_cut
from meshlearn.isosurface.flexicubes_parts import carry_msdf, flexicubes_parts, split_quads
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.qef import qef_mesh
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.tables import dual_table
from meshlearn.isosurface.tetrahedra import fill_tetrahedra
from meshlearn.mesh import Mesh, TetMesh

Gradient = Tensor | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FlexiCubesOutput:
    """What `flexicubes` returns; unpacks as ``mesh, dev_loss``."""

    mesh: Mesh
    dev_loss: Tensor  # (), mean over dual vertices of the deviation of their edge distances
    tets: TetMesh | None = None  # with tets=True

    def __iter__(self) -> Iterator:
        return iter((self.mesh, self.dev_loss))


@eager
def flexicubes(
    grid: VoxelGrid,
    sdf: Tensor,
    *,
    deform: Tensor | None = None,
    alpha: Tensor | None = None,
    beta: Tensor | None = None,
    gamma: Tensor | None = None,
    training: bool = False,
    tets: bool = False,
    gradient: Gradient | None = None,
    level: float = 0.0,
    close: bool = False,
) -> FlexiCubesOutput:
    """The surface of a field by FlexiCubes: dual marching cubes with learnable weights.

    All weights are unconstrained parameters, mapped inside: ``1 + 0.99 tanh`` for alpha and beta,
    ``0.99 sigmoid + 0.005`` for gamma. Without weights (None) this is dual marching cubes.
    A field that is positive on the border of the grid gives a closed, manifold and oriented mesh.

    Args:
        grid: the grid; C cells, N vertices.
        sdf: (N,) or grid.shape, negative inside; exactly `level` is outside.
        deform: (N, 3) displacement parameters; a grid vertex moves by (spacing/2) tanh(deform).
        alpha: (C, 8) corner weights, in the grid's order of corners.
        beta: (C, 12) edge weights, in the grid's order of edges.
        gamma: (C,) quad splitting weights.
        training: split each quad into four triangles about a fifth vertex (smooth in gamma) instead
            of two along the diagonal whose gammas are larger.
        tets: also fill the inside with tetrahedra whose boundary is the mesh, all of positive
            volume and none flat (`TetMesh.quality`). Where the surface alone does not allow that
            (it crosses itself, or its triangles hide behind each other), its vertices there move
            too, within the surface as far as possible; the mesh that is returned has moved as well.
        gradient: for a known field, its gradient, as a function (P, 3) -> (P, 3) or as (N, 3)
            values at the grid vertices: dual vertices then minimise the quadric of the tangent
            planes within their cell and quads split along the better diagonal, so that sharp edges
            are kept. Not with `training` or `tets`.
        level: the iso value.
        close: cap the surface where it leaves the grid, at the border. Not with `gradient`.

    Returns:
        FlexiCubesOutput with `mesh`, `dev_loss` (0-d, the paper's L_dev averaged) and `tets`.
        Gradients reach sdf, deform, alpha, beta and gamma.

    Raises:
        ValueError: wrong shape, dtype or device, NaN in the field, options that exclude each other.

    Warns:
        RuntimeWarning: no zero crossing, the mesh is empty; the surface reaches the border of the
            grid, and is open there; or tetrahedra of negative volume are left.

    Example:
        >>> grid = VoxelGrid(32)
        >>> sdf = (grid.vertices.norm(dim=1) - 0.5).requires_grad_()
        >>> out = flexicubes(grid, sdf, training=True)
        >>> (out.mesh.volume() + out.dev_loss).backward()

    Source: Shen et al., "Flexible Isosurface Extraction for Gradient-Based Mesh Optimization"
    (2023), sections 4.2, 4.3 and 4.5 and equation 8; Nielson, "Dual Marching Cubes" (2004).
    """
    check_grid(grid)
    if gradient is not None and (training or tets):
        raise ValueError("gradient: expected without training and tets, got both; leave one out")
    if close:
        if gradient is not None:
            raise ValueError("close: expected without gradient, which a cap has not; leave one out")
        values, *weights = _checked(grid, sdf, deform, alpha, beta, gamma, level)
        grid, sdf, (deform,), (alpha, beta, gamma) = closed(grid, values, weights[:1], weights[1:])
        level = 0.0
    filled = None
    if gradient is None and not tets:
        vertices, faces, loss, *_ = flexicubes_surface(
            grid, sdf, deform, alpha, beta, gamma, training, level=level
        )
    else:
        if isinstance(grid, SparseVoxelGrid) and tets:
            raise ValueError("tets: expected a full VoxelGrid, got a sparse one; leave tets out")
        values, *weights = _checked(grid, sdf, deform, alpha, beta, gamma, level)
        deform = weights[0]
        check_finite(values)
        parts = flexicubes_parts(grid, values, *weights)
        if gradient is not None:
            vertices, faces = qef_mesh(grid, values, deform, parts, gradient)
        else:
            vertices, faces = split_quads(parts, training)
            filled = fill_tetrahedra(grid, values, deform, parts, vertices, faces, training)
            vertices = filled.vertices[: len(vertices)]
            warn_if_inverted(filled)
        loss = _mean(parts.deviation)
    mesh = Mesh(vertices, faces, validate=False)
    warn_if_empty(mesh, grid)
    if not close:
        warn_if_cut(grid, sdf.detach().reshape(-1) - level)
    return FlexiCubesOutput(mesh, loss, filled)


def _checked(
    grid: VoxelGrid,
    sdf: Tensor,
    deform: Tensor | None,
    alpha: Tensor | None,
    beta: Tensor | None,
    gamma: Tensor | None,
    level: float,
) -> tuple[Tensor, Tensor | None, Tensor | None, Tensor | None, Tensor | None]:
    """Values less the level and the weights, of the right shapes."""
    values = check_values(grid, sdf, level)
    n, c = grid.num_vertices, grid.num_cells
    if gamma is not None and gamma.dim() == 2 and gamma.shape[1] == 1:
        gamma = gamma.squeeze(1)
    return (
        values,
        check_optional(deform, "deform", grid, n, 3),
        check_optional(alpha, "alpha", grid, c, 8),
        check_optional(beta, "beta", grid, c, 12),
        check_optional(gamma, "gamma", grid, c),
    )


class FlexiCubesSurface(NamedTuple):
    """The surface before it is a mesh, and an msdf carried to its vertices."""

    vertices: Tensor  # (V, 3)
    faces: Tensor  # (F, 3)
    dev_loss: Tensor  # ()
    msdf: Tensor  # (V,), empty without one
    msdf_weighted: Tensor  # the same values, whose gradients reach the msdf only


def flexicubes_surface(
    grid: VoxelGrid,
    sdf: Tensor,
    deform: Tensor | None,
    alpha: Tensor | None,
    beta: Tensor | None,
    gamma: Tensor | None,
    training: bool,
    *,
    msdf: Tensor | None = None,
    level: float = 0.0,
) -> FlexiCubesSurface:
    """`flexicubes` for a grid that is checked; `msdf` (N,) is checked and finite."""
    values, *weights = _checked(grid, sdf, deform, alpha, beta, gamma, level)
    if use_native(values):
        with finite_or_value_error(values):
            made = FlexiCubesTensors(
                *torch.ops.meshlearn.flexicubes(
                    values,
                    *weights,
                    dual_table(values.device),
                    list(grid.resolution),
                    grid.flat_bounds,
                    training,
                    None if msdf is None else msdf.contiguous(),
                    *grid.table,
                )
            )
        return FlexiCubesSurface(
            made.vertices, made.faces, _mean(made.deviation), made.msdf, made.msdf_weighted
        )
    check_finite(values)
    parts = flexicubes_parts(grid, values, *weights)
    vertices, faces = split_quads(parts, training)
    empty = values.new_zeros(0)
    carried = (empty, empty) if msdf is None else carry_msdf(parts, msdf, training)
    return FlexiCubesSurface(vertices, faces, _mean(parts.deviation), *carried)


def _mean(deviation: Tensor) -> Tensor:
    return stable_mean(deviation) if deviation.numel() else deviation.sum()


@eager
def dual_marching_cubes(
    grid: VoxelGrid,
    sdf: Tensor,
    *,
    level: float = 0.0,
    deform: Tensor | None = None,
    gradient: Gradient | None = None,
    close: bool = False,
) -> Mesh:
    """The surface of a field by dual marching cubes: FlexiCubes with unit weights.

    A vertex is the mean of the edge crossings of its patch, or with `gradient` (see `flexicubes`)
    the minimiser of their tangent planes' quadric, which keeps sharp edges. Manifold as
    `flexicubes`.

    Args:
        grid: the grid.
        sdf: (N,) or grid.shape, negative inside.
        level: the iso value.
        deform: (N, 3) displacement parameters.
        gradient: gradient of the field, a function (P, 3) -> (P, 3) or (N, 3) values.
        close: cap the surface where it leaves the grid, at the border. Not with `gradient`.

    Example:
        >>> grid = VoxelGrid(32)
        >>> mesh = dual_marching_cubes(grid, grid.vertices.norm(dim=1) - 0.5)

    Source: Nielson, "Dual Marching Cubes" (2004).
    """
    return flexicubes(grid, sdf, level=level, deform=deform, gradient=gradient, close=close).mesh


def sign_regularizer(grid: VoxelGrid, sdf: Tensor) -> Tensor:
    """(F9) Cross entropy between the signs at the ends of each crossed grid edge, averaged, 0-d.

    Pulls towards fields without needless sign changes (floating pieces inside and outside).

    Source: Munkberg et al., "Extracting Triangular 3D Models, Materials, and Lighting From Images"
    (2022), equation 2.
    """
    values = grid.check_field(sdf)
    if isinstance(grid, SparseVoxelGrid):
        inside = values.detach() < 0
        crossed = grid.edges[inside[grid.edges[:, 0]] != inside[grid.edges[:, 1]]]
        both = gather(values[:, None], Incidence(crossed.reshape(-1), len(values))).view(-1, 2)
        return _sign_change(both[:, 0], both[:, 1], values)
    values = values.view(grid.shape)
    inside = values < 0
    ends = []
    for axis, n in enumerate(grid.shape):
        crossed = inside.narrow(axis, 0, n - 1) != inside.narrow(axis, 1, n - 1)
        ends.append(
            (values.narrow(axis, 0, n - 1)[crossed], values.narrow(axis, 1, n - 1)[crossed])
        )
    a, b = (torch.cat(side) for side in zip(*ends, strict=True))
    return _sign_change(a, b, values)


def _sign_change(a: Tensor, b: Tensor, values: Tensor) -> Tensor:
    if a.numel() == 0:
        return values.sum() * 0
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    outside = [(side >= 0).to(side.dtype) for side in (a, b)]
    return stable_mean(bce(a, outside[1], reduction="none") + bce(b, outside[0], reduction="none"))
