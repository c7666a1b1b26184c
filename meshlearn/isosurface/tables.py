"""Case tables of the cube, derived instead of typed in.

Corner c of a cell sits at offset (c & 1, c >> 1 & 1, c >> 2 & 1) along x, y, z; a case is the 8-bit
mask of its inside corners. Edge e = 4 * axis + k runs along `axis` from the corner whose offsets
along the two other axes (in ascending order) are the bits of k. Face f = 2 * axis + side.

On every face the crossed edges are joined pairwise; an ambiguous face (two inside corners on a
diagonal) by a fixed rule: it separates its inside corners. The joined edges fall into cycles, the
patches of surface in the cell (Nielson, "Dual Marching Cubes", 2004).
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations

import torch
from torch import Tensor

CORNERS = [(c & 1, c >> 1 & 1, c >> 2 & 1) for c in range(8)]


def _edges() -> list[tuple[int, int]]:
    found = []
    for axis in range(3):
        others = [a for a in range(3) if a != axis]
        for k in range(4):
            start = (k & 1) << others[0] | (k >> 1) << others[1]
            found.append((start, start | 1 << axis))
    return found


EDGES = _edges()  # (start corner, end corner), the start on the lower side


def _face_corners(face: int) -> list[int]:
    """Corners of a face in cyclic order, counter-clockwise seen from outside the cell."""
    axis, side = divmod(face, 2)
    u, v = (axis + 1) % 3, (axis + 2) % 3
    ring = [side << axis | a << u | b << v for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))]
    return ring if side else ring[::-1]


FACES = [_face_corners(f) for f in range(6)]
_EDGE_OF = {frozenset(e): i for i, e in enumerate(EDGES)}


def is_ambiguous(case: int, face: int) -> bool:
    """Whether the inside corners of this face are exactly two, on a diagonal."""
    inside = [case >> c & 1 for c in FACES[face]]
    return inside in ([1, 0, 1, 0], [0, 1, 0, 1])


def trace(case: int, flipped_face: int | None = None) -> list[list[int]]:
    """Cycles of crossed edges, each ordered so that its normal points from inside to outside.

    Args:
        case: mask of the inside corners.
        flipped_face: an ambiguous face which is to join its inside corners instead.
    """
    following: dict[int, int] = {}
    for face, ring in enumerate(FACES):
        inside = [case >> c & 1 for c in ring]
        sides = [_EDGE_OF[frozenset((ring[i], ring[(i + 1) % 4]))] for i in range(4)]
        # Seen from outside the cell, counter-clockwise: an edge that enters the inside is the end
        # of the segment which starts at the edge that leaves that run of inside corners.
        entering = [i for i in range(4) if not inside[i] and inside[(i + 1) % 4]]
        leaving = [i for i in range(4) if inside[i] and not inside[(i + 1) % 4]]
        for i in entering:
            step = range(1, 4) if face != flipped_face else range(3, 0, -1)
            partner = next((i + d) % 4 for d in step if (i + d) % 4 in leaving)
            following[sides[i]] = sides[partner]
    cycles, seen = [], set()
    for edge in sorted(following):
        if edge in seen:
            continue
        cycle = [edge]
        while (nxt := following[cycle[-1]]) != edge:
            cycle.append(nxt)
        seen.update(cycle)
        cycles.append(cycle)
    return cycles


def problem_face(case: int) -> int | None:
    """The ambiguous face both of whose edge pairs lie in one patch, if the case has one."""
    cycles = trace(case)
    for face in range(6):
        if is_ambiguous(case, face):
            ring = FACES[face]
            sides = {_EDGE_OF[frozenset((ring[i], ring[(i + 1) % 4]))] for i in range(4)}
            if any(sides <= set(cycle) for cycle in cycles):
                return face
    return None


def _on_one_face(a: int, b: int) -> bool:
    corners = set(EDGES[a]) | set(EDGES[b])
    return any(corners <= set(ring) for ring in FACES)


def triangulate_cycle(cycle: list[int]) -> list[tuple[int, int, int]]:
    """Triangles of a cycle without a diagonal in a face of the cell.

    A diagonal inside a face could coincide with one of the neighbour's; none does here, so every
    edge of the mesh has two faces.
    """
    if len(cycle) == 3:
        return [(cycle[0], cycle[1], cycle[2])]
    first, last = cycle[0], cycle[-1]
    for k in range(1, len(cycle) - 1):
        left, right = cycle[: k + 1], cycle[k:]
        legal = all(len(part) == 2 or not _on_one_face(part[0], part[-1]) for part in (left, right))
        if not legal:
            continue
        parts = [triangulate_cycle(p) if len(p) > 2 else [] for p in (left, right)]
        if None not in parts:
            return [(first, cycle[k], last), *parts[0], *parts[1]]
    return None  # type: ignore[return-value]


@lru_cache(maxsize=1)
def dual_entries() -> list[tuple[int, int | None, list[list[int]]]]:
    """(case, flipped face, patches): 256 cases, then the flipped variants of the problem cases."""
    entries: list[tuple[int, int | None, list[list[int]]]] = [
        (case, None, trace(case)) for case in range(256)
    ]
    for case in range(256):
        face = problem_face(case)
        if face is not None:
            entries.append((case, face, trace(case, face)))
    return entries


def inside_components(case: int, flipped_face: int | None) -> list[int]:
    """Component of each corner among the inside corners of the cell (-1 outside).

    Corners are joined along edges, and across a flipped face, which joins its inside corners.
    """
    label = [c if case >> c & 1 else -1 for c in range(8)]
    links = list(EDGES)
    if flipped_face is not None:
        links += [p for p in combinations(FACES[flipped_face], 2)]
    for _ in range(8):
        for a, b in links:
            if label[a] >= 0 and label[b] >= 0:
                label[a] = label[b] = min(label[a], label[b])
    return label


# Columns of `dual_table`, as `DualTable` of csrc/kernels/flexicubes.h reads them too.
PATCHES, PATCH_OF, PROBLEM_FACE, FLIPPED = 0, slice(1, 13), 13, 14


@lru_cache(maxsize=8)
def dual_table(device: torch.device) -> Tensor:
    """(entries, 16) int32: number of patches, patch of each of 12 edges (-1: not crossed), problem
    face (-1: none), entry that replaces the case when that face is flipped, case."""
    rows = []
    for index, (case, flipped, patches) in enumerate(dual_entries()):
        patch_of = [-1] * 12
        for number, cycle in enumerate(patches):
            for edge in cycle:
                patch_of[edge] = number
        face = problem_face(case) if flipped is None else None
        replaced = index
        if face is not None:
            replaced = next(
                i for i, (c, f, _) in enumerate(dual_entries()) if c == case and f is not None
            )
        rows.append([len(patches), *patch_of, -1 if face is None else face, replaced, case])
    return torch.tensor(rows, dtype=torch.int32, device=device)


@lru_cache(maxsize=8)
def triangle_table(device: torch.device) -> Tensor:
    """(256, 1 + 3 * most) int32: number of triangles, then three edges each."""
    rows = []
    for case in range(256):
        triangles = [t for cycle in trace(case) for t in triangulate_cycle(cycle)]
        rows.append([len(triangles), *(edge for t in triangles for edge in t)])
    width = max(len(row) for row in rows)
    padded = [row + [0] * (width - len(row)) for row in rows]
    return torch.tensor(padded, dtype=torch.int32, device=device)
