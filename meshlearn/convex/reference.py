"""Half-space intersection in plain Python: what `csrc/kernels/halfspace.h` does, to be read.

Topology is decided here number by number; the vertices are then taken from the planes by torch, so
that gradients are those of autograd.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor

from meshlearn.convex.constants import (
    CUT_ATTEMPTS,
    LEAST_DETERMINANT,
    LEAST_SPAN,
    MOST_STEP,
    TOLERANCE_GROWTH,
)
from meshlearn.convex.packed import Packed, rows_of

_BOX_LOOPS = [[0, 4, 6, 2], [1, 3, 7, 5], [0, 1, 5, 4], [2, 6, 7, 3], [0, 2, 3, 1], [4, 5, 7, 6]]

Plane = tuple[float, float, float, float]
Point = tuple[float, float, float]


def intersect_reference(
    planes: Tensor, start: Tensor, index: Tensor, bounds: list[float], tolerance: float
) -> Packed:
    """Torch reference of the operator `halfspace_intersection`."""
    rows = planes.detach().double().tolist()
    starts, ids = start.tolist(), index.tolist()
    points: list[Point] = []
    triples: list[list[int]] = []
    loops: list[list[int]] = []
    faces: list[int] = []
    vertex_start, face_start = [0], [0]
    centre = [(bounds[a] + bounds[3 + a]) / 2 for a in range(3)]
    for begin, end in pairwise(starts):
        mine = ids[begin:end]
        body = _Body(bounds)
        unit = [_unit(*rows[p]) for p in mine]
        worth = [n[0] * centre[0] + n[1] * centre[1] + n[2] * centre[2] + n[3] for n in unit]
        order = sorted(range(len(mine)), key=lambda k: (-worth[k], k))
        if all(body.clip(mine[k], unit[k], tolerance) for k in order):
            body.tidy()
            if len(body.loops) >= 4:
                first = len(points)
                rank = {v: first + k for k, v in enumerate(body.used())}
                for v in rank:
                    points.append(body.point[v])
                    triples.append(body.three(v))
                loops += [[rank[v] for v in loop] for loop in body.loops]
                faces += body.faces
        vertex_start.append(len(points))
        face_start.append(len(faces))

    def whole(values: list) -> Tensor:
        return torch.tensor(values, dtype=torch.int64, device=planes.device)

    corner_start = [0]
    for loop in loops:
        corner_start.append(corner_start[-1] + len(loop))
    vertex_planes = whole(triples).view(-1, 3)
    at = torch.tensor(points, dtype=torch.float64, device=planes.device).view(-1, 3)
    return Packed(
        _solved(planes, vertex_planes, bounds, at, tolerance).to(planes.dtype),
        vertex_planes,
        whole(corner_start),
        whole([v for loop in loops for v in loop]),
        whole(faces),
        whole(vertex_start),
        whole(face_start),
    )


def _solved(
    planes: Tensor, vertex_planes: Tensor, bounds: list[float], at: Tensor, tolerance: float
) -> Tensor:
    """Vertices as intersections of their planes, by one step from where they are: (4)."""
    three = rows_of(planes, vertex_planes, bounds)
    three = three / three[..., :3].norm(dim=2, keepdim=True)
    a, b, c = three[..., :3].unbind(1)
    residual = (three[..., :3] * at[:, None]).sum(2) + three[..., 3]
    columns = torch.stack([torch.linalg.cross(*p, dim=1) for p in ((b, c), (c, a), (a, b))], 1)
    span = (columns[:, 0] * a).sum(1, keepdim=True)
    step = (columns * residual[..., None]).sum(1) / torch.where(
        span.abs() < LEAST_DETERMINANT, 1.0, span
    )
    far = (span.abs() < LEAST_DETERMINANT) | (
        step.detach().norm(dim=1, keepdim=True) > MOST_STEP * tolerance
    )
    found = at - step + torch.where(far, step.detach(), 0.0)
    return torch.where(span.abs() > LEAST_SPAN, found, found.detach())


def _unit(a: float, b: float, c: float, d: float) -> Plane:
    """(1): the plane with a unit normal; one without normal becomes (0, 0, 0, sign of d)."""
    most = max(abs(a), abs(b), abs(c))
    if not most > 0:
        return 0.0, 0.0, 0.0, 1.0 if d > 0 else 0.0
    a, b, c = a / most, b / most, c / most
    d = d / most
    length = math.sqrt(a * a + b * b + c * c)
    return a / length, b / length, c / length, d / length


def _cross(a: Plane, b: Plane) -> Point:
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


def _cleaned(loop: list[int]) -> list[int]:
    """The loop without repeats of one vertex after another."""
    out = [v for k, v in enumerate(loop) if k == 0 or v != loop[k - 1]]
    while len(out) > 1 and out[-1] == out[0]:
        out.pop()
    return out


class _Body:
    """A polyhedron as loops of vertices, counter-clockwise seen from outside."""

    def __init__(self, bounds: list[float]) -> None:
        ends = [(bounds[a], bounds[3 + a]) for a in range(3)]
        x, y, z = ends
        self.point: dict[int, Point] = {
            v: (x[v & 1], y[v >> 1 & 1], z[v >> 2 & 1]) for v in range(8)
        }
        self.loops = [list(loop) for loop in _BOX_LOOPS]
        self.faces = [-1 - f for f in range(6)]
        self.plane: dict[int, Plane] = {}
        for f in range(6):
            axis, high = f // 2, f % 2
            way = 1.0 if high else -1.0
            nx, ny, nz = (way if a == axis else 0.0 for a in range(3))
            self.plane[-1 - f] = (nx, ny, nz, -ends[axis][1] if high else ends[axis][0])

    def used(self) -> list[int]:
        """Vertices in the order in which the loops name them."""
        return list(dict.fromkeys(v for loop in self.loops for v in loop))

    def clip(self, face: int, n: Plane, tolerance: float) -> bool:
        """Cuts by a plane; False when nothing is left."""
        self.plane[face] = n
        side = {  # (2)
            v: n[0] * p[0] + n[1] * p[1] + n[2] * p[2] + n[3]
            for v, p in ((v, self.point[v]) for v in self.used())
        }
        most, least = max(side.values()), min(side.values())
        for _ in range(CUT_ATTEMPTS):
            if most <= tolerance:
                return True
            if least >= -tolerance:
                return False
            if self._cut(face, side, tolerance):
                return True
            tolerance *= TOLERANCE_GROWTH
        return -least > most

    def _cut(self, face: int, side: dict[int, float], tolerance: float) -> bool:
        made: dict[tuple[int, int], int] = {}
        point = dict(self.point)
        loops, faces, cap, first = [], [], {}, -1

        def crossing(inside: int, outside: int) -> int:
            if side[inside] >= -tolerance:
                return inside
            if (inside, outside) not in made:
                v = made[inside, outside] = max(point) + 1
                t = side[inside] / (side[inside] - side[outside])  # (3)
                p, q = self.point[inside], self.point[outside]
                x, y, z = (a + (b - a) * t for a, b in zip(p, q, strict=True))
                point[v] = (x, y, z)
            return made[inside, outside]

        for loop, name in zip(self.loops, self.faces, strict=True):
            new: list[int] = []
            exits: list[int] = []
            entries: list[int] = []
            for a, b in zip([loop[-1], *loop[:-1]], loop, strict=True):
                out_a, out_b = side[a] > tolerance, side[b] > tolerance
                if out_a != out_b:
                    x = crossing(b, a) if out_a else crossing(a, b)
                    (entries if out_a else exits).append(x)
                    new.append(x)
                if not out_b:
                    new.append(b)
            if len(exits) > 1:
                return False
            if exits and exits[0] != entries[0]:
                if entries[0] in cap:
                    return False
                cap[entries[0]] = exits[0]
                first = entries[0]
            new = _cleaned(new)
            if len(new) >= 3:
                loops.append(new)
                faces.append(name)
        if len(cap) < 3:
            return False
        ring = [first]
        while cap.get(ring[-1], -1) != first:
            ring.append(cap.get(ring[-1], -1))
            if ring[-1] < 0 or len(ring) > len(cap):
                return False
        if len(ring) != len(cap):
            return False
        self.loops, self.faces = [*loops, ring], [*faces, face]
        self.point = {v: point[v] for v in self.used()}
        return True

    def tidy(self) -> None:
        """Takes vertices out that only two faces have, and faces of two corners."""
        while True:
            degree: dict[int, int] = {}
            for loop in self.loops:
                for v in loop:
                    degree[v] = degree.get(v, 0) + 1
            thinned = [[v for v in loop if degree[v] >= 3] for loop in self.loops]
            if thinned == self.loops:
                return
            kept = [k for k, loop in enumerate(thinned) if len(loop) >= 3]
            self.loops = [thinned[k] for k in kept]
            self.faces = [self.faces[k] for k in kept]

    def three(self, v: int) -> list[int]:
        """The three planes around a vertex whose normals span most, taken one after another."""
        around = [f for f, loop in zip(self.faces, self.loops, strict=True) if v in loop]
        first = self.plane[around[0]]

        def spread(f: int) -> float:
            x, y, z = _cross(first, self.plane[f])
            return x * x + y * y + z * z

        second = max(around[1:], key=spread)
        axis = _cross(first, self.plane[second])

        def span(f: int) -> float:
            p = self.plane[f]
            return abs(axis[0] * p[0] + axis[1] * p[1] + axis[2] * p[2])

        third = max((f for f in around[1:] if f != second), key=span)
        return [around[0], second, third]
