"""A bounding volume hierarchy over the faces of a mesh: closest points, winding numbers, rays."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, gather
from meshlearn._validate import check_tensor
from meshlearn.geometry.reference import (
    closest_reference,
    rays_reference,
    winding_reference,
)
from meshlearn.mesh import Mesh


class ClosestPoints(NamedTuple):
    """Closest points of a mesh, see `point_mesh_distance`."""

    squared_distance: Tensor  # (P,)
    face: Tensor  # (P,) int64
    barycentric: Tensor  # (P, 3)


class RayHits(NamedTuple):
    """First hits of rays, see `ray_mesh_intersection`."""

    distance: Tensor  # (R,) in lengths of the direction, infinite for a miss
    face: Tensor  # (R,) int64, -1 for a miss
    barycentric: Tensor  # (R, 3)


def _check_mesh(mesh: object) -> Mesh:
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    if mesh.num_faces == 0:
        raise ValueError("mesh: expected at least one face, got none")
    return mesh


class MeshBVH:
    """Answers spatial queries about one mesh; build once, ask often.

    Built from the mesh's detached vertices: build it anew when they move. Queries take points of
    the
    mesh's dtype and device. A face with a NaN corner is never found.

    Args:
        mesh: at least one face.

    Example:
        >>> bvh = MeshBVH(mesh)
        >>> squared, face, barycentric = bvh.closest(points)
        >>> inside = bvh.winding_number(points) > 0.5
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = _check_mesh(mesh)
        self.native = use_native(mesh.vertices)
        self._moments: Tensor | None = None
        vertices = mesh.vertices.detach().contiguous()
        if not self.native:
            return
        corners = vertices[mesh.faces]
        centre = corners.mean(1)
        if vertices.device.type == "cpu":
            self.order = torch.ops.meshlearn.bvh_order(centre)
        else:
            code = torch.ops.meshlearn.morton_codes(centre, *_finite_bounds(centre))
            self.order = torch.argsort(code, stable=True)
        self.triangles, self.boxes = torch.ops.meshlearn.bvh_build(
            vertices, mesh.faces.contiguous(), self.order
        )

    def _points(self, points: Tensor, name: str = "points") -> Tensor:
        check_tensor(
            points,
            name,
            shape=("P", 3),
            dtype=self.mesh.dtype,
            device=self.mesh.device,
            like="the mesh",
        )
        return points

    def _sequence(self, points: Tensor) -> Tensor:
        """Order in which to visit the points: along a Morton curve, for the sake of the caches."""
        low, high = _finite_bounds(points)
        return torch.argsort(torch.ops.meshlearn.morton_codes(points, low, high))

    def closest(self, points: Tensor) -> ClosestPoints:
        """Closest point of the mesh for each of `points` (P, 3); see `point_mesh_distance`."""
        query = self._points(points).detach().contiguous()
        if self.native:
            face, barycentric = torch.ops.meshlearn.bvh_closest(
                query, self._sequence(query), self.triangles, self.order, self.boxes
            )
        else:
            face, barycentric = closest_reference(
                query, self.mesh.vertices.detach(), self.mesh.faces
            )
        if query.numel() and int(face.min()) < 0:
            bad = int((face < 0).sum())
            raise ValueError(
                f"points: {bad} of {len(query)} have no closest point (NaN or infinite points, or "
                f"a "
                "mesh of NaN alone); remove them first"
            )
        if self.mesh.vertices.requires_grad:
            chosen = Incidence(face, self.mesh.num_faces)
            corners = gather(self.mesh.triangles.reshape(-1, 9), chosen).reshape(-1, 3, 3)
        else:
            corners = self.mesh.vertices[self.mesh.faces[face]]
        nearest = (corners * barycentric[:, :, None]).sum(1)
        return ClosestPoints(((points - nearest) ** 2).sum(1), face, barycentric)

    def winding_number(self, points: Tensor, *, beta: float = 2.0) -> Tensor:
        """Generalised winding numbers (P,); see `winding_number`."""
        query = self._points(points).detach().contiguous()
        if not beta > 0:
            raise ValueError(f"beta: expected a positive number or inf, got {beta}")
        if not self.native:
            return winding_reference(query, self.mesh.vertices.detach(), self.mesh.faces)
        if self._moments is None:
            self._moments = torch.ops.meshlearn.bvh_moments(self.triangles, self.order, self.boxes)
        return torch.ops.meshlearn.bvh_winding(
            query,
            self._sequence(query),
            self.triangles,
            self.order,
            self.boxes,
            self._moments,
            float(beta),
        )

    def signed_distance(self, points: Tensor) -> Tensor:
        """Distances (P,), negative inside; see `signed_distance`."""
        squared = self.closest(points).squared_distance
        away = squared > 0
        distance = torch.where(away, squared, 1).sqrt() * away
        inside = self.winding_number(points).abs() > 0.5
        return torch.where(inside, -distance, distance)

    def rays(self, origins: Tensor, directions: Tensor) -> RayHits:
        """First hits of rays; see `ray_mesh_intersection`."""
        origins = self._points(origins, "origins").detach().contiguous()
        directions = self._points(directions, "directions").detach().contiguous()
        if origins.shape != directions.shape:
            raise ValueError(
                f"directions: expected as many as origins ({len(origins)}), got {len(directions)}"
            )
        if self.native:
            face, distance, barycentric = torch.ops.meshlearn.bvh_rays(
                origins, directions, self.triangles, self.order, self.boxes
            )
        else:
            face, distance, barycentric = rays_reference(
                origins, directions, self.mesh.vertices.detach(), self.mesh.faces
            )
        return RayHits(distance, face, barycentric)


