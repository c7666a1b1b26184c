"""Solids that USD has without points of their own, as meshes: spheres, cubes, cylinders, cones,
capsules and planes, by their sizes.

Schemas: https://openusd.org/release/api/usd_geom_page_front.html.
"""

from __future__ import annotations

import numpy as np

AROUND, ALONG = 64, 16  # faces around the axis of a round solid, and from its pole to its equator


def solid(kind: str, said: dict[str, object]) -> dict[str, np.ndarray]:
    """Points and faces of a solid of UsdGeom about the origin, wound outwards.

    Args:
        kind: "Sphere", "Cube", "Cylinder", "Cone", "Capsule" or "Plane".
        said: its attributes: size, radius, height, width, length (of which it has), and its axis.

    Returns:
        "points" (V, 3) float32, "faceVertexCounts" (F,) and "faceVertexIndices" (K,) int32.

    Raises:
        ValueError: one of its lengths is no number.
    """
    length = {name: _length(name, value) for name, value in said.items() if name != "axis"}
    axis = str(said.get("axis") or "Z")
    if kind == "Plane":
        u, v = length["width"] / 2, length["length"] / 2
        corners = [[-u, -v, 0.0], [u, -v, 0.0], [u, v, 0.0], [-u, v, 0.0]]
        order = {"X": [2, 1, 0], "Y": [0, 2, 1]}.get(axis, [0, 1, 2])
        turned = [[corner[k] for k in order] for corner in corners]
        return _polygons(turned, [[0, 1, 2, 3] if order == [0, 1, 2] else [3, 2, 1, 0]])
    if kind == "Cube":
        corners = [[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)]
        points = np.array(corners) * (length["size"] / 2)
        faces = [[0, 1, 3, 2], [4, 6, 7, 5], [0, 4, 5, 1], [2, 3, 7, 6], [0, 2, 6, 4], [1, 5, 7, 3]]
        return _polygons(points, faces)
    r, half = length["radius"], length.get("height", 0.0) / 2
    quarter = np.arange(1, ALONG + 1) * (np.pi / 2 / ALONG)
    # (distance from the axis, height along it) from below to above, without the poles
    if kind == "Cylinder":
        rings, low, high = [(r, -half), (r, half)], -half, half
    elif kind == "Cone":
        rings, low, high = [(r, -half)], -half, half
    else:  # both halves of a sphere, apart by the height
        below = [(r * np.sin(a), -half - r * np.cos(a)) for a in quarter]
        above = [(d, -h) for d, h in reversed(below)]
        rings = below + (above if half else above[1:])
        low, high = -half - r, half + r
    turn = np.arange(AROUND) * (2 * np.pi / AROUND)
    circles = [
        np.stack([d * np.cos(turn), d * np.sin(turn), np.full(AROUND, h)], 1) for d, h in rings
    ]
    ends = np.array([[0, 0, low], [0, 0, high]])
    points = np.concatenate([*circles, ends])
    bottom, top = len(points) - 2, len(points) - 1
    here = np.arange(AROUND)
    there = (here + 1) % AROUND
    faces = []
    for k in range(len(rings) - 1):
        base = k * AROUND
        sides = [here + base, there + base, there + base + AROUND, here + base + AROUND]
        faces += np.stack(sides, 1).tolist()
    last = (len(rings) - 1) * AROUND
    flat = kind in ("Cylinder", "Cone")
    if flat:  # flat ends are one polygon
        faces.append(here[::-1].tolist())
    else:
        faces += np.stack([there, here, np.full(AROUND, bottom)], 1).tolist()
    if kind == "Cylinder":
        faces.append((here + last).tolist())
    else:
        faces += np.stack([here + last, there + last, np.full(AROUND, top)], 1).tolist()
    order = {"X": [2, 0, 1], "Y": [1, 2, 0]}.get(axis, [0, 1, 2])
    points = points[:, order]
    used = np.unique(np.concatenate([np.array(f) for f in faces]))
    place = np.full(len(points), -1)
    place[used] = np.arange(len(used))
    return _polygons(points[used], [place[np.array(f)].tolist() for f in faces])


def _length(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"expected a number for its {name}, got {value!r}")
    return float(value)


def _polygons(points, faces: list) -> dict[str, np.ndarray]:
    """The attributes of a mesh of points (V, 3), or rows of them, and faces by their corners."""
    with np.errstate(over="ignore"):
        made = np.asarray(points, np.float32)
    return {
        "points": made,
        "faceVertexCounts": np.array([len(f) for f in faces], np.int32),
        "faceVertexIndices": np.array([k for f in faces for k in f], np.int32),
    }
