"""A mesh under a tree of boxes: closest points, winding numbers, signed distances, rays."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, gather, segment_sum
from meshlearn._validate import TensorLike, check_tensor
from meshlearn.geometry._space import (
    CELLS,
    BoxTree,
    BuiltTree,
    check_mesh,
    check_points,
    curve_order,
    fake_tree,
    finite_frame,
    frame,
)
from meshlearn.geometry.reference import closest_reference, rays_reference, winding_reference
from meshlearn.mesh import Mesh

_SORTED_RAYS = 4096  # from so many on, it pays to sort them


class ClosestPoints(NamedTuple):
    """Closest points of a mesh, see `point_mesh_distance`."""

    squared_distance: Tensor  # (P,) differentiable in points and vertices
    face: Tensor  # (P,) int64
    barycentric: Tensor  # (P, 3) no gradient; sums to one


class RayHits(NamedTuple):
    """First hits of rays, see `ray_mesh_intersection`."""

    distance: Tensor  # (R,) in lengths of the direction, infinite for a miss
    face: Tensor  # (R,) int64, -1 for a miss
    barycentric: Tensor  # (R, 3)


class MeshBVH:
    """Answers spatial queries about one mesh; build once, ask often.

    The tree is a snapshot of the vertices: build it anew when they move (a few ms for 40k faces, so
    a fitting loop can build one a step). Queries take points of the mesh's dtype and device, or
    arrays and lists, which become such.

    Args:
        mesh: at least one face, corners finite. Faces without area count as the segment or point
            that they are; vertices that no face uses do not matter.

    Raises:
        ValueError: the mesh has no faces, or a corner is not finite.

    Example:
        >>> bvh = MeshBVH(mesh)
        >>> squared, face, barycentric = bvh.closest(points)
        >>> inside = bvh.winding_number(points).abs() > 0.5
    """

    def __init__(self, mesh: Mesh) -> None:
        self.mesh = check_mesh(mesh)
        self._vertices = mesh.vertices.detach().contiguous()
        self._faces = mesh.faces.contiguous()
        box = frame(self._vertices)
        if box is None:
            used = self._vertices[self._faces.reshape(-1)]
            check_tensor(used, "mesh.vertices", finite=True)
            box = finite_frame(used)
        self._scale = box[4]
        self._cells = box[:4]
        self._moments: Tensor | None = None
        self._tree: BoxTree | None = None
        if use_native(mesh.vertices):
            built = torch.ops.meshlearn.triangle_tree(self._vertices, self._faces, box)
            self._tree = BuiltTree(*built).tree

    def _points(self, points: TensorLike, name: str = "points") -> Tensor:
        return check_points(points, name, self._vertices, "the mesh")

    def closest(self, points: TensorLike) -> ClosestPoints:
        """Closest point of the mesh for each of `points` (P, 3); see `point_mesh_distance`."""
        return ClosestPoints(*_Closest.apply(self._points(points), self.mesh.vertices, self))

    def _closest(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        points = points.contiguous()
        if self._tree is not None:
            order = curve_order(points)
            return torch.ops.meshlearn.closest_on_mesh(
                points, order, self._vertices, self._faces, *self._tree, self._scale
            )
        face, barycentric = closest_reference(points, self._vertices, self._faces)
        corners = self._vertices[self._faces[face]].double()
        foot = (corners * barycentric.double()[:, :, None]).sum(1)
        return ((points - foot) ** 2).sum(1).to(points.dtype), face, barycentric

    def winding_number(self, points: TensorLike, *, beta: float = 2.0) -> Tensor:
        """Generalised winding numbers (P,); see `winding_number`."""
        query = self._points(points).detach().contiguous()
        if not beta > 0:
            raise ValueError(f"beta: expected a positive number or inf, got {beta}; try 2.0")
        if self._tree is None:
            return winding_reference(query, self._vertices, self._faces)
        if self._moments is None:
            self._moments = torch.ops.meshlearn.winding_moments(*self._tree)
        return torch.ops.meshlearn.winding_on_mesh(
            query, curve_order(query), *self._tree, self._moments, self._scale, float(beta)
        )

    def signed_distance(self, points: TensorLike) -> Tensor:
        """Distances (P,), negative inside; see `signed_distance`."""
        points = self._points(points)
        squared = self.closest(points).squared_distance
        away = squared > 0
        distance = torch.where(away, squared, 1).sqrt() * away
        inside = self.winding_number(points).abs() > 0.5
        return torch.where(inside, -distance, distance)

    def rays(
        self, origins: TensorLike, directions: TensorLike, *, any_hit: bool = False
    ) -> RayHits:
        """First hits of rays; see `ray_mesh_intersection`."""
        start = self._points(origins, "origins").detach().contiguous()
        way = self._points(directions, "directions").detach().contiguous()
        if start.shape != way.shape:
            raise ValueError(
                f"directions: expected as many as origins ({len(start)}), got {len(way)}; "
                "pass one direction for each origin"
            )
        if self._tree is not None:
            order = self._ray_order(start, way) if len(start) >= _SORTED_RAYS else None
            if order is not None:
                start, way = start[order], way[order]
            face, distance, barycentric = torch.ops.meshlearn.rays_on_mesh(
                start, way, *self._tree, self._scale, any_hit
            )
            if order is not None:
                back = torch.empty_like(order)
                back[order] = torch.arange(len(order), device=order.device)
                face, distance, barycentric = face[back], distance[back], barycentric[back]
        else:
            face, distance, barycentric = rays_reference(start, way, self._vertices, self._faces)
        return RayHits(distance, face, barycentric)

    def _ray_order(self, start: Tensor, way: Tensor) -> Tensor:
        """Rays by where they enter the mesh's box, so that those beside each other meet the same
        triangles: memory is what they wait for."""
        low = way.new_tensor(self._cells[:3])
        high = low + (CELLS / self._cells[3] if self._cells[3] > 0 else 0.0)  # a cube
        over = 1 / torch.where(way == 0, torch.finfo(way.dtype).tiny, way)
        one, two = (low - start) * over, (high - start) * over
        enter = torch.minimum(one, two).amax(1).clamp(min=0)
        at = start + enter[:, None] * way
        # rays that miss the box, and those that are not finite, anywhere
        at = torch.minimum(torch.maximum(at.nan_to_num(0, 0, 0), low), high)
        return curve_order(at.contiguous()).long()


class _Closest(torch.autograd.Function):
    """To first order the foot moves only with its corners: d|p - q|² = 2 (p - q)·(dp - dq)."""

    @staticmethod
    def forward(ctx, points: Tensor, vertices: Tensor, bvh: MeshBVH):
        squared, face, barycentric = bvh._closest(points.detach())
        ctx.mark_non_differentiable(face, barycentric)
        ctx.save_for_backward(points, vertices, bvh._faces, face, barycentric)
        return squared, face, barycentric

    @staticmethod
    def backward(ctx, grad: Tensor, *_):
        points, vertices, faces, face, barycentric = ctx.saved_tensors
        corner = faces[face]
        names = Incidence(corner.reshape(-1), vertices.shape[0])
        weights = barycentric
        if torch.is_grad_enabled():  # the gradient will be differentiated: the foot moves
            corners = gather(vertices, names).view(-1, 3, 3)
            weights = moving_weights(points, corners, barycentric)
            foot = (weights[:, None] @ corners).squeeze(1)
        else:
            foot = (barycentric[:, None] @ vertices[corner]).squeeze(1)
        step = (2 * grad)[:, None] * (points - foot)
        grad_vertices = None
        if ctx.needs_input_grad[1]:
            parts = -weights[:, :, None] * step[:, None]
            grad_vertices = segment_sum(parts.reshape(-1, 3), names)
        return step if ctx.needs_input_grad[0] else None, grad_vertices, None


def moving_weights(points: Tensor, corners: Tensor, barycentric: Tensor) -> Tensor:
    """(P, 3) barycentric coordinates of the closest points, as functions of points and corners.

    Which of a triangle's interior, edges and corners is nearest stays as `barycentric` (P, 3) has
    it by its zeros; there the foot is that on the plane, on the line or the corner itself. Values
    are the given ones, so that first derivatives are the same with or without second ones.
    """
    kind = points.dtype
    points, corners, barycentric = points.double(), corners.double(), barycentric.double()
    used = barycentric != 0
    count = used.sum(1)
    first = used.long().argmax(1)  # of an edge or a corner
    second = 2 - used.flip(1).long().argmax(1)
    rows = torch.arange(len(points), device=points.device)
    a, b = corners[rows, first], corners[rows, second]
    edge = torch.where((count == 2)[:, None], b - a, 1)
    t = ((points - a) * edge).sum(1) / (edge * edge).sum(1)
    along = torch.nn.functional.one_hot(second, 3) - torch.nn.functional.one_hot(first, 3)
    on_edge = t[:, None] * along
    inner = (count == 3)[:, None]
    unit = torch.eye(3, dtype=torch.float64, device=points.device)
    solid = torch.where(inner[:, :, None], corners, unit)  # of the others any triangle will do
    u, v, d = solid[:, 1] - solid[:, 0], solid[:, 2] - solid[:, 0], points - solid[:, 0]
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    du, dv = (d * u).sum(1), (d * v).sum(1)
    area = uu * vv - uv * uv
    p, q = (vv * du - uv * dv) / area, (uu * dv - uv * du) / area
    on_face = torch.stack([1 - p - q, p, q], 1)
    moving = torch.where(inner, on_face, torch.where((count == 2)[:, None], on_edge, 0.0))
    return (barycentric + (moving - moving.detach())).to(kind)


def _bvh(mesh: Mesh | MeshBVH) -> MeshBVH:
    return mesh if isinstance(mesh, MeshBVH) else MeshBVH(mesh)


@eager
def point_mesh_distance(points: TensorLike, mesh: Mesh | MeshBVH) -> ClosestPoints:
    """Squared distance from points to the surface of a mesh, by a tree of boxes.

    Args:
        points: (P, 3), of the mesh's dtype and device, finite. P may be 0.
        mesh: at least one face, or a `MeshBVH`, to build the tree once for several calls.
            Degenerate faces count as their edges.

    Returns:
        ``(squared_distance (P,), face (P,), barycentric (P, 3))``: of equally near faces the one
        with the lowest number. Gradients of the squared distance reach `points` and the vertices,
        summed in a fixed order, the same on any number of threads.

    Raises:
        ValueError: a mesh without faces, coordinates that are not finite, wrong shape, dtype or
            device.

    Example:
        >>> squared, face, barycentric = ml.point_mesh_distance(points, mesh)
        >>> squared.mean().backward()
    """
    return _bvh(mesh).closest(points)


@eager
def winding_number(points: TensorLike, mesh: Mesh | MeshBVH, *, beta: float = 2.0) -> Tensor:
    """Generalised winding number: 1 inside a closed, outward-oriented mesh, 0 outside.

    Between the two near holes of an open mesh, which makes it a robust test of inside. Faces in
    whose plane a point lies add nothing to it, so it is one half on a flat closed surface.

    Args:
        points: (P, 3), of the mesh's dtype and device, finite.
        mesh: at least one face, consistently oriented; or a `MeshBVH`.
        beta: a group of faces further than beta times its radius is replaced by its expansion to
            second order; larger is more accurate, `math.inf` exact.

    Returns:
        (P,), not differentiable.

    Raises:
        ValueError: as `point_mesh_distance`, or beta is not positive.

    Source: Jacobson et al., Robust inside-outside segmentation using generalized winding numbers
    (2013); Barill et al., Fast winding numbers for soups and clouds (2018).
    """
    return _bvh(mesh).winding_number(points, beta=beta)


@eager
def signed_distance(points: TensorLike, mesh: Mesh | MeshBVH) -> Tensor:
    """Distance to the surface of a mesh, negative inside.

    Inside is where the generalised winding number is above one half in magnitude: holes,
    self-intersections and overlapping parts do no harm, and neither does a mesh that is inside out.

    Args:
        points: (P, 3), of the mesh's dtype and device, finite.
        mesh: at least one face, or a `MeshBVH`.

    Returns:
        (P,) in the mesh's unit; gradients reach `points` and the vertices (zero exactly on the
        surface), and so do second derivatives, as of an Eikonal term.

    Raises:
        ValueError: as `point_mesh_distance`.

    Example:
        >>> grid = ml.VoxelGrid(64)
        >>> sdf = ml.signed_distance(grid.vertices, mesh)
    """
    return _bvh(mesh).signed_distance(points)


def ray_mesh_intersection(
    origins: TensorLike, directions: TensorLike, mesh: Mesh | MeshBVH, *, any_hit: bool = False
) -> RayHits:
    """First face hit by each ray, from either side; no ray slips between two faces of an edge.

    Args:
        origins, directions: (R, 3), of the mesh's dtype and device, finite; directions of any
            length, a zero one hits nothing.
        mesh: at least one face, or a `MeshBVH`.
        any_hit: stop at the first face met in the search, not along the ray: quicker where the
            question is only whether ``face >= 0``.

    Returns:
        ``(distance (R,), face (R,), barycentric (R, 3))``: distance in lengths of the direction,
        infinite and face -1 for a miss. Not differentiable.

    Raises:
        ValueError: as `point_mesh_distance`, or the counts differ.

    Source: Woop, Benthin, Wald, Watertight ray/triangle intersection (2013).
    """
    return _bvh(mesh).rays(origins, directions, any_hit=any_hit)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::triangle_tree")
    def _(vertices: Tensor, faces: Tensor, frame: list[float]) -> tuple[Tensor, ...]:
        return fake_tree(vertices, faces.shape[0], 9, 4)

    @torch.library.register_fake("meshlearn::closest_on_mesh")
    def _(points, order, vertices, faces, node, least, leaf, id, scale):
        n = points.shape[0]
        return points.new_empty(n), faces.new_empty(n), points.new_empty(n, 3)

    @torch.library.register_fake("meshlearn::winding_moments")
    def _(node, least, leaf, id):
        return node.new_empty(node.shape[0], 24, 4)

    @torch.library.register_fake("meshlearn::winding_on_mesh")
    def _(points, order, node, least, leaf, id, moment, scale, beta):
        return points.new_empty(points.shape[0])

    @torch.library.register_fake("meshlearn::rays_on_mesh")
    def _(origins, directions, node, least, leaf, id, scale, any):
        n = origins.shape[0]
        new = origins.new_empty
        return new(n, dtype=torch.int64), new(n), new(n, 3)
