"""The parts of `decompose`: a solid cut by planes, and what was cut too much joined again.

1.  A part's concavity is what its hull adds: c(P) = vol(H(P)) - vol(P).
2.  The part of the largest c is cut by the plane that leaves the least of it, min over planes of
    vol(H(P+)) + vol(H(P-)); hulls of halves are those of their vertices and of the points in which
    edges meet the plane. Halves that fall in several are several parts.
3.  Parts are joined again while there are too many, or where nothing is lost, the two first whose
    join adds the least: vol(H(P u Q)) - vol(H(P)) - vol(H(Q)). What two hulls share counts twice on
    the right, so that overlap is paid for.

Source: the terms are those of Mamou and Ghorbel, A simple and efficient approach for 3D mesh
approximate convex decomposition (2009), and of Wei et al., Approximate convex decomposition for 3D
meshes with collision-aware concavity and tree search (2022), whose radius of the concavity is here
the measure that `concavity` bounds.
"""

from __future__ import annotations

import heapq
import itertools
import math
from typing import Any, NamedTuple

import numpy as np

SIDES = 14  # planes of faces at concave edges that are tried on a part
FINE = (0.5, 0.25)  # of the distance of planes, where the best one is moved
SAME = 1e-6  # share of the volume of the whole that is nothing


class Piece(NamedTuple):
    """A part on the way."""

    body: Any  # manifold3d.Manifold
    points: np.ndarray  # (N, 3) its vertices
    volume: float
    hull: float  # volume of its hull

    @property
    def concavity(self) -> float:
        return self.hull - self.volume


class Group(NamedTuple):
    """Parts that were joined."""

    members: list[Piece]
    points: np.ndarray  # (N, 3) vertices of its hull
    volume: float
    hull: float


def piece_of(body: Any) -> Piece:
    """A part of a body."""
    points = np.array(body.to_mesh64().vert_properties[:, :3], np.float64)
    return Piece(body, points, float(body.volume()), float(body.hull().volume()))


def hull_volume(library: Any, points: np.ndarray) -> float:
    """Volume of the hull of points (N, 3)."""
    if len(points) < 4:
        return 0.0
    return float(library.Manifold.hull_points(np.ascontiguousarray(points)).volume())


# --- planes that may cut a part -------------------------------------------------------------------


