"""Open meshes: whether one is open, where its boundary lies, and a template that spans it."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.base import surface_distance


def template_field(
    winding: Callable[[Tensor], Tensor], distance: Tensor, points: Tensor, size: float
) -> Tensor:
    """A field whose zero set holds an open surface and spans its openings, (P,).

    The winding number jumps by 1 across the surface, so any level between lies on it; beyond the
    boundary the level set goes on as a film.
    """
    apart = settings.TEMPLATE_LEVEL - winding(points)
    return torch.sign(apart) * torch.minimum(distance, apart.abs() * size / settings.TEMPLATE_SLOPE)


class MeshBoundary:
    """Points along the boundary edges of a mesh.

    Args:
        mesh: the mesh.
        count: how many points.

    Attributes:
        points: (B, 3), evenly along the edges laid end to end; B is 0 for a closed mesh.
        step: their distance along the edges.
    """

    def __init__(self, mesh: Mesh, count: int = settings.BOUNDARY_POINTS) -> None:
        edges = mesh.topology.edges[mesh.topology.boundary_edges]
        ends = mesh.vertices.detach()[edges]
        length = (ends[:, 1] - ends[:, 0]).norm(dim=1).double()
        total = torch.cumsum(length, 0)
        self.points, self.step = mesh.vertices.new_zeros(0, 3), 0.0
        if len(total) == 0 or not float(total[-1]) > 0:
            return
        self.step = float(total[-1]) / count
        place = (torch.arange(count, device=mesh.device, dtype=torch.float64) + 0.5) * self.step
        edge = torch.searchsorted(total, place).clamp(max=len(total) - 1)
        along = (place - (total - length)[edge]) / length[edge].clamp(min=1e-300)
        a, b = ends[edge, 0], ends[edge, 1]
        self.points = a + along.clamp(0, 1)[:, None].to(a) * (b - a)

    def msdf(self, points: Tensor, closest: Tensor, reach: float) -> Tensor:
        """(P,) distance to the boundary, negative where the closest point lies on it; below 0
        beyond `reach` of the mesh too, where a template comes back behind it."""
        distance = (points - closest).norm(dim=1)
        if not len(self.points):
            return reach - distance
        of_closest = geometry.knn(closest, self.points, 1)[0][:, 0].sqrt()
        of_point = geometry.knn(points, self.points, 1)[0][:, 0].sqrt()
        beyond = of_closest < settings.ON_BOUNDARY * self.step + 1e-6 * float(of_point.max())
        return torch.minimum(torch.where(beyond, -of_point, of_closest), reach - distance)


def boundary_loss(mesh: Mesh, boundary: MeshBoundary, scale: float) -> Tensor | None:
    """Mean distance between boundaries, both ways, in cells; None where one has none.

    The mesh's is its vertex attribute ``boundary``, as G-Shell sets it.
    """
    marks = mesh.vertex_attributes.get("boundary")
    if marks is None or not len(boundary.points):
        return None
    mine = mesh.vertices[marks.bool()]
    if not len(mine):
        return None
    some = boundary.points[:: max(1, len(boundary.points) // settings.BOUNDARY_COMPARED)]
    there = geometry.knn(mine, boundary.points, 1)[0][:, 0]
    back = geometry.knn(some, mine, 1)[0][:, 0]
    return surface_distance(there, scale) + surface_distance(back, scale)


def is_open(mesh: Mesh) -> bool:
    """Whether a mesh has boundary edges."""
    return mesh.topology.boundary_edges.numel() > 0
