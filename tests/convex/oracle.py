"""What half-space intersection should give, by exact rational arithmetic and by qhull."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
from scipy.optimize import linprog
from scipy.spatial import ConvexHull, HalfspaceIntersection, QhullError

BOX = [(-1.0, 0, 0), (1.0, 0, 0), (0, -1.0, 0), (0, 1.0, 0), (0, 0, -1.0), (0, 0, 1.0)]


def with_box(planes: np.ndarray, low: float = -1.0, high: float = 1.0) -> np.ndarray:
    """Planes (P, 4) and the six sides of a cube."""
    sides = [(*n, low if sum(n) < 0 else -high) for n in BOX]
    return np.concatenate([planes, np.array(sides)])


def _det(a, b, c):
    return (
        a[0] * (b[1] * c[2] - b[2] * c[1])
        - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
    )


def _whole(planes: np.ndarray) -> list[tuple[int, ...]]:
    """Planes as integers, each scaled by a power of two: exactly the same half-spaces."""
    rows = []
    for row in planes.tolist():
        parts = [Fraction(v) for v in row]
        scale = max(p.denominator for p in parts)
        rows.append(tuple(int(p * scale) for p in parts))
    return rows


def exact_volume(planes: np.ndarray) -> Fraction:
    """Volume of the intersection of half-spaces (P, 4), which must be bounded: rational numbers."""
    rows = []
    for row in _whole(planes):
        if any(row[:3]):
            rows.append(row)
        elif row[3] > 0:
            return Fraction(0)
    vertices: set[tuple[Fraction, Fraction, Fraction]] = set()
    for a, b, c in combinations(rows, 3):
        det = _det(a[:3], b[:3], c[:3])
        if det == 0:
            continue
        d = (-a[3], -b[3], -c[3])
        x = _det((d[0], a[1], a[2]), (d[1], b[1], b[2]), (d[2], c[1], c[2]))
        y = _det((a[0], d[0], a[2]), (b[0], d[1], b[2]), (c[0], d[2], c[2]))
        z = _det((a[0], a[1], d[0]), (b[0], b[1], d[1]), (c[0], c[1], d[2]))
        sign = 1 if det > 0 else -1
        if all((r[0] * x + r[1] * y + r[2] * z + r[3] * det) * sign <= 0 for r in rows):
            vertices.add((Fraction(x, det), Fraction(y, det), Fraction(z, det)))
    if len(vertices) < 4:
        return Fraction(0)
    middle = tuple(sum(v[k] for v in vertices) / len(vertices) for k in range(3))
    total, seen = Fraction(0), set()
    for row in rows:
        axis = max(range(3), key=lambda k: abs(row[k]))
        key = tuple(Fraction(v, abs(row[axis])) for v in row)
        if key in seen:
            continue
        seen.add(key)
        on = [v for v in vertices if row[0] * v[0] + row[1] * v[1] + row[2] * v[2] + row[3] == 0]
        if len(on) < 3:
            continue
        u, w = [k for k in range(3) if k != axis]
        height = -(row[0] * middle[0] + row[1] * middle[1] + row[2] * middle[2] + row[3])
        total += height * _hull_area([(v[u], v[w]) for v in on]) / abs(row[axis]) / 3
    return total


def _hull_area(points: list[tuple[Fraction, Fraction]]) -> Fraction:
    """Area of the convex hull (Andrew's monotone chain)."""
    points = sorted(set(points))

    def half(run):
        out = []
        for p in run:
            while len(out) > 1:
                (ax, ay), (bx, by) = out[-2], out[-1]
                if (bx - ax) * (p[1] - ay) - (by - ay) * (p[0] - ax) > 0:
                    break
                out.pop()
            out.append(p)
        return out[:-1]

    ring = half(points) + half(points[::-1])
    twice = sum(ring[k - 1][0] * ring[k][1] - ring[k - 1][1] * ring[k][0] for k in range(len(ring)))
    return abs(twice) / 2


def deepest(planes: np.ndarray) -> tuple[np.ndarray, float]:
    """Centre and radius of the largest ball inside, by linear programming."""
    length = np.linalg.norm(planes[:, :3], axis=1, keepdims=True)
    found = linprog(
        [0, 0, 0, -1.0],
        A_ub=np.hstack([planes[:, :3], length]),
        b_ub=-planes[:, 3],
        bounds=[(None, None)] * 3 + [(None, None)],
    )
    return (found.x[:3], float(found.x[3])) if found.status == 0 else (np.zeros(3), -1.0)


def qhull_volume(planes: np.ndarray, inside: np.ndarray) -> float | None:
    """Volume by qhull, or None where it fails."""
    try:
        points = HalfspaceIntersection(planes, inside).intersections
        return float(ConvexHull(points).volume)
    except QhullError:
        return None
