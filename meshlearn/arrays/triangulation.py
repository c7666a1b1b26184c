"""Triangles of polygons: the compiled kernel, and the same in numpy."""

from __future__ import annotations

import math

import numpy as np

from meshlearn._compiled import HAS_COMPILED, call, threads


def triangulate(
    vertices: np.ndarray,  # (V, 3)
    start: np.ndarray,  # (P + 1,)
    index: np.ndarray,  # (M,)
) -> tuple[np.ndarray, np.ndarray]:
    """Triangles of polygons: (F, 3) int64 places in `index`, (F,) int64 polygon of each.

    A triangle is kept as it is; a quadrilateral is cut along the diagonal that lies inside, the
    shorter one where both do; a larger polygon by clipping the best-shaped ear again and again
    (Meisters, Polygons have ears, 1975), seen along the axis it faces most. Polygons of fewer than
    three corners give none.

    Args:
        vertices: float32 or float64; anything else is taken as float64.
        start: offsets of the polygons in `index`, from 0 to M.
        index: int64 in [0, V).
    """
    vertices = as_points(vertices)
    start = np.ascontiguousarray(start, np.int64)
    index = np.ascontiguousarray(index, np.int64)
    if HAS_COMPILED:
        name = f"triangulate_{vertices.dtype.name}"
        corners, owner = call(name, threads(), vertices, start, index, kinds="i")
        return corners.reshape(-1, 3), owner
    counts = np.maximum(np.diff(start) - 2, 0)
    owner = np.repeat(np.arange(len(start) - 1), counts)
    return triangulate_reference(vertices, start, index), owner


def as_points(vertices: np.ndarray) -> np.ndarray:
    """Vertices as float32 or float64, contiguous, in the byte order of this machine."""
    kind = np.float32 if vertices.dtype.kind == "f" and vertices.dtype.itemsize == 4 else np.float64
    return np.ascontiguousarray(vertices, kind)


