"""Triangles cut where others cross them, so that surfaces only touch along edges.

All places are exact: coordinates are whole numbers on a common scale, and points in which an edge
meets a plane are such numbers with a denominator (x, y, z, w), reduced, so that the same place has
the same four numbers whichever two triangles gave it. Only the result is rounded.

1.  Two triangles meet in the points in which the edges of one meet the other; where they lie in one
    plane, in those of each edge with the other triangle.
2.  Each triangle is triangulated with these points, and with the segments between them as edges:
    points first, each into the triangles that hold it, then segments by turning the edges that they
    cross (Sloan, A fast algorithm for generating constrained Delaunay triangulations, 1993).

Source: Zhou, Grinspun, Zorin and Jacobson, Mesh arrangements for solid geometry (2016), section 4.
"""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable
from functools import cmp_to_key
from typing import NamedTuple

import numpy as np
import torch

from meshlearn.geometry.intersections import overlapping

Place = tuple[int, int, int, int]  # x, y, z, over w > 0
Plane = tuple[int, int, int, int]  # n . x = d
Segment = tuple[Place, Place]


class Cut(NamedTuple):
    """Triangles in the place of those that others cross.

    Attributes:
        points: (N, 3) float64, new vertices behind the old ones.
        faces: (M, 3) int64, in old vertices and new ones.
        source: (M,) int64, the triangle that each is a part of.
    """

    points: np.ndarray
    faces: np.ndarray
    source: np.ndarray


def cut_crossing(vertices: np.ndarray, faces: np.ndarray, which: np.ndarray) -> Cut:
    """Parts of the faces `which` (K,), which cross each other, of faces (F, 3) that name equal
    positions (V, 3) float64 by one vertex."""
    whole, scale = _whole_numbers(vertices[faces[which]])
    corners: list[list[Place]] = [[(*p, 1) for p in triangle] for triangle in whole]
    planes = [_plane(*triangle) for triangle in corners]
    points: dict[int, set[Place]] = defaultdict(set)
    segments: dict[int, set[Segment]] = defaultdict(set)
    pairs = overlapping(torch.from_numpy(vertices[faces[which]]))
    for i, j in pairs.tolist():
        for k, found in _meet(corners[i], planes[i], corners[j], planes[j]):
            mine = i if k == 0 else j
            points[mine].update(found)
            line = _in_order(found)
            segments[mine].update(itertools.pairwise(line))
    names: dict[Place, int] = {}
    for triangle, row in zip(corners, faces[which].tolist(), strict=True):
        names.update(zip(triangle, row, strict=True))
    made: list[tuple[int, int, int]] = []
    source: list[int] = []
    fresh: list[Place] = []
    for k, triangle in enumerate(corners):
        parts = _triangulated(triangle, planes[k], points[k], segments[k])
        for part in parts:
            for place in part:
                if place not in names:
                    names[place] = len(vertices) + len(fresh)
                    fresh.append(place)
            a, b, c = (names[place] for place in part)
            made.append((a, b, c))
            source.append(int(which[k]))
    rounded = [[math.ldexp(v / p[3], scale) for v in p[:3]] for p in fresh]
    return Cut(
        np.array(rounded, np.float64).reshape(-1, 3),
        np.array(made, np.int64).reshape(-1, 3),
        np.array(source, np.int64),
    )


def _whole_numbers(values: np.ndarray) -> tuple[list[list[tuple[int, int, int]]], int]:
    """Values (K, 3, 3) as whole numbers of 2 ** scale, and that scale."""
    part, power = np.frexp(values)
    mantissa = (part * 2.0**53).astype(np.int64)
    used = mantissa != 0
    low = int(power[used].min()) - 53 if used.any() else 0
    shift = np.where(used, power - 53 - low, 0)
    rows = [
        [tuple(m << s for m, s in zip(ms, ss, strict=True)) for ms, ss in zip(a, b, strict=True)]
        for a, b in zip(mantissa.tolist(), shift.tolist(), strict=True)
    ]
    return rows, low


# --- exact places ---------------------------------------------------------------------------------


def _reduced(x: int, y: int, z: int, w: int) -> Place:
    by = math.gcd(math.gcd(x, y), math.gcd(z, w))
    return x // by, y // by, z // by, w // by


def _between(p: Place, q: Place, a: int, b: int) -> Place:
    """The place that divides pq so that its distances from p and q, times the denominators of q and
    p, are as a to b."""
    return _reduced(*(x * b + y * a for x, y in zip(p, q, strict=True)))  # type: ignore[arg-type]


