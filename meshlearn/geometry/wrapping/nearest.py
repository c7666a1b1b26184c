"""What is wrapped, as something that tells the nearest of its points: faces or points."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.neighbours import PointTree
from meshlearn.mesh import Mesh


class Feet(NamedTuple):
    """Nearest points of what is wrapped."""

    distance: Tensor  # (P,)
    foot: Tensor  # (P, 3)
    away: Tensor  # (P, 3) unit vector from the foot; zero on it
    normal: Tensor  # (P, 3) of the face that the foot is on, on the side of the point


class Wrapped:
    """Faces or points near the origin, ready for questions.

    Args:
        vertices: (V, 3) float64, about the origin and of about one unit.
        faces: (F, 3) int64; without any the vertices are what is wrapped.
    """

    def __init__(self, vertices: Tensor, faces: Tensor) -> None:
        self.vertices = vertices.float()
        self.faces = faces
        if len(faces):
            self.tree: MeshBVH | PointTree = MeshBVH(Mesh(self.vertices, faces))
            self.normals = torch.linalg.cross(*self._sides())
            self.normals = torch.nn.functional.normalize(self.normals, dim=1)
        else:
            self.tree = PointTree(self.vertices)

    def _sides(self) -> tuple[Tensor, Tensor]:
        a, b, c = self.vertices[self.faces].double().unbind(1)
        return b - a, c - a

    def distance(self, points: Tensor) -> Tensor:
        """(P,) distances of `points` (P, 3) float32."""
        if isinstance(self.tree, MeshBVH):
            return self.tree.closest(points)[0].sqrt()
        return self.tree.knn(points, 1)[0][:, 0].sqrt()

    def feet(self, points: Tensor) -> Feet:
        """Nearest points of `points` (P, 3) float64; results in float64."""
        if isinstance(self.tree, MeshBVH):
            _, face, weight = self.tree.closest(points.float())
            foot = (self.vertices[self.faces[face]].double() * weight.double()[..., None]).sum(1)
        else:
            foot = self.vertices[self.tree.knn(points.float(), 1)[1][:, 0]].double()
        way = points - foot
        distance = way.norm(dim=1)
        away = way / distance.clamp(min=1e-300)[:, None]
        normal = away
        if isinstance(self.tree, MeshBVH):
            own = self.normals[face]
            own = torch.where((own * way).sum(1, keepdim=True) < 0, -own, own)
            normal = torch.where(own.abs().sum(1, keepdim=True) > 0, own, away)
        return Feet(distance, foot, away, normal)
