"""Closed and open meshes whose volume, area, genus and boundary are known.

Every function returns a `Mesh` with counter-clockwise faces seen from outside, z up, centred at the
origin. Options common to all: ``dtype`` (float32 by default, or float64) and ``device``. Positions
are computed in float64.

Example:
    >>> ml.data.shapes.torus().topology.genus
    1
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.mesh import Mesh, Topology

Device = str | torch.device

_ICOSAHEDRON = (
    "0 11 5 0 5 1 0 1 7 0 7 10 0 10 11 1 5 9 5 11 4 11 10 2 10 7 6 7 1 8 "
    "3 9 4 3 4 2 3 2 6 3 6 8 3 8 9 4 9 5 2 4 11 6 2 10 8 6 7 9 8 1"
)

__all__ = [
    "box",
    "cone",
    "cylinder",
    "gear",
    "icosphere",
    "moebius",
    "plane",
    "tetrahedron",
    "torus",
    "uv_sphere",
]


def check_at_least(value: int, name: str, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")


def check_positive(value: float, name: str) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{name}: expected a positive number, got {value!r}")


def mesh_of(vertices: Tensor, faces: Tensor, dtype: torch.dtype, device: Device) -> Mesh:
    if dtype not in (torch.float32, torch.float64):
        raise ValueError(f"dtype: expected torch.float32 or torch.float64, got {dtype}")
    return Mesh(vertices.to(device, dtype), faces.to(device))


def grid_faces(index: Tensor) -> Tensor:
    """Two triangles for each cell of a table of vertices (R + 1, C + 1), none collapsed."""
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = torch.stack([torch.stack([a, b, c], -1), torch.stack([a, c, d], -1)], 2).reshape(-1, 3)
    distinct = (faces != faces.roll(1, 1)).all(1)
    return faces[distinct]


def turned_profile(profile: Sequence[tuple[float, float]], segments: int) -> tuple[Tensor, Tensor]:
    """Vertices and faces of a profile of (radius, z), bottom to top, turned about the z axis."""
    angle = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    rings, table, count = [], [], 0
    for radius, z in profile:
        size = 1 if radius == 0 else segments
        turn = angle[:size]
        rings.append(
            torch.stack([radius * turn.cos(), radius * turn.sin(), torch.full_like(turn, z)], 1)
        )
        table.append(count + torch.arange(segments + 1) % size)
        count += size
    return torch.cat(rings), grid_faces(torch.stack(table))


def tetrahedron(
    radius: float = 1.0, *, dtype: torch.dtype = torch.float32, device: Device = "cpu"
) -> Mesh:
    """Regular tetrahedron in a sphere of `radius`: volume 8 sqrt(3) r³ / 27."""
    check_positive(radius, "radius")
    corners = torch.tensor([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=torch.float64)
    faces = torch.tensor([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    return mesh_of(corners * (radius / math.sqrt(3)), faces, dtype, device)


def box(
    extents: Sequence[float] = (1.0, 1.0, 1.0),
    *,
    segments: int = 1,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Box with edges of length `extents`, each cut into `segments`: 12 segments² faces."""
    if len(extents) != 3:
        raise ValueError(f"extents: expected three lengths, got {len(extents)}")
    for value in extents:
        check_positive(value, "extents")
    check_at_least(segments, "segments", 1)
    n = segments
    # Surface nodes of an (n + 1)^3 lattice, numbered in lattice order.
    node = torch.arange((n + 1) ** 3).view(n + 1, n + 1, n + 1)
    sides = [
        (node[0], True),
        (node[n], False),
        (node[:, 0], False),
        (node[:, n], True),
        (node[:, :, 0], True),
        (node[:, :, n], False),
    ]
    faces = torch.cat([grid_faces(t if not turn else t.T) for t, turn in sides])
    faces = faces.flip(1)
    used, faces = torch.unique(faces, return_inverse=True)
    lattice = torch.stack([used // (n + 1) ** 2, used // (n + 1) % (n + 1), used % (n + 1)], 1)
    vertices = (lattice.double() / n - 0.5) * torch.tensor(extents, dtype=torch.float64)
    return mesh_of(vertices, faces, dtype, device)


def icosphere(
    subdivisions: int = 3,
    radius: float = 1.0,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Icosahedron split `subdivisions` times onto a sphere: 20 · 4^subdivisions faces."""
    check_at_least(subdivisions, "subdivisions", 0)
    check_positive(radius, "radius")
    g = (1 + math.sqrt(5)) / 2
    base = torch.tensor([[-1, g, 0], [1, g, 0], [-1, -g, 0], [1, -g, 0]], dtype=torch.float64)
    vertices = torch.cat([base, base.roll(1, 1), base.roll(2, 1)])
    faces = torch.tensor([int(i) for i in _ICOSAHEDRON.split()]).view(20, 3)
    vertices = torch.nn.functional.normalize(vertices, dim=1)
    for _ in range(subdivisions):
        topology = Topology(faces, vertices.shape[0])
        middle = vertices[topology.edges].sum(1)
        a, b, c = faces.unbind(1)
        ab, bc, ca = (topology.face_edges + vertices.shape[0]).unbind(1)
        vertices = torch.cat([vertices, torch.nn.functional.normalize(middle, dim=1)])
        corners = [a, ab, ca, ab, b, bc, ca, bc, c, ab, bc, ca]
        faces = torch.stack(corners, 1).reshape(-1, 3)
    return mesh_of(vertices * radius, faces, dtype, device)


def uv_sphere(
    segments: int = 32,
    rings: int = 16,
    radius: float = 1.0,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Sphere of `segments` meridians and `rings` bands: 2 segments (rings - 1) faces."""
    check_at_least(segments, "segments", 3)
    check_at_least(rings, "rings", 2)
    check_positive(radius, "radius")
    bands = [math.pi * (i / rings - 0.5) for i in range(1, rings)]
    profile = [(0.0, -radius), *((radius * math.cos(t), radius * math.sin(t)) for t in bands)]
    return mesh_of(*turned_profile([*profile, (0.0, radius)], segments), dtype, device)


def cylinder(
    radius: float = 1.0,
    height: float = 2.0,
    segments: int = 32,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Closed cylinder about the z axis: 4 segments faces, volume h n r² sin(2π/n) / 2."""
    check_positive(radius, "radius")
    check_positive(height, "height")
    check_at_least(segments, "segments", 3)
    h = height / 2
    profile = [(0.0, -h), (radius, -h), (radius, h), (0.0, h)]
    return mesh_of(*turned_profile(profile, segments), dtype, device)


def cone(
    radius: float = 1.0,
    height: float = 2.0,
    segments: int = 32,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Closed cone, apex up: 2 segments faces, a third of the cylinder's volume."""
    check_positive(radius, "radius")
    check_positive(height, "height")
    check_at_least(segments, "segments", 3)
    h = height / 2
    return mesh_of(*turned_profile([(0.0, -h), (radius, -h), (0.0, h)], segments), dtype, device)


def wrapped(rows: int, columns: int) -> Tensor:
    return torch.arange(rows)[:, None] * columns + torch.arange(columns + 1) % columns


def torus(
    major: float = 1.0,
    minor: float = 0.4,
    segments: int = 48,
    rings: int = 24,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Torus about the z axis: 2 segments rings faces, genus 1, volume near 2π² R r²."""
    check_positive(major, "major")
    check_positive(minor, "minor")
    check_at_least(segments, "segments", 3)
    check_at_least(rings, "rings", 3)
    t = torch.arange(rings, dtype=torch.float64)[:, None] * (2 * math.pi / rings)
    u = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    r = major + minor * t.cos()
    vertices = torch.stack([r * u.cos(), r * u.sin(), (minor * t.sin()).expand_as(r * u)], -1)
    index = wrapped(rings, segments)
    faces = grid_faces(torch.cat([index, index[:1]]))
    return mesh_of(vertices.reshape(-1, 3), faces, dtype, device)


def plane(
    size: tuple[float, float] = (1.0, 1.0),
    segments: tuple[int, int] = (10, 10),
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Open rectangle in z = 0, normals +z: one boundary loop of 2 (m + n) edges."""
    for value in size:
        check_positive(value, "size")
    for value in segments:
        check_at_least(value, "segments", 1)
    m, n = segments
    x = torch.linspace(-size[0] / 2, size[0] / 2, m + 1, dtype=torch.float64)
    y = torch.linspace(-size[1] / 2, size[1] / 2, n + 1, dtype=torch.float64)
    y, x = torch.meshgrid(y, x, indexing="ij")
    vertices = torch.stack([x, y, torch.zeros_like(x)], -1).reshape(-1, 3)
    return mesh_of(
        vertices, grid_faces(torch.arange((m + 1) * (n + 1)).view(n + 1, m + 1)), dtype, device
    )


def moebius(
    radius: float = 1.0,
    width: float = 0.6,
    segments: int = 48,
    rings: int = 4,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Moebius band: Euler number 0, one boundary loop of 2 segments edges, not orientable."""
    check_positive(radius, "radius")
    check_positive(width, "width")
    check_at_least(segments, "segments", 3)
    check_at_least(rings, "rings", 1)
    u = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    across = torch.linspace(-width / 2, width / 2, rings + 1, dtype=torch.float64)[:, None]
    r = radius + across * (u / 2).cos()
    vertices = torch.stack([r * u.cos(), r * u.sin(), across * (u / 2).sin()], -1)
    index = torch.arange((rings + 1) * segments).view(rings + 1, segments)
    # After one turn the band meets itself upside down.
    faces = grid_faces(torch.cat([index, index[:, :1].flip(0)], 1))
    return mesh_of(vertices.reshape(-1, 3), faces, dtype, device)


def gear(
    teeth: int = 12,
    outer: float = 1.0,
    root: float = 0.8,
    bore: float = 0.35,
    thickness: float = 0.4,
    *,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Toothed outline with a bore, extruded along z: sharp edges, genus 1, 32 teeth faces.

    With n = 4 teeth points on outline and bore, the volume is thickness × (area of the outline -
    n bore² sin(2π/n) / 2).

    Args:
        outer, root, bore: radius of tooth tips, of the gaps between teeth, of the hole.
    """
    check_at_least(teeth, "teeth", 3)
    for value, name in ((bore, "bore"), (thickness, "thickness")):
        check_positive(value, name)
    if not bore < root < outer:
        raise ValueError(
            f"root: expected bore < root < outer, got bore {bore}, root {root}, outer {outer}"
        )
    count = 4 * teeth
    angle = torch.arange(count, dtype=torch.float64) * (2 * math.pi / count)
    radius = torch.tensor([root, outer, outer, root], dtype=torch.float64).repeat(teeth)
    ring = torch.stack([angle.cos(), angle.sin()], 1)
    flat = [ring * bore, ring * radius[:, None], ring * radius[:, None], ring * bore]
    height = [-thickness / 2, -thickness / 2, thickness / 2, thickness / 2]
    vertices = torch.cat(
        [torch.nn.functional.pad(p, (0, 1), value=z) for p, z in zip(flat, height, strict=True)]
    )
    index = wrapped(4, count)  # around the section: bore low, outline low, outline high, bore high
    return mesh_of(vertices, grid_faces(torch.cat([index, index[:1]])), dtype, device)