def _plane(a: Place, b: Place, c: Place) -> Plane:
    u = [b[k] - a[k] for k in range(3)]
    v = [c[k] - a[k] for k in range(3)]
    x, y, z = (
        u[1] * v[2] - u[2] * v[1],
        u[2] * v[0] - u[0] * v[2],
        u[0] * v[1] - u[1] * v[0],
    )
    return x, y, z, x * a[0] + y * a[1] + z * a[2]


def _side(plane: Plane, p: Place) -> int:
    """Positive before the plane, in units of its normal times the denominator of p."""
    return plane[0] * p[0] + plane[1] * p[1] + plane[2] * p[2] - plane[3] * p[3]


def _axes(plane: Plane) -> tuple[int, int]:
    """The two axes of the coordinate plane in which a triangle is seen largest, so that it keeps
    its orientation."""
    drop = max(range(3), key=lambda k: abs(plane[k]))
    i, j = (drop + 1) % 3, (drop + 2) % 3
    return (i, j) if plane[drop] > 0 else (j, i)


def _turn(axes: tuple[int, int], p: Place, q: Place, r: Place) -> int:
    """Positive where p, q, r turn left, seen with the plane's normal towards the eye."""
    i, j = axes
    return (
        p[i] * (q[j] * r[3] - q[3] * r[j])
        - p[j] * (q[i] * r[3] - q[3] * r[i])
        + p[3] * (q[i] * r[j] - q[j] * r[i])
    )


def _holds(axes: tuple[int, int], triangle: list[Place], p: Place) -> bool:
    a, b, c = triangle
    return _turn(axes, a, b, p) >= 0 and _turn(axes, b, c, p) >= 0 and _turn(axes, c, a, p) >= 0


def _key(p: Place) -> tuple[float, float, float]:
    return p[0] / p[3], p[1] / p[3], p[2] / p[3]


def _in_order(points: Iterable[Place]) -> list[Place]:
    """Points of one line, along it."""
    rows = list(points)
    if len(rows) < 3:
        return sorted(rows)
    axis = max(range(3), key=lambda k: max(abs(_key(p)[k] - _key(rows[0])[k]) for p in rows))

    def before(p: Place, q: Place) -> int:
        d = p[axis] * q[3] - q[axis] * p[3]
        return (d > 0) - (d < 0)

    return sorted(rows, key=cmp_to_key(before))


# --- where two triangles meet ---------------------------------------------------------------------


def _meet(s: list[Place], of_s: Plane, t: list[Place], of_t: Plane) -> list[tuple[int, set[Place]]]:
    """(0 or 1, points on a line): what each of both triangles has of the other."""
    over_s = [_side(of_s, p) for p in t]
    if min(over_s) > 0 or max(over_s) < 0:
        return []
    over_t = [_side(of_t, p) for p in s]
    if min(over_t) > 0 or max(over_t) < 0:
        return []
    if not any(over_t):
        return _meet_flat(s, of_s, t, of_t)
    found: set[Place] = set()
    for triangle, sides, other, plane in ((s, over_t, t, of_t), (t, over_s, s, of_s)):
        axes = _axes(plane)
        for k in range(3):
            p, q, a, b = triangle[k], triangle[k - 1], sides[k], sides[k - 1]
            if a == 0:
                if _holds(axes, other, p):
                    found.add(p)
            elif (a > 0) != (b > 0) and b:
                place = _between(p, q, abs(a), abs(b))
                if _holds(axes, other, place):
                    found.add(place)
    return [(0, found), (1, found)] if found else []


def _meet_flat(
    s: list[Place], of_s: Plane, t: list[Place], of_t: Plane
) -> list[tuple[int, set[Place]]]:
    """As `_meet`, of two triangles of one plane: each edge of one within the other, for both."""
    out = []
    for k, (mine, plane, other) in enumerate(((s, of_s, t), (t, of_t, s))):
        axes = _axes(plane)
        for e in range(3):
            p, q = other[e], other[e - 1]
            found = {v for v in (p, q) if _holds(axes, mine, v)}
            found |= {v for v in mine if _on_segment(axes, p, q, v)}
            for c in range(3):
                place = _crossing(axes, p, q, mine[c], mine[c - 1])
                if place is not None:
                    found.add(place)
            if found:
                out += [(k, found), (1 - k, found)]
    return out


def _crossing(axes: tuple[int, int], p: Place, q: Place, u: Place, v: Place) -> Place | None:
    """Where two segments of a plane cross within both; None elsewhere."""
    a, b = _turn(axes, u, v, p), _turn(axes, u, v, q)
    if a == 0 or b == 0 or (a > 0) == (b > 0):
        return None
    c, d = _turn(axes, p, q, u), _turn(axes, p, q, v)
    if c == 0 or d == 0 or (c > 0) == (d > 0):
        return None
    return _between(p, q, abs(a), abs(b))


