"""Rigid and similar registration: a scan or a mesh moved onto another one."""

from __future__ import annotations

import itertools
import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from meshlearn._validate import TensorLike, check_tensor
from meshlearn.geometry._space import check_points
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.neighbours import PointTree
from meshlearn.geometry.sampling import sample_surface
from meshlearn.mesh import Mesh
from meshlearn.mesh.placing import affine

RegistrationMethod = Literal["plane", "point"]
RegistrationStart = Literal["moments", "none"]
_COARSE = 1500  # points of the source that coarse steps look at
_TRIED = 400  # points by which starts are compared
_FIRST = 6  # steps of each start
_AROUND = 12  # neighbours that a normal of a point is taken from
_TUKEY = 4.685  # of residuals in units of their spread: beyond, a pair counts nothing
_SPREAD = 1.4826  # of a normal distribution, by its median absolute value
_BESIDE = 1e-3  # of the median distance of pairs: a move that their noise hides
_ON_EDGE = 1e-9  # of barycentric weights: a point that lies on an edge
_STILL = 1e-6  # of the size: a move that is none
_DAMPING = 1e-9  # of the trace, so that a plane or a ball has an answer


class Registration(NamedTuple):
    """How a source comes to lie on a target.

    Attributes:
        matrix: (4, 4) float64, for ``mesh.transform(matrix)`` of the source.
        error: root mean square distance to the target of the pairs that count, in its unit.
        overlap: share of the source's points that count.
        steps: of the fine iteration.
        converged: whether it came to rest.
    """

    matrix: Tensor
    error: float
    overlap: float
    steps: int
    converged: bool


def register(
    source: Mesh | TensorLike,
    target: Mesh | TensorLike,
    *,
    scale: bool = False,
    method: RegistrationMethod = "plane",
    start: RegistrationStart | TensorLike = "moments",
    max_distance: float | None = None,
    iterations: int = 60,
    samples: int = 20_000,
) -> Registration:
    """The rotation and move, and scale if wanted, that bring a source onto a target.

    Iterative closest points; pairs that are far apart for the others count less, and nothing beyond
    4.685 times their spread (Tukey), so that noise, outliers and parts that only one has do little
    harm. Deterministic.

    Args:
        source: a Mesh, which is sampled, or points (N, 3).
        target: a Mesh, whose surface is met, or points (M, 3).
        scale: also one factor for all axes.
        method: what pairs minimise: "plane", the distance to the target's tangent plane, which
            needs few steps; or "point", that to the nearest point itself.
        start: "moments": the best of the turns that match principal axes, and of none; "none": as
            they lie; or a matrix (4, 4).
        max_distance: pairs further apart never count, in the target's unit.
        iterations: most steps.
        samples: most points of the source that are used.

    Returns:
        Registration.

    Raises:
        ValueError: fewer than three points, points in one line, coordinates that are not finite, no
            pair within `max_distance`, or a wrong number or name.

    Example:
        >>> found = ml.geometry.register(scan, part)
        >>> placed = scan.transform(found.matrix)

    Source: P. Besl, N. McKay, A method for registration of 3-D shapes, 1992; Y. Chen, G. Medioni,
    Object modelling by registration of multiple range images, 1992; S. Umeyama, Least-squares
    estimation of transformation parameters between two point patterns, 1991, for points.
    """
    if method not in ("plane", "point"):
        raise ValueError(f"method: expected 'plane' or 'point', got {method!r}; pass one")
    for name, number in (("iterations", iterations), ("samples", samples)):
        if not isinstance(number, int) or isinstance(number, bool) or number < 3:
            raise ValueError(f"{name}: expected a whole number of 3 or more, got {number!r}")
    if max_distance is not None and not max_distance > 0:
        raise ValueError(f"max_distance: expected a number above 0, got {max_distance!r}")
    given = start_matrix(start)
    points, found = _cloud(source, "source", samples), Target(target, samples)
    goal, middle, size = found.sampled, found.middle, found.size
    # everything in the target's frame: its middle the origin, its root mean square radius one
    frame = torch.eye(4, dtype=torch.float64)
    frame[:3, :3] /= size
    frame[:3, 3] = -middle / size
    reach = math.inf if max_distance is None else max_distance / size
    task = _Task(found, scale, method == "plane", reach)
    own = moved(frame, points)
    some = own[some_rows(len(own), _COARSE)]
    if given is None:
        goal = moved(frame, goal)
        matrix = _best(task, own[some_rows(len(own), _TRIED)], own, goal, start == "moments")
    else:
        matrix = frame @ given @ torch.linalg.inv(frame)
    matrix, _, _ = task.run(some, matrix, iterations)
    matrix, steps, converged = task.run(own, matrix, iterations)
    _, _, weight, away = task.pairs(own, matrix)
    counts = weight > 0
    if not bool(counts.any()):
        raise ValueError(_APART.format(max_distance))
    error = float(away[counts].square().mean().sqrt()) * size
    overlap = float(counts.double().mean())
    back = torch.linalg.inv(frame) @ matrix @ frame
    back[3] = torch.tensor([0, 0, 0, 1.0])
    return Registration(back, error, overlap, steps, converged)


