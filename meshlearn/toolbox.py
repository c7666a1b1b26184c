"""The toolbox's short names: meshes in, meshes out.

`ml.boolean`, `ml.smooth` and the others give what one goes on with. The functions of
`meshlearn.geometry` that they call give the index maps too, and take all options.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from torch import Tensor

from meshlearn import geometry
from meshlearn._validate import TensorLike
from meshlearn.geometry.solids import BooleanOperation
from meshlearn.mesh import Mesh


class PrincipalCurvature(NamedTuple):
    """Curvature at vertices, in 1 / unit (Gaussian: 1 / unit²), positive where convex.

    Attributes:
        mean, gaussian: (V,)
        k1, k2: (V,) the larger and the smaller principal one.
        d1, d2: (V, 3) unit vectors along which they are.
    """

    mean: Tensor
    gaussian: Tensor
    k1: Tensor
    k2: Tensor
    d1: Tensor
    d2: Tensor


def boolean(a: Mesh, b: Mesh | Sequence[Mesh], operation: BooleanOperation = "union") -> Mesh:
    """Union, difference or intersection of solids; see `meshlearn.geometry.boolean`.

    Example:
        >>> ml.boolean(box, ball, "difference").save("hollow.glb")
    """
    return geometry.boolean(a, b, operation).mesh


def convex_hull(points: Mesh | TensorLike) -> Mesh:
    """The convex hull of a mesh's vertices, or of points (P, 3); see `geometry.convex_hull`.

    Example:
        >>> ml.convex_hull(torch.rand(1000, 3)).is_watertight
        True
    """
    return geometry.convex_hull(points).mesh


def simplify(mesh: Mesh, faces: int | None = None, *, error: float | None = None) -> Mesh:
    """The mesh with fewer triangles, attributes kept; see `meshlearn.geometry.simplify`.

    Args:
        faces: triangles wanted.
        error: farthest that the surfaces may be from each other, in the mesh's unit, measured at
            points of both; the fewest faces that keep it are looked for. With `faces` too, no fewer
            than these.

    Raises:
        ValueError: neither is given, or one is not positive.

    Example:
        >>> small = ml.simplify(mesh, error=0.01)
    """
    return geometry.simplify(mesh, faces, error=error)


def decompose(
    mesh: Mesh, *, max_parts: int | None = None, max_vertices: int | None = None
) -> list[Mesh]:
    """Convex parts that together are nearly a solid, for collisions; see
    `meshlearn.geometry.decompose`.

    Example:
        >>> parts = ml.decompose(mesh, max_parts=16, max_vertices=64)
    """
    return geometry.decompose(mesh, max_parts, max_vertices).parts


def fill_holes(mesh: Mesh, *, max_size: float | None = None) -> Mesh:
    """The mesh with its holes closed, up to a size in its unit (the diagonal of the box of a rim);
    see `meshlearn.geometry.fill_holes`.

    Example:
        >>> solid = ml.fill_holes(scan, max_size=0.2)
    """
    return geometry.fill_holes(mesh, max_size)


def register(
    source: Mesh | TensorLike, target: Mesh | TensorLike, *, scale: bool = False
) -> Tensor:
    """(4, 4) rigid motion, with `scale` a similarity, that lays a source on a target; see
    `meshlearn.geometry.register`.

    Example:
        >>> laid = scan.transform(ml.register(scan, model))
    """
    return geometry.register(source, target, scale=scale).matrix


def remesh(
    mesh: Mesh,
    edge_length: float | None = None,
    *,
    faces: int | None = None,
    adaptive: bool = False,
    error: float | None = None,
) -> Mesh:
    """The surface in nearly equilateral triangles; see `meshlearn.geometry.remesh`.

    Example:
        >>> even = ml.remesh(mesh, 0.02)
        >>> close = ml.remesh(mesh, faces=5000, adaptive=True)
    """
    return geometry.remesh(mesh, edge_length, faces=faces, adaptive=adaptive, error=error)


def smooth(mesh: Mesh, steps: int = 10) -> Mesh:
    """The mesh without noise, by Taubin's steps; see `meshlearn.geometry.smooth`.

    Example:
        >>> calm = ml.smooth(scan, steps=20)
    """
    return geometry.smooth(mesh, steps)


def subdivide(mesh: Mesh, steps: int = 1) -> Mesh:
    """Each triangle as four, `steps` times; see `meshlearn.geometry.subdivide` for Loop's.

    Example:
        >>> fine = ml.subdivide(mesh, steps=2)
    """
    return geometry.subdivide(mesh, steps).mesh


def curvature(mesh: Mesh) -> PrincipalCurvature:
    """Mean, Gaussian and principal curvatures; see `meshlearn.geometry.curvature`.

    Example:
        >>> ml.curvature(mesh).k1.max()
    """
    found = geometry.curvature(mesh)
    return PrincipalCurvature(
        found.mean,
        found.gaussian,
        found.maximum,
        found.minimum,
        found.max_direction,
        found.min_direction,
    )


def geodesic(mesh: Mesh, sources: int | Sequence[int] | Tensor) -> Tensor:
    """(V,) distances along the surface from vertices `sources`; see `geometry.GeodesicSolver`.

    Example:
        >>> far = ml.geodesic(mesh, [0]).argmax()
    """
    return geometry.geodesic_distance(mesh, sources)


def section(mesh: Mesh, origin: TensorLike, normal: TensorLike) -> list[Tensor]:
    """The closed loops (L, 3) in which a plane meets a mesh, the first point not repeated; see
    `meshlearn.geometry.section`, which gives open lines too.

    Example:
        >>> loops = ml.section(mesh, [0, 0, 0], [0, 0, 1])
    """
    return [line.points for line in geometry.section(mesh, origin, normal) if line.closed]