def _on_segment(axes: tuple[int, int], p: Place, q: Place, v: Place) -> bool:
    if v in (p, q) or _turn(axes, p, q, v) != 0:
        return False
    for k in axes:
        low, high = (p, q) if p[k] * q[3] <= q[k] * p[3] else (q, p)
        if v[k] * low[3] < low[k] * v[3] or v[k] * high[3] > high[k] * v[3]:
            return False
    return True


# --- one triangle with points and segments --------------------------------------------------------


def _triangulated(
    triangle: list[Place], plane: Plane, points: set[Place], segments: set[Segment]
) -> list[tuple[Place, Place, Place]]:
    """Triangles that fill one, have all points as vertices and all segments as edges."""
    axes = _axes(plane)
    segments = {s for s in segments if s[0] != s[1]}
    lines = sorted(segments)
    on: dict[Segment, set[Place]] = {s: set(s) for s in lines}
    every = points | {p for s in lines for p in s}
    for i, one in enumerate(lines):
        for other in lines[i + 1 :]:
            place = _crossing(axes, *one, *other)
            if place is not None:
                on[one].add(place)
                on[other].add(place)
                every.add(place)
    for line in lines:
        on[line] |= {p for p in every if _on_segment(axes, *line, p)}
    faces = [tuple(triangle)]
    for p in sorted(every - set(triangle), key=_key):
        made = []
        for face in faces:
            a, b, c = face
            turns = _turn(axes, a, b, p), _turn(axes, b, c, p), _turn(axes, c, a, p)
            if min(turns) < 0:
                made.append(face)
                continue
            for (u, v), turn in zip(((a, b), (b, c), (c, a)), turns, strict=True):
                if turn > 0:
                    made.append((u, v, p))
        faces = made
    behind = {}
    for a, b, c in faces:
        behind[a, b], behind[b, c], behind[c, a] = c, a, b
    fixed: set[frozenset[Place]] = set()
    for line in lines:
        row = _in_order(on[line])
        for u, v in itertools.pairwise(row):
            fixed.add(frozenset((u, v)))
            _force(axes, behind, u, v)
    _improve(axes, behind, fixed)
    out = []
    for (a, b), c in behind.items():
        if a == min(a, b, c):
            out.append((a, b, c))
    return out


def _turned(
    axes: tuple[int, int], behind: dict[Segment, Place], a: Place, b: Place
) -> Segment | None:
    """The edge ab as the other diagonal of the two triangles beside it; None where that is none."""
    c, d = behind[a, b], behind[b, a]
    if not (_turn(axes, c, d, b) > 0 and _turn(axes, d, c, a) > 0):
        return None
    del behind[a, b], behind[b, a]
    # triangles (a, d, c) and (d, b, c)
    behind[a, d], behind[d, c], behind[c, a] = c, a, d
    behind[d, b], behind[b, c], behind[c, d] = c, d, b
    return c, d


def _force(axes: tuple[int, int], behind: dict[Segment, Place], u: Place, v: Place) -> None:
    """Makes uv an edge by turning the ones that it crosses."""
    if (u, v) in behind or (v, u) in behind:
        return
    row = [
        (a, b)
        for a, b in behind
        if a < b and (b, a) in behind and _crossing(axes, u, v, a, b) is not None
    ]
    left = 50 * len(row) + 50
    while row and left:
        left -= 1
        a, b = row.pop(0)
        made = _turned(axes, behind, a, b)
        if made is None:
            row.append((a, b))
        elif _crossing(axes, u, v, *made) is not None:
            row.append(made)


def _improve(
    axes: tuple[int, int], behind: dict[Segment, Place], fixed: set[frozenset[Place]]
) -> None:
    """Turns edges that are not `fixed` so that angles grow (Delaunay), as far as that is exact."""
    i, j = axes
    at: dict[Place, complex] = {}

    def place(p: Place) -> complex:
        if p not in at:
            at[p] = complex(p[i] / p[3], p[j] / p[3])
        return at[p]

    def angle(p: Place, u: Place, v: Place) -> float:
        one, two = place(u) - place(p), place(v) - place(p)
        both = one.conjugate() * two
        return abs(math.atan2(both.imag, both.real))

    for _ in range(8):
        done = True
        for a, b in list(behind):
            if a > b or (a, b) not in behind or (b, a) not in behind:
                continue
            if frozenset((a, b)) in fixed:
                continue
            c, d = behind[a, b], behind[b, a]
            if angle(c, a, b) + angle(d, a, b) > math.pi * (1 + 1e-9):
                done &= _turned(axes, behind, a, b) is None
        if done:
            break
