"""Shape of triangles and soundness of a mesh, without a target."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from meshlearn._segment import stable_mean
from meshlearn.geometry.intersections import self_intersections

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh, TetMesh

# of `TetMesh.quality`, below which a tetrahedron counts as flat: what `flexicubes` seeks at least
_FLAT = 0.01


def triangle_shapes(mesh: Mesh) -> dict[str, Tensor]:
    """Shape measures of each face, (F,) float64.

    - ``aspect_ratio``: longest edge over shortest altitude, times √3/2: 1 for an equilateral
      triangle, infinite without area.
    - ``radius_ratio``: circumradius over twice the inradius: 1 for an equilateral triangle.
    - ``min_angle``: smallest angle in degrees: 60 at best.
    - ``area``: in the square of the mesh's unit.
    """
    corner = mesh.vertices.detach().double()[mesh.faces]
    side = corner.roll(-1, 1) - corner
    length = side.norm(dim=2)
    (ax, ay, az), (bx, by, bz) = side[:, 0].unbind(1), side[:, 1].unbind(1)
    # spelled out: without fused multiply-adds, so that a face with two equal corners has exactly 0
    normal = torch.stack((ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx), 1)
    area = normal.norm(dim=1) / 2
    longest = length.amax(1)
    total = length.sum(1)
    inf = torch.full_like(area, torch.inf)
    flat = ~(area > 0)
    aspect = torch.where(flat, inf, math.sqrt(3) / 4 * longest * longest / area)
    radius = torch.where(flat, inf, length.prod(1) * total / (16 * area * area))
    # opposite the shortest edge, from both other edges
    opposite = length.argmin(1, keepdim=True)
    a, b = (length.gather(1, (opposite + k) % 3)[:, 0] for k in (1, 2))
    sine = (2 * area / (a * b)).nan_to_num(0.0)
    angle = torch.rad2deg(torch.asin(sine.clamp(max=1)))
    return {
        "aspect_ratio": aspect,
        "radius_ratio": radius,
        "min_angle": torch.where(flat, torch.zeros_like(angle), angle),
        "area": area,
    }


def dihedral_angles(mesh: TetMesh) -> Tensor:
    """(T, 6) float64 angles in degrees between the sides of each tetrahedron: 70.5 all six for a
    regular one; those of a tetrahedron of negative volume as if it were turned, NaN where a side
    has no area."""
    corner = mesh.vertices.detach().double()[mesh.tets]
    sides = torch.tensor(((1, 2, 3), (0, 3, 2), (0, 1, 3), (0, 2, 1)), device=corner.device)
    a, b, c = corner[:, sides].unbind(2)  # each (T, 4, 3)
    normal = torch.linalg.cross(b - a, c - a)
    normal = normal / normal.norm(dim=2, keepdim=True)
    i, j = torch.triu_indices(4, 4, 1, device=corner.device)
    cosine = -(normal[:, i] * normal[:, j]).sum(2)
    return torch.rad2deg(torch.acos(cosine.clamp(-1, 1)))


def tet_quality(mesh: TetMesh) -> dict[str, float | int]:
    """Counts and shape of tetrahedra.

    Returns:
        ``vertices``, ``tets``, ``volume`` (sum of the signed ones); ``inverted`` (tetrahedra whose
        volume is not positive), ``flat`` (others whose `TetMesh.quality` is below 0.01);
        ``quality_least`` and ``quality_mean`` of that; ``dihedral_least`` and ``dihedral_largest``
        in degrees, of the tetrahedra whose sides all have an area. All can be written as JSON; the
        last four are 0 for a mesh without tetrahedra.

    Example:
        >>> ml.metrics.tet_quality(flexicubes(grid, sdf, tets=True).tets)["inverted"]
        0
    """
    quality = mesh.quality()
    angles = dihedral_angles(mesh)
    angles = angles[torch.isfinite(angles).all(1)]
    some, told = bool(len(quality)), bool(len(angles))
    return {
        "vertices": mesh.num_vertices,
        "tets": mesh.num_tets,
        "volume": float(mesh.volume().detach()),
        "inverted": int((quality <= 0).sum()),
        "flat": int(((quality > 0) & (quality < _FLAT)).sum()),
        "quality_least": float(quality.min()) if some else 0.0,
        "quality_mean": float(stable_mean(quality)) if some else 0.0,
        "dihedral_least": float(angles.min()) if told else 0.0,
        "dihedral_largest": float(angles.max()) if told else 0.0,
    }


def _percent(flags: Tensor) -> float:
    return 100.0 * int(flags.sum()) / flags.numel() if flags.numel() else 0.0


def mesh_quality(mesh: Mesh) -> dict[str, float | int | bool]:
    """Counts, shape of triangles and soundness of a mesh.

    Returns:
        ``vertices``, ``faces``, ``components`` (of the surface), ``euler_number``,
        ``boundary_edges``; ``watertight``, ``edge_manifold``, ``vertex_manifold``, ``manifold``
        (both), ``oriented``; percent of faces, 0 for an empty mesh: ``aspect_ratio_gt4_percent``,
        ``radius_ratio_gt4_percent``, ``min_angle_lt10_percent``, ``degenerate_percent`` (no area),
        ``self_intersecting_percent`` (faces that intersect another, see `self_intersections`);
        ``min_angle_mean`` in degrees. All can be written as JSON.

    Example:
        >>> ml.metrics.mesh_quality(mesh)["watertight"]
        True
    """
    shapes = triangle_shapes(mesh)
    topology = mesh.topology
    edge, vertex = bool(mesh.is_edge_manifold), bool(mesh.is_vertex_manifold)
    boundary = len(topology.boundary_edges)
    return {
        "vertices": int(mesh.vertices.shape[0]),
        "faces": int(mesh.faces.shape[0]),
        "components": int(topology.components().count),
        "euler_number": int(topology.euler_number),
        "boundary_edges": boundary,
        "watertight": bool(mesh.is_watertight),
        "edge_manifold": edge,
        "vertex_manifold": vertex,
        "manifold": edge and vertex,
        "oriented": bool(mesh.is_consistently_oriented),
        "aspect_ratio_gt4_percent": _percent(shapes["aspect_ratio"] > 4),
        "radius_ratio_gt4_percent": _percent(shapes["radius_ratio"] > 4),
        "min_angle_lt10_percent": _percent(shapes["min_angle"] < 10),
        "degenerate_percent": _percent(~(shapes["area"] > 0)),
        "self_intersecting_percent": _percent(self_intersections(mesh) >= 0),
        "min_angle_mean": float(stable_mean(shapes["min_angle"])) if len(mesh.faces) else 0.0,
    }
