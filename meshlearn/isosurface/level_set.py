"""The surface of a field as a mesh whose vertices pass their gradients on to the field.

The equations of Guillard et al. (2021), by the numbers in brackets at the code which computes them,
here and in `deferred`; g_v is the gradient that comes to a vertex v, f the field, theta what it
depends on:

(L1) a vertex follows the field's value at it: dv/df = -grad f / |grad f|^2, for a signed distance
     -n = -grad f / |grad f|
(L2) gradient of the field: sum over v of (g_v . dv/df) df(v)/dtheta
(L3) |grad f| in (L1) is taken for at least MIN_SLOPE of its median
(L4) Newton's step onto the level set: v + (f(v) - level) dv/df
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.fields.neural import check_output
from meshlearn.isosurface.constants import MIN_SLOPE
from meshlearn.isosurface.deferred import (
    Derivative,
    LevelSetReport,
    check_options,
    defer_vertices,
    directions,
)
from meshlearn.isosurface.flexicubes import dual_marching_cubes, flexicubes
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.marching_cubes import marching_cubes
from meshlearn.isosurface.marching_tetrahedra import marching_tetrahedra
from meshlearn.isosurface.searching import evaluate_quietly
from meshlearn.isosurface.tetgrid import TetGrid
from meshlearn.isosurface.tracking import SurfaceTracker
from meshlearn.mesh import Mesh

Method = Literal["mc", "dmc", "flexicubes", "tets"]
Field = Callable[..., Tensor]


class _Attached(torch.autograd.Function):
    """(L2) Vertices as a function of the field's values: d vertices / d values = direction."""

    @staticmethod
    def forward(ctx, values: Tensor, vertices: Tensor, direction: Tensor) -> Tensor:
        ctx.save_for_backward(direction)
        ctx.kind = values.dtype
        return vertices.clone()

    @staticmethod
    def backward(ctx, grad: Tensor):
        (direction,) = ctx.saved_tensors
        return (grad * direction).sum(1).to(ctx.kind), None, None


def attach_vertices(values: Tensor, vertices: Tensor, direction: Tensor) -> Tensor:
    """The operator of the level set: `vertices`, which follow `values` along `direction`.

    Args:
        values: (V,) the field at the vertices, with the graph that gradients go on through.
        vertices: (V, 3) positions; they get no gradient themselves.
        direction: (V, 3) how a vertex moves when its value grows, as -grad f / |grad f|^2.

    Returns:
        (V, 3) equal to `vertices`; the gradient of `values` is ``(gradient * direction).sum(1)``.
        It can be differentiated again in the incoming gradient.
    """
    return _Attached.apply(values, vertices.detach(), direction.detach())


def attach_vertices_reference(values: Tensor, vertices: Tensor, direction: Tensor) -> Tensor:
    """Torch reference of `attach_vertices`: a Newton step of length 0."""
    return vertices.detach() + (values - values.detach())[:, None] * direction.detach()