def _edges(body: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (V, 3), faces (F, 3), edges (E, 2), and the two faces (E, 2) of each."""
    mesh = body.to_mesh64()
    vertices = np.array(mesh.vert_properties[:, :3], np.float64)
    faces = np.array(mesh.tri_verts, np.int64).reshape(-1, 3)
    half = np.stack([faces, np.roll(faces, -1, 1)], 2).reshape(-1, 2)
    low, high = half.min(1), half.max(1)
    order = np.lexsort((high, low))
    first, second = order[0::2], order[1::2]  # each edge of a closed body has two
    return vertices, faces, half[first], np.stack([first // 3, second // 3], 1)


def concave_planes(
    vertices: np.ndarray, faces: np.ndarray, edges: np.ndarray, beside: np.ndarray
) -> np.ndarray:
    """(K, 4) planes n . x = d of faces at concave edges, those of the longest and deepest first."""
    a, b, c = np.moveaxis(vertices[faces], 1, 0)
    normal = np.cross(b - a, c - a)
    size = np.linalg.norm(normal, axis=1, keepdims=True)
    normal = np.divide(normal, size, out=np.zeros_like(normal), where=size > 0)
    along = vertices[edges[:, 1]] - vertices[edges[:, 0]]
    length = np.linalg.norm(along, axis=1)
    one, other = normal[beside[:, 0]], normal[beside[:, 1]]
    turn = (np.cross(one, other) * along).sum(1) / np.where(length > 0, length, 1)
    concave = np.nonzero(turn < -0.1)[0]
    if not len(concave):
        return np.zeros((0, 4))
    weight = length[concave] * -turn[concave]
    middle = vertices[edges[concave]].mean(1)
    # the planes of both faces, and the one that halves the angle between them
    split = one[concave] - other[concave]
    split /= np.maximum(np.linalg.norm(split, axis=1, keepdims=True), 1e-300)
    normals = np.concatenate([one[concave], other[concave], split])
    offset = (normals * np.tile(middle, (3, 1))).sum(1)
    weight = np.tile(weight, 3)
    span = float(np.ptp(vertices, axis=0).max()) or 1.0
    turned = np.where(normals[:, np.abs(normals).sum(0).argmax()] < 0, -1.0, 1.0)
    key = np.round(np.column_stack([normals, offset / span]) * turned[:, None] * 50).astype(int)
    _, first, kind = np.unique(key, axis=0, return_index=True, return_inverse=True)
    total = np.bincount(kind.reshape(-1), weight)
    best = np.argsort(-total, kind="stable")[:SIDES]
    rows = first[best]
    return np.column_stack([normals[rows], offset[rows]])


def _directions(points: np.ndarray) -> list[np.ndarray]:
    """Axes along which planes are tried: those of space and of the part itself."""
    own = np.linalg.eigh(np.cov((points - points.mean(0)).T))[1].T
    apart = [v for v in own if np.abs(v).max() < 0.98]
    return [*np.eye(3), *apart]


def _level_planes(points: np.ndarray, places: int) -> np.ndarray:
    rows = []
    for direction in _directions(points):
        at = points @ direction
        for place in np.linspace(at.min(), at.max(), places + 2)[1:-1]:
            rows.append([*direction, place])
    return np.array(rows)


class _Cutter:
    """What planes leave of one part's concavity."""

    def __init__(self, library: Any, piece: Piece, places: int) -> None:
        self.library, self.places = library, places
        self.vertices, self.faces, self.edges, self.beside = _edges(piece.body)

    def cost(self, plane: np.ndarray) -> float:
        """vol(H(P+)) + vol(H(P-)), infinite for a plane beside the part."""
        side = self.vertices @ plane[:3] - plane[3]
        if not (side.min() < 0 < side.max()):
            return math.inf
        a, b = side[self.edges[:, 0]], side[self.edges[:, 1]]
        cut = (a < 0) != (b < 0)
        share = (a[cut] / (a[cut] - b[cut]))[:, None]
        ends = self.vertices[self.edges[cut]]
        between = ends[:, 0] * (1 - share) + ends[:, 1] * share
        return sum(
            hull_volume(self.library, np.concatenate([self.vertices[half], between]))
            for half in (side < 0, side >= 0)
        )

    def best(self) -> np.ndarray | None:
        """The plane (4,) of the least cost; None where none cuts."""
        planes = np.concatenate(
            [
                _level_planes(self.vertices, self.places),
                concave_planes(self.vertices, self.faces, self.edges, self.beside),
            ]
        )
        cost = [self.cost(plane) for plane in planes]
        if not math.isfinite(min(cost)):
            return None
        best = int(np.argmin(cost))
        plane, least = planes[best], cost[best]
        at = self.vertices @ plane[:3]
        step = float(np.ptp(at)) / (self.places + 1)
        for share in FINE:
            for move in (-share, share):
                tried = plane + np.array([0, 0, 0, move * step])
                found = self.cost(tried)
                if found < least:
                    plane, least = tried, found
                    break
        return plane


# --- cutting and joining --------------------------------------------------------------------------


def halves(piece: Piece, plane: np.ndarray, nothing: float) -> list[Piece]:
    """The parts that a plane leaves; those of no volume are dropped."""
    made = []
    for half in piece.body.split_by_plane(tuple(plane[:3].tolist()), float(plane[3])):
        for body in half.decompose():
            if float(body.volume()) > nothing:
                made.append(piece_of(body))
    return made


def cut(library: Any, bodies: list[Any], most: int, enough: float, places: int) -> list[Piece]:
    """Parts of bodies, cut until there are `most` or each adds a volume of `enough` at most; planes
    are tried at so many `places` along an axis."""
    whole = sum(float(body.volume()) for body in bodies)
    count = itertools.count()
    heap = [(-piece.concavity, next(count), piece) for piece in map(piece_of, bodies)]
    heapq.heapify(heap)
    done: list[Piece] = []
    while heap and len(heap) + len(done) < most:
        _, _, piece = heapq.heappop(heap)
        if piece.concavity <= enough:
            done.append(piece)
            continue
        plane = _Cutter(library, piece, places).best()
        parts = [] if plane is None else halves(piece, plane, SAME * whole)
        if len(parts) < 2:
            done.append(piece)
            continue
        for part in parts:
            heapq.heappush(heap, (-part.concavity, next(count), part))
    return [*done, *(item[2] for item in heap)]


def group_of(library: Any, members: list[Piece], points: np.ndarray | None = None) -> Group:
    """Parts as one, with the vertices of its hull."""
    given = np.concatenate([piece.points for piece in members]) if points is None else points
    hull = library.Manifold.hull_points(np.ascontiguousarray(given))
    corners = np.array(hull.to_mesh64().vert_properties[:, :3], np.float64)
    volume = sum(piece.volume for piece in members)
    return Group(members, corners, volume, float(hull.volume()))


def join(library: Any, groups: list[Group], most: int, enough: float, near: float) -> list[Group]:
    """Groups joined, the two first that add the least, until there are `most` at most, and further
    where a join adds nothing or stays below `enough`."""
    alive = dict(enumerate(groups))
    boxes = {i: (g.points.min(0) - near, g.points.max(0) + near) for i, g in alive.items()}
    count = itertools.count(len(groups))
    heap: list[tuple[float, int, int]] = []

    def look(i: int, j: int) -> None:
        (low, high), (l2, h2) = boxes[i], boxes[j]
        if (low > h2).any() or (l2 > high).any():
            return
        a, b = alive[i], alive[j]
        both = hull_volume(library, np.concatenate([a.points, b.points]))
        added = both - a.hull - b.hull
        heapq.heappush(heap, (added, i, j))

    for i, j in itertools.combinations(range(len(groups)), 2):
        look(i, j)
    while heap:
        added, i, j = heapq.heappop(heap)
        if i not in alive or j not in alive:
            continue
        a, b = alive[i], alive[j]
        free = added + a.hull + b.hull - a.volume - b.volume <= enough
        if len(alive) <= most and not (free or added <= 0):
            continue
        made = group_of(library, [*a.members, *b.members], np.concatenate([a.points, b.points]))
        del alive[i], alive[j]
        k = next(count)
        alive[k], boxes[k] = made, (made.points.min(0) - near, made.points.max(0) + near)
        for other in list(alive):
            if other != k:
                look(other, k)
    return [alive[i] for i in sorted(alive)]