_APART = (
    "max_distance: no point of the source comes within {} of the target; pass a larger one, or "
    "start='moments' where they lie apart"
)


def start_matrix(start: object) -> Tensor | None:
    """A matrix that was given as the start."""
    if isinstance(start, str):
        if start not in ("moments", "none"):
            raise ValueError(f"start: expected 'moments', 'none' or a matrix, got {start!r}")
        return None
    linear, offset = affine(start, torch.zeros(0, dtype=torch.float64))
    matrix = torch.eye(4, dtype=torch.float64)
    matrix[:3, :3], matrix[:3, 3] = linear, offset
    return matrix


def _cloud(given: Mesh | TensorLike, name: str, samples: int) -> Tensor:
    """(N, 3) float64 points on the CPU, of a mesh or as given; at most `samples`."""
    if isinstance(given, Mesh):
        whole = given.detach().to("cpu").to(torch.float64)
        check_tensor(whole.vertices, f"{name}.vertices", finite=True)
        if whole.num_faces:
            generator = torch.Generator().manual_seed(0)
            return sample_surface(whole, samples, generator=generator).points
        points = whole.vertices
    else:
        points = check_points(given, name).detach().cpu().double()
    if len(points) < 3:
        raise ValueError(f"{name}: expected three points or more, got {len(points)}; add some")
    points = points[some_rows(len(points), samples)]
    spread = torch.linalg.svdvals(points - points.mean(0))
    if not float(spread[1]) > 1e-9 * float(spread[0]):
        raise ValueError(
            f"{name}: expected points that are not all in one line, got such; add some"
        )
    return points


def some_rows(count: int, most: int) -> Tensor:
    """(min(count, most),) ascending indices, the same each time."""
    if count <= most:
        return torch.arange(count)
    generator = torch.Generator().manual_seed(1)
    return torch.randperm(count, generator=generator)[:most].sort().values