def level_set_vertices(
    field: Field,
    vertices: Tensor,
    *,
    level: float = 0.0,
    latent: Tensor | None = None,
    index: Tensor | None = None,
    derivative: Derivative = "general",
    min_slope: float = MIN_SLOPE,
    project: float = 0.0,
) -> tuple[Tensor, LevelSetReport]:
    """Vertices of any extractor, made to depend on the field whose level set they lie on.

    A field that grows by df at a vertex moves the surface there by -grad f / |grad f|^2 df. So the
    field is evaluated once at the detached vertices, its gradient in space is taken, and whatever
    the values depend on (weights, codes, inputs) gets ``-(g . grad f) / |grad f|^2 * d f``.

    Args:
        field: points (V, 3) -> (V,), differentiable by autograd; with `latent`, called as
            ``field(points, latent)``. An `autocast` around this call holds for it.
        vertices: (V, 3) float32 or float64 on the level set.
        level: the iso value.
        latent, index: a code (L,); or codes (B, L) and (V,) int64 which one is a vertex's.
        derivative: "general", or "distance" which takes |grad f| for 1, as public code does; for a
            field that is no signed distance its gradients are wrong by the factor |grad f|.
        min_slope: slopes are taken for at least this part of their median, so that a gradient that
            vanishes (a saddle, at a change of topology) moves nothing far; they are counted.
        project: also move the vertices onto the level set, by one Newton step of at most this
            length; it costs no evaluation. 0 leaves them where the extractor put them.

    Returns:
        (V, 3) vertices of the same dtype, and a `LevelSetReport`.

    Raises:
        ValueError: bad options, or a field that does not depend on its points.
        NonFiniteField: NaN from the field; names the tensor with the first.

    Example:
        >>> radius = torch.tensor(0.5, requires_grad=True)
        >>> points = 0.5 * torch.eye(3)
        >>> moved, _ = level_set_vertices(lambda p: p.norm(dim=1) - radius, points)
        >>> torch.autograd.grad(moved.sum(), radius)     # each moves outward by 1
        (tensor(3.),)

    Source: Remelli et al., "MeshSDF" (NeurIPS 2020), section 3; Guillard et al., "DeepMesh" (2021),
    section 3.2, whose case of an occupancy this is for all fields.
    """
    check_tensor(vertices, "vertices", shape=("V", 3), dtype=FLOATS)
    check_options(derivative, min_slope)
    at = vertices.detach()
    keep = torch.is_grad_enabled()
    more = tuple(x for x in (latent, index) if x is not None)
    if at.shape[0] == 0:
        # still through the field: under DistributedDataParallel others wait for its gradients
        kept = attach_vertices(field(at, *more).to(at.dtype), at, at) if keep else at
        return kept, LevelSetReport(0, 0, 0.0, 0.0, 0.0)
    slopes = None
    with torch.enable_grad():
        if keep and hasattr(field, "values_and_slopes"):
            found, slopes = field.values_and_slopes(at, *more)
        else:
            found = field(at.requires_grad_(), *more)
        values = check_output(
            found, len(at), field, where="at the vertices of the surface", latent=latent
        )
        if slopes is None and not values.requires_grad:
            raise ValueError("field: expected one that depends on its points by autograd")
        if slopes is None:
            slopes = torch.autograd.grad(values.sum(), at, retain_graph=keep)[0]
    at = at.detach()
    values, gradient = values.to(at.dtype), slopes.to(at.dtype)
    direction, report = directions(gradient, derivative, min_slope, field)
    if project > 0:
        step = (values.detach() - level)[:, None] * direction  # (L4)
        length = step.norm(dim=1, keepdim=True)
        at = at + step * (project / length.clamp(min=project))
    return (attach_vertices(values, at, direction) if keep else at), report


def tied_vertices(
    field: Field,
    vertices: Tensor,
    *,
    level: float,
    latent: Tensor | None = None,
    index: Tensor | None = None,
    derivative: Derivative,
    min_slope: float,
    project: float = 0.0,
    report: Callable[[LevelSetReport], object] | None = None,
) -> Tensor:
    """`level_set_vertices`, put off until the backward pass where a field and the options allow."""
    at_once = project > 0 or not len(vertices) or not torch.is_grad_enabled()
    rounded = torch.is_autocast_enabled(vertices.device.type)
    if at_once or rounded or not hasattr(field, "later"):
        moved, found = level_set_vertices(
            field,
            vertices,
            level=level,
            latent=latent,
            index=index,
            derivative=derivative,
            min_slope=min_slope,
            project=project,
        )
        if report is not None:
            report(found)
        return moved
    more = tuple(x for x in (latent, index) if x is not None)
    return defer_vertices(field, vertices, more, derivative, min_slope, report)


def extract(grid: VoxelGrid | TetGrid, values: Tensor, level: float, method: object) -> Mesh:
    """The surface by an extractor: its name, or a function (grid, values, level=) -> Mesh."""
    if callable(method):
        return method(grid, values, level=level)
    if isinstance(grid, TetGrid):
        if method not in ("tets", "mc"):
            raise ValueError(f"method: expected 'tets' on a TetGrid, got {method!r}")
        return marching_tetrahedra(grid, values - level)
    if method == "mc":
        return marching_cubes(grid, values, level=level)
    if method == "dmc":
        return dual_marching_cubes(grid, values, level=level)
    if method == "flexicubes":
        return flexicubes(grid, values, training=True, level=level).mesh
    raise ValueError(f"method: expected mc, dmc, flexicubes or a function, got {method!r}")


