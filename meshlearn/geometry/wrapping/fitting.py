"""The boundary of cells moved to an offset from what is wrapped, and kept apart from it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.intersections import crossing, morton_order
from meshlearn.geometry.wrapping.nearest import Feet, Wrapped
from meshlearn.mesh import Mesh
from meshlearn.mesh.topology import Topology

_ROUNDS = 3  # of smoothing and moving to the offset
_LOOSE_ROUNDS = 8  # of smoothing more where nothing is near, across holes that were closed
_CLEAR = 0.2  # cells, the least offset before the last round, so that smoothing sinks nothing
_SUNK = 0.5  # cells below what is wrapped that smoothing may bring a vertex
_AGREES = 0.3  # cosine of a vertex's normal and the way to its foot, below: the foot is of a rim
_SHARP = 0.9  # cosine of normals around a vertex, below: a sharp edge passes there
_HOLLOW = 0.05  # cosine of the change of normals and the way between feet, beyond: a hollow edge
_LEANS = 0.5  # cosine of a face's normal and the way to it, below: its edge or corner is near
_PULL = 3e-3  # of the quadric's trace, what holds a vertex along the planes it is on
_SNAP = 0.75  # cells that a vertex may move to a sharp edge; an edge further is another's
_BACK = (0.75, 0.5, 0.25, 0.0)  # shares of the way that vertices of faces that cross go back to
_TRIES = 40
_THIN = 1e-9  # of an edge squared, the area below which a face may be none


class Around(NamedTuple):
    """The neighbours of some vertices along edges of quads."""

    vertices: Tensor  # (W,)
    row: Tensor  # (N,) of `vertices`
    neighbour: Tensor  # (N,) vertices


class Quads:
    """A closed mesh of quads (Q, 4), and sums around its vertices."""

    def __init__(self, quads: Tensor, count: int) -> None:
        self.quads, self.count = quads, count
        self.a, self.b = quads.reshape(-1), quads.roll(-1, 1).reshape(-1)
        self.degree = torch.bincount(self.a, minlength=count).double()[:, None]
        self.edges = (self.a < self.b).nonzero().squeeze(1)  # each edge once

    def mean(self, values: Tensor, of: Around | None = None) -> Tensor:
        """(V, N) mean of the neighbours along edges, or (W, N) for the vertices `of` alone; each
        edge is in two quads, once each way."""
        if of is None:
            total = torch.zeros_like(values).index_add_(0, self.a, values[self.b])
            return total / self.degree
        total = values.new_zeros(len(of.vertices), values.shape[1])
        return total.index_add_(0, of.row, values[of.neighbour]) / self.degree[of.vertices]

    def around(self, vertices: Tensor) -> Around:
        """The neighbours of `vertices` (W,)."""
        row = torch.full((self.count,), -1)
        row[vertices] = torch.arange(len(vertices))
        edge = (row[self.a] >= 0).nonzero().squeeze(1)
        return Around(vertices, row[self.a[edge]], self.b[edge])

    def normals(self, points: Tensor) -> Tensor:
        """(V, 3) unit normals."""
        corner = points[self.quads]
        own = torch.linalg.cross(corner[:, 2] - corner[:, 0], corner[:, 3] - corner[:, 1])
        total = torch.zeros_like(points).index_add_(0, self.a, own.repeat_interleave(4, 0))
        return torch.nn.functional.normalize(total, dim=1)

    def triangles(self, points: Tensor, sharp: Tensor) -> Tensor:
        """(2 Q, 3): each quad cut along sharp vertices, else where its halves agree better."""
        q = self.quads
        p = points[q]

        def bend(i: int, j: int, k: int, m: int) -> Tensor:
            n = torch.nn.functional.normalize(
                torch.linalg.cross(
                    torch.stack([p[:, j] - p[:, i], p[:, k] - p[:, i]]),
                    torch.stack([p[:, k] - p[:, i], p[:, m] - p[:, i]]),
                    dim=-1,
                ),
                dim=-1,
            )
            return (n[0] * n[1]).sum(1)

        first, second = bend(0, 1, 2, 3), bend(1, 2, 3, 0)
        edge = sharp[q]
        first = first + 4.0 * (edge[:, 0] & edge[:, 2])
        second = second + 4.0 * (edge[:, 1] & edge[:, 3])
        along = (first >= second)[:, None, None]
        return torch.where(
            along, q[:, [[0, 1, 2], [0, 2, 3]]], q[:, [[0, 1, 3], [1, 2, 3]]]
        ).reshape(-1, 3)


def fit(
    wrapped: Wrapped, start: Tensor, mesh: Quads, offset: float, reach: float, cell: float
) -> tuple[Tensor, Tensor]:
    """Vertices (V, 3) float64 at `offset` from what is wrapped, and which are on sharp edges.

    Args:
        start: (V, 3) corners of cells, outside.
        reach: vertices further from everything span what a ball did not enter: they are smoothed.
    """
    points = mesh.mean(start)
    for last in (*(False,) * _ROUNDS, True):
        feet, held = _outward(wrapped.feet(points), mesh.normals(points), reach, cell)
        planes = Planes(feet, held, offset if last else max(offset, _CLEAR * cell), mesh)
        target = planes.towards(points)
        if last:
            return _sharpened(points, target, planes, mesh, cell)
        points = 0.5 * (target + mesh.mean(target))
        loose = (~held).nonzero().squeeze(1)
        if len(loose):
            around = mesh.around(loose)
            for _ in range(_LOOSE_ROUNDS):
                points[loose] = mesh.mean(points, around)
    raise AssertionError


class Planes:
    """The planes that a vertex and its neighbours are to be on, tangent at an offset to what is
    wrapped, and their quadrics.

    Args:
        held: (V,) bool, vertices that have a plane.

    Attributes:
        sharp, hollow: (V,) bool, planes around differ; and so that they open outward.
        bent: (W,) vertices that are held and sharp, of which alone there are quadrics.
    """

    def __init__(self, feet: Feet, held: Tensor, offset: float, mesh: Quads) -> None:
        leans = _dot(feet.normal, feet.away)[:, None] < _LEANS
        normal = torch.where(leans, feet.away, feet.normal)
        self.held = held
        self.normal = torch.where(held[:, None], normal, 0.0)
        self.plain = feet.foot + offset * feet.away
        self.sharp, self.hollow = self._folds(feet.foot, mesh)
        self.bent = (self.sharp & held).nonzero().squeeze(1)
        around = mesh.around(self.bent)
        near = torch.cat([self.bent, around.neighbour])
        named, row = torch.unique(near, return_inverse=True)
        n = self.normal[named]
        height = _dot(n, feet.foot[named]) + offset
        outer = (n[:, :, None] * n[:, None]).flatten(1)
        own = torch.cat([outer, n * height[:, None], held[named, None].double()], 1)
        mine, others = row[: len(self.bent)], row[len(self.bent) :]
        total = own[mine] + 2 * mesh.mean(own, around._replace(neighbour=others))
        self.matrix, self.vector, self.weight = total.split([9, 3, 1], 1)
        self.matrix = self.matrix.view(-1, 3, 3)

    def _folds(self, foot: Tensor, mesh: Quads) -> tuple[Tensor, Tensor]:
        a, b = mesh.a[mesh.edges], mesh.b[mesh.edges]
        both = (self.held[a] & self.held[b]).nonzero().squeeze(1)
        a, b = a[both], b[both]
        bent = _dot(self.normal[a], self.normal[b]) < _SHARP
        a, b = a[bent], b[bent]
        turn, way = self.normal[b] - self.normal[a], foot[b] - foot[a]
        opens = _dot(turn, way) / (turn.norm(dim=1) * way.norm(dim=1)).clamp(min=1e-300)
        inward = opens < -_HOLLOW
        sharp, hollow = (torch.zeros(mesh.count, dtype=torch.bool) for _ in range(2))
        for end in (a, b):
            sharp[end] = True
            hollow[end[inward]] = True
        return sharp, hollow

    def rest(self, points: Tensor) -> Tensor:
        """(W, 3) half the slope of the quadric, downward, at `points` (W, 3) of `bent`."""
        return self.vector - (self.matrix @ points[..., None]).squeeze(-1)

    def towards(self, points: Tensor) -> Tensor:
        """Points (V, 3) moved to their plane, or where planes around differ by a step down the
        quadric: of the two sides of an edge, neither draws a vertex over to it."""
        moved = torch.where(self.held[:, None], self.plain, points)
        here = points[self.bent]
        moved[self.bent] = here + self.rest(here) / self.weight.clamp(min=1e-9)
        return moved


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """(P,) products of rows of three."""
    return a[:, 0] * b[:, 0] + a[:, 1] * b[:, 1] + a[:, 2] * b[:, 2]


def _outward(feet: Feet, normal: Tensor, reach: float, cell: float) -> tuple[Feet, Tensor]:
    """Feet whose ways lead outward, as `normal` (V, 3) of the mesh does, and which of them count.

    Smoothing may have sunk a vertex a little below what is wrapped: its way is turned.
    """
    along = _dot(feet.away, normal)
    sunk = (along < -_AGREES) & (feet.distance < _SUNK * cell)
    turn = torch.where(sunk, -1.0, 1.0)[:, None].to(feet.away)
    held = sunk | ((along > _AGREES) & (feet.distance <= reach))
    return feet._replace(away=turn * feet.away, normal=turn * feet.normal), held


def _sharpened(
    points: Tensor, target: Tensor, planes: Planes, mesh: Quads, cell: float
) -> tuple[Tensor, Tensor]:
    """`target` with vertices near a sharp edge moved to where the planes around them meet, and
    which those are; others beside it are on their own plane."""
    found = planes.bent
    outer = found[~planes.hollow[found]]
    made = target.clone()
    made[outer] = planes.plain[outer]
    sharp = torch.zeros(mesh.count, dtype=torch.bool)
    pull = _PULL * planes.matrix.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    system = planes.matrix + pull * torch.eye(3, dtype=torch.float64)
    move = torch.linalg.solve(system, planes.rest(made[found])[..., None]).squeeze(-1)
    length = torch.full((mesh.count,), torch.inf, dtype=torch.float64)
    length[found] = move.norm(dim=1)
    least = _least_across(length, planes.normal, mesh)
    near = length[found] <= _SNAP * cell
    # a ball leaves a fillet along hollow edges, whose vertices may be in several rows
    near &= ~planes.hollow[found] | (length[found] <= least[found])
    made[found[near]] += move[near]
    sharp[found[near]] = True
    return made, sharp


def _least_across(length: Tensor, normal: Tensor, mesh: Quads) -> Tensor:
    """(V,) the least `length` (V,) of a vertex's neighbours on the other side of a sharp edge."""
    a, b = mesh.a[mesh.edges], mesh.b[mesh.edges]
    known = (length[a].isfinite() & length[b].isfinite()).nonzero().squeeze(1)
    a, b = a[known], b[known]
    across = _dot(normal[a], normal[b]) < _SHARP
    a, b = a[across], b[across]
    least = torch.full_like(length, torch.inf).scatter_reduce(0, a, length[b], "amin")
    return least.scatter_reduce(0, b, length[a], "amin")


