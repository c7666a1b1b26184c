"""Open surfaces whose boundary loops are known: garments, a leaf, a bowl, spheres with holes.

Every function returns a `Mesh` with counter-clockwise faces seen from outside, z up, about the
origin, edge-manifold with boundary and consistently oriented. Options common to all: ``dtype`` and
``device``, as in `meshlearn.data.shapes`, which has the Moebius band.

Example:
    >>> len(ml.data.open_shapes.shirt().topology.boundary_loops())
    4
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn.data.shapes import (
    Device,
    check_at_least,
    check_positive,
    grid_faces,
    icosphere,
    mesh_of,
    wrapped,
)
from meshlearn.mesh import Mesh, cut_mesh

__all__ = ["bowl", "leaf", "shirt", "skirt", "sleeve", "sphere_with_holes"]


def _tube(points: Tensor, dtype: torch.dtype, device: Device) -> Mesh:
    """Rings of points (R, S, 3), each closed."""
    rows, columns = points.shape[:2]
    return mesh_of(points.reshape(-1, 3), grid_faces(wrapped(rows, columns)), dtype, device)


def skirt(
    waist: float = 0.3,
    hem: float = 0.7,
    height: float = 1.0,
    folds: int = 7,
    depth: float = 0.12,
    *,
    segments: int = 168,
    rings: int = 48,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Skirt with folds that open towards the hem: a tube of 2 loops, Euler number 0.

    Args:
        waist, hem: radii at the upper and the lower end.
        folds: how many around; 0 for a plain cone.
        depth: of the folds at the hem, as a share of the radius.
    """
    for value, name in ((waist, "waist"), (hem, "hem"), (height, "height")):
        check_positive(value, name)
    check_at_least(folds, "folds", 0)
    check_at_least(segments, "segments", 3)
    check_at_least(rings, "rings", 1)
    down = torch.linspace(1, 0, rings + 1, dtype=torch.float64)[:, None]  # the hem first
    turn = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    wave = (folds * turn).cos() if folds else torch.zeros_like(turn)
    radius = (waist + (hem - waist) * down**1.3) * (1 + depth * down * wave)
    z = (0.5 - down) * height
    points = torch.stack([radius * turn.cos(), radius * turn.sin(), z.expand_as(radius)], -1)
    return _tube(points, dtype, device)


