"""Polygons with holes as triangles: each hole is joined to the outline by a cut there and back.

The cut goes from the hole's corner that lies furthest along one direction to a corner that sees it
(Eberly, Triangulation by Ear Clipping, 2002, section 3).
"""

from __future__ import annotations

import numpy as np

from meshlearn.arrays.triangulation import triangulate


def cut_holes(points: np.ndarray, outline: np.ndarray, holes: list[np.ndarray]) -> np.ndarray:
    """(F, 3) triangles of a polygon, as rows of `points`.

    Args:
        points: (N, 3) places of all corners.
        outline: rows of the corners around it; holes: those of the corners around each.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        loop = _joined(points, outline, holes)
    corners, _ = triangulate(points, np.array([0, len(loop)]), np.array(loop, np.int64))
    return np.array(loop, np.int64)[corners]


def _joined(points: np.ndarray, outline: np.ndarray, holes: list[np.ndarray]) -> list[int]:
    """One loop around the outline and the holes."""
    flat, area = _flat(points, outline)
    loop = outline.tolist()
    inner = [h for h in holes if len(h) >= 3]
    inner = [h[::-1] if _area(flat[h]) * area > 0 else h for h in inner]
    for hole in sorted(inner, key=lambda h: -flat[h, 0].max()):
        around = np.roll(hole, -int(flat[hole, 0].argmax())).tolist()
        at = _bridge(flat, loop, around[0])
        loop[at + 1 : at + 1] = [*around, around[0], loop[at]]
    return loop


def _flat(points: np.ndarray, outline: np.ndarray) -> tuple[np.ndarray, float]:
    """(N, 2) the points as seen along the axis that the outline faces most, and its area."""
    p = points[outline].astype(np.float64)
    normal = np.cross(p, np.roll(p, -1, 0)).sum(0)
    axis = int(np.abs(normal).argmax())
    flat = points.astype(np.float64)[:, [(1, 2), (2, 0), (0, 1)][axis]]
    return flat, _area(flat[outline])


def _area(p: np.ndarray) -> float:
    q = np.roll(p, -1, 0)
    return float((p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]).sum()) / 2


def _bridge(flat: np.ndarray, loop: list[int], corner: int) -> int:
    """The place in a loop of the corner to which a hole's corner is joined."""
    x, y = flat[corner]
    p = flat[loop]
    q = np.roll(p, -1, 0)
    crosses = (np.minimum(p[:, 1], q[:, 1]) <= y) & (np.maximum(p[:, 1], q[:, 1]) >= y)
    rise = np.where(q[:, 1] == p[:, 1], 1, q[:, 1] - p[:, 1])
    hit = np.where(
        q[:, 1] == p[:, 1],
        np.maximum(p[:, 0], q[:, 0]),
        p[:, 0] + (y - p[:, 1]) / rise * (q - p)[:, 0],
    )
    hit = np.where(crosses & (hit >= x), hit, np.inf)
    if not np.isfinite(hit).any():  # the hole is not inside: the nearest corner
        return int(((p - flat[corner]) ** 2).sum(1).argmin())
    edge = int(hit.argmin())
    far = edge if p[edge, 0] > q[edge, 0] else (edge + 1) % len(loop)
    tip = np.array([hit[edge], y])
    inside = _within(p, flat[corner], tip, p[far])
    others = inside & (p != p[far]).any(1)
    inside = others if others.any() else (p == p[far]).all(1)
    inside &= _opens(p, q, flat[corner], _area(p))
    if not inside.any():
        return far
    away = p - flat[corner]
    steep = np.where(inside, np.abs(away[:, 1]) / np.maximum(away[:, 0], 1e-300), np.inf)
    best = np.nonzero(steep == steep.min())[0]
    return int(best[(away[best] ** 2).sum(1).argmin()])


def _opens(p: np.ndarray, q: np.ndarray, at: np.ndarray, area: float) -> np.ndarray:
    """Whether a loop has its inside towards `at`, at each of its corners: those at which cuts
    begin come more than once."""
    sign = 1.0 if area > 0 else -1.0
    before = np.roll(p, 1, 0)
    into, out, to = p - before, q - p, at - p

    def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return sign * (a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])

    left = (cross(out, to) >= 0) & (cross(into, to) >= 0)  # of both edges
    either = (cross(out, to) >= 0) | (cross(into, to) >= 0)
    return np.where(cross(into, out) >= 0, left, either)


def _within(p: np.ndarray, a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    """Whether points are in a triangle, its rim counted."""

    def side(u: np.ndarray, v: np.ndarray) -> np.ndarray:
        return (v[0] - u[0]) * (p[:, 1] - u[1]) - (v[1] - u[1]) * (p[:, 0] - u[0])

    sides = np.stack([side(a, b), side(b, c), side(c, a)])
    return np.asarray((sides >= 0).all(0) | (sides <= 0).all(0))
