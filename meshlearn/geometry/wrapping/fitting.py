"""The boundary of cells moved to an offset from what is wrapped, and kept apart from it."""

from __future__ import annotations

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


class Quads:
    """A closed mesh of quads (Q, 4), and sums around its vertices."""

    def __init__(self, quads: Tensor, count: int) -> None:
        self.quads, self.count = quads, count
        self.a, self.b = quads.reshape(-1), quads.roll(-1, 1).reshape(-1)
        self.degree = torch.bincount(self.a, minlength=count).double()

    def mean(self, values: Tensor) -> Tensor:
        """(V, ...) mean of the neighbours along edges; each edge is in two quads, once each way."""
        total = torch.zeros_like(values).index_add_(0, self.a, values[self.b])
        return total / self.degree.view(-1, *[1] * (values.dim() - 1))

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
        loose = (~held).nonzero()
        if len(loose):
            for _ in range(_LOOSE_ROUNDS):
                points[loose[:, 0]] = mesh.mean(points)[loose[:, 0]]
    raise AssertionError


class Planes:
    """The planes that a vertex and its neighbours are to be on, tangent at an offset to what is
    wrapped, and their quadrics.

    Args:
        held: (V,) bool, vertices that have a plane.
    """

    def __init__(self, feet: Feet, held: Tensor, offset: float, mesh: Quads) -> None:
        leans = (feet.normal * feet.away).sum(1, keepdim=True) < _LEANS
        normal = torch.where(leans, feet.away, feet.normal)
        self.held = held
        self.normal = torch.where(held[:, None], normal, 0.0)
        height = (self.normal * feet.foot).sum(1) + offset
        outer = (self.normal[:, :, None] * self.normal[:, None]).flatten(1)
        own = torch.cat([outer, self.normal * height[:, None], held[:, None].double()], 1)
        total = own + 2 * mesh.mean(own)
        self.matrix, self.vector, self.weight = total.split([9, 3, 1], 1)
        self.matrix = self.matrix.view(-1, 3, 3)
        self.plain = feet.foot + offset * feet.away
        a, b = self.normal[mesh.a], self.normal[mesh.b]
        bent = ((a * b).sum(1) < _SHARP) & held[mesh.a] & held[mesh.b]
        way = feet.foot[mesh.b] - feet.foot[mesh.a]
        opens = ((b - a) * way).sum(1) / ((b - a).norm(dim=1) * way.norm(dim=1)).clamp(min=1e-300)
        inward = bent & (opens < -_HOLLOW)
        self.sharp, self.hollow = (_ends(which, mesh) for which in (bent, inward))

    def rest(self, points: Tensor) -> Tensor:
        """(V, 3) half the slope of the quadric, downward."""
        return self.vector - (self.matrix @ points[..., None]).squeeze(-1)

    def towards(self, points: Tensor) -> Tensor:
        """Points moved to their plane, or where planes around differ by a step down the quadric:
        of the two sides of an edge, neither draws a vertex over to it."""
        step = points + self.rest(points) / self.weight.clamp(min=1e-9)
        moved = torch.where(self.sharp[:, None], step, self.plain)
        return torch.where(self.held[:, None], moved, points)


def _ends(which: Tensor, mesh: Quads) -> Tensor:
    """(V,) bool: vertices at the ends of edges that are true in a mask (4 Q,)."""
    found = torch.zeros(mesh.count, dtype=torch.bool)
    found[mesh.a[which]] = True
    found[mesh.b[which]] = True
    return found


def _outward(feet: Feet, normal: Tensor, reach: float, cell: float) -> tuple[Feet, Tensor]:
    """Feet whose ways lead outward, as `normal` (V, 3) of the mesh does, and which of them count.

    Smoothing may have sunk a vertex a little below what is wrapped: its way is turned.
    """
    along = (feet.away * normal).sum(1)
    sunk = (along < -_AGREES) & (feet.distance < _SUNK * cell)
    turn = torch.where(sunk, -1.0, 1.0)[:, None].to(feet.away)
    held = sunk | ((along > _AGREES) & (feet.distance <= reach))
    return feet._replace(away=turn * feet.away, normal=turn * feet.normal), held


def _sharpened(
    points: Tensor, target: Tensor, planes: Planes, mesh: Quads, cell: float
) -> tuple[Tensor, Tensor]:
    """`target` with vertices near a sharp edge moved to where the planes around them meet, and
    which those are; others beside it are on their own plane."""
    outer = planes.sharp & planes.held & ~planes.hollow
    made = torch.where(outer[:, None], planes.plain, target)
    found = (planes.sharp & planes.held).nonzero().squeeze(1)
    sharp = torch.zeros(mesh.count, dtype=torch.bool)
    matrix = planes.matrix[found]
    pull = _PULL * matrix.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    system = matrix + pull * torch.eye(3, dtype=torch.float64)
    move = torch.linalg.solve(system, planes.rest(made)[found][..., None]).squeeze(-1)
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
    across = (normal[mesh.a] * normal[mesh.b]).sum(1) < _SHARP
    a, b = mesh.a[across], mesh.b[across]
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
    now, query = goal, torch.arange(len(faces))
    order = morton_order(torch.cat([now, around]), every)
    for _ in range(_TRIES):
        found = crossing(torch.cat([now, around]), every, query, order=order)
        bad = found >= 0
        partner = found[bad]
        crossed = torch.cat([query[bad], partner[partner < len(faces)]])
        if not len(crossed):
            crossed = _nearest_to_outside(now, faces, within)
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


def _nearest_to_outside(vertices: Tensor, faces: Tensor, points: Tensor) -> Tensor:
    """Faces that are nearest to those of `points` that they do not enclose."""
    if not len(points):
        return faces.new_empty(0)
    middle = vertices.double().mean(0)
    tree = MeshBVH(Mesh((vertices.double() - middle).float(), faces))
    near = (points.double() - middle).float()
    outside = near[tree.winding_number(near) < 0.5]
    return tree.closest(outside)[1]
