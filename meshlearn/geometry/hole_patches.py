"""Patches for one hole: triangles of least area, refined, smoothed into what is around."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

_MOST = 400  # edges of a rim that are spanned at once; a longer one is cut along a short chord
_LONG = 1.5  # times the rim's edges is an edge that is cut
_ROUNDS = 3  # of smoothing, each by the lengths of the last
_COT = 20.0  # the largest cotangent, of a thin triangle
_VERTICES = 2000  # of a patch, about; finer ones are not worth their time


class Patch(NamedTuple):
    """A fill; see `holes.Fills`."""

    vertices: Tensor  # (N, 3) float64
    parents: Tensor  # (N, 2)
    faces: Tensor  # (M, 3)


def triangulate_rim(points: Tensor, loop: Tensor, taken: set[tuple[int, int]]) -> Patch | None:
    """The triangles of least area on a closed rim (n,), turned against it; None where each way has
    an edge that the mesh has already.

    W[i, j] = min over k of W[i, k] + W[k, j] + area(i, k, j), for i < k < j, by growing j - i.
    """
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
        found = _least_area(points[rim], rim, taken)
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


def _least_area(
    points: Tensor, rim: list[int], taken: set[tuple[int, int]]
) -> list[list[int]] | None:
    n = len(rim)
    if n < 3:
        return None
    blocked = _blocked(rim, taken)
    cost = torch.zeros(n, n, dtype=torch.float64)
    by = torch.zeros(n, n, dtype=torch.int64)
    for gap in range(2, n):
        i = torch.arange(n - gap)
        j = i + gap
        k = i[:, None] + torch.arange(1, gap)
        side, other = points[k] - points[i][:, None], (points[j] - points[i])[:, None]
        area = torch.linalg.cross(side, other.expand_as(side)).norm(dim=2) / 2
        total = cost[i[:, None], k] + cost[k, j[:, None]] + area
        best = total.min(1)
        closed = blocked[i, j] if gap < n - 1 else torch.zeros(len(i), dtype=torch.bool)
        cost[i, j] = torch.where(closed, torch.inf, best.values)
        by[i, j] = best.indices + i + 1
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
    count, new = len(points), len(patch.vertices)
    rim = patch.faces[patch.faces < count].unique()
    behind = _touching(faces, rim, count)
    around = faces[_touching(faces, behind, count)[faces].any(1)]
    every = torch.cat([around, patch.faces])
    used, local = torch.unique(every, return_inverse=True)
    place = torch.cat([points, patch.vertices])[used]
    free = used >= count
    both = free | torch.isin(used, rim)
    known = torch.isin(used, behind.nonzero().squeeze(1)) & ~both
    for _ in range(_ROUNDS):
        laplacian = _laplacian(local, place)
        bend = laplacian[known] @ place
        size = bend.norm(dim=1, keepdim=True)
        inner, outer = laplacian[both][:, both], laplacian[both][:, known]
        inner = inner - torch.diag(inner.sum(1) + outer.sum(1))  # of these neighbours alone
        inner = inner + 1e-9 * torch.diag(inner.diagonal())
        gone = torch.linalg.solve(inner, -outer @ torch.cat([bend, size], 1))
        wanted = torch.nn.functional.normalize(gone[:, :3], dim=1) * gone[:, 3:]
        moving, held = laplacian[both][:, free], laplacian[both][:, ~free]
        right = moving.T @ (wanted - held @ place[~free])
        system = moving.T @ moving
        system = system + 1e-12 * system.diagonal().mean() * torch.eye(new, dtype=torch.float64)
        place[free] = torch.linalg.solve(system, right)
    return patch._replace(vertices=place[free])


def _touching(faces: Tensor, vertices: Tensor, count: int) -> Tensor:
    """(count,) bool: vertices of faces that have one of `vertices`, indices or a mask."""
    mask = torch.zeros(count, dtype=torch.bool)
    mask[vertices] = True
    out = torch.zeros(count, dtype=torch.bool)
    out[faces[mask[faces].any(1)].reshape(-1)] = True
    return out


def _laplacian(faces: Tensor, place: Tensor) -> Tensor:
    """(n, n) cotangent Laplacian by area: of positions the curvature, and nothing along a plane."""
    size = len(place)
    p = place[faces]
    area = torch.linalg.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]).norm(dim=1)  # twice
    area = area.clamp(min=1e-12 * float(area.max()))
    out = torch.zeros(size, size, dtype=torch.float64)
    share = torch.zeros(size, dtype=torch.float64)
    for k in range(3):
        u, v = p[:, (k + 1) % 3] - p[:, k], p[:, (k + 2) % 3] - p[:, k]
        half = ((u * v).sum(1) / area).clamp(-_COT, _COT) / 2
        a, b = faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        out.index_put_((a, b), half, accumulate=True)
        out.index_put_((b, a), half, accumulate=True)
        share.index_add_(0, faces[:, k], area / 6)
    out = out - torch.diag(out.sum(1))
    return out / share.clamp(min=1e-300)[:, None]