def _finite_bounds(points: Tensor) -> tuple[list[float], list[float]]:
    if points.numel() == 0:
        return [0.0] * 3, [0.0] * 3
    clean = torch.nan_to_num(points, nan=0.0, posinf=0.0, neginf=0.0)
    low, high = torch.aminmax(clean, dim=0)
    return low.tolist(), high.tolist()


def point_mesh_distance(points: Tensor, mesh: Mesh) -> ClosestPoints:
    """Squared distance from points to the surface of a mesh, by a tree of boxes.

    Args:
        points: (P, 3), of the mesh's dtype and device.
        mesh: at least one face; degenerate faces count as their edges.

    Returns:
        ``(squared_distance (P,), face (P,), barycentric (P, 3))``: of equally near faces the one
        with
        the lowest number. Gradients of the squared distance reach `points` and the vertices.

    Raises:
        ValueError: a mesh without faces, NaN points, wrong shape, dtype or device.

    Example:
        >>> squared, face, barycentric = point_mesh_distance(points, mesh)
        >>> squared.mean().backward()
    """
    return MeshBVH(mesh).closest(points)


def winding_number(points: Tensor, mesh: Mesh, *, beta: float = 2.0) -> Tensor:
    """Generalised winding number: 1 inside a closed, outward-oriented mesh, 0 outside.

    Between the two near holes of an open mesh, which makes it a robust test of inside.

    Args:
        points: (P, 3), of the mesh's dtype and device.
        mesh: at least one face, consistently oriented.
        beta: a group of faces further than beta times its radius is replaced by its expansion to
            second order; larger is more accurate (at 2 the error is about 1e-3 on average, and a
            few percent next to coarse faces), `math.inf` exact.

    Returns:
        (P,), not differentiable.

    Source: Jacobson et al. (2013); Barill et al., "Fast Winding Numbers for Soups and Clouds"
    (2018).
    """
    return MeshBVH(mesh).winding_number(points, beta=beta)


def signed_distance(points: Tensor, mesh: Mesh) -> Tensor:
    """Distance to the surface of a mesh, negative inside.

    Inside is where the generalised winding number is above one half in magnitude: holes,
    self-intersections and overlapping parts do no harm, and neither does a mesh that is inside out.

    Args:
        points: (P, 3), of the mesh's dtype and device.
        mesh: at least one face.

    Returns:
        (P,); gradients reach `points` and the vertices (zero exactly on the surface).

    Example:
        >>> grid = VoxelGrid(64)
        >>> sdf = signed_distance(grid.vertices, mesh)
    """
    return MeshBVH(mesh).signed_distance(points)


def ray_mesh_intersection(origins: Tensor, directions: Tensor, mesh: Mesh) -> RayHits:
    """First face hit by each ray, from either side.

    Args:
        origins, directions: (R, 3), of the mesh's dtype and device; directions of any length.
        mesh: at least one face.

    Returns:
        ``(distance (R,), face (R,), barycentric (R, 3))``: distance in lengths of the direction,
        infinite and face -1 for a miss. Not differentiable.

    Source: Möller and Trumbore, "Fast, Minimum Storage Ray/Triangle Intersection" (1997).
    """
    return MeshBVH(mesh).rays(origins, directions)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::morton_codes")
    def _(points, lo, hi):
        return points.new_empty(points.shape[0], dtype=torch.int64)

    @torch.library.register_fake("meshlearn::bvh_order")
    def _(centres):
        return centres.new_empty(centres.shape[0], dtype=torch.int64)

    @torch.library.register_fake("meshlearn::bvh_build")
    def _(vertices, faces, order):
        leaves = 1 << max(0, math.ceil(math.log2(max(1, -(-faces.shape[0] // 4)))))
        return vertices.new_empty(faces.shape[0], 9), vertices.new_empty(2 * leaves - 1, 6)

    @torch.library.register_fake("meshlearn::bvh_closest")
    def _(points, sequence, triangles, order, boxes):
        n = points.shape[0]
        return points.new_empty(n, dtype=torch.int64), points.new_empty(n, 3)

    @torch.library.register_fake("meshlearn::bvh_moments")
    def _(triangles, order, boxes):
        return triangles.new_empty(boxes.shape[0], 17)

    @torch.library.register_fake("meshlearn::bvh_winding")
    def _(points, sequence, triangles, order, boxes, moments, beta):
        return points.new_empty(points.shape[0])

    @torch.library.register_fake("meshlearn::bvh_rays")
    def _(origins, directions, triangles, order, boxes):
        n = origins.shape[0]
        new = origins.new_empty
        return new(n, dtype=torch.int64), new(n), new(n, 3)