class Target:
    """Nearest points of the target and their normals, in its own frame: its middle the origin, its
    root mean square radius one.

    Attributes:
        sampled: (N, 3) points of it, at most `samples`, as they were given.
        middle, size: the frame.
    """

    def __init__(self, given: Mesh | TensorLike, samples: int = 20_000) -> None:
        self.sampled = _cloud(given, "target", samples)
        self.middle = middle = self.sampled.mean(0)
        self.size = size = float((self.sampled - middle).norm(dim=1).square().mean().sqrt())
        self.tree: MeshBVH | None = None
        if isinstance(given, Mesh) and given.num_faces:
            whole = given.detach().to("cpu").to(torch.float64)
            self.tree = MeshBVH(whole.with_vertices((whole.vertices - middle) / size))
            self.normal = self.tree.mesh.face_normals()
            return
        points = given.vertices if isinstance(given, Mesh) else check_points(given, "target")
        self.points = (points.detach().cpu().double() - middle) / size
        self.cloud = PointTree(self.points)
        self.normal = torch.zeros_like(self.points)
        self.known = torch.zeros(len(self.points), dtype=torch.bool)

    def nearest(self, points: Tensor, normals: bool) -> tuple[Tensor, Tensor | None]:
        """Nearest points (N, 3) and unit normals there."""
        if self.tree is not None:
            _, face, weight = self.tree.closest(points)
            corners = self.tree.mesh.vertices[self.tree.mesh.faces[face]]
            return (corners * weight[..., None]).sum(1), self.normal[face]
        index = self.cloud.knn(points, 1).index[:, 0]
        if normals:
            wanted = torch.zeros_like(self.known)
            wanted[index] = True
            self._learn((wanted & ~self.known).nonzero().squeeze(1))
        return self.points[index], self.normal[index] if normals else None

    def counterparts(self, points: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Nearest points (N, 3), unit normals there, and whether these lie on an open border."""
        if self.tree is None:
            near, normal = self.nearest(points, True)
            assert normal is not None
            return near, normal, torch.zeros(len(points), dtype=torch.bool)
        _, face, weight = self.tree.closest(points)
        mesh = self.tree.mesh
        near = (mesh.vertices[mesh.faces[face]] * weight[..., None]).sum(1)
        open_edge = mesh.topology.edge_face_counts == 1
        rim = torch.zeros(mesh.num_vertices, dtype=torch.bool)
        rim[mesh.topology.edges[open_edge].reshape(-1)] = True
        beside = weight.roll(1, 1) < _ON_EDGE  # edge k is opposite corner k + 2
        border = (open_edge[mesh.topology.face_edges[face]] & beside).any(1)
        border |= (rim[mesh.faces[face]] & (weight > 1 - _ON_EDGE)).any(1)
        return near, self.normal[face], border

    def _learn(self, rows: Tensor) -> None:
        """Normals of points by their neighbours; zero where these are in a line."""
        if not len(rows):
            return
        near = self.cloud.knn(self.points[rows], min(_AROUND, len(self.points))).index
        around = self.points[near]
        around = around - around.mean(1, keepdim=True)
        self.normal[rows] = _across(around.transpose(1, 2) @ around)
        self.known[rows] = True


def _across(matrix: Tensor) -> Tensor:
    """(N, 3) eigenvectors of the least eigenvalues of symmetric matrices (N, 3, 3)."""
    third = matrix.diagonal(dim1=1, dim2=2).sum(1) / 3
    eye = torch.eye(3, dtype=matrix.dtype)
    away = matrix - third[:, None, None] * eye
    radius = (away.square().sum((1, 2)) / 6).sqrt().clamp(min=1e-300)
    turn = (torch.linalg.det(away / radius[:, None, None]) / 2).clamp(-1, 1).acos() / 3
    least = third + 2 * radius * (turn + 2 * math.pi / 3).cos()
    rows = matrix - least[:, None, None] * eye
    a, b, c = rows.unbind(1)
    cross = torch.stack([torch.linalg.cross(p, q) for p, q in ((a, b), (b, c), (c, a))], 1)
    length = cross.square().sum(2)
    best = cross[torch.arange(len(cross)), length.argmax(1)]
    norm = best.norm(dim=1, keepdim=True)
    return torch.where(norm > 0, best / norm.clamp(min=1e-300), 0)


class _Task:
    """Steps of one registration."""

    def __init__(self, target: Target, scale: bool, plane: bool, reach: float) -> None:
        self.target, self.scale, self.plane, self.reach = target, scale, plane, reach

    def pairs(
        self, points: Tensor, matrix: Tensor
    ) -> tuple[Tensor, tuple[Tensor, Tensor | None], Tensor, Tensor]:
        """Moved points, their nearest with normals, weights and distances of the pairs."""
        at = moved(matrix, points)
        near, normal = self.target.nearest(at, self.plane)
        away = (at - near).norm(dim=1)
        within = away[away <= self.reach]
        spread = _SPREAD * float(within.median()) if len(within) else 0.0
        room = _TUKEY * max(spread, 1e-9)
        weight = (1 - (away / room).square()).clamp(min=0).square() * (away <= self.reach)
        return at, (near, normal), weight, away

    def cost(self, points: Tensor, matrix: Tensor, goal: Tensor) -> float:
        """Distances both ways: to the target, and of some of its points, as few get near a source
        that has shrunk."""
        away = self.pairs(points, matrix)[3]
        some = goal[some_rows(len(goal), _TRIED)]
        back = PointTree(moved(matrix, points)).knn(some, 1).squared_distance.sqrt()
        return float(away.mean()) + 0.5 * float(back.median())

    def run(self, points: Tensor, matrix: Tensor, most: int) -> tuple[Tensor, int, bool]:
        for step in range(1, most + 1):
            at, (near, normal), weight, away = self.pairs(points, matrix)
            if not bool((weight > 0).any()):
                return matrix, step, False
            if self.plane and normal is not None:
                change = self._to_planes(at, near, normal, weight)
            else:
                change = self._to_points(at, near, weight)
            matrix = change @ matrix
            way = (moved(change, at) - at).norm(dim=1).max()
            if float(way) < max(_STILL, _BESIDE * float(away.median())):
                return matrix, step, True
        return matrix, most, False

    def _to_planes(self, at: Tensor, near: Tensor, normal: Tensor, weight: Tensor) -> Tensor:
        total = weight.sum()
        middle = (weight[:, None] * at).sum(0) / total
        local = at - middle
        columns = [torch.linalg.cross(local, normal), normal]
        if self.scale:
            columns.append((local * normal).sum(1, keepdim=True))
        row = torch.cat(columns, 1)
        rest = ((near - at) * normal).sum(1)
        weighted = row * weight[:, None]
        square = weighted.T @ row
        square = square + _DAMPING * square.trace() * torch.eye(len(square), dtype=row.dtype)
        x = torch.linalg.solve(square, weighted.T @ rest)
        cross = torch.zeros(3, 3, dtype=row.dtype)
        cross[0, 1], cross[0, 2], cross[1, 2] = -x[2], x[1], -x[0]
        turn = torch.linalg.matrix_exp(cross - cross.T)
        if self.scale:
            turn = turn * float(x[6].clamp(-0.3, 0.3).exp())
        return _about(turn, middle, x[3:6])

    def _to_points(self, at: Tensor, near: Tensor, weight: Tensor) -> Tensor:
        share = (weight / weight.sum())[:, None]
        one, two = (share * at).sum(0), (share * near).sum(0)
        p, q = at - one, near - two
        u, s, v = torch.linalg.svd((share * q).T @ p)
        sign = torch.ones(3, dtype=s.dtype)
        sign[2] = torch.linalg.det(u @ v).sign()
        turn = u @ torch.diag(sign) @ v
        if self.scale:
            turn = turn * ((s * sign).sum() / (share * p.square()).sum().clamp(min=1e-300))
        return _about(turn, one, two - one)


def _about(turn: Tensor, middle: Tensor, move: Tensor) -> Tensor:
    """(4, 4) of a linear map about a point, and a move."""
    matrix = torch.eye(4, dtype=turn.dtype)
    matrix[:3, :3] = turn
    matrix[:3, 3] = middle + move - turn @ middle
    return matrix


def moved(matrix: Tensor, points: Tensor) -> Tensor:
    return points @ matrix[:3, :3].T + matrix[:3, 3]


def _best(task: _Task, few: Tensor, own: Tensor, goal: Tensor, moments: bool) -> Tensor:
    """The start from which a few steps come nearest: as it lies, or axes on axes."""
    starts = [torch.eye(4, dtype=torch.float64)]
    if not moments:
        return starts[0]
    middle, to = own.mean(0), goal.mean(0)
    p, q = own - middle, goal - to
    factor = float((q.square().sum(1).mean() / p.square().sum(1).mean()).sqrt())
    factor = factor if task.scale else 1.0
    one, two = (torch.linalg.svd(x, full_matrices=False)[2] for x in (p, q))
    for order in itertools.permutations(range(3)):
        for signs in itertools.product((1.0, -1.0), repeat=3):
            turn = two.T @ (torch.diag(torch.tensor(signs, dtype=p.dtype)) @ one[list(order)])
            if float(torch.linalg.det(turn)) > 0:
                starts.append(_about(factor * turn, middle, to - middle))
    tried = []
    for number, matrix in enumerate(starts):
        made, _, _ = task.run(few, matrix, _FIRST)
        tried.append((task.cost(few, made, goal), number, made))
    return min(tried, key=lambda item: item[:2])[2]