@eager
def level_set_mesh(
    field: Field,
    grid: VoxelGrid | TetGrid | SurfaceTracker,
    *,
    level: float = 0.0,
    latent: Tensor | None = None,
    method: Method | Callable[..., Mesh] = "mc",
    derivative: Derivative = "general",
    min_slope: float = MIN_SLOPE,
    project: bool = False,
    values: Tensor | None = None,
    report: Callable[[LevelSetReport], object] | None = None,
) -> Mesh:
    """The surface where a field passes `level`; gradients at its vertices reach the field.

    The field is sampled without a graph, an extractor makes the mesh, and `level_set_vertices`
    ties its vertices to the field: one evaluation more, at the vertices alone. That of a neural
    field of `meshlearn.fields` waits for the backward pass, and is made only at the vertices that
    get a gradient there (of a loss on samples, a part of them). The extractor is never
    differentiated, so the topology may change from step to step, and whatever `field`
    depends on is trained by a plain `backward()`, under `autocast` and DistributedDataParallel
    too. The lattice is always sampled in full precision: rounded values make a rough mesh.

    Args:
        field: points (P, 3) -> (P,), negative inside, differentiable by autograd, in the dtype and
            on the device of the grid; with `latent`, called as ``field(points, latent)``.
        grid: a VoxelGrid, also sparse, or a TetGrid; or a `SurfaceTracker`, which evaluates the
            field near the surface only and follows it from call to call.
        level: the iso value; exactly `level` is outside.
        latent: a code, (L,).
        method: "mc" marching cubes, "dmc" dual marching cubes, "flexicubes" with unit weights and
            a vertex in each quad, "tets" on a TetGrid; or a function (grid, values, level=) -> Mesh
            of vertices near the level set.
        derivative, min_slope: see `level_set_vertices`.
        project: move the vertices onto the level set by one Newton step, of a cell at most.
        values: (N,) the field on `grid`, where it is known.
        report: called with the `LevelSetReport` instead of the warning of vanishing gradients; for
            a neural field in the backward pass.

    Returns:
        The mesh, normals towards larger values.

    Raises:
        ValueError: bad options, or a field that does not depend on its points.
        NonFiniteField: NaN from the field; names the tensor with the first.

    Warns:
        RuntimeWarning: no zero crossing, the mesh is empty; or a gradient that vanishes at vertices
            (clamped, and counted).

    Example:
        >>> radius = torch.tensor(0.5, requires_grad=True)
        >>> mesh = ml.level_set_mesh(lambda p: p.norm(dim=1) - radius, ml.VoxelGrid(32))
        >>> torch.autograd.grad(mesh.volume(), radius)   # near 4 pi r^2 = 3.14
        (tensor(3.11...),)

    Source: Guillard et al., "DeepMesh: Differentiable Iso-Surface Extraction" (2021).
    """
    if not callable(field):
        raise ValueError(f"field: expected a function of points, got {type(field).__name__}")
    if not isinstance(grid, (VoxelGrid, TetGrid, SurfaceTracker)):
        raise ValueError(
            f"grid: expected a VoxelGrid, TetGrid or SurfaceTracker, got {type(grid).__name__}; "
            "make one with VoxelGrid(64)"
        )
    if isinstance(grid, SurfaceTracker):
        if values is not None:
            raise ValueError("values: expected None with a SurfaceTracker, which samples itself")
        grid, values = grid.sample(field, level=level, latent=latent)
    elif values is None:
        values = evaluate_quietly(field, grid.vertices, latent=latent)
    mesh = extract(grid, values.detach(), level, method)
    if not project and not torch.is_grad_enabled():
        return mesh

    def tell(found: LevelSetReport) -> None:
        if report is not None:
            report(found)
        elif found.clamped:
            warnings.warn(
                f"the field's gradient vanishes at {found.clamped} of {found.vertices} vertices "
                f"(|grad f| below {min_slope:g} of its median {found.slope_median:.3g}): clamped",
                RuntimeWarning,
                stacklevel=4,
            )

    cell = float(grid.reach.median()) if isinstance(grid, TetGrid) else max(grid.spacing)
    vertices = tied_vertices(
        field,
        mesh.vertices,
        level=level,
        latent=latent,
        derivative=derivative,
        min_slope=min_slope,
        project=cell if project else 0.0,
        report=tell,
    )
    return mesh.with_vertices(vertices)
