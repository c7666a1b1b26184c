"""Points, quadrics and wedges of `collapses_reference`, points of `edge_passes_reference`."""

from __future__ import annotations

from collections.abc import Iterable

Point = tuple[float, float, float]


def plus(a: Point, b: Point) -> Point:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])


def minus(a: Point, b: Point) -> Point:
    return (a[0] - b[0], a[1] - b[1], a[2] - b[2])


def times(a: Point, s: float) -> Point:
    return (a[0] * s, a[1] * s, a[2] * s)


def dot(a: Point, b: Point) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Point, b: Point) -> Point:
    return (
        a[1] * b[2] - a[2] * b[1],
        a[2] * b[0] - a[0] * b[2],
        a[0] * b[1] - a[1] * b[0],
    )


def total(numbers: Iterable[float]) -> float:
    """Their sum, rounded after each: later Pythons' own is more exact."""
    found = 0.0
    for number in numbers:
        found += number
    return found


class Quadric:
    """xx xy xz yy yz zz, x y z, c of pᵀAp + 2 b·p + c."""

    __slots__ = ("q",)

    def __init__(self, q: list[float] | None = None) -> None:
        self.q = [0.0] * 10 if q is None else list(q)

    def add(self, other: Quadric) -> None:
        self.q = [a + b for a, b in zip(self.q, other.q, strict=True)]

    def add_plane(self, g: Point, d: float, w: float) -> None:  # (Q1)
        x, y, z = w * g[0], w * g[1], w * g[2]
        more = [x * g[0], x * g[1], x * g[2], y * g[1], y * g[2], z * g[2]]
        more += [x * d, y * d, z * d, w * d * d]
        self.q = [a + b for a, b in zip(self.q, more, strict=True)]

    def add_point(self, p: Point, w: float) -> None:  # (Q2)
        more = [w, 0, 0, w, 0, w, -(w * p[0]), -(w * p[1]), -(w * p[2]), w * dot(p, p)]
        self.q = [a + b for a, b in zip(self.q, more, strict=True)]

    def at(self, p: Point) -> float:
        xx, xy, xz, yy, yz, zz, x, y, z, c = self.q
        gx = xx * p[0] + xy * p[1] + xz * p[2] + 2 * x
        gy = xy * p[0] + yy * p[1] + yz * p[2] + 2 * y
        gz = xz * p[0] + yz * p[1] + zz * p[2] + 2 * z
        return p[0] * gx + p[1] * gy + p[2] * gz + c

    def least(self) -> Point | None:
        xx, xy, xz, yy, yz, zz, x, y, z, _ = self.q
        if not xx > 0:
            return None
        a, b = xy / xx, xz / xx
        d2 = yy - a * xy
        if not d2 > 1e-15 * yy:
            return None
        e = yz - a * xz
        f = e / d2
        d3 = zz - b * xz - f * e
        if not d3 > 1e-15 * zz:
            return None
        r2 = a * x - y
        r3 = b * x - z - f * r2
        pz = r3 / d3
        py = r2 / d2 - f * pz
        return (-x / xx - a * py - b * pz, py, pz)


class Wedges:
    """An attribute: the wedge of each corner, and of each wedge its value, weight and slopes."""

    def __init__(self, width: int, flat: bool, corners: int) -> None:
        self.width, self.flat = width, flat
        self.of = [-1] * corners
        self.value: list[list[float]] = []
        self.weight: list[float] = []
        self.slope: list[list[list[float]]] = []  # (W, D, 4) sums of w g and w d
        self.group: dict[int, int] = {}  # of the edge that is looked at: the class of each wedge
        self.mixed: list[list[float]] = []

    def members(self, number: int) -> list[int]:
        return [w for w, g in self.group.items() if g == number]


def following(h: int) -> int:
    return h - 2 if h % 3 == 2 else h + 1


def preceding(h: int) -> int:
    return h + 2 if h % 3 == 0 else h - 1
