"""How thick a solid is, below each face of its surface."""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.neighbours import PointTree
from meshlearn.mesh import Mesh

ThicknessMethod = Literal["ray", "ball"]
_NEAR = 1e-6  # of the mesh's size: how far below the surface rays begin
_STEPS = 60  # of a shrinking ball
_ENDS = 1e-3  # of a ball's radius: a change that is none


def thickness(mesh: Mesh, *, method: ThicknessMethod = "ray") -> Tensor:
    """(F,) thickness of the solid below the centre of each face, in the mesh's unit; detached.

    Args:
        mesh: oriented outward; vertices finite. A closed one that is inside out is measured as if
            it were turned, with a warning.
        method: "ray": the way straight in, against the normal, to the next face; "ball": the
            diameter of the largest ball inside that touches the surface there and holds the centre
            of no other face: not misled by long ways along a wall, and as fine as the faces.

    Returns:
        Infinite where the way in meets nothing, NaN for faces without area.

    Raises:
        ValueError: no faces, vertices that are not finite, or another method.

    Warns:
        UserWarning: the mesh is inside out.

    Example:
        >>> thin = ml.geometry.thickness(part) < 0.8    # faces over walls below 0.8 mm

    Source: A. Shapira et al., Consistent mesh partitioning and skeletonisation using the shape
    diameter function, 2008, for rays; J. Ma et al., 3D medial axis point approximation using
    nearest neighbors and the normal field, 2012, for balls.
    """
    check_mesh(mesh)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    if method not in ("ray", "ball"):
        raise ValueError(f"method: expected 'ray' or 'ball', got {method!r}; pass one")
    whole = mesh.detach().to(torch.float64)
    low, high = whole.bounds()
    whole = whole.with_vertices(whole.vertices - low)
    size = float((high - low).max()) or 1.0
    if whole.is_watertight and float(whole.volume()) < 0:
        warnings.warn(
            "mesh: its faces point inward; its thickness is measured as if they were turned",
            stacklevel=2,
        )
        whole = whole.flip().mesh
    normal, centre = whole.face_normals(), whole.triangles.mean(1)
    tree = MeshBVH(whole)
    start = centre - _NEAR * size * normal
    found = tree.rays(start, -normal).distance + _NEAR * size
    if method == "ball":
        found = _balls(centre, normal, found, size)
    flat = normal.abs().sum(1) == 0
    return torch.where(flat, torch.nan, found).to(mesh.dtype)


def _balls(point: Tensor, normal: Tensor, ray: Tensor, size: float) -> Tensor:
    """Diameters of balls that touch the surface at points from inside, and hold none of them."""
    tree = PointTree(point)
    radius = torch.where(torch.isfinite(ray), ray / 2, size)
    left = torch.arange(len(point), device=point.device)
    for _ in range(_STEPS):
        if not len(left):
            break
        p, n, r = point[left], normal[left], radius[left]
        squared, index = tree.knn(p - r[:, None] * n, 1)
        # the nearest point bounds the ball, unless the ball touches where it should
        inside = squared[:, 0].sqrt() < r * (1 - _ENDS)
        left, p, n, index = left[inside], p[inside], n[inside], index[inside, 0]
        away = p - point[index]
        depth = (away * n).sum(1)
        # nearly in the plane of the face: its own surface, whose bends are no other side
        own = depth <= 1e-9 * size
        left, away, depth = left[~own], away[~own], depth[~own]
        new = away.square().sum(1) / (2 * depth)
        shrinks = new < radius[left] * (1 - _ENDS)
        left, new = left[shrinks], new[shrinks]
        radius[left] = new
    return torch.where(torch.isfinite(ray) | (radius < size), 2 * radius, torch.inf)
