"""Patches for one hole: triangles of least area, refined, smoothed into what is around."""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.geometry.sparse_solver import SparseCholesky

_MOST = 400  # edges of a rim that are spanned at once; a longer one is cut along a short chord
_FOLD = 0.1  # of the rim's length squared, what a triangle folded flat onto its neighbour costs
_LONG = 1.5  # times the rim's edges is an edge that is cut
_ROUNDS = 3  # of smoothing, each by the lengths of the last
_LEAST = 1e-3  # of the mean weight of edges, the least of one along which curvature goes on
_COT = 20.0  # the largest cotangent, of a thin triangle
_VERTICES = 2000  # of a patch, about; finer ones are not worth their time


class Patch(NamedTuple):
    """A fill; see `holes.Fills`."""

    vertices: Tensor  # (N, 3) float64
    parents: Tensor  # (N, 2)
    faces: Tensor  # (M, 3)


class Rules(NamedTuple):
    """What triangles on a rim must not do, and should not.

    Attributes:
        taken: edges of the mesh, which no other edge of the patch may be.
        behind: from an edge of the rim to the unit normal of the face behind it; triangles that
            fold back towards it, or on each other, cost more. None for the least area alone.
        barred: triangles that are not taken, each by its sorted vertices.
    """

    taken: set[tuple[int, int]]
    behind: dict[tuple[int, int], Tensor] | None = None
    barred: frozenset[tuple[int, int, int]] = frozenset()


def triangulate_rim(points: Tensor, loop: Tensor, rules: Rules) -> Patch | None:
    """The triangles of least area on a closed rim (n,), turned against it; None where each way has
    an edge that the mesh has already, or a triangle that is barred.

    W[i, j] = min over k of W[i, k] + W[k, j] + area(i, k, j), for i < k < j, by growing j - i; of
    triangles that fold the cost is more, by the angles to those that W[i, k] and W[k, j] chose.
    """
    taken = rules.taken
    faces: list[list[int]] = []
    stack = [loop.tolist()]
    while stack:
        rim = stack.pop()
        if len(rim) > _MOST:
            cut = _short_chord(points[rim], rim, taken)
            if cut is None:
                return None
            i, j = cut
            stack += [rim[i : j + 1], rim[j:] + rim[: i + 1]]
            continue
        found = _least_area(points[rim], rim, rules)
        if found is None:
            return None
        faces += found
    none = torch.zeros(0, 3, dtype=torch.float64)
    return Patch(none, torch.zeros(0, 2, dtype=torch.int64), torch.tensor(faces))


def _blocked(rim: list[int], taken: set[tuple[int, int]]) -> Tensor:
    """(n, n) bool: chords between vertices of a rim that are edges of the mesh."""
    place = {v: i for i, v in enumerate(rim)}
    out = torch.zeros(len(rim), len(rim), dtype=torch.bool)
    for a, b in taken:
        if a in place and b in place:
            out[place[a], place[b]] = out[place[b], place[a]] = True
    n = len(rim)
    own = torch.arange(n)
    out[own, (own + 1) % n] = out[(own + 1) % n, own] = False
    return out


