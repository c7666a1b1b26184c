"""Polygons made sound, as arrays: flat and repeated faces, orientation, edges of many faces.

Each step takes `Polygons` and gives others, which say where their vertices, faces and corners come
from, so that whoever holds fields carries them once, behind all steps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from meshlearn.arrays.connectivity import Connectivity, edge_table, roots
from meshlearn.arrays.report import report_of, triangle_areas
from meshlearn.arrays.triangulation import triangulate

_FLIP_ROUNDS = 12  # of edges turned about flat triangles that lie beside each other
_SPLIT_ROUNDS = 4  # of edges that still have many faces when their ends were split


@dataclass(frozen=True)
class Polygons:
    """Polygons, and where they come from.

    Attributes:
        vertices: (V, 3).
        start: (P + 1,) offsets of polygons in `index`.
        index: (M,) vertex of each corner.
        vertex: (V,) the first vertex that each comes from.
        face: (P,) polygon that each comes from.
        corner: (M,) corner that each comes from.
    """

    vertices: np.ndarray
    start: np.ndarray
    index: np.ndarray
    vertex: np.ndarray
    face: np.ndarray
    corner: np.ndarray

    @classmethod
    def of(cls, vertices: np.ndarray, start: np.ndarray, index: np.ndarray) -> Polygons:
        """Polygons that come from themselves."""
        own = (np.arange(n) for n in (len(vertices), len(start) - 1, len(index)))
        return cls(vertices, start, index, *own)

    @property
    def sizes(self) -> np.ndarray:
        """(P,) corners of each polygon."""
        return np.diff(self.start)

    @property
    def owner(self) -> np.ndarray:
        """(M,) polygon of each corner."""
        return np.repeat(np.arange(len(self.face)), self.sizes)

    def triangles(self) -> tuple[np.ndarray, np.ndarray]:
        """(T, 3) corners of the triangles, and (T,) the polygon of each."""
        return triangulate(self.vertices, self.start, self.index)

    def take(self, corner: np.ndarray, start: np.ndarray, face: np.ndarray) -> Polygons:
        """Polygons made of old corners, with offsets `start`, each in the place of `face`."""
        return replace(
            self,
            start=np.ascontiguousarray(start, np.int64),
            index=self.index[corner],
            face=self.face[face],
            corner=self.corner[corner],
        )

    def keep(self, faces: np.ndarray) -> Polygons:
        """Polygons where `faces` (P,) bool."""
        if faces.all():
            return self
        which = np.nonzero(faces)[0]
        start = np.concatenate([[0], np.cumsum(self.sizes[which])])
        return self.take(np.nonzero(faces[self.owner])[0], start, which)

    def unsound(self) -> np.ndarray:
        """(P,) bool: polygons at what `check` calls an error."""
        corners, owner = self.triangles()
        faces = self.index[corners]
        report = report_of(self.vertices, faces)
        out = np.zeros(len(self.face), bool)
        bad = np.zeros(len(self.vertices), bool)
        for name in ("degenerate_faces", "duplicate_faces"):
            out[owner[report.defects[name]]] = True
        for name in ("non_manifold_edges", "inconsistent_edges"):
            bad[report.edges[report.defects[name]].reshape(-1)] = True
        bad[report.defects["non_manifold_vertices"]] = True
        out[owner[bad[faces].any(1)]] = True
        return out

    def cut(self, which: np.ndarray) -> Polygons:
        """The same with the polygons `which` (P,) bool as triangles."""
        corners, owner = self.triangles()
        mine = which[owner]
        whole = np.nonzero(~which)[0]
        face = np.concatenate([owner[mine], whole])
        order = np.argsort(face, kind="stable")
        places = np.concatenate([corners[mine].reshape(-1), np.nonzero(~which[self.owner])[0]])
        sizes = np.concatenate([np.full(int(mine.sum()), 3), self.sizes[whole]])
        first = (np.cumsum(sizes) - sizes)[order]
        start = np.concatenate([[0], np.cumsum(sizes[order])])
        offset = np.arange(start[-1]) - np.repeat(start[:-1] - first, sizes[order])
        return self.take(places[offset], start, face[order])


# --- flat and repeated faces ----------------------------------------------------------------------


def without_repeated_corners(polygons: Polygons) -> Polygons:
    """Corners that name the vertex before them are gone, and polygons of fewer than three."""
    start, sizes = polygons.start, polygons.sizes
    before = np.arange(len(polygons.index)) - 1
    filled = sizes > 0
    before[start[:-1][filled]] = start[1:][filled] - 1
    stays = polygons.index[before] != polygons.index
    left = np.bincount(polygons.owner[stays], minlength=len(sizes))
    which = np.nonzero(left >= 3)[0]
    keep = stays & (left >= 3)[polygons.owner]
    return polygons.take(np.nonzero(keep)[0], np.concatenate([[0], np.cumsum(left[which])]), which)


def flat_faces(polygons: Polygons) -> np.ndarray:
    """(P,) bool: polygons without area."""
    corners, owner = polygons.triangles()
    areas = triangle_areas(polygons.vertices[polygons.index[corners]])
    return ~(np.bincount(owner, areas, minlength=len(polygons.face)) > 0)


def turn_flat_edges(polygons: Polygons) -> tuple[Polygons, int]:
    """Flat triangles without a hole in their place, and how many they were.

    A triangle (a, b, c) whose corner b lies on the edge ca stands beside a triangle (a, c, d): the
    edge ca is turned to bd, so that both together are (a, b, d) and (b, c, d). Flat ones on a
    boundary, beside a polygon, or on an edge of many faces stay.
    """
    done = 0
    for _ in range(_FLIP_ROUNDS):
        rows = np.nonzero(polygons.sizes == 3)[0]
        flat = np.zeros(len(polygons.face), bool)
        corners = polygons.start[rows][:, None] + np.arange(3)
        places = polygons.vertices[polygons.index[corners]]
        flat[rows] = ~(triangle_areas(places) > 0)
        if not flat.any():
            break
        faces = polygons.index[corners]
        table = edge_table(faces, len(polygons.vertices))
        count = np.diff(table.start)
        wide = places.astype(np.float64)
        length = np.square(np.roll(wide, -1, 1) - wide).sum(2)
        touched = set[int]()
        new = corners.copy()
        for f in np.nonzero(flat[rows])[0].tolist():
            h = 3 * f + int(length[f].argmax())
            edge = table.of[h]
            if count[edge] != 2 or len(set(faces[f].tolist())) < 3:
                continue
            pair = table.order[table.start[edge] : table.start[edge + 1]].tolist()
            g = pair[1] if pair[0] == h else pair[0]
            if flat[rows[g // 3]] or {f, g // 3} & touched:
                continue
            mine = corners[f][[(h + k) % 3 for k in range(3)]]  # c, a, then b
            other = corners[g // 3][[(g + k) % 3 for k in range(3)]]
            if polygons.index[mine[0]] == polygons.index[other[0]]:
                continue  # turned against each other
            # other: a, c, d
            new[g // 3] = [other[0], mine[2], other[2]]
            new[f] = [mine[2], other[1], other[2]]
            touched |= {f, g // 3}
            done += 1
        if not touched:
            break
        every = np.arange(len(polygons.index))
        every[corners.reshape(-1)] = new.reshape(-1)
        face = np.arange(len(polygons.face))
        polygons = polygons.take(every, polygons.start, face)
    return polygons, done


def first_of_same(start: np.ndarray, index: np.ndarray) -> np.ndarray:
    """(P,) bool: polygons of a set of vertices that no earlier one has."""
    sizes = np.diff(start)
    first = np.ones(len(sizes), bool)
    for size in np.unique(sizes).tolist():
        rows = np.nonzero(sizes == size)[0]
        key = np.sort(index[start[rows][:, None] + np.arange(size)], axis=1)
        first[rows] = False
        first[rows[np.unique(key, axis=0, return_index=True)[1]]] = True
    return first


def repeated_faces(polygons: Polygons) -> np.ndarray:
    """(P,) bool: polygons of the same vertices as an earlier one; and both of two that turn against
    each other and are a wall between two rooms, whose sides go on around it without it."""
    first = first_of_same(polygons.start, polygons.index)
    if first.all():
        return ~first
    count = len(polygons.face)
    corners, owner = polygons.triangles()
    faces = polygons.index[corners]
    table = edge_table(faces, len(polygons.vertices))
    # sets of polygons on one place, by the first of them
    leader = _leaders(polygons)
    size = np.bincount(leader, minlength=count)
    doubled = (size == 2)[leader]
    ahead = _orientations(polygons)
    total = np.bincount(leader, np.where(ahead, 1, -1), minlength=count)
    doubled &= (total == 0)[leader]
    own = doubled[owner[table.order // 3]]
    edge = np.repeat(np.arange(len(table.edges)), np.diff(table.start))
    of_walls = np.bincount(edge[own], minlength=len(table.edges))
    others = np.diff(table.start) - of_walls
    ends = (of_walls == 2) & (others < 2)
    # walls go as a whole: what hangs together through edges of walls alone
    half = np.nonzero(own)[0]
    joined = (others == 0) & (of_walls > 2)
    inner = half[joined[edge[half]]]
    link = np.nonzero(edge[inner][1:] == edge[inner][:-1])[0]
    face = owner[table.order[inner] // 3]
    root = roots(
        np.concatenate(
            [
                np.stack([face[link], face[link + 1]], 1),
                np.stack([np.arange(count), leader], 1),
            ]
        ),
        count,
    )
    stays, joins = np.zeros(count, bool), np.zeros(count, bool)
    stays[root[owner[table.order[half[ends[edge[half]]]] // 3]]] = True
    joins[root[owner[table.order[half[(others >= 2)[edge[half]]]] // 3]]] = True
    return ~first | (doubled & (joins & ~stays)[root])


def _leaders(polygons: Polygons) -> np.ndarray:
    """(P,) the first polygon of the same vertices."""
    out = np.arange(len(polygons.face))
    for size in np.unique(polygons.sizes).tolist():
        rows = np.nonzero(polygons.sizes == size)[0]
        key = np.sort(polygons.index[polygons.start[rows][:, None] + np.arange(size)], axis=1)
        _, first, which = np.unique(key, axis=0, return_index=True, return_inverse=True)
        out[rows] = rows[first[which.reshape(-1)]]
    return out


def _orientations(polygons: Polygons) -> np.ndarray:
    """(P,) bool: whether a polygon goes from its smallest vertex to the smaller of its neighbours,
    which tells two of the same loop apart that turn against each other."""
    out = np.zeros(len(polygons.face), bool)
    for size in np.unique(polygons.sizes).tolist():
        if size < 3:
            continue
        rows = np.nonzero(polygons.sizes == size)[0]
        loop = polygons.index[polygons.start[rows][:, None] + np.arange(size)]
        at = loop.argmin(1)
        each = np.arange(len(rows))
        out[rows] = loop[each, (at + 1) % size] < loop[each, at - 1]
    return out


# --- orientation ----------------------------------------------------------------------------------


def turned(polygons: Polygons, turn: np.ndarray) -> Polygons:
    """With the order of the corners turned where `turn` (P,) bool; the first corner stays."""
    if not turn.any():
        return polygons
    corner = np.arange(len(polygons.index))
    begin = np.repeat(polygons.start[:-1], polygons.sizes)
    size = np.repeat(polygons.sizes, polygons.sizes)
    back = begin + (size - (corner - begin)) % size
    corner = np.where(turn[polygons.owner], back, corner)
    return polygons.take(corner, polygons.start, np.arange(len(polygons.face)))


def orient(polygons: Polygons) -> tuple[Polygons, np.ndarray]:
    """Neighbours across edges of two faces oriented alike, as few turned as possible; closed
    components outward, but for those that lie in another. And (P,) bool, faces that turned."""
    count = len(polygons.face)
    corners, owner = polygons.triangles()
    faces = polygons.index[corners]
    table = edge_table(faces, len(polygons.vertices))
    begin = table.start[:-1][np.diff(table.start) == 2]
    a, b = table.order[begin], table.order[begin + 1]
    vertex = faces.reshape(-1)
    opposite = vertex[a] != vertex[b]
    a, b = owner[a // 3], owner[b // 3]
    one = np.stack([a, np.where(opposite, b, b + count)], 1)
    other = np.stack([a + count, np.where(opposite, b + count, b)], 1)
    state = roots(np.concatenate([one, other]), 2 * count)
    kept, against = state[:count], state[count:]
    sizes = np.bincount(kept, minlength=2 * count)
    turn = (sizes[kept] < sizes[against]) | ((sizes[kept] == sizes[against]) & (kept > against))
    turn &= kept != against
    alone = np.nonzero(kept == against)[0]
    if len(alone):
        turn |= _along_a_tree(a, b, opposite, kept == against, count)
    polygons = turned(polygons, turn)
    corners, owner = polygons.triangles()
    faces = polygons.index[corners]
    bad = report_of(polygons.vertices, faces).defects["inside_out_components"]
    if len(bad):
        label = Connectivity(faces, len(polygons.vertices)).components[0]
        out = np.zeros(count, bool)
        out[owner[np.isin(label, bad)]] = True
        polygons, turn = turned(polygons, out), turn ^ out
    return polygons, turn


def _along_a_tree(
    a: np.ndarray, b: np.ndarray, opposite: np.ndarray, among: np.ndarray, count: int
) -> np.ndarray:
    """(P,) bool: faces to turn so that those `among` agree along a tree of links (a, b), where the
    whole of them cannot, as on a Moebius band."""
    beside: dict[int, list[tuple[int, bool]]] = {}
    for i in np.nonzero(among[a])[0].tolist():
        f, g, same = int(a[i]), int(b[i]), bool(opposite[i])
        beside.setdefault(f, []).append((g, same))
        beside.setdefault(g, []).append((f, same))
    turn, seen = np.zeros(count, bool), np.zeros(count, bool)
    for root in beside:
        if seen[root]:
            continue
        seen[root] = True
        row = [root]
        for f in row:
            for g, same in beside[f]:
                if not seen[g]:
                    seen[g] = True
                    turn[g] = turn[f] if same else not turn[f]
                    row.append(g)
    return turn


# --- edges of more than two faces, vertices of more than one fan ----------------------------------


def split(polygons: Polygons, *, seams: bool = False) -> tuple[Polygons, int, int]:
    """The surface taken apart until each edge has two faces at most and each vertex one fan.

    At an edge of many faces two and two stay together: those of one polygon, then those that go on
    without a boundary, of one part of the surface, and of these the ones with the thinnest solid
    between them (of an odd number of faces: the ones that go on straightest), so that solids that
    touch become two, and a fin a sheet of its own. Every fan of corners then has a vertex of its
    own, at the same place. The first fan keeps the old vertex; copies stand behind all others.

    Args:
        seams: take apart also edges whose two faces disagree in orientation.

    Returns:
        Polygons, the number of edges that were taken apart, and of vertices that were doubled.
    """
    given = polygons
    apart = 0
    loose: set[tuple[int, int]] = set()
    cut = np.zeros(len(polygons.face), bool)
    for turn in range(_SPLIT_ROUNDS):
        corners, owner = given.triangles()
        index, source, edges = _split_once(given, corners, owner, loose, cut, seams)
        apart = max(apart, edges)
        faces = index[corners]
        table = edge_table(faces, len(source))
        many = np.nonzero(np.diff(table.start) > 2)[0]
        made = replace(
            given, vertices=given.vertices[source], index=index, vertex=given.vertex[source]
        )
        if not len(many):
            break
        if turn == 0:
            ends = np.sort(source[table.edges[many]], axis=1)
            loose = set(map(tuple, ends.tolist()))
        else:  # each face but the first two by itself
            for e in many.tolist():
                cut[owner[table.order[table.start[e] + 2 : table.start[e + 1]] // 3]] = True
    doubled = len(np.unique(made.vertex[len(given.vertices) :]))
    return made, apart, doubled


def _split_once(
    polygons: Polygons,
    corners: np.ndarray,
    owner: np.ndarray,
    loose: set[tuple[int, int]],
    cut: np.ndarray,
    seams: bool,
) -> tuple[np.ndarray, np.ndarray, int]:
    """(M,) new vertex of each corner, (V',) old one of each vertex, edges taken apart.

    Args:
        loose: edges that join no faces but those of one polygon.
        cut: (P,) bool, polygons that are joined to none.
    """
    faces = polygons.index[corners]
    table = edge_table(faces, len(polygons.vertices))
    count = np.diff(table.start)
    begin = table.start[:-1][count == 2]
    a, b = table.order[begin], table.order[begin + 1]
    vertex = faces.reshape(-1)
    inner = owner[a // 3] == owner[b // 3]
    joined = inner | ~(cut[owner[a // 3]] | cut[owner[b // 3]])
    apart = 0
    if seams:
        same = (vertex[a] == vertex[b]) & ~inner
        apart += int(same.sum())
        joined &= ~same
    patch = roots(np.stack([a[joined], b[joined]], 1) // 3, len(faces))
    pairs = _pairs(polygons.vertices, faces, table, patch, owner, loose, cut)
    apart += int((count > 2).sum())
    a, b = (np.concatenate([x[joined], y]) for x, y in zip((a, b), pairs.T, strict=True))
    after_a, after_b = (np.where(x % 3 == 2, x - 2, x + 1) for x in (a, b))
    alike = vertex[a] == vertex[b]
    total = 3 * len(faces)
    links = [
        np.stack([a, np.where(alike, b, after_b)], 1),
        np.stack([after_a, np.where(alike, after_b, b)], 1),
        np.stack([np.arange(total), total + corners.reshape(-1)], 1),
    ]
    fan = roots(np.concatenate(links), total + len(polygons.index))[total:]
    # fans in the order of their vertex, and of their first corner
    first = np.unique(fan, return_index=True)[1]
    first = np.sort(first)
    at = polygons.index[first]
    order = np.argsort(at, kind="stable")
    leads = np.ones(len(order), bool)
    leads[1:] = at[order][1:] != at[order][:-1]
    size = len(polygons.vertices)
    number = np.empty(len(order), np.int64)
    number[order[leads]] = at[order[leads]]
    extra = order[~leads]
    number[extra] = size + np.arange(len(extra))
    place = np.full(total + len(polygons.index), -1)
    place[fan[first]] = number
    return place[fan], np.concatenate([np.arange(size), at[extra]]), apart


def _pairs(
    vertices: np.ndarray,
    faces: np.ndarray,
    table: object,
    patch: np.ndarray,
    owner: np.ndarray,
    loose: set[tuple[int, int]],
    cut: np.ndarray,
) -> np.ndarray:
    """(N, 2) half-edges on edges of many faces that stay together, see `split`."""
    count = np.diff(table.start)  # type: ignore[attr-defined]
    many = np.nonzero(count > 2)[0]
    if not len(many):
        return np.zeros((0, 2), np.int64)
    ends = table.edges[many]  # type: ignore[attr-defined]
    open_face = table.order[table.start[:-1][count == 1]] // 3  # type: ignore[attr-defined]
    is_open = np.zeros(len(faces), bool)
    is_open[patch[open_face]] = True
    size = count[many]
    half = np.concatenate(
        [table.order[table.start[e] : table.start[e + 1]] for e in many]  # type: ignore[attr-defined]
    )
    edge = np.repeat(np.arange(len(many)), size)
    angle = _angles(vertices, faces, half, ends[edge])
    forward = faces.reshape(-1)[half] == ends[edge, 0]
    # all pairs of half-edges of an edge
    first = np.concatenate([[0], np.cumsum(size)])[:-1]
    i, j = (
        np.concatenate([first[k] + pair[axis] for k, pair in _all_pairs(size)]) for axis in (0, 1)
    )
    e = edge[i]
    f, g = half[i] // 3, half[j] // 3
    wedge = np.where(forward[i], angle[i] - angle[j], angle[j] - angle[i]) % (2 * np.pi)
    odd = size[e] % 2 == 1
    together = owner[f] == owner[g]
    same_way = forward[i] == forward[j]
    usable = together | ~(same_way & (patch[f] == patch[g]))
    usable &= together | ~(cut[owner[f]] | cut[owner[g]])
    if loose:
        known = {tuple(sorted(row)) for row in loose}
        free = np.array([tuple(sorted(row)) in known for row in ends.tolist()], bool)
        usable &= together | ~free[e]
    opens = is_open[patch[f]].astype(np.int64) + is_open[patch[g]]
    straight = np.where(odd | (opens > 0), np.abs(wedge - np.pi), wedge)
    order = np.lexsort((straight, patch[f] != patch[g], opens, same_way, ~together, ~usable))
    order = order[usable[order]]
    chosen: list[int] = []
    taken = np.zeros(len(half), bool)
    for k in order.tolist():
        if not (taken[i[k]] or taken[j[k]]):
            taken[i[k]] = taken[j[k]] = True
            chosen.append(k)
    return np.stack([half[i[chosen]], half[j[chosen]]], 1)


def _all_pairs(size: np.ndarray) -> list[tuple[int, tuple[np.ndarray, np.ndarray]]]:
    known = {int(n): np.triu_indices(int(n), 1) for n in np.unique(size)}
    return [(k, known[n]) for k, n in enumerate(size.tolist())]


def _angles(
    vertices: np.ndarray, faces: np.ndarray, half: np.ndarray, ends: np.ndarray
) -> np.ndarray:
    """(N,) angle about its edge at which the face of each half-edge lies, in radians."""
    wide = vertices.astype(np.float64)
    base = wide[ends[:, 0]]
    axis = wide[ends[:, 1]] - base
    with np.errstate(invalid="ignore", divide="ignore"):
        axis /= np.linalg.norm(axis, axis=1, keepdims=True)
    axis = np.nan_to_num(axis)
    away = wide[faces.reshape(-1)[np.where(half % 3 == 0, half + 2, half - 1)]] - base
    helper = np.eye(3)[np.abs(axis).argmin(1)]
    across = np.cross(axis, helper)
    up = np.cross(axis, across)
    return np.arctan2((away * up).sum(1), (away * across).sum(1))


# --- all of it ------------------------------------------------------------------------------------


@dataclass
class Counts:
    """How much each step did."""

    flat: int = 0
    edges_turned: int = 0
    repeated: int = 0
    cut: int = 0
    edges: int = 0
    vertices: int = 0
    turned: int = 0
    seams: int = 0


def mend(polygons: Polygons) -> tuple[Polygons, Counts]:
    """Flat and repeated faces, orientation, edges of many faces and vertices of many fans mended;
    vertices stay, used or not. Where polygons that are cut into triangles are still not sound, they
    are cut for good."""
    counts = Counts()
    made = _mend_once(polygons, counts)
    if (made.sizes > 3).any():
        bad = np.zeros(len(polygons.face), bool)
        bad[made.face[made.unsound()]] = True
        bad &= polygons.sizes > 3
        if bad.any():
            counts = Counts(cut=int(bad.sum()))
            made = _mend_once(polygons.cut(bad), counts)
    return made, counts


def _mend_once(polygons: Polygons, counts: Counts) -> Polygons:
    before = len(polygons.face)
    polygons = without_repeated_corners(polygons)
    polygons, counts.edges_turned = turn_flat_edges(polygons)
    polygons = polygons.keep(~flat_faces(polygons))
    counts.flat = before - len(polygons.face)
    repeated = repeated_faces(polygons)
    counts.repeated = int(repeated.sum())
    polygons, turn = orient(polygons.keep(~repeated))
    polygons, counts.edges, counts.vertices = split(polygons)
    if counts.edges or counts.vertices:
        polygons, again = orient(polygons)
        turn ^= again
    corners, _ = polygons.triangles()
    if len(Connectivity(polygons.index[corners], len(polygons.vertices)).inconsistent_edges):
        polygons, counts.seams, more = split(polygons, seams=True)
        counts.vertices += more
        polygons, again = orient(polygons)
        turn ^= again
    counts.turned = int(turn.sum())
    return polygons