def witnesses(vertices: Tensor, faces: Tensor) -> Tensor:
    """(W, 3) points of what is wrapped that tell whether all of it is enclosed, where no face of it
    is crossed: one of each part, and all of points and of faces without area."""
    if not len(faces):
        return vertices
    corner = vertices[faces].double()
    side = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0]).norm(dim=1)
    longest = (corner - corner.roll(1, 1)).norm(dim=2).amax(1)
    thin = corner[side <= _THIN * longest**2]
    alone = torch.cat([thin, (thin + thin.roll(1, 1)) / 2]).reshape(-1, 3).to(vertices)
    labels, count = Topology(faces, len(vertices)).vertex_components()
    first = torch.full((count,), len(vertices))
    first = first.scatter_reduce(0, labels, torch.arange(len(vertices)), "amin")
    return torch.cat([vertices[first], alone])


def apart(
    wrapped: tuple[Tensor, Tensor], start: Tensor, goal: Tensor, faces: Tensor, *, touches: bool
) -> Tensor:
    """Vertices so near to `goal` that no face crosses another, nor what is wrapped, which they
    enclose.

    Vertices of faces that do go back towards where they started, on the boundary of cells, where
    all of this holds.

    Args:
        wrapped: vertices and faces of what is wrapped, in the dtype of the answer.
        start, goal: (V, 3) in the dtype of the answer.
        touches: what is wrapped may be touched, and is not looked at.
    """
    around, others = wrapped
    within = around[:0] if touches else witnesses(around, others)
    if touches or not len(others):
        around, others = around[:0], others[:0]
    every = torch.cat([faces, others + len(start)])
    shares = torch.tensor((1.0, *_BACK), dtype=start.dtype)
    step = torch.zeros(len(start), dtype=torch.int64)
    now, asked = goal, within
    order = morton_order(torch.cat([now, around]), every)
    query = order[order < len(faces)]  # neighbours in space one after another
    for _ in range(_TRIES):
        found = crossing(torch.cat([now, around]), every, query, order=order)
        bad = found >= 0
        partner = found[bad]
        crossed = torch.cat([query[bad], partner[partner < len(faces)]])
        if not len(crossed) and len(asked):
            every_one = len(asked) == len(within)
            asked, crossed = _outside(now, faces, asked)
            if not len(crossed) and not every_one:  # of the others some may have come out since
                asked, crossed = _outside(now, faces, within)
        if not len(crossed):
            return now
        back = torch.zeros(len(start), dtype=torch.bool)
        back[faces[crossed].reshape(-1)] = True
        if bool((step[back] == len(_BACK)).all()):  # then their neighbours
            back[faces[back[faces].any(1)].reshape(-1)] = True
        step = torch.where(back, (step + 1).clamp(max=len(_BACK)), step)
        share = shares[step][:, None]
        now = torch.where(step[:, None] > 0, start + share * (goal - start), goal)
        query = back[faces].any(1).nonzero().squeeze(1)
    return start


def _outside(vertices: Tensor, faces: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """Those of `points` that a mesh does not enclose, and the faces that are nearest to them."""
    low, high = vertices.double().amin(0), vertices.double().amax(0)
    middle, size = low / 2 + high / 2, float((high - low).max())
    near, around = (((p.double() - middle) / size).float() for p in (points, vertices))
    tree = MeshBVH(Mesh(around, faces))
    outside = tree.winding_number(near) < 0.5
    return points[outside], tree.closest(near[outside])[1]