def _short_chord(
    points: Tensor, rim: list[int], taken: set[tuple[int, int]]
) -> tuple[int, int] | None:
    n = len(rim)
    length = torch.cdist(points, points)
    gap = (torch.arange(n)[:, None] - torch.arange(n)).abs()
    bad = _blocked(rim, taken) | (torch.minimum(gap, n - gap) < n // 4)
    length[bad] = torch.inf
    best = int(length.argmin())
    i, j = sorted((best // n, best % n))
    return None if torch.isinf(length[i, j]) else (i, j)


def _least_area(points: Tensor, rim: list[int], rules: Rules) -> list[list[int]] | None:
    n = len(rim)
    if n < 3:
        return None
    blocked = _blocked(rim, rules.taken)
    cost = torch.zeros(n, n, dtype=torch.float64)
    by = torch.zeros(n, n, dtype=torch.int64)
    normal = torch.zeros(n, n, 3, dtype=torch.float64)  # of the triangle at a chord; 0 of none
    behind = rules.behind
    for first in range(n if behind else 0):
        edge = rim[first], rim[(first + 1) % n]
        if behind and edge in behind:
            ends = sorted((first, (first + 1) % n))
            normal[ends[0], ends[1]] = behind[edge]
    fold = _FOLD * float((points - points.roll(1, 0)).norm(dim=1).sum()) ** 2
    place = {v: i for i, v in enumerate(rim)}
    barred: dict[int, list[tuple[int, int]]] = {}
    for triple in rules.barred:
        if all(v in place for v in triple):
            low, middle, high = sorted(place[v] for v in triple)
            barred.setdefault(high - low, []).append((low, middle))
    for gap in range(2, n):
        i = torch.arange(n - gap)
        j = i + gap
        k = i[:, None] + torch.arange(1, gap)
        side, other = points[k] - points[i][:, None], (points[j] - points[i])[:, None]
        across = torch.linalg.cross(other.expand_as(side), side)
        area = across.norm(dim=2) / 2
        total = cost[i[:, None], k] + cost[k, j[:, None]] + area
        if behind:
            across = torch.nn.functional.normalize(across, dim=2)
            bends = [
                (normal[i[:, None], k] * across).sum(2),
                (normal[k, j[:, None]] * across).sum(2),
            ]
            if gap == n - 1:
                bends.append((normal[0, n - 1] * across).sum(2))
            total = total + fold * sum((-b).clamp(min=0.0) ** 2 for b in bends)
        for row, middle in barred.get(gap, ()):
            total[row, middle - row - 1] = torch.inf
        best = total.min(1)
        closed = blocked[i, j] if gap < n - 1 else torch.zeros(len(i), dtype=torch.bool)
        cost[i, j] = torch.where(closed, torch.inf, best.values)
        by[i, j] = best.indices + i + 1
        if behind:
            normal[i, j] = across[torch.arange(n - gap), best.indices]
    if torch.isinf(cost[0, n - 1]):
        return None
    faces, stack = [], [(0, n - 1)]
    while stack:
        a, b = stack.pop()
        if b - a < 2:
            continue
        middle = int(by[a, b])
        faces.append([rim[b], rim[middle], rim[a]])
        stack += [(a, middle), (middle, b)]
    return faces


def refine(points: Tensor, loop: Tensor, patch: Patch) -> Patch:
    """A patch with edges about as long as those of its rim: long ones are cut in the middle, and
    edges turned to the shorter diagonal where angles ask for it (Delaunay)."""
    rim = points[loop]
    edge = float((rim - rim.roll(1, 0)).norm(dim=1).mean())
    corner = points[patch.faces]
    area = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    edge = max(edge, float(area.norm(dim=1).sum() / 2 / _VERTICES) ** 0.5)
    place = {int(v): points[v].tolist() for v in loop}
    own = _Triangles(patch.faces.tolist(), place, len(points))
    for _ in range(30):
        own.flip_all()
        if not own.cut_longer(_LONG * edge):
            break
    own.flip_all()
    made = [own.place[v] for v in range(len(points), own.next)]
    return Patch(
        torch.tensor(made, dtype=torch.float64).reshape(-1, 3),
        torch.tensor(own.parents, dtype=torch.int64).reshape(-1, 2),
        torch.tensor(list(own.faces.values())),
    )


def _length(p: list[float], q: list[float]) -> float:
    return sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) ** 0.5


class _Triangles:
    """Few triangles that are cut and turned, by half-edges (from, to) -> face."""

    def __init__(self, faces: list[list[int]], place: dict[int, list[float]], first: int) -> None:
        self.place, self.next = place, first
        self.faces: dict[int, list[int]] = {}
        self.at: dict[tuple[int, int], int] = {}
        self.parents: list[tuple[int, int]] = []
        self.changed: list[tuple[int, int]] = []  # edges since the last turns
        self._number = 0
        for face in faces:
            self._add(face)

    def _add(self, face: list[int]) -> None:
        self.faces[self._number] = face
        for i in range(3):
            edge = face[i], face[(i + 1) % 3]
            self.at[edge] = self._number
            self.changed.append(edge)
        self._number += 1

    def _drop(self, number: int) -> list[int]:
        face = self.faces.pop(number)
        for i in range(3):
            del self.at[face[i], face[(i + 1) % 3]]
        return face

    def _across(self, a: int, b: int) -> tuple[int, int]:
        """The third corners of the faces at an edge."""
        return sum(self.faces[self.at[a, b]]) - a - b, sum(self.faces[self.at[b, a]]) - a - b

    def inner(self) -> list[tuple[int, int]]:
        return [e for e in self.at if e[0] < e[1] and (e[1], e[0]) in self.at]

    def cut_longer(self, limit: float) -> bool:
        """Cuts each inner edge that is longer, longest first; whether there was one."""
        long = [(_length(self.place[a], self.place[b]), a, b) for a, b in self.inner()]
        long = sorted((e for e in long if e[0] > limit), reverse=True)
        for _, a, b in long:
            if (a, b) not in self.at or (b, a) not in self.at:
                continue
            c, d = self._across(a, b)
            self._drop(self.at[a, b])
            self._drop(self.at[b, a])
            m = self.next
            self.next += 1
            self.parents.append((a, b))
            self.place[m] = [(x + y) / 2 for x, y in zip(self.place[a], self.place[b], strict=True)]
            for face in ([a, m, c], [m, b, c], [b, m, d], [m, a, d]):
                self._add(face)
        return bool(long)

    def _cosine(self, c: int, a: int, b: int) -> float:
        p, q, r = self.place[c], self.place[a], self.place[b]
        ux, uy, uz = q[0] - p[0], q[1] - p[1], q[2] - p[2]
        vx, vy, vz = r[0] - p[0], r[1] - p[1], r[2] - p[2]
        size = ((ux * ux + uy * uy + uz * uz) * (vx * vx + vy * vy + vz * vz)) ** 0.5
        return (ux * vx + uy * vy + uz * vz) / size if size else 1.0

    def flip_all(self) -> None:
        """Turns edges whose opposite angles are above a half turn, until there are none, nearly."""
        left = 20 * len(self.faces)
        while self.changed and left:
            left -= 1
            a, b = self.changed.pop()
            if (a, b) not in self.at or (b, a) not in self.at:
                continue
            c, d = self._across(a, b)
            if (c, d) in self.at or (d, c) in self.at or c == d:
                continue
            # the sum of two angles is above a half turn where that of their cosines is below 0
            if self._cosine(c, a, b) + self._cosine(d, a, b) >= -1e-9:
                continue
            self._drop(self.at[a, b])
            self._drop(self.at[b, a])
            self._add([c, a, d])
            self._add([d, b, c])


def smooth_patch(points: Tensor, faces: Tensor, patch: Patch) -> Patch:
    """A patch whose new vertices go on as the surface bends behind the rim.

    The Laplacian of the surface, its curvature and the way it bends to, is taken at the ring of
    vertices behind the rim and goes on over rim and patch with the least change (harmonic, length
    and direction each); new vertices then have it as well as they can (least squares), as has the
    rim, which stays.
    """
    count = len(points)
    rim = patch.faces[patch.faces < count].unique()
    behind = _touching(faces, rim, count)
    around = faces[_touching(faces, behind, count)[faces].any(1)]
    every = torch.cat([around, patch.faces])
    used, local = torch.unique(every, return_inverse=True)
    place = torch.cat([points, patch.vertices])[used]
    free = used >= count
    both = free | torch.isin(used, rim)
    known = torch.isin(used, behind.nonzero().squeeze(1)) & ~both
    known, both_rows, free_rows = (m.nonzero().squeeze(1) for m in (known, both, free))
    for _ in range(_ROUNDS):
        stiff, share = _laplacian(local, place)
        mean = _scaled(stiff, 1 / share)
        bend = (mean @ place)[known]
        gone = _harmonic(stiff, both_rows, known, place, bend)
        wanted = torch.nn.functional.normalize(gone[:, :3], dim=1) * gone[:, 3:]
        rows = mean.index_select(0, both_rows)
        moving = rows.index_select(1, free_rows).coalesce()
        still = torch.where(free[:, None], 0.0, place)
        right = moving.t() @ (wanted - rows @ still)
        with warnings.catch_warnings():  # of torch, that sparse products are in beta state
            warnings.simplefilter("ignore")
            system = torch.sparse.mm(moving.t().coalesce(), moving).coalesce()
        place[free] = _solved(system, right, place[free])
    return patch._replace(vertices=place[free])


def _harmonic(stiff: Tensor, inner: Tensor, known: Tensor, place: Tensor, bend: Tensor) -> Tensor:
    """(I, 4) vectors and lengths of vertices `inner` that go on from those (K, 3) of `known`."""
    values = torch.cat([bend, bend.norm(dim=1, keepdim=True)], 1)
    index = stiff.indices()
    off = index[0] != index[1]
    # positive, so that what goes on is between what is known
    weight = stiff.values()[off].clamp(min=_LEAST * float(stiff.values()[off].abs().mean()))
    spread = _sparse(index[:, off], weight, len(place))
    rows = spread.index_select(0, inner).coalesce()
    within, outside = rows.index_select(1, inner).coalesce(), rows.index_select(1, known)
    total = torch.zeros(len(inner), dtype=torch.float64)
    for part in (within, outside.coalesce()):
        total.index_add_(0, part.indices()[0], part.values())
    own = torch.arange(len(inner)).expand(2, -1)
    diagonal = _sparse(own, total, len(inner))
    return _solved((diagonal - within).coalesce(), outside @ values, place[inner])


def _solved(system: Tensor, right: Tensor, place: Tensor) -> Tensor:
    """x of a sparse positive system (N, N) of vertices at `place` (N, 3), whatever its zeros."""
    size = len(place)
    own = torch.arange(size).expand(2, -1)
    least = torch.full((size,), 1e-12 * float(system.values().abs().max()), dtype=torch.float64)
    whole = (system + _sparse(own, least, size)).coalesce()
    row, column = whole.indices()
    start = torch.cat([row.new_zeros(1), torch.bincount(row, minlength=size).cumsum(0)])
    pattern = SparseCholesky(start, column, place)
    return pattern.factor(whole.values()).solve(right)


def _touching(faces: Tensor, vertices: Tensor, count: int) -> Tensor:
    """(count,) bool: vertices of faces that have one of `vertices`, indices or a mask."""
    mask = torch.zeros(count, dtype=torch.bool)
    mask[vertices] = True
    out = torch.zeros(count, dtype=torch.bool)
    out[faces[mask[faces].any(1)].reshape(-1)] = True
    return out


def _laplacian(faces: Tensor, place: Tensor) -> tuple[Tensor, Tensor]:
    """Sparse (n, n) cotangent Laplacian, and the area of each vertex (n,): of positions their
    quotient is the curvature, and nothing along a plane."""
    size = len(place)
    p = place[faces]
    area = torch.linalg.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]).norm(dim=1)  # twice
    area = area.clamp(min=1e-12 * float(area.max()))
    rows, values = [], []
    share = torch.zeros(size, dtype=torch.float64)
    for k in range(3):
        u, v = p[:, (k + 1) % 3] - p[:, k], p[:, (k + 2) % 3] - p[:, k]
        half = ((u * v).sum(1) / area).clamp(-_COT, _COT) / 2
        a, b = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        rows += [torch.stack(pair) for pair in ((a, b), (b, a), (a, a), (b, b))]
        values += [half, half, -half, -half]
        share.index_add_(0, faces[:, k], area / 6)
    return _sparse(torch.cat(rows, 1), torch.cat(values), size), share.clamp(min=1e-300)


def _sparse(index: Tensor, values: Tensor, size: int) -> Tensor:
    return torch.sparse_coo_tensor(index, values, (size, size), check_invariants=False).coalesce()


def _scaled(matrix: Tensor, by: Tensor) -> Tensor:
    """Rows of a sparse matrix times (n,)."""
    index = matrix.indices()
    return _sparse(index, matrix.values() * by[index[0]], len(by))
