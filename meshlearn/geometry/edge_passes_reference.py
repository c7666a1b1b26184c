"""The operator `remesh` in plain Python: the same changes in the same order, for small meshes.

The equations are those of `meshlearn.geometry.edge_passes`; numbers are added in the order in which
`csrc/kernels/remesh.h` adds them, so that both find the same edges.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.collapse_parts import (
    Point,
    cross,
    dot,
    following,
    minus,
    plus,
    preceding,
    times,
)

FREE, CURVE, CORNER, FIXED = range(4)  # how a vertex moves: anywhere, along a feature, not, never
TRIMS, SWEEPS, RESTORES = 2, 2, 6
CLASSES = 12.5  # of short edges, for a squared length of 1
NEAR, STEPS = 0.1, 8  # wanted lengths within which a place nearby will do, faces on the way
ODD = 2  # a feature that is an edge of other than two faces


def passes_reference(
    vertices: Tensor,
    faces: Tensor,
    feature: Tensor,
    corner: Tensor,
    size: Tensor | None,
    tree: MeshBVH,
    rules: Sequence[float],
    rounds: int,
    target: int,
) -> tuple[Tensor, Tensor]:
    """Reference of the operator `remesh`."""
    work = _Passes(vertices, faces, feature, corner, size, tree, rules)
    work.run(rounds, target)
    return work.result()


class HalfEdges:
    """A surface with borders, as csrc/kernels/half_edges.h keeps it.

    Half-edge h = 3 f + k goes from corner k of face f to the next one. Each vertex is one fan of
    faces: where several meet, vertices are there once a fan.
    """

    def __init__(self, faces: Tensor, count: int) -> None:
        self.given = count
        self.vert: list[int] = faces.reshape(-1).tolist()
        self.odd = [False] * count
        self.dead = [False] * len(faces)
        self.free_faces: list[int] = []
        self.free_vertices: list[int] = []
        self.link()
        self.split_fans()

    def to(self, h: int) -> int:
        return self.vert[following(h)]

    def apex(self, h: int) -> int:
        return self.vert[preceding(h)]

    def whole(self, v: int) -> int:
        return v if v < self.given or v >= self.first_new else self.split[v - self.given]

    def around(self, v: int) -> Iterator[int]:
        """Half-edges that leave v, counter-clockwise; at a border from the first."""
        start = h = self.out[v]
        while h >= 0:
            yield h
            h = self.twin[preceding(h)]
            if h == start:
                break

    def beside(self, v: int) -> Iterator[int]:
        """Neighbours of v."""
        for h in self.around(v):
            yield self.to(h)
            if self.twin[preceding(h)] < 0:
                yield self.apex(h)

    def edges(self) -> Iterator[int]:
        for h in range(len(self.vert)):
            if not self.dead[h // 3] and (self.twin[h] < 0 or self.twin[h] > h):
                yield h

    def link(self) -> None:
        """Pairs half-edges of edges that have two faces with one orientation."""
        half = len(self.vert)
        self.twin = [-1] * half
        self.feature = [0] * half
        edges: dict[tuple[int, int], list[int]] = {}
        for h in range(half):
            a, b = self.vert[h], self.to(h)
            edges.setdefault((min(a, b), max(a, b)), []).append(h)
        for ends, sides in edges.items():
            if len(sides) == 2 and self.vert[sides[0]] != self.vert[sides[1]]:
                self.twin[sides[0]], self.twin[sides[1]] = sides[1], sides[0]
            elif len(sides) > 1:
                for v in ends:
                    self.odd[v] = True
                for h in sides:
                    self.feature[h] = ODD
            else:
                self.feature[sides[0]] = 1

    def split_fans(self) -> None:
        self.out = [-1] * self.given
        self.valence = [0] * self.given
        self.border = [False] * self.given
        self.split: list[int] = []
        old = list(self.vert)
        seen = [False] * len(old)
        for closed in (False, True):  # fans with an end start there
            for h in range(len(old)):
                if seen[h] or (not closed and self.twin[h] >= 0):
                    continue
                v = old[h]
                if self.out[v] >= 0:
                    self.odd[v] = True
                    self.split.append(v)
                    v = len(self.out)
                    self.odd.append(True)
                    self.out.append(-1)
                    self.valence.append(0)
                    self.border.append(False)
                self.out[v] = h
                for g in list(self.around(v)):
                    seen[g] = True
                    self.vert[g] = v
                    self.valence[v] += 1
                    if self.twin[preceding(g)] < 0:
                        self.valence[v] += 1
                        self.border[v] = True
        self.first_new = len(self.out)

    def split_edge(self, h: int) -> int:
        """A new vertex on h, and a new face on each side of it."""
        t, u, v, kind = self.twin[h], self.vert[h], self.to(h), self.feature[h]
        if self.free_vertices:
            m = self.free_vertices.pop()
        else:
            m = len(self.out)
            self.out.append(-1)
            self.valence.append(0)
            self.border.append(False)
            self.odd.append(False)
        self.border[m], self.odd[m], self.valence[m] = t < 0, False, 3 if t < 0 else 4
        one = self.cut(h, v, m, kind)
        self.out[m] = one
        self.twin[one] = t
        if t >= 0:
            two = self.cut(t, u, m, kind)
            self.twin[t], self.twin[h], self.twin[two] = one, two, h
        return m

    def cut(self, g: int, y: int, m: int, kind: int) -> int:
        """(x, y, apex) becomes (x, m, apex), and (m, y, apex) is new."""
        n, apex = following(g), self.apex(g)
        if self.free_faces:
            face = self.free_faces.pop()
            self.dead[face] = False
        else:
            face = len(self.dead)
            self.dead.append(False)
            self.vert += [0] * 3
            self.twin += [-1] * 3
            self.feature += [0] * 3
        made, across = 3 * face, self.twin[n]
        self.vert[made : made + 3] = m, y, apex
        self.vert[n] = m
        self.twin[made + 1] = across
        if across >= 0:
            self.twin[across] = made + 1
        self.twin[n], self.twin[made + 2] = made + 2, n
        self.feature[made : made + 3] = kind, self.feature[n], 0
        self.feature[n] = 0
        if self.out[y] == n:
            self.out[y] = made + 1
        self.valence[apex] += 1
        return made

    def flip_edge(self, h: int) -> None:
        """Turns h within its faces: from (u, v, a) and (v, u, b) to (b, a, u) and (a, b, v)."""
        t = self.twin[h]
        n, p, tn, tp = following(h), preceding(h), following(t), preceding(t)
        u, v, a, b = self.vert[h], self.vert[t], self.vert[p], self.vert[tp]
        beyond = [(self.twin[g], self.feature[g]) for g in (p, tn, tp, n)]
        for g, w in ((h, b), (n, a), (p, u), (t, a), (tn, b), (tp, v)):
            self.vert[g] = w
        for side, (across, kind) in zip((n, p, tn, tp), beyond, strict=True):
            self.twin[side], self.feature[side] = across, kind
            if across >= 0:
                self.twin[across] = side
        for w, old, new in ((u, (h, tn), p), (v, (t, n), tp), (a, (p,), n), (b, (tp,), tn)):
            if self.out[w] in old:
                self.out[w] = new
        for w, by in ((u, -1), (v, -1), (a, 1), (b, 1)):
            self.valence[w] += by

    def collapse_edge(self, h: int, u: int, v: int) -> None:
        """Makes the end u of h the other end v."""
        t = self.twin[h]
        for g in list(self.around(u)):
            self.vert[g] = v
        self.border[v] = self.border[u] or self.border[v]
        self.valence[v] += self.valence[u] - 2
        start = -1
        for g in (h, t):
            if g < 0:
                continue
            n, q = following(g), preceding(g)
            a, tn, tq = self.vert[q], self.twin[n], self.twin[q]
            self.dead[g // 3] = True
            self.free_faces.append(g // 3)
            self.valence[v] -= 1
            self.valence[a] -= 1
            kept = self.feature[n] | self.feature[q]
            for one, other in ((tn, tq), (tq, tn)):
                if one >= 0:
                    self.twin[one], self.feature[one] = other, kept
            if self.out[a] == q:
                self.out[a] = tn if tn >= 0 else following(tq)
            if start < 0:
                start = following(tn) if tn >= 0 else tq
        if self.border[v]:
            while self.twin[start] >= 0:
                start = following(self.twin[start])
        self.out[v], self.out[u] = start, -1
        self.free_vertices.append(u)


class _Passes(HalfEdges):
    def __init__(
        self,
        vertices: Tensor,
        faces: Tensor,
        feature: Tensor,
        corner: Tensor,
        size: Tensor | None,
        tree: MeshBVH,
        rules: Sequence[float],
    ) -> None:
        super().__init__(faces, len(vertices))
        self.long, self.short, self.agree, self.flip_agree, self.thin, self.step = rules
        self.tree, self.scale, self.trimming = tree, 1.0, False
        self.surface, self.triangles = [tuple(p) for p in vertices.tolist()], faces.tolist()
        self.sizes = None if size is None else size.tolist()
        count = len(self.out)
        self.where: list[Point] = [self.surface[self.whole(v)] for v in range(count)]
        if self.sizes is not None:
            self.size = [self.sizes[self.whole(v)] for v in range(count)]
        self.near = [max(h, 0) // 3 for h in self.out]
        meet = [0] * count
        for h, kept in enumerate(feature.reshape(-1).tolist()):
            self.feature[h] = self.feature[h] or int(kept)
            if self.feature[h] and not 0 <= self.twin[h] < h:
                meet[self.vert[h]] += 1
                meet[self.to(h)] += 1
        stays = corner.tolist()
        self.kind = [FREE] * count
        for v in range(count):
            if self.odd[v]:
                self.kind[v] = FIXED
            elif stays[v] or meet[v] not in (0, 2):
                self.kind[v] = CORNER
            elif meet[v]:
                self.kind[v] = CURVE
        self.alive = len(faces)
        self.first_twin = list(self.twin)

    def run(self, rounds: int, target: int) -> None:
        for r in range(rounds):
            if target > 0 and r > 0:
                self.scale *= min(max(math.sqrt(self.alive / target), 0.5), 2.0)  # (I5)
            self.split_long(0)
            self.collapse_short(0)
            if target > 0 and r + TRIMS >= rounds:
                if self.alive < target:
                    self.split_long(target)
                if self.alive > target:
                    self.collapse_short(target)
            self.flip()
            self.relax(exact=r + 1 == rounds)

    def result(self) -> tuple[Tensor, Tensor]:
        half = [h for h in range(len(self.vert)) if not self.dead[h // 3]]
        named = [self.whole(self.vert[h]) for h in half]
        used = sorted(set(named))
        number = {v: i for i, v in enumerate(used)}
        vertices = torch.tensor([self.where[v] for v in used], dtype=torch.float64).view(-1, 3)
        return vertices, torch.tensor([number[v] for v in named], dtype=torch.int64).view(-1, 3)

    def wanted(self, v: int) -> float:
        return self.scale if self.sizes is None else self.scale * self.size[v]

    def stretch(self, h: int) -> float:
        """The squared length of an edge, by the square of the wanted one."""
        u, v = self.vert[h], self.to(h)
        least = min(self.wanted(u), self.wanted(v))
        way = minus(self.where[u], self.where[v])
        return dot(way, way) / (least * least)

    def edge(self, h: int) -> int:
        t = self.twin[h]
        return t if 0 <= t < h else h

    def split_long(self, target: int) -> None:
        """(I1); with a target, any edge until there are so many faces."""
        limit = 0.0 if target > 0 else self.long * self.long
        queue = []
        for h in self.edges():
            stretch = self.stretch(h)
            if self.feature[h] != ODD and stretch > limit:
                queue.append((-stretch, h))
        heapq.heapify(queue)
        while queue and (target == 0 or self.alive < target):
            key, h = heapq.heappop(queue)
            if -key != self.stretch(h):
                continue
            u, v = self.vert[h], self.to(h)
            middle = times(plus(self.where[u], self.where[v]), 0.5)
            kind = CURVE if self.feature[h] else FREE
            self.alive += 2 if self.twin[h] >= 0 else 1
            m = self.split_edge(h)
            if m == len(self.where):
                self.where.append(middle)
                self.kind.append(kind)
                self.near.append(0)
            self.where[m], self.kind[m], self.near[m] = middle, kind, self.near[u]
            if self.sizes is not None:
                self.size += [0.0] * (m + 1 - len(self.size))
                self.size[m] = (self.size[u] + self.size[v]) * 0.5
            for g in self.around(m):
                named = [g, following(g)]  # the second may have another number now
                if self.twin[preceding(g)] < 0:
                    named.append(preceding(g))
                for e in named:
                    stretch = self.stretch(e)
                    if stretch > limit and self.feature[e] != ODD:
                        heapq.heappush(queue, (-stretch, self.edge(e)))

    def collapse_short(self, target: int) -> None:
        """(I2); with a target, any edge until there are so few faces."""
        self.trimming = target > 0
        limit = 4.0 if self.trimming else self.short * self.short
        found: list[list[int]] = [[] for _ in range(int(limit * CLASSES) + 1)]
        taken, k = [0] * len(found), 0

        def add(e: int) -> int:
            stretch = self.stretch(e)
            if not stretch < limit:
                return k
            rank = int(stretch * CLASSES)
            found[rank].append(self.edge(e))
            return min(rank, k)

        for h in self.edges():
            k = add(h)
        while k < len(found) and (target == 0 or self.alive > target):
            if taken[k] == len(found[k]):
                k += 1
                continue
            h = found[k][taken[k]]
            taken[k] += 1
            if self.dead[h // 3]:
                continue
            stretch = self.stretch(h)
            if not stretch < limit or int(stretch * CLASSES) != k:
                continue
            u, v = self.vert[h], self.to(h)
            kept = u if self.kind[u] > self.kind[v] else v
            if not self.try_collapse(h):
                continue
            for g in self.around(kept):
                k = add(g)
                if self.twin[preceding(g)] < 0:
                    k = add(preceding(g))
        self.trimming = False

    def try_collapse(self, h: int) -> bool:
        u, v = self.vert[h], self.to(h)
        if self.kind[u] > self.kind[v]:
            u, v = v, u
        if self.kind[u] > CURVE or self.feature[h] == ODD:
            return False
        if self.kind[u] == CURVE and not self.feature[h]:
            return False
        both = self.kind[v] == FREE
        p = times(plus(self.where[u], self.where[v]), 0.5) if both else self.where[v]
        if not self.may_go(h, u, v) or self.spoils(u, v, p) or (both and self.spoils(v, u, p)):
            return False
        self.alive -= 2 if self.twin[h] >= 0 else 1
        self.collapse_edge(h, u, v)
        self.where[v] = p
        if both and self.sizes is not None:
            self.size[v] = (self.size[u] + self.size[v]) * 0.5
        return True

    def may_go(self, h: int, u: int, v: int) -> bool:
        """Whether the surface stays a manifold, and features what they are, when u becomes v."""
        t = self.twin[h]
        if t >= 0 and self.border[u] and self.border[v]:
            return False
        for g in (h, t):
            if g < 0:
                continue
            a = self.apex(g)
            if self.valence[a] <= (2 if self.border[a] else 3):
                return False
            if self.feature[following(g)] and self.feature[preceding(g)]:
                return False
        near = set(self.beside(u))
        if self.kind[v] == FIXED and any(self.kind[w] == FIXED for w in near - {v}):
            return False
        return sum(w in near for w in self.beside(v)) == (2 if t >= 0 else 1)

    def spoils(self, v: int, other: int, p: Point) -> bool:
        """Whether a face at v, but those at `other`, would turn, become thin or too long."""
        old, mine = self.where[v], self.wanted(v)
        for g in self.around(v):
            i, j = self.to(g), self.apex(g)
            if other in (i, j):
                continue
            a, b = self.where[i], self.where[j]
            before = cross(minus(a, old), minus(b, old))
            after = cross(minus(a, p), minus(b, p))
            if dot(before, before) > 0 and not agree(before, after, self.agree):
                return True
            sides = [dot(w, w) for w in (minus(a, p), minus(b, p), minus(b, a))]
            if not dot(after, after) > self.thin * self.thin * max(sides) * max(sides):
                return True
            if self.trimming:
                continue
            limit = self.long * self.long
            sa, sb = min(self.wanted(i), mine), min(self.wanted(j), mine)
            if sides[0] > limit * sa * sa or sides[1] > limit * sb * sb:
                return True
        return False

    def flip(self) -> None:
        """(I3)"""
        for _ in range(SWEEPS):
            done = False
            for h in self.edges():
                t = self.twin[h]
                if t < 0 or self.feature[h]:
                    continue
                u, v, a, b = self.vert[h], self.to(h), self.apex(h), self.apex(t)
                off = [
                    min(self.valence[w] - (4 if self.border[w] else 6), 100) for w in (u, v, a, b)
                ]
                if off[0] + off[1] - off[2] - off[3] <= 2 or a == b:
                    continue
                if any(self.valence[w] <= (2 if self.border[w] else 3) for w in (u, v)):
                    continue
                if self.kind[a] == FIXED == self.kind[b] or b in self.beside(a):
                    continue
                if self.turns_well(h):
                    self.flip_edge(h)
                    done = True
            if not done:
                break

    def turns_well(self, h: int) -> bool:
        """Whether both faces after a flip look where both before do, and are not thin."""
        t = self.twin[h]
        ends = [self.vert[h], self.to(h), self.apex(h), self.apex(t)]
        u, v, a, b = (self.where[w] for w in ends)
        before = [cross(minus(v, u), minus(a, u)), cross(minus(u, v), minus(b, v))]
        after = [cross(minus(a, b), minus(u, b)), cross(minus(b, a), minus(v, a))]
        for new, end in zip(after, (u, v), strict=True):
            longest = max(dot(w, w) for w in (minus(a, end), minus(b, end), minus(a, b)))
            if not dot(new, new) > self.thin * self.thin * longest * longest:
                return False
            for old in before:
                if dot(old, old) > 0 and not agree(old, new, self.flip_agree, strict=True):
                    return False
        return True

    def relax(self, *, exact: bool) -> None:
        """(I4)"""
        free = [v for v in range(len(self.out)) if self.out[v] >= 0 and self.kind[v] == FREE]
        aims = {v: aim for v in free if (aim := self.aim(v)) is not None}
        target, face = list(self.where), {}
        far = []
        for v, (p, _) in aims.items():
            f = None if exact else self.walk(p, self.near[v], NEAR * self.wanted(v))
            if f is None:
                far.append(v)
            else:
                face[v] = f
        if far:
            points = torch.tensor([aims[v][0] for v in far]).float()
            face |= dict(zip(far, self.tree.closest(points).face.tolist(), strict=True))
        for v, (p, n) in aims.items():
            f = face[v]
            place, normal, share = self.place(p, f)
            if not dot(normal, n) > 0:
                continue
            target[v], self.near[v] = place, f
            if self.sizes is not None:
                s = [self.sizes[w] for w in self.triangles[f]]
                self.size[v] = s[0] * share[0] + s[1] * share[1] + s[2] * share[2]
        for _ in range(RESTORES):
            turned = []
            for f in range(len(self.dead)):
                corners = self.vert[3 * f : 3 * f + 3]
                if self.dead[f]:
                    continue
                was, now = ([row[w] for w in corners] for row in (self.where, target))
                before = cross(minus(was[1], was[0]), minus(was[2], was[0]))
                after = cross(minus(now[1], now[0]), minus(now[2], now[0]))
                if not agree(before, after, self.agree):
                    turned += corners
            if not turned:
                break
            for v in turned:
                target[v] = self.where[v]
        self.where = target

    def aim(self, v: int) -> tuple[Point, Point] | None:
        """Where v goes in its tangent plane, and its normal; None where it has none."""
        here, weight = self.where[v], 0.0
        sum_: Point = (0.0, 0.0, 0.0)
        normal: Point = (0.0, 0.0, 0.0)
        for g in self.around(v):
            i = self.to(g)
            a, b = minus(self.where[i], here), minus(self.where[self.apex(g)], here)
            w = 1.0 if self.sizes is None else 1 / self.size[i]
            sum_ = plus(sum_, times(a, w))
            weight += w
            normal = plus(normal, cross(a, b))
        length = math.sqrt(dot(normal, normal))
        if not length > 0:
            return None
        unit = times(normal, 1 / length)
        step = times(sum_, self.step / weight)
        step = minus(step, times(unit, dot(step, unit)))
        return plus(here, step), unit

    def walk(self, p: Point, f: int, reach: float) -> int | None:
        """The face with the nearest place among those around, from face to face; None where that
        takes long, or ends further away than `reach`."""
        share, best = self.on(f, p)
        for _ in range(STEPS):
            before = f
            for g in self.next_faces(f, share):
                other = self.on(g, p)
                if other[1] < best:
                    (share, best), f = other, g
            if f == before:
                return f if best <= reach * reach else None
        return None

    def next_faces(self, f: int, share: Point) -> list[int]:
        """Faces beyond the edge, or around the corner, on which a place is."""
        zero = [k for k in range(3) if share[k] == 0]
        twin, found = self.first_twin, []
        if len(zero) == 1:
            found.append(twin[3 * f + (zero[0] + 1) % 3])
        elif len(zero) == 2:
            h = 3 * f + 3 - sum(zero)
            g = twin[preceding(h)]
            while g >= 0 and g != h:
                found.append(g)
                g = twin[preceding(g)]
            if g < 0:
                g = twin[h]
                while g >= 0:
                    found.append(g)
                    g = twin[following(g)]
        return [g // 3 for g in found if g >= 0]

    def on(self, f: int, p: Point) -> tuple[Point, float]:
        a, b, c = (self.surface[w] for w in self.triangles[f])
        return nearest_weights(p, a, b, c)

    def place(self, p: Point, f: int) -> tuple[Point, Point, Point]:
        """The point of a face that is nearest to p, the face's normal and the point's weights."""
        a, b, c = (self.surface[w] for w in self.triangles[f])
        share, _ = nearest_weights(p, a, b, c)
        place = plus(plus(times(a, share[0]), times(b, share[1])), times(c, share[2]))
        return place, cross(minus(b, a), minus(c, a)), share


def agree(before: Point, after: Point, cosine: float, *, strict: bool = False) -> bool:
    """Whether two normals, of any length, have an angle of at most that cosine."""
    both = dot(before, after)
    least = cosine * cosine * dot(before, before) * dot(after, after)
    return both > 0 and (both * both > least if strict else both * both >= least)


def nearest_weights(p: Point, a: Point, b: Point, c: Point) -> tuple[Point, float]:
    """Barycentric coordinates of the point of a triangle that is nearest to p, and its squared
    distance."""
    u, v, d = minus(b, a), minus(c, a), minus(p, a)
    n = cross(u, v)
    nn = dot(n, n)
    best, found = math.inf, (1.0, 0.0, 0.0)
    if nn > 1e-26 * dot(u, u) * dot(v, v):
        lc, lb = dot(cross(u, d), n) / nn, dot(cross(d, v), n) / nn
        if lc >= 0 and lb >= 0 and lb + lc <= 1:
            away = minus(minus(d, times(u, lb)), times(v, lc))
            best, found = dot(away, away), (1 - lb - lc, lb, lc)
    for k, (start, end) in enumerate(((a, b), (b, c), (c, a))):
        way, off = minus(end, start), minus(p, start)
        length = dot(way, way)
        t = min(max(dot(off, way) / length, 0.0), 1.0) if length > 0 else 0.0
        away = minus(off, times(way, t))
        if dot(away, away) < best:
            w = (1 - t, t, 0.0)
            best, found = dot(away, away), (w[(3 - k) % 3], w[(4 - k) % 3], w[(5 - k) % 3])
    return found, best
