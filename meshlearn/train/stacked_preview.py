"""What a training keeps for looking at: shapes of its data, and what the model makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from meshlearn.mesh import Mesh
from meshlearn.mesh.join import cat

GAP = 1.1  # between shapes, in terms of the tallest


class Stack:
    """Puts meshes above one another, along y, as one; predictions stand as high as their targets.

    Args:
        truth: the shapes of the data, one or more.

    Attributes:
        target: they, stacked.
    """

    def __init__(self, truth: Sequence[Mesh]) -> None:
        tall = [float((m.vertices.amax(0) - m.vertices.amin(0)).max()) for m in truth]
        self.step = GAP * max(tall)
        self.target = self(truth)

    def __call__(self, meshes: Sequence[Mesh]) -> Mesh:
        """One mesh of them all, with the face attribute "shape", 0 for the first, and "convex" if
        all have it; an empty mesh leaves its place empty."""
        kept = ["convex"] if all("convex" in m.face_attributes for m in meshes) else []
        parts = []
        for k, mesh in enumerate(meshes):
            mesh = mesh.detach().to("cpu", torch.float32)
            lift = torch.tensor([0.0, -k * self.step, 0.0])
            labels = {name: mesh.face_attributes[name] for name in kept}
            labels["shape"] = torch.full((mesh.num_faces,), k)
            parts.append(Mesh(mesh.vertices + lift, mesh.faces, face_attributes=labels))
        return cat(parts).mesh
