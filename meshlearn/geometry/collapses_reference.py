"""The operator `simplify` in plain Python: the same collapses in the same order, for small meshes.

The equations are those of `meshlearn.geometry.collapses`; numbers are added in the order in which
`csrc/kernels/simplify.h` adds them, so that both find the same edges.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.geometry.collapse_parts import (
    Point,
    Quadric,
    Wedges,
    cross,
    dot,
    following,
    minus,
    preceding,
    times,
    total,
)

FREE, CURVE, CORNER, FIXED = range(4)  # how a vertex moves: anywhere, along a feature, not, never
NEVER, QUEUED, PLAIN, REFUSED = range(4)  # of an edge: queued for its best place, or a plain one


class Surface(NamedTuple):
    """What is simplified; see `collapses.collapsed`."""

    vertices: Tensor
    faces: Tensor
    wedge: Sequence[Tensor]
    values: Sequence[Tensor]
    flat: Sequence[int]
    seam: Tensor


def collapsed_reference(surface: Surface, rules: Sequence[float], target: int) -> list[Tensor]:
    """Reference of the operator `simplify`."""
    work = _Collapses(surface, rules)
    work.run(target)
    return work.result()


class _Collapses:
    """Half-edge h = 3 f + k goes from corner k of face f to the next one."""

    def __init__(self, surface: Surface, rules: Sequence[float]) -> None:
        self.surface = surface
        self.steady, self.border_weight, self.turn, self.thin, self.flat, self.crowded = rules
        self.given = [tuple(p) for p in surface.vertices.tolist()]
        self.where: list[Point] = list(self.given)
        self.count = len(self.where)
        self.vert: list[int] = surface.faces.reshape(-1).tolist()
        self.half = len(self.vert)
        self.dead = [False] * (self.half // 3)
        self.alive = len(self.dead)
        self.loose = 0  # 1: features give way
        self.queue: list[tuple[float, int]] = []
        self.link()
        self.split_fans()
        self.mark_features()
        self.wedges = [
            self.gather_wedges(index, rows, bool(flat))
            for index, rows, flat in zip(surface.wedge, surface.values, surface.flat, strict=True)
        ]
        self.add_quadrics()

    def to(self, h: int) -> int:
        return self.vert[following(h)]

    def whole(self, v: int) -> int:
        return v if v < self.count else self.split[v - self.count]

    def around(self, v: int) -> Iterator[int]:
        """Half-edges that leave v, counter-clockwise."""
        start = h = self.out[v]
        while h >= 0:
            yield h
            h = self.twin[preceding(h)]
            if h == start:
                break

    # --- the surface as it is given

    def link(self) -> None:
        """Pairs half-edges of edges that have two faces with one orientation."""
        self.twin = [-1] * self.half
        self.kind = [FREE] * self.count
        edges: dict[tuple[int, int], list[int]] = {}
        for h in range(self.half):
            a, b = self.vert[h], self.to(h)
            edges.setdefault((min(a, b), max(a, b)), []).append(h)
        for ends, sides in edges.items():
            if len(sides) == 2 and self.vert[sides[0]] != self.vert[sides[1]]:
                self.twin[sides[0]], self.twin[sides[1]] = sides[1], sides[0]
            elif len(sides) > 1:
                for v in ends:
                    self.kind[v] = FIXED

    def split_fans(self) -> None:
        """A vertex whose faces are not one fan becomes several, which stay where they are."""
        self.out = [-1] * self.count
        self.valence = [0] * self.count
        self.border = [False] * self.count
        self.split: list[int] = []
        old = list(self.vert)
        seen = [False] * self.half
        for closed in (False, True):  # fans with an end start there
            for h in range(self.half):
                if seen[h] or (not closed and self.twin[h] >= 0):
                    continue
                v = old[h]
                if self.out[v] >= 0:
                    self.kind[v] = FIXED
                    self.split.append(v)
                    self.where.append(self.where[v])
                    v = len(self.where) - 1
                    self.kind.append(FIXED)
                    self.out.append(-1)
                    self.valence.append(0)
                    self.border.append(False)
                self.out[v] = h
                for g in self.around_old(h):
                    seen[g] = True
                    self.vert[g] = v
                    self.valence[v] += 1
                    if self.twin[preceding(g)] < 0:
                        self.valence[v] += 1
                        self.border[v] = True
        self.parent = list(range(len(self.where)))
        self.near = [self.whole(v) for v in range(len(self.where))]

    def around_old(self, h: int) -> list[int]:
        found: list[int] = []
        g = h
        while g >= 0 and (g != h or not found):
            found.append(g)
            g = self.twin[preceding(g)]
        return found

    def mark_features(self) -> None:
        """Edges that are kept: borders, and seams, unless too many edges are such."""
        self.feature = [t < 0 for t in self.twin]
        inner = [h for h in range(self.half) if self.twin[h] > h]
        for numbers in self.surface.seam:
            seam = numbers.reshape(-1).tolist()
            found: list[int] = []
            for h in inner:
                t = self.twin[h]
                if seam[h] != seam[following(t)] or seam[following(h)] != seam[t]:
                    found.append(h)
            if len(found) * self.crowded > len(inner):
                continue
            for h in found:
                self.feature[h] = self.feature[self.twin[h]] = True
        meet = [0] * len(self.where)
        for h in range(self.half):
            if self.feature[h] and not 0 <= self.twin[h] < h:
                meet[self.vert[h]] += 1
                meet[self.to(h)] += 1
        for v, number in enumerate(meet):
            if self.kind[v] != FIXED:
                self.kind[v] = FREE if number == 0 else CURVE if number == 2 else CORNER

    def gather_wedges(self, index: Tensor, rows: Tensor, flat: bool) -> Wedges:
        """Corners of a vertex that have the same values are one wedge."""
        made = Wedges(rows.shape[1], flat, self.half)
        row, value = index.reshape(-1).tolist(), rows.tolist()
        for v in range(len(self.where)):
            mine: dict[tuple[float, ...], int] = {}
            for h in self.around(v):
                key = tuple(value[row[h]])
                if key not in mine:
                    mine[key] = len(made.value)
                    made.value.append(list(key))
                made.of[h] = mine[key]
        made.weight = [0.0] * len(made.value)
        made.slope = [[[0.0] * 4 for _ in range(made.width)] for _ in made.value]
        return made

    def add_quadrics(self) -> None:
        self.quadric = [Quadric() for _ in self.where]
        for f in range(self.half // 3):
            h = 3 * f
            a, b, c = (self.where[self.vert[h + k]] for k in range(3))
            normal = cross(minus(b, a), minus(c, a))
            size = math.sqrt(dot(normal, normal))
            if not size > 0:
                continue
            unit = times(normal, 1 / size)
            area = size / 2
            centre = (a[0] + b[0] + c[0], a[1] + b[1] + c[1], a[2] + b[2] + c[2])
            q = Quadric()
            q.add_plane(unit, -dot(unit, times(centre, 1 / 3)), area)
            sides = (minus(b, a), minus(c, b), minus(a, c))
            if size > self.flat * max(dot(s, s) for s in sides):
                gb = times(cross(unit, minus(a, c)), 1 / size)
                gc = times(cross(unit, minus(b, a)), 1 / size)
                for w in self.wedges:
                    self.add_slopes(w, h, q, gb, gc, area)
            for k in range(3):
                v = self.vert[h + k]
                self.quadric[v].add(q)
                self.quadric[v].add_point(self.where[v], self.steady * area)
                if not self.feature[h + k]:
                    continue
                start, end = self.where[self.vert[h + k]], self.where[self.to(h + k)]
                across = cross(minus(end, start), unit)
                length = math.sqrt(dot(across, across))
                if not length > 0:
                    continue
                side = times(across, 1 / length)
                way = minus(end, start)
                edge = Quadric()  # (Q4)
                edge.add_plane(side, -dot(side, start), self.border_weight * dot(way, way))
                self.quadric[self.vert[h + k]].add(edge)
                self.quadric[self.to(h + k)].add(edge)

    def add_slopes(self, w: Wedges, h: int, q: Quadric, gb: Point, gc: Point, area: float) -> None:
        a = self.where[self.vert[h]]
        mine = [w.of[h + k] for k in range(3)]
        for j in range(w.width):
            sa, sb, sc = (w.value[i][j] for i in mine)
            g1, g2 = times(gb, sb - sa), times(gc, sc - sa)
            g = (g1[0] + g2[0], g1[1] + g2[1], g1[2] + g2[2])
            d = sa - dot(g, a)
            q.add_plane(g, d, area)  # (Q3)
            for i in mine:
                slope = w.slope[i][j]
                for axis in range(3):
                    slope[axis] += area * g[axis]
                slope[3] += area * d
        for i in mine:
            w.weight[i] += area

    # --- what a collapse costs

    def classes(self, h: int, w: Wedges) -> int:
        """The wedges at both ends of h: those that its faces join are one class."""
        t = self.twin[h]
        members: list[int] = []
        for v, first in ((self.vert[h], h), (self.to(h), following(h))):
            own = dict.fromkeys(w.of[g] for g in self.around(v))
            members += own if len(own) > 1 else [w.of[first]]
        group = dict(zip(members, range(len(members)), strict=True))
        pairs = [(w.of[h], w.of[following(h)])]
        if t >= 0:
            pairs.append((w.of[following(t)], w.of[t]))
        for one, other in pairs:
            low, high = sorted((group[one], group[other]))
            group = {k: low if g == high else g for k, g in group.items()}
        names = {g: i for i, g in enumerate(dict.fromkeys(group.values()))}
        w.group = {k: names[g] for k, g in group.items()}
        return len(names)

    def staying(self, h: int) -> int | None:
        """The end of h that does not move, -1 where both do, None where h never collapses."""
        u, v = self.vert[h], self.to(h)
        ku, kv = self.kind[u], self.kind[v]
        if ku == kv == FIXED:
            return None
        if FIXED in (ku, kv):
            if FREE not in (ku, kv) and not self.feature[h] and not self.loose:
                return None
            return u if ku == FIXED else v
        if FREE in (ku, kv):
            return u if ku != FREE else v if kv != FREE else -1
        if self.loose:
            return -1
        if not self.feature[h] or ku == kv == CORNER:
            return None
        return u if ku == CORNER else v if kv == CORNER else -1

    def evaluate(self, h: int, plain: bool = False) -> tuple[float, Point] | None:
        stay = self.staying(h)
        if stay is None:
            return None
        u, v = self.vert[h], self.to(h)
        q = Quadric(self.quadric[u].q)
        q.add(self.quadric[v])
        for a in self.wedges:  # (Q5)
            for g in range(self.classes(h, a)):
                members = a.members(g)
                weight = total(a.weight[i] for i in members)
                if not weight > 0:
                    continue
                for j in range(a.width):
                    x, y, z, d = (total(a.slope[i][j][k] for i in members) for k in range(4))
                    q.add_plane(times((x, y, z), 1 / weight), d / weight, -weight)
        p: Point | None
        if stay >= 0:
            p = self.where[stay]
        else:
            p = None if plain else q.least()
        if p is None:
            pu, pv = self.where[u], self.where[v]
            middle = ((pu[0] + pv[0]) * 0.5, (pu[1] + pv[1]) * 0.5, (pu[2] + pv[2]) * 0.5)
            cu, cv, cm = q.at(pu), q.at(pv), q.at(middle)
            p = middle if cm <= cu and cm <= cv else pu if cu <= cv else pv
        return max(q.at(p), 0.0), p

    # --- collapses

    def run(self, target: int) -> None:
        while self.loose < 2 and self.alive > target:
            before = -1
            while self.alive > target and self.alive != before:
                before = self.alive
                self.fill_queue()
                self.drain(target)
            self.loose += 1

    def fill_queue(self) -> None:
        self.state = [NEVER] * self.half
        self.stuck = [False] * len(self.where)  # vertices that an edge was refused at
        self.queue = []
        for h in range(self.half):
            if not self.dead[h // 3] and not 0 <= self.twin[h] < h:
                self.put(h)

    def put(self, h: int) -> None:
        found = self.evaluate(h)
        if found is not None:
            self.state[h] = QUEUED
            heapq.heappush(self.queue, (found[0], h))

    def again(self, h: int, changed: bool) -> None:
        """Queues an edge that changed, or that was refused."""
        t = self.twin[h]
        states = {self.state[h], self.state[t] if t >= 0 else NEVER}
        if not states & {QUEUED, PLAIN} and (changed or REFUSED in states):
            self.put(h)

    def drain(self, target: int) -> None:
        while self.alive > target and self.queue:
            h = heapq.heappop(self.queue)[1]
            if self.dead[h // 3]:
                continue
            plain = self.state[h] == PLAIN
            found = self.evaluate(h, plain)
            # costs only grow: one that has grown goes back to its place
            if found is not None and self.queue and self.queue[0] < (found[0], h):
                heapq.heappush(self.queue, (found[0], h))
                continue
            self.state[h] = NEVER
            if found is None:
                continue
            u, v, p = self.vert[h], self.to(h), found[1]
            if self.kind[u] == FIXED:
                u, v = v, u
            self.state[h] = REFUSED
            self.stuck[u] = self.stuck[v] = True
            if not self.may_go(h):
                continue
            self.mix(h, p)
            if self.turns(u, v, p) or self.turns(v, u, p):
                # an end of the edge, or its middle, may do where the best place does not
                other = None if plain else self.evaluate(h, True)
                if other is not None and other[1] != p:
                    self.state[h] = PLAIN
                    heapq.heappush(self.queue, (other[0], h))
                continue
            self.collapse(h, u, v, p)
            self.stuck[v] = False
            for g in self.edges_at(v):
                self.again(g, True)
            for w in self.neighbours(v):
                if self.stuck[w]:
                    self.stuck[w] = False
                    for g in self.edges_at(w):
                        self.again(g, False)

    def edges_at(self, v: int) -> list[int]:
        """A half-edge of each edge at v."""
        found = []
        for g in self.around(v):
            found.append(g)
            if self.twin[preceding(g)] < 0:
                found.append(preceding(g))
        return found

    def neighbours(self, v: int) -> list[int]:
        found: dict[int, None] = {}
        for g in self.around(v):
            found[self.to(g)] = None
            if self.twin[preceding(g)] < 0:
                found[self.vert[preceding(g)]] = None
        return list(found)

    def may_go(self, h: int) -> bool:
        """Whether the surface stays a manifold without h."""
        t, u, v = self.twin[h], self.vert[h], self.to(h)
        if t >= 0 and self.border[u] and self.border[v]:
            return False
        for g in (h, t):
            if g < 0:
                continue
            a = self.vert[preceding(g)]
            if self.valence[a] <= (2 if self.border[a] else 3):
                return False
            if not self.loose and self.feature[following(g)] and self.feature[preceding(g)]:
                return False
        common = set(self.neighbours(u)) & set(self.neighbours(v))
        return len(common) == (2 if t >= 0 else 1)

    def turns(self, v: int, other: int, p: Point) -> bool:
        """Whether a face at v, but those at `other`, would turn over or become thin with v at p."""
        old = self.where[v]
        for g in self.around(v):
            i, j = self.to(g), self.vert[preceding(g)]
            if other in (i, j):
                continue
            a, b = self.where[i], self.where[j]
            before = cross(minus(a, old), minus(b, old))
            after = cross(minus(a, p), minus(b, p))
            nb, na, both = dot(before, before), dot(after, after), dot(before, after)
            if not (both > 0 or nb == 0) or both * both < self.turn * self.turn * nb * na:
                return True
            side = minus(b, a)
            longest, long_before = (
                max(dot(s, s) for s in (side, minus(a, q), minus(b, q))) for q in (p, old)
            )
            limit = 2 * self.thin * longest
            if not na > limit * limit and not (
                na * long_before * long_before > nb * longest * longest
            ):
                return True
            if self.loose:
                continue
            for w in self.wedges:
                for k in range(0, w.width - 1, 2) if w.flat else ():
                    x, y, z = (w.value[w.of[e]][k : k + 2] for e in (g, following(g), preceding(g)))
                    n = w.mixed[w.group[w.of[g]]][k : k + 2]
                    was = (y[0] - x[0]) * (z[1] - x[1]) - (y[1] - x[1]) * (z[0] - x[0])
                    now = (y[0] - n[0]) * (z[1] - n[1]) - (y[1] - n[1]) * (z[0] - n[0])
                    if was != 0 and not (now > 0 if was > 0 else now < 0):
                        return True
        return False

    def mix(self, h: int, p: Point) -> None:
        """The values of each class where h goes to p (Q6)."""
        for a in self.wedges:
            a.mixed = []
            for g in range(self.classes(h, a)):
                members = a.members(g)
                weight = total(a.weight[i] for i in members)
                row = []
                for j in range(a.width):
                    mixed = 0.0
                    for i in members:
                        s = a.slope[i][j]
                        mixed += s[0] * p[0] + s[1] * p[1] + s[2] * p[2] + s[3]
                    row.append(mixed / weight if weight > 0 else a.value[members[-1]][j])
                a.mixed.append(row)

    def collapse(self, h: int, u: int, v: int, p: Point) -> None:
        """Makes the end u of h the other end v, at p."""
        t = self.twin[h]
        if self.kind[v] != FIXED:
            nu, nv = (minus(self.given[self.near[x]], p) for x in (u, v))
            if dot(nu, nu) < dot(nv, nv):
                self.near[v] = self.near[u]
        for w in self.wedges:
            self.join_wedges(w, u, v)
        for g in list(self.around(u)):
            self.vert[g] = v
        self.parent[u] = v
        self.quadric[v].add(self.quadric[u])
        self.where[v] = p
        ku, kv = self.kind[u], self.kind[v]
        pinched = FREE not in (ku, kv) and not self.feature[h] and FIXED not in (ku, kv)
        self.kind[v] = CORNER if pinched else max(ku, kv)
        self.border[v] |= self.border[u]
        self.valence[v] += self.valence[u] - 2
        start = -1
        for g in (h, t):
            if g < 0:
                continue
            n, q = following(g), preceding(g)
            a, tn, tq = self.vert[q], self.twin[n], self.twin[q]
            self.dead[g // 3] = True
            self.alive -= 1
            self.valence[v] -= 1
            self.valence[a] -= 1
            kept = self.feature[n] or self.feature[q]
            for one, other in ((tn, tq), (tq, tn)):
                if one >= 0:
                    self.twin[one], self.feature[one] = other, kept
            if self.out[a] == q:
                self.out[a] = tn if tn >= 0 else following(tq)
            if start < 0:
                start = following(tn) if tn >= 0 else tq
        while self.border[v] and self.twin[start] >= 0:
            start = following(self.twin[start])
        self.out[v] = start

    def join_wedges(self, a: Wedges, u: int, v: int) -> None:
        """The first wedge of a class takes the others."""
        head: dict[int, int] = {}
        for w, g in a.group.items():
            first = head.setdefault(g, w)
            if first == w:
                continue
            a.weight[first] += a.weight[w]
            for mine, theirs in zip(a.slope[first], a.slope[w], strict=True):
                for k in range(4):
                    mine[k] += theirs[k]
        for g, w in head.items():
            a.value[w] = list(a.mixed[g])
        for g in [*self.around(u), *self.around(v)]:
            a.of[g] = head[a.group[a.of[g]]]

    # --- the surface that is left

    def result(self) -> list[Tensor]:
        left = [f for f, dead in enumerate(self.dead) if not dead]
        used = {self.vert[3 * f + k] for f in left for k in range(3)}
        number: dict[int, int] = {}
        position: list[Point] = []
        nearest: list[int] = []
        for v in sorted(used):
            if self.whole(v) not in number:
                number[self.whole(v)] = len(position)
                position.append(self.where[v])
                nearest.append(self.near[v])
        vertex_map = []
        for v in range(self.count):
            while self.parent[v] != v:
                v = self.parent[v]
            vertex_map.append(number.get(self.whole(v), -1))
        faces = [[number[self.whole(self.vert[3 * f + k])] for k in range(3)] for f in left]
        out = [
            torch.tensor(position, dtype=torch.float64).reshape(-1, 3),
            torch.tensor(faces, dtype=torch.int64).reshape(-1, 3),
            torch.tensor(left, dtype=torch.int64),
            torch.tensor(vertex_map, dtype=torch.int64),
            torch.tensor(nearest, dtype=torch.int64),
        ]
        for a in self.wedges:
            mine = [a.of[3 * f + k] for f in left for k in range(3)]
            row = {w: i for i, w in enumerate(dict.fromkeys(mine))}
            out.append(torch.tensor([row[w] for w in mine], dtype=torch.int64).reshape(-1, 3))
            values = [a.value[w] for w in row]
            out.append(torch.tensor(values, dtype=torch.float64).reshape(-1, a.width))
        return out
