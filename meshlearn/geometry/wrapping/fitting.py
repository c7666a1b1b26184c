"""The boundary of cells moved to an offset from what is wrapped, and kept apart from it."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.intersections import crossing
from meshlearn.geometry.wrapping.nearest import Feet, Wrapped
from meshlearn.mesh import Mesh
from meshlearn.mesh.topology import Topology

_ROUNDS = 3  # of smoothing and moving to the offset
_LOOSE_ROUNDS = 8  # of smoothing more where nothing is near, across holes that were closed
_SUNK = 0.5  # cells below what is wrapped that smoothing may bring a vertex
_AGREES = 0.3  # cosine of a vertex's normal and the way to its foot, below: the foot is of a rim
_SHARP = 0.9  # cosine of normals around a vertex, below: a sharp edge passes there
_SNAP = 0.75  # cells that a vertex may move to a sharp edge; an edge further is another's
_BACK = (0.5, 0.25, 0.0)  # shares of the way that vertices of faces that cross go back to
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
        target = feet.foot + offset * feet.away
        points = torch.where(held[:, None], target, points)
        if last:
            return _sharpened(points, feet, held, mesh, offset, cell)
        points = 0.5 * (points + mesh.mean(points))
        loose = (~held).nonzero()
        if len(loose):
            for _ in range(_LOOSE_ROUNDS):
                points[loose[:, 0]] = mesh.mean(points)[loose[:, 0]]
    raise AssertionError


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
    points: Tensor, feet: Feet, held: Tensor, mesh: Quads, offset: float, cell: float
) -> tuple[Tensor, Tensor]:
    """Vertices beside a sharp edge moved to where the planes around them meet: the quadric of the
    tangent planes of each vertex and its neighbours."""
    planes = feet.foot + offset * feet.normal
    normal = torch.where(held[:, None], feet.normal, 0.0)
    agree = torch.ones(mesh.count, dtype=torch.float64)
    pair = (normal[mesh.a] * normal[mesh.b]).sum(1)
    pair = torch.where(held[mesh.a] & held[mesh.b], pair, 1.0)
    agree = agree.scatter_reduce(0, mesh.a, pair, "amin")
    agree = agree.scatter_reduce(0, mesh.b, pair, "amin")
    found = ((agree < _SHARP) & held).nonzero().squeeze(1)
    sharp = torch.zeros(mesh.count, dtype=torch.bool)
    if not len(found):
        return points, sharp
    quadric = normal[:, :, None] * normal[:, None]
    height = (normal * planes).sum(1)
    around = mesh.mean(torch.cat([quadric.flatten(1), normal * height[:, None]], 1)) * 2
    own = around[found] + torch.cat([quadric.flatten(1), normal * height[:, None]], 1)[found]
    matrix, vector = own[:, :9].view(-1, 3, 3), own[:, 9:]
    at = points[found]
    pull = 0.01 * matrix.diagonal(dim1=1, dim2=2).sum(1)[:, None, None]
    identity = torch.eye(3, dtype=torch.float64)
    rest = vector - (matrix @ at[..., None]).squeeze(-1)
    move = torch.linalg.solve(matrix + pull * identity, rest[..., None]).squeeze(-1)
    near = move.norm(dim=1) <= _SNAP * cell
    points = points.clone()
    points[found[near]] = (at + move)[near]
    sharp[found[near]] = True
    return points, sharp


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
    for _ in range(_TRIES):
        found = crossing(torch.cat([now, around]), every, query)
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
