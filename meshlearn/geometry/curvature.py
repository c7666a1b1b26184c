"""Curvature at the vertices of a mesh: mean, Gaussian, principal with directions."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._segment import segment_sum
from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.laplacian import laplacian
from meshlearn.mesh import Mesh
from meshlearn.mesh.measure import corner_angles, face_areas, safe_normalize


class Curvature(NamedTuple):
    """Curvature at vertices, in 1 / unit (Gaussian: 1 / unit²).

    Attributes:
        mean: (V,) half the sum of the principal ones, positive where the surface is convex seen
            from outside; differentiable in the vertices.
        gaussian: (V,) the product of the principal ones; differentiable in the vertices. Its sum
            over the mesh times `area` is 2 π times the Euler number, borders left out.
        minimum, maximum: (V,) principal curvatures.
        min_direction, max_direction: (V, 3) unit vectors in the surface, at right angles, along
            which they are; zero at vertices without area.
        area: (V,) the share of the surface that belongs to each vertex.
    """

    mean: Tensor
    gaussian: Tensor
    minimum: Tensor
    maximum: Tensor
    min_direction: Tensor
    max_direction: Tensor
    area: Tensor


def curvature(mesh: Mesh) -> Curvature:
    """Mean, Gaussian and principal curvatures, and principal directions.

    The mean one is that of the cotangent Laplacian, the Gaussian one the angle that is missing to
    2 π (π at borders) by area; principal ones come from how normals turn along the edges of faces.
    At borders the mean is half the sum of the principal ones, since the Laplacian there also holds
    how the border bends.

    Args:
        mesh: any, its faces oriented alike; vertices apart along seams count as borders, so merge
            them first (``mesh.merge_vertices()``).

    Returns:
        Curvature; zero at vertices without faces of some area.

    Raises:
        ValueError: no faces, or vertices that are not finite.

    Example:
        >>> found = ml.geometry.curvature(ml.data.shapes.icosphere(4))
        >>> bool((found.mean - 1).abs().max() < 0.01)
        True

    Source: M. Meyer et al., Discrete differential-geometry operators for triangulated 2-manifolds,
    2003, for areas, mean and Gaussian; S. Rusinkiewicz, Estimating curvatures and their derivatives
    on triangle meshes, 2004, for the principal ones.
    """
    check_mesh(mesh)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    topology = mesh.topology
    angle = corner_angles(mesh.vertices, topology)
    share = _mixed_areas(mesh, angle)
    area = segment_sum(share.reshape(-1, 1), topology.corners)[:, 0]
    flat = area <= 0
    whole = torch.where(flat, 1, area)

    border = torch.zeros(mesh.num_vertices, dtype=torch.bool, device=mesh.device)
    border[topology.edges[topology.edge_face_counts != 2].reshape(-1)] = True
    full = math.pi * (2 - border.to(mesh.dtype))
    missing = full - segment_sum(angle.reshape(-1, 1), topology.corners)[:, 0]
    gaussian = torch.where(flat, 0, missing / whole)

    normal = mesh.vertex_normals("angle")
    low, high, along_low, along_high = _principal(mesh.detach(), normal.detach(), share.detach())
    bend = -(laplacian(mesh, "cotangent") * normal).sum(1) / (2 * whole)
    mean = torch.where(border, (low + high) / 2, bend)
    mean = torch.where(flat, 0, mean)
    return Curvature(mean, gaussian, low, high, along_low, along_high, area)


def _mixed_areas(mesh: Mesh, angle: Tensor) -> Tensor:
    """(F, 3) share of a face's area that belongs to each corner: of Voronoi's cells, but half of
    an obtuse face to its obtuse corner and a quarter to each other."""
    area = face_areas(mesh.vertices, mesh.topology)[:, None]
    a, b, c = mesh.triangles.unbind(1)
    square = torch.stack([(c - b), (a - c), (b - a)], 1).square().sum(2)  # opposite the corners
    sine, cosine = angle.sin(), angle.cos()
    cot = torch.where(sine > 0, cosine / torch.where(sine > 0, sine, 1), 0)
    part = square * cot / 8
    voronoi = part.sum(1, keepdim=True) - part
    obtuse = angle > math.pi / 2
    own = torch.where(obtuse, area / 2, area / 4)
    return torch.where(obtuse.any(1, keepdim=True), own, voronoi)


def _principal(mesh: Mesh, normal: Tensor, share: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Principal curvatures (V,) and directions (V, 3): smallest and largest."""
    faces, kind = mesh.faces, mesh.dtype
    corner = mesh.triangles.double()
    edge = torch.stack([corner[:, 2] - corner[:, 1], corner[:, 0] - corner[:, 2],
                        corner[:, 1] - corner[:, 0]], 1)  # fmt: skip
    at = normal.double()[faces]
    turn = torch.stack([at[:, 2] - at[:, 1], at[:, 0] - at[:, 2], at[:, 1] - at[:, 0]], 1)
    up = mesh.face_normals().double()
    u = safe_normalize(edge[:, 0])
    v = torch.linalg.cross(up, u)
    frame = torch.stack((u, v), 2)  # (F, 3, 2)
    e, d = edge @ frame, turn @ frame  # (F, 3, 2) edges and turns of normals in the face
    x, y = e.unbind(2)
    # least squares of [l m; m n] e = d over the three edges
    xx, xy, yy = (x * x).sum(1), (x * y).sum(1), (y * y).sum(1)
    r1, r2 = (x * d[..., 0]).sum(1), (y * d[..., 0] + x * d[..., 1]).sum(1)
    r3 = (y * d[..., 1]).sum(1)
    k, m, n = _three(xx, xy, xx + yy, xy, yy, r1, r2, r3)
    shape = torch.stack((torch.stack((k, m), 1), torch.stack((m, n), 1)), 1)
    tensor = frame @ shape @ frame.transpose(1, 2)  # (F, 3, 3)

    # turned from the face's plane into that of each corner, and summed there
    axis = torch.linalg.cross(up[:, None].expand_as(at), at)
    cosine = (up[:, None] * at).sum(2)[..., None, None]
    cross = torch.zeros(*axis.shape, 3, dtype=torch.float64, device=axis.device)
    cross[..., 0, 1], cross[..., 0, 2] = -axis[..., 2], axis[..., 1]
    cross[..., 1, 2] = -axis[..., 0]
    cross = cross - cross.transpose(-1, -2)
    rotation = torch.eye(3, dtype=torch.float64, device=axis.device) + cross
    rotation = rotation + cross @ cross / (1 + cosine).clamp(min=1e-6)
    moved = rotation @ tensor[:, None] @ rotation.transpose(-1, -2)
    weight = share.double()[..., None, None]
    total = segment_sum((weight * moved).reshape(-1, 9), mesh.topology.corners).view(-1, 3, 3)
    area = segment_sum(share.double().reshape(-1, 1), mesh.topology.corners)[:, 0]
    flat = area <= 0
    total = total / torch.where(flat, 1, area)[:, None, None]

    base = _tangents(normal.double())  # (V, 3, 2)
    local = base.transpose(1, 2) @ total @ base
    p, q, r = local[:, 0, 0], (local[:, 0, 1] + local[:, 1, 0]) / 2, local[:, 1, 1]
    half, gap = (p + r) / 2, (p - r) / 2
    root = torch.hypot(gap, q)
    turn_by = 0.5 * torch.atan2(q, gap)  # of the largest from the first tangent
    direction = torch.stack((turn_by.cos(), turn_by.sin()), 1)[..., None]
    high = (base @ direction)[..., 0]
    low = torch.linalg.cross(normal.double(), high)
    none = (flat | (normal.abs().sum(1) == 0))[:, None]
    values = [torch.where(none[:, 0], 0, t).to(kind) for t in (half - root, half + root)]
    ways = [torch.where(none, 0, t).to(kind) for t in (low, high)]
    return values[0], values[1], ways[0], ways[1]


def _three(
    a: Tensor, b: Tensor, c: Tensor, d: Tensor, f: Tensor, r1: Tensor, r2: Tensor, r3: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Solutions of [a b 0; b c d; 0 d f] x = r for many; zero where it has none."""
    determinant = a * (c * f - d * d) - b * b * f
    good = determinant > 1e-12 * a.clamp(min=0) * c * f
    scale = torch.where(good, determinant, 1)
    x = (r1 * (c * f - d * d) - b * (r2 * f - d * r3)) / scale
    y = (a * (r2 * f - d * r3) - b * r1 * f) / scale
    z = (a * (c * r3 - d * r2) - b * (b * r3 - d * r1)) / scale
    return torch.where(good, x, 0), torch.where(good, y, 0), torch.where(good, z, 0)


def _tangents(normal: Tensor) -> Tensor:
    """(V, 3, 2) two unit vectors at right angles to each normal."""
    least = normal.abs().argmin(1)
    first = torch.nn.functional.one_hot(least, 3).to(normal)
    one = safe_normalize(torch.linalg.cross(normal, first))
    return torch.stack((one, torch.linalg.cross(normal, one)), 2)