def sleeve(
    shoulder: float = 0.22,
    cuff: float = 0.12,
    length: float = 1.0,
    bend: float = 60.0,
    *,
    segments: int = 64,
    rings: int = 64,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Tapering tube bent by `bend` degrees, as a sleeve: 2 loops, Euler number 0."""
    for value, name in ((shoulder, "shoulder"), (cuff, "cuff"), (length, "length")):
        check_positive(value, name)
    check_at_least(segments, "segments", 3)
    check_at_least(rings, "rings", 1)
    t = torch.linspace(-0.5, 0.5, rings + 1, dtype=torch.float64)[:, None]
    angle = t * math.radians(bend)
    turn = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    radius = shoulder + (cuff - shoulder) * (t + 0.5)
    arm = length / max(math.radians(abs(bend)), 1e-6) * math.copysign(1.0, bend)
    along = torch.stack([arm * angle.sin(), 0 * angle, arm * (1 - angle.cos())], -1)
    across = torch.stack([-angle.sin(), 0 * angle, angle.cos()], -1)
    side = torch.tensor([0.0, 1.0, 0.0], dtype=torch.float64)
    points = along + radius[..., None] * (turn.cos()[:, None] * side + turn.sin()[:, None] * across)
    return _tube(points - points.mean((0, 1)), dtype, device)


def bowl(
    radius: float = 1.0,
    opening: float = 70.0,
    *,
    segments: int = 96,
    rings: int = 32,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Part of a sphere around its lowest point, up to `opening` degrees from it: 1 loop, a disc.

    Area 2 pi r^2 (1 - cos(opening)) in the limit.
    """
    check_positive(radius, "radius")
    if not 0 < opening < 180:
        raise ValueError(f"opening: expected degrees between 0 and 180, got {opening!r}")
    check_at_least(segments, "segments", 3)
    check_at_least(rings, "rings", 1)
    polar = torch.linspace(0, math.radians(opening), rings + 1, dtype=torch.float64)[1:, None]
    turn = torch.arange(segments, dtype=torch.float64) * (2 * math.pi / segments)
    flat = radius * polar.sin()
    ring = torch.stack([flat * turn.cos(), flat * turn.sin(), -radius * polar.cos() + 0 * turn], -1)
    low = torch.tensor([[0.0, 0.0, -radius]], dtype=torch.float64)
    table = torch.cat(
        [torch.zeros(1, segments + 1, dtype=torch.long), 1 + wrapped(rings, segments)]
    )
    return mesh_of(torch.cat([low, ring.reshape(-1, 3)]), grid_faces(table), dtype, device)


def leaf(
    length: float = 2.0,
    width: float = 0.9,
    curl: float = 0.5,
    *,
    segments: tuple[int, int] = (64, 24),
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Leaf with a fold along its middle and a curl along its length: 1 loop, a disc."""
    for value, name in ((length, "length"), (width, "width")):
        check_positive(value, name)
    m, n = segments
    check_at_least(m, "segments", 2)
    check_at_least(n, "segments", 1)
    u = torch.linspace(-1, 1, m + 1, dtype=torch.float64)[1:-1, None]
    v = torch.linspace(-1, 1, n + 1, dtype=torch.float64)
    half = width / 2 * (1 - u**2) ** 0.75 * (1 - 0.25 * u)
    y = half * v

    def height(u: Tensor, y: Tensor) -> Tensor:
        return curl * (0.5 - u**2) + 0.4 * (y * y + 0.01).sqrt()

    inner = torch.stack([(u * length / 2).expand_as(y), y, height(u, y)], -1).reshape(-1, 3)
    zero = torch.zeros((), dtype=torch.float64)
    tips = torch.stack(
        [torch.stack([s * length / 2 + zero, zero, height(s + zero, zero)]) for s in (-1.0, 1.0)]
    )
    table = 1 + torch.arange((m - 1) * (n + 1)).view(m - 1, n + 1)
    last = int(table[-1, -1]) + 1
    table = torch.cat([torch.zeros(1, n + 1).long(), table, torch.full((1, n + 1), last)])
    return mesh_of(torch.cat([tips[:1], inner, tips[1:]]), grid_faces(table.T), dtype, device)


def sphere_with_holes(
    holes: int = 3,
    radius: float = 1.0,
    opening: float = 22.0,
    *,
    subdivisions: int = 5,
    dtype: torch.dtype = torch.float32,
    device: Device = "cpu",
) -> Mesh:
    """Sphere with `holes` round openings, each `opening` degrees from its axis to its rim.

    Euler number 2 - holes. Axes are spread by the golden angle.

    Raises:
        ValueError: the openings would meet.
    """
    check_at_least(holes, "holes", 0)
    check_positive(radius, "radius")
    k = torch.arange(holes, dtype=torch.float64)
    z = 1 - (2 * k + 1) / max(holes, 1)
    turn = k * math.pi * (3 - math.sqrt(5))
    flat = (1 - z * z).clamp(min=0).sqrt()
    axes = torch.stack([flat * turn.cos(), flat * turn.sin(), z], 1)
    between = (axes @ axes.T).clamp(-1, 1).acos() + 9 * torch.eye(holes, dtype=torch.float64)
    most = math.degrees(float(between.min())) / 2 if holes > 1 else 180.0
    if not 0 < opening < most:
        raise ValueError(f"opening: expected below {most:.1f} degrees for {holes}, got {opening}")
    ball = icosphere(subdivisions, dtype=torch.float64)
    if holes:
        apart = (ball.vertices @ axes.T).clamp(-1, 1).acos().amin(1)
        ball = cut_mesh(ball, apart - math.radians(opening)).mesh
    vertices = torch.nn.functional.normalize(ball.vertices, dim=1) * radius
    return mesh_of(vertices, ball.faces, dtype, device)


def shirt(
    *, subdivisions: int = 5, dtype: torch.dtype = torch.float32, device: Device = "cpu"
) -> Mesh:
    """Short-sleeved shirt, about 1.7 wide: openings for the neck, the waist and two arms.

    A sphere with four holes (Euler number -2), 2 units of surface or so, smooth but for the folds
    at the armpits.
    """
    check_at_least(subdivisions, "subdivisions", 3)
    ball = icosphere(subdivisions, dtype=torch.float64)
    away = _to_cloth(ball.vertices)
    rim = torch.full_like(away, 1e3)  # the planes that cut the tubes off: how far along each ray
    for axis, offset in _OPENINGS:
        along = ball.vertices @ torch.nn.functional.normalize(torch.tensor(axis).double(), dim=0)
        rim = torch.where(along > 1e-3, torch.minimum(rim, offset / along.clamp(min=1e-3)), rim)
    cut = cut_mesh(ball, (rim / away).log()).mesh
    direction = torch.nn.functional.normalize(cut.vertices, dim=1)
    return mesh_of(direction * _to_cloth(direction)[:, None], cut.faces, dtype, device)


_ARM = (1.0, 0.0, 0.28)
_OPENINGS = (
    ((0.0, 0.0, 1.0), 0.56),
    ((0.0, 0.0, -1.0), 0.75),
    (_ARM, 0.85),
    ((-_ARM[0], _ARM[1], _ARM[2]), 0.85),
)


def _to_cloth(direction: Tensor) -> Tensor:
    """How far along each direction (P, 3) the cloth is, by bisection of an implicit shirt."""
    low, high = torch.zeros_like(direction[:, 0]), torch.full_like(direction[:, 0], 3.0)
    for _ in range(50):
        middle = (low + high) / 2
        inside = _cloth(direction * middle[:, None]) < 0
        low, high = torch.where(inside, middle, low), torch.where(inside, high, middle)
    return low


def _cloth(p: Tensor) -> Tensor:
    """Smooth union of a trunk that is open below, two arms and a neck."""
    x, y, z = p.unbind(1)
    body = (x / 0.46).abs() ** 4 + (y / 0.27).abs() ** 2.5 + (z.clamp(min=0) / 0.45) ** 6
    parts = [body.clamp(min=1e-12) ** 0.25 - 1]
    for side in (-1.0, 1.0):
        axis = torch.nn.functional.normalize(
            torch.tensor([side * _ARM[0], _ARM[1], _ARM[2]], dtype=p.dtype), dim=0
        )
        along = p @ axis
        ring = (p - along[:, None] * axis).norm(dim=1)
        parts.append(torch.where(along > 0, ring / 0.19, p.norm(dim=1) / 0.19) - 1)
    ring = (x * x + y * y).sqrt()
    parts.append(torch.where(z > 0, ring / 0.17, p.norm(dim=1) / 0.17) - 1)
    return -torch.logsumexp(-10 * torch.stack(parts), 0) / 10