def triangulate_reference(vertices: np.ndarray, start: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Reference of the compiled kernel -> (F, 3) places in `index`: large polygons in turn."""
    sizes = np.diff(start)
    target = np.concatenate([[0], np.cumsum(np.maximum(sizes - 2, 0))])
    out = np.empty((int(target[-1]), 3), np.int64)
    three = np.nonzero(sizes == 3)[0]
    out[target[three]] = start[three][:, None] + np.arange(3)
    four = np.nonzero(sizes == 4)[0]
    if len(four):
        corners = start[four][:, None] + np.arange(4)
        cut = _cut_quads(vertices[index[corners]].astype(np.float64))
        pattern = np.array([[[0, 1, 2], [0, 2, 3]], [[0, 1, 3], [1, 2, 3]]])
        pattern = pattern[cut.astype(np.int64)] + corners[:, :1, None]
        out[target[four]], out[target[four] + 1] = pattern[:, 0], pattern[:, 1]
    for i in np.nonzero(sizes > 4)[0].tolist():
        first, end = int(start[i]), int(start[i + 1])
        triangles = _clip_ears(vertices[index[first:end]])
        out[int(target[i]) : int(target[i + 1])] = np.array(triangles) + first
    return out


def _flatten(points: np.ndarray) -> np.ndarray | None:
    """Corners (n, 3) seen along the axis the polygon faces most, (n, 2); None without area."""
    edges = points - points[0]
    normal = np.zeros(3)
    for term in _cross(edges[1:-1], edges[2:]):
        normal = normal + term
    x, y, z = np.abs(normal).tolist()
    if not x + y + z > 0:
        return None
    axis = 0 if x >= y and x >= z else 1 if y >= z else 2
    flat = edges[:, [(axis + 1) % 3, (axis + 2) % 3]]
    return flat[:, ::-1] if normal[axis] < 0 else flat


def _cut_quads(points: np.ndarray) -> np.ndarray:
    """(Q, 4, 3) -> (Q,) bool: cut from corner 1 to 3 instead of 0 to 2."""
    edges = points - points[:, :1]
    normal = _cross(edges[:, 1], edges[:, 2]) + _cross(edges[:, 2], edges[:, 3])
    size = np.abs(normal)
    by_x = (size[:, 0] >= size[:, 1]) & (size[:, 0] >= size[:, 2])
    axis = np.where(by_x, 0, np.where(size[:, 1] >= size[:, 2], 1, 2))
    pick = np.stack([(axis + 1) % 3, (axis + 2) % 3], 1)
    turned = np.take_along_axis(normal, axis[:, None], 1) < 0
    pick = np.where(turned, pick[:, ::-1], pick)
    flat = np.take_along_axis(edges, np.broadcast_to(pick[:, None], (len(pick), 4, 2)), 2)

    def turn(a: int, b: int, c: int) -> np.ndarray:
        u, v = flat[:, b] - flat[:, a], flat[:, c] - flat[:, a]
        return u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]

    ac = (turn(0, 1, 2) > 0) & (turn(0, 2, 3) > 0)
    bd = (turn(0, 1, 3) > 0) & (turn(1, 2, 3) > 0)
    # written so that a length that is not a number leaves the diagonal as the kernel does
    longer = ~(_square(points[:, 2] - points[:, 0]) <= _square(points[:, 3] - points[:, 1]))
    flat_quad = ~(size.sum(1) > 0)
    return np.where(ac == bd, longer, bd) & ~flat_quad


def _cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Cross product of rows, each product rounded as in the kernel."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)


def _square(v: np.ndarray) -> np.ndarray:
    return v[:, 0] * v[:, 0] + v[:, 1] * v[:, 1] + v[:, 2] * v[:, 2]


def _clip_ears(points: np.ndarray) -> list[tuple[int, int, int]]:
    count = len(points)
    # Corners are known to some units in the last place of the largest coordinate.
    slack = float(np.abs(points).max()) * (2.0**-21 if points.dtype == np.float32 else 2.0**-50)
    plane = _flatten(points.astype(np.float64))
    if plane is None:
        return [(0, i, i + 1) for i in range(1, count - 1)]
    at = [tuple(p) for p in plane.tolist()]

    def turn(a: int, b: int, c: int) -> float:
        p, q, r = at[a], at[b], at[c]
        return (q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0])

    def square(a: int, b: int) -> float:
        x, y = at[b][0] - at[a][0], at[b][1] - at[a][1]
        return x * x + y * y

    def ear(k: int) -> float:
        """Shape of the ear, less 2 where a corner is within `slack` of it, -4 where it is none."""
        a, b, c = ring[k - 1], ring[k], ring[(k + 1) % len(ring)]
        area = turn(a, b, c)
        if not area > 0:
            return -4.0
        ab, bc, ca = square(a, b), square(b, c), square(c, a)
        near_ab, near_bc, near_ca = (-slack * math.sqrt(s) for s in (ab, bc, ca))
        doubtful = area <= -(near_ab + near_bc + near_ca)
        for p in ring:
            u, v, w = turn(a, b, p), turn(b, c, p), turn(c, a, p)
            if not (u >= near_ab and v >= near_bc and w >= near_ca):
                continue
            if at[p] in (at[a], at[b], at[c]):
                continue
            if u >= 0 and v >= 0 and w >= 0:
                return -4.0
            doubtful = True
        shape = area / (ab + bc + ca)
        return shape - 2 if doubtful else shape

    ring = list(range(count))
    quality = [ear(k) for k in range(count)]
    triangles = []
    while len(ring) > 3:
        n = len(ring)
        best = max(range(n), key=lambda k: (quality[k], -k))
        if quality[best] < -3:
            turns = [turn(ring[k - 1], ring[k], ring[(k + 1) % n]) for k in range(n)]
            best = max(range(n), key=lambda k: (turns[k], -k))
        triangles.append((ring[best - 1], ring[best], ring[(best + 1) % n]))
        del ring[best], quality[best]
        for k in ((best - 1) % (n - 1), best % (n - 1)):
            quality[k] = ear(k)
    triangles.append((ring[-1], ring[0], ring[1]))
    return triangles
