"""Areas, normals and volume of triangles: differentiable, deterministic, zero where degenerate.

Gradients reach vertices through `_segment.gather`, so they do not depend on the number of threads.
A face without area has a zero normal and a zero gradient; NaN vertices give NaN.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from meshlearn._segment import gather, segment_sum, stable_sum
from meshlearn.mesh.topology import Topology

Weighting = Literal["area", "angle", "uniform"]


def safe_norm(vectors: Tensor) -> Tensor:
    """Euclidean length of rows (N, D) -> (N,), no overflow, zero gradient at zero."""
    return _scaled(vectors)[1]


def safe_normalize(vectors: Tensor) -> Tensor:
    """Rows (N, D) divided by their length; a zero row stays zero, with zero gradient."""
    unit, _, zero = _scaled(vectors)
    return torch.where(zero[:, None], torch.zeros_like(unit), unit)


def _scaled(vectors: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scale = vectors.detach().abs().amax(1) if vectors.shape[0] else vectors.new_zeros(0)
    zero = scale == 0
    scale = torch.where(zero, torch.ones_like(scale), scale)
    scaled = vectors / scale[:, None]
    square = (scaled * scaled).sum(1)
    length = torch.where(zero, torch.ones_like(square), square).sqrt()
    norm = torch.where(zero, torch.zeros_like(length), length * scale)
    return scaled / length[:, None], norm, zero


def corner_positions(vertices: Tensor, topology: Topology) -> Tensor:
    """(F, 3, 3) position of each corner, with a deterministic gradient."""
    if torch.is_grad_enabled() and vertices.requires_grad:
        return gather(vertices, topology.corners).view(-1, 3, 3)
    return vertices[topology.faces]


def _edge_vectors(corners: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Two edges (F, 3) of each face divided by their largest entry, and that entry (F, 1)."""
    a, b, c = corners.unbind(1)
    u, v = b - a, c - a
    if not corners.shape[0]:
        return u, v, corners.new_ones(0, 1)
    scale = torch.maximum(u.detach().abs().amax(1), v.detach().abs().amax(1))[:, None]
    scale = torch.where(scale == 0, torch.ones_like(scale), scale)
    return u / scale, v / scale, scale


def face_normals(vertices: Tensor, topology: Topology) -> Tensor:
    """(F, 3) unit normals, counter-clockwise; zero for a face without area."""
    u, v, _ = _edge_vectors(corner_positions(vertices, topology))
    return safe_normalize(torch.linalg.cross(u, v))


def face_areas(vertices: Tensor, topology: Topology) -> Tensor:
    """(F,) areas."""
    u, v, scale = _edge_vectors(corner_positions(vertices, topology))
    return 0.5 * safe_norm(torch.linalg.cross(u, v)) * (scale * scale).squeeze(1)


def volume(vertices: Tensor, topology: Topology) -> Tensor:
    """() signed volume by the divergence theorem, about the centre of the bounding box."""
    if not topology.num_faces:
        return vertices.sum() * 0
    corners = corner_positions(vertices, topology)
    flat = corners.detach().reshape(-1, 3)
    centre = 0.5 * flat.amin(0) + 0.5 * flat.amax(0)
    a, b, c = (corners - centre).unbind(1)
    return stable_sum((a * torch.linalg.cross(b, c)).sum(1)) / 6


def centroid(vertices: Tensor, topology: Topology) -> Tensor:
    """(3,) centre of the surface: mean of face centres weighted by area; NaN without area."""
    corners = corner_positions(vertices, topology)
    areas = face_areas(vertices, topology)
    centre = corners.mean(1)
    total = stable_sum(areas)
    return torch.stack([stable_sum(areas * centre[:, i]) for i in range(3)]) / total


def corner_angles(vertices: Tensor, topology: Topology) -> Tensor:
    """(F, 3) interior angles in radians; zero, with zero gradient, at a face without area."""
    corners = corner_positions(vertices, topology)
    u, v, _ = _edge_vectors(corners)
    normal = torch.linalg.cross(u, v)
    twice_area = safe_norm(normal)
    flat = twice_area == 0
    w = v - u
    cosines = torch.stack([(u * v).sum(1), -(u * w).sum(1), (v * w).sum(1)], 1)
    cosines = torch.where(flat[:, None], torch.ones_like(cosines), cosines)
    angles = torch.atan2(twice_area[:, None].expand(-1, 3), cosines)
    return torch.where(flat[:, None], torch.zeros_like(angles), angles)


def vertex_normals(vertices: Tensor, topology: Topology, weighting: Weighting = "area") -> Tensor:
    """(V, 3) unit normals: weighted mean of the normals of the faces at each vertex."""
    if weighting == "area":
        corners = corner_positions(vertices, topology)
        a, b, c = corners.unbind(1)
        extent = (corners.detach() - a.detach()[:, None]).abs()
        scale = extent.amax() if extent.numel() else extent.new_ones(())
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        normals = torch.linalg.cross((b - a) / scale, (c - a) / scale)
    elif weighting in ("angle", "uniform"):
        normals = face_normals(vertices, topology)
    else:
        raise ValueError(
            f"weighting: expected 'area', 'angle' or 'uniform', got {weighting!r}; pass one"
        )
    spread = normals[:, None].expand(-1, 3, -1)
    if weighting == "angle":
        spread = spread * corner_angles(vertices, topology)[..., None]
    return safe_normalize(segment_sum(spread.reshape(-1, 3), topology.corners))
