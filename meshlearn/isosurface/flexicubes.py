"""FlexiCubes and dual marching cubes: one vertex a patch of surface in a cell, quads across
edges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from meshlearn._native import use_native
from meshlearn._segment import Incidence, gather, stable_mean
from meshlearn.isosurface import _ops  # noqa: F401  (registers the operators)
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.marching_cubes import (
    check_finite,
    check_grid,
    check_optional,
    check_values,
    finite_or_value_error,
    warn_if_empty,
)
from meshlearn.isosurface.qef import qef_mesh
from meshlearn.isosurface.reference import carry_msdf, flexicubes_parts, split_quads
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.tables import dual_table
from meshlearn.isosurface.tetrahedra import fill_tetrahedra
from meshlearn.mesh import Mesh

if TYPE_CHECKING:
    from meshlearn.mesh import TetMesh

Gradient = Tensor | Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class FlexiCubesOutput:
    """What `flexicubes` returns; unpacks as ``mesh, dev_loss``."""

    mesh: Mesh
    dev_loss: Tensor  # (), mean over dual vertices of the deviation of their edge distances
    tets: TetMesh | None = None  # with tets=True

    def __iter__(self) -> Iterator:
        return iter((self.mesh, self.dev_loss))


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
        tets: also fill the inside with tetrahedra whose boundary is the mesh.
        gradient: for a known field, its gradient, as a function (P, 3) -> (P, 3) or as (N, 3)
        values
            at the grid vertices: dual vertices then minimise the quadric of the tangent planes
            within their cell and quads split along the better diagonal, so that sharp edges are
            kept. Not with `training` or `tets`.
        level: the iso value.

    Returns:
        FlexiCubesOutput with `mesh`, `dev_loss` (0-d, the paper's L_dev averaged) and `tets`.
        Gradients reach sdf, deform, alpha, beta and gamma.

    Raises:
        ValueError: wrong shape, dtype or device, NaN in the field, options that exclude each other.

    Warns:
        RuntimeWarning: no zero crossing; the mesh is empty.

    Example:
        >>> grid = VoxelGrid(32)
        >>> sdf = (grid.vertices.norm(dim=1) - 0.5).requires_grad_()
        >>> out = flexicubes(grid, sdf, training=True)
        >>> (out.mesh.volume() + out.dev_loss).backward()

    Source: Shen et al., "Flexible Isosurface Extraction for Gradient-Based Mesh Optimization"
    (2023), equations 3 to 8; Nielson, "Dual Marching Cubes" (2004).
    """
    check_grid(grid)
    if gradient is not None and (training or tets):
        raise ValueError("gradient: expected without training and tets, got both; leave one out")
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
        loss = _mean(parts.deviation)
    mesh = Mesh(vertices, faces, validate=False)
    warn_if_empty(mesh, grid)
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
        with finite_or_value_error():
            out = torch.ops.meshlearn.flexicubes(
                values,
                *weights,
                dual_table(values.device),
                list(grid.resolution),
                grid.flat_bounds,
                training,
                None if msdf is None else msdf.contiguous(),
                *grid.table,
            )
        return FlexiCubesSurface(out[0], out[1], _mean(out[2]), out[18], out[19])
    check_finite(values)
    parts = flexicubes_parts(grid, values, *weights)
    vertices, faces = split_quads(parts, training)
    empty = values.new_zeros(0)
    carried = (empty, empty) if msdf is None else carry_msdf(parts, msdf, training)
    return FlexiCubesSurface(vertices, faces, _mean(parts.deviation), *carried)


def _mean(deviation: Tensor) -> Tensor:
    return stable_mean(deviation) if deviation.numel() else deviation.sum()


def dual_marching_cubes(
    grid: VoxelGrid,
    sdf: Tensor,
    *,
    level: float = 0.0,
    deform: Tensor | None = None,
    gradient: Gradient | None = None,
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

    Example:
        >>> grid = VoxelGrid(32)
        >>> mesh = dual_marching_cubes(grid, grid.vertices.norm(dim=1) - 0.5)

    Source: Nielson, "Dual Marching Cubes" (2004).
    """
    return flexicubes(grid, sdf, level=level, deform=deform, gradient=gradient).mesh


def sign_regularizer(grid: VoxelGrid, sdf: Tensor) -> Tensor:
    """Cross entropy between the signs at the two ends of each crossed grid edge, averaged, 0-d.

    Pulls towards fields without needless sign changes (floating pieces inside and outside).

    Source: Munkberg et al. (2022), equation 2; FlexiCubes, section 4.4.
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
