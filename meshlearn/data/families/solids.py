"""Closed pieces that families are built of, and their union. Lengths free, y up, float64."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from meshlearn._seeds import seed_of
from meshlearn.data.shapes import grid_faces, turned_profile, wrapped
from meshlearn.mesh import Mesh

Point = Sequence[float]


class Dice:
    """Random numbers of one shape, by an explicit seed."""

    def __init__(self, *numbers: int) -> None:
        self._generator = torch.Generator().manual_seed(seed_of(*numbers))

    def between(self, low: float, high: float) -> float:
        """Uniform in [low, high]."""
        share = float(torch.rand((), generator=self._generator, dtype=torch.float64))
        return low + (high - low) * share

    def chance(self, share: float) -> bool:
        """True in this share of cases."""
        return self.between(0, 1) < share

    def pick(self, *choices: str) -> str:
        """One of them, equally likely."""
        return choices[min(int(self.between(0, len(choices))), len(choices) - 1)]


def rows(*points: Sequence[float]) -> Tensor:
    """Points as a float64 tensor."""
    return torch.tensor(points, dtype=torch.float64)


def loft(rings: Tensor) -> Mesh:
    """Skin over rings (R, S, 3), its ends closed by strips across the ring (point i to S - i)."""
    count, size = rings.shape[:2]
    index = wrapped(count, size)
    order = [0]
    for k in range(1, size // 2 + 1):
        order += [k, size - k] if k != size - k else [k]
    order = order[:size]
    strip = torch.tensor(
        [
            [order[k], order[k + 1], order[k + 2]][:: 1 if k % 2 == 0 else -1]
            for k in range(size - 2)
        ]
    )
    end = strip + (count - 1) * size
    faces = torch.cat((grid_faces(index), strip.flip(1), end))
    mesh = Mesh(rings.reshape(-1, 3), faces)
    flat = mesh.topology.is_consistently_oriented
    if not flat:
        faces = torch.cat((grid_faces(index), strip, end.flip(1)))
        mesh = Mesh(mesh.vertices, faces)
    return mesh if float(mesh.volume()) > 0 else Mesh(mesh.vertices, mesh.faces.flip(1))


def rounded_outline(half_x: float, half_z: float, radius: float, corner: int = 5) -> Tensor:
    """Rectangle with round corners as a ring (4 corner, 2), symmetric about x, from (+x, 0) on."""
    radius = min(radius, half_x, half_z) * 0.999
    turn = torch.linspace(0, math.pi / 2, corner, dtype=torch.float64)
    arc = torch.stack((turn.cos(), turn.sin()), 1) * radius
    first = arc + rows([half_x - radius, half_z - radius])
    second = first.flip(0) * rows([-1.0, 1.0])
    upper = torch.cat((first, second))
    return torch.cat((upper, upper.flip(0) * rows([1.0, -1.0])))


def slab(
    half_x: float,
    half_z: float,
    low: float,
    high: float,
    *,
    corner: float = 0.02,
    bevel: float = 0.01,
    dent: float = 0.0,
) -> Mesh:
    """Plate with round corners and edges, from y = low to high, `dent` lower in its middle."""
    bevel = min(bevel, (high - low) / 2 * 0.98, half_x * 0.9, half_z * 0.9)
    turn = torch.linspace(0, math.pi / 2, 4, dtype=torch.float64)
    inset = bevel * (1 - turn.sin())
    rise = bevel * (1 - turn.cos())
    profile = [(float(i), low + float(r)) for i, r in zip(inset, rise, strict=True)]
    profile += [(float(i), high - float(r)) for i, r in zip(inset, rise, strict=True)][::-1]
    if dent:
        least = min(half_x, half_z)
        profile += [(least * s, high - dent * math.sin(s * math.pi / 2)) for s in (0.3, 0.6, 0.9)]
    rings = []
    for step, y in profile:
        ring = rounded_outline(half_x - step, half_z - step, max(corner - step, 1e-3))
        rings.append(torch.stack((ring[:, 0], torch.full_like(ring[:, 0], y), ring[:, 1]), 1))
    return loft(torch.stack(rings))


def sweep(
    path: Tensor, radii: Sequence[tuple[float, float]] | Tensor, *, segments: int = 16,
    power: float = 2.0, side: Point | None = None,
) -> Mesh:  # fmt: skip
    """Tube along a path (R, 3), its cross-sections superellipses with two half axes each.

    Args:
        radii: (R, 2) across (towards `side`) and along the third direction.
        power: 2 for ellipses, larger for boxes with round edges.
        side: direction of the first half axis; default: any.
    """
    along = torch.gradient(path, dim=0)[0] if len(path) > 2 else (path[1:] - path[:1]).expand(2, 3)
    along = torch.nn.functional.normalize(along, dim=1)
    if side is None:
        lean = along.abs().mean(0).argmin()
        first = torch.eye(3, dtype=torch.float64)[lean]
    else:
        first = rows(side)[0]
    frames = []
    for direction in along:
        first = torch.nn.functional.normalize(first - (first @ direction) * direction, dim=0)
        frames.append(torch.stack((first, torch.linalg.cross(direction, first))))
    turn = (torch.arange(segments, dtype=torch.float64) + 0.5 * (power > 2)) * (
        2 * math.pi / segments
    )
    c, s = turn.cos(), turn.sin()
    ring = torch.stack((c.sign() * c.abs() ** (2 / power), s.sign() * s.abs() ** (2 / power)), 1)
    sizes = torch.as_tensor(radii, dtype=torch.float64).expand(len(path), 2)
    return loft(path[:, None] + (ring[None] * sizes[:, None]) @ torch.stack(frames))


def rod(
    start: Point, end: Point, radius: float, tip: float | None = None, *, segments: int = 16,
    power: float = 2.0, side: Point | None = None,
) -> Mesh:  # fmt: skip
    """Straight, tapered bar between two points."""
    tip = radius if tip is None else tip
    path = rows(start, end)
    sizes = [(radius, radius), (tip, tip)]
    return sweep(path, sizes, segments=segments, power=power, side=side)


def revolved(profile: Sequence[tuple[float, float]], segments: int = 48) -> Mesh:
    """Profile of (radius, y) from axis to axis, turned about the y axis."""
    vertices, faces = turned_profile(profile, segments)
    mesh = Mesh(vertices[:, [1, 2, 0]], faces)
    return mesh if float(mesh.volume()) > 0 else Mesh(mesh.vertices, faces.flip(1))


def moved(mesh: Mesh, offset: Point = (0, 0, 0), *, turn: tuple[str, float] | None = None) -> Mesh:
    """Turned about an axis ("x", "y", "z") by degrees, then shifted."""
    vertices = mesh.vertices
    if turn is not None:
        angle = math.radians(turn[1])
        i, j = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[turn[0]]
        matrix = torch.eye(3, dtype=torch.float64)
        matrix[i, i] = matrix[j, j] = math.cos(angle)
        matrix[i, j], matrix[j, i] = -math.sin(angle), math.sin(angle)
        vertices = vertices @ matrix.T
    return mesh.with_vertices(vertices + rows(offset))


def mirrored(mesh: Mesh, axis: int = 2) -> Mesh:
    """The mirror image across the plane where a coordinate is 0."""
    sign = torch.ones(3, dtype=torch.float64)
    sign[axis] = -1
    return Mesh(mesh.vertices * sign, mesh.faces.flip(1))


def airfoil(camber: float, where: float, thickness: float, count: int = 20) -> Tensor:
    """NACA four-digit section (2 count + 1, 2) of chord 1, nose at x = 0, blunt closed tail.

    From the nose over the upper side to the tail and back below: point i lies over point n - i.
    """
    x = 0.5 * (1 - torch.linspace(0, math.pi, count + 1, dtype=torch.float64).cos())
    half = 5 * thickness * (
        0.2969 * x.sqrt() - 0.1260 * x - 0.3516 * x**2 + 0.2843 * x**3 - 0.1015 * x**4
    )  # fmt: skip
    half = half.clamp(min=0.002)
    half[0] = 0
    front = camber / where**2 * (2 * where * x - x**2)
    back = camber / (1 - where) ** 2 * (1 - 2 * where + 2 * where * x - x**2)
    line = torch.where(x < where, front, back)
    upper, lower = torch.stack((x, line + half), 1), torch.stack((x, line - half), 1)
    return torch.cat((upper, lower[1:].flip(0)))


def union(
    parts: Sequence[tuple[int, Mesh]], cuts: Sequence[tuple[int, Mesh]] = ()
) -> tuple[Mesh, Tensor]:
    """The union of closed pieces as one closed manifold mesh -> mesh, label of each face.

    Args:
        parts: (label, piece).
        cuts: (label, piece) taken away from the parts of that label first.

    Raises:
        ImportError: manifold3d is not installed.
    """
    try:
        from manifold3d import Manifold, Mesh64, OpType
    except ImportError:
        raise ImportError(
            "families of shapes need manifold3d to join their parts; "
            "install it with: pip install 'meshlearn[union]'"
        ) from None

    def solid(mesh: Mesh) -> Manifold:
        out = Manifold(Mesh64(mesh.vertices.numpy().copy(), mesh.faces.numpy().astype(np.uint64)))
        if out.is_empty():
            raise ValueError(f"parts: a piece is no closed surface ({out.status()})")
        return out

    labels: dict[int, int] = {}
    solids = []
    for label in sorted({label for label, _ in parts}):
        whole = Manifold.batch_boolean([solid(m) for k, m in parts if k == label], OpType.Add)
        away = [solid(m) for k, m in cuts if k == label]
        if away:
            whole = Manifold.batch_boolean([whole, *away], OpType.Subtract)
        whole = whole.as_original()
        labels[whole.original_id()] = label
        solids.append(whole)
    joined = Manifold.batch_boolean(solids, OpType.Add) if len(solids) > 1 else solids[0]
    found = joined.to_mesh64()
    vertices = torch.from_numpy(np.array(found.vert_properties[:, :3]))
    faces = torch.from_numpy(found.tri_verts.astype(np.int64))
    to = torch.arange(len(vertices))
    to[torch.from_numpy(np.asarray(found.merge_from_vert).astype(np.int64))] = torch.from_numpy(
        np.asarray(found.merge_to_vert).astype(np.int64)
    )
    used, faces = torch.unique(to[faces], return_inverse=True)
    ends = (np.asarray(found.run_index).astype(np.int64) // 3).tolist()
    part = torch.zeros(len(faces), dtype=torch.int64)
    for k, name in enumerate(np.asarray(found.run_original_id).tolist()):
        part[ends[k] : ends[k + 1]] = labels[name]
    return Mesh(vertices[used], faces), part
