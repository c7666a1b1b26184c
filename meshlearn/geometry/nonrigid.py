"""Non-rigid registration: a mesh bent onto another one, as rigidly as that allows."""

from __future__ import annotations

import math
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor

from meshlearn._validate import TensorLike, as_tensor, check_index, check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.deformation import Deformer, rigid_motion
from meshlearn.geometry.registration import (
    RegistrationStart,
    Target,
    moved,
    register,
    start_matrix,
)
from meshlearn.geometry.rigid_cells import RigidCells
from meshlearn.geometry.simplification import simplify
from meshlearn.geometry.smoothing import lumped_areas, one_place
from meshlearn.geometry.sparse_solver import SparseCholesky
from meshlearn.geometry.turning import turned_normals
from meshlearn.mesh import Mesh

_COARSE = 1000  # vertices of the mesh that large bends are found with
_LEVELS = 10  # of stiffness, each below the one before by one factor
_STEPS = 3  # of each level
_SIZES = 6  # of factors that correspondences alone are tried with, each after the other
_TURNS = 4  # of rotations and vertices, for one set of pairs
_FINE_STEPS = 12  # of the whole mesh, at the last stiffness
_SAME_WAY = 0.5  # cosine between normals of a pair, at least
_TUKEY = 4.685  # of residuals in units of their spread: beyond, a pair counts nothing
_SPREAD = 1.4826  # of a normal distribution, by its median absolute value
_ROOM = 3.0  # lengths of stiffness within which a pair always may count
_SLIDE = 0.05  # of a pair's pull along the normal: its pull along the surface
_MARK = 10.0  # how much stronger a correspondence pulls than all edges of its vertex
_BACK = -0.5  # cosine between normals of neighbouring faces, below which there is a fold
_STILL = 2e-4  # of the size: root mean square of a step that is none


class NonrigidRegistration(NamedTuple):
    """A source bent onto a target.

    Attributes:
        mesh: the source, vertices moved: its faces, seams, attributes and materials.
        matrix: (4, 4) float64, the rigid motion, or similarity, that it began with.
        distance: (V,) float64, of each vertex to the target, in its unit.
        matched: (V,) bool, whether it has a counterpart there: near enough, facing the same way,
            not beyond an open border of the target.
        error: root mean square distance of matched vertices, by their areas.
        overlap: share of the source's area that is matched.
        factor: how much larger the source is at rest, 1 without `scale`.
        stretch: root mean square relative change of edge lengths besides.
        folds: edges over which the surface turns back on itself and did not before.
        steps: in all.
        converged: whether it came to rest.
    """

    mesh: Mesh
    matrix: Tensor
    distance: Tensor
    matched: Tensor
    error: float
    overlap: float
    factor: float
    stretch: float
    folds: int
    steps: int
    converged: bool


def register_nonrigid(
    source: Mesh,
    target: Mesh | TensorLike,
    correspondences: tuple[TensorLike, TensorLike] | None = None,
    *,
    scale: bool = False,
    start: RegistrationStart | TensorLike = "moments",
    stiffness: tuple[float, float] = (1.0, 0.02),
    max_distance: float | None = None,
) -> NonrigidRegistration:
    """A mesh bent onto a target, in its own connectivity, so that each vertex lands on its
    counterpart.

    Laid on it rigidly first; then iterative closest points, in which the surface resists as an
    as-rigid-as-possible one, stiff in the beginning and ever softer. Large meshes are bent by a
    simplified copy first. Pairs whose normals part by more than 60 degrees, or that lie on an open
    border of the target, do not count, nor such as are much further apart than the others; where
    nothing counts, the surface follows its neighbours. Deterministic; detached.

    Args:
        source: with faces; its vertices finite.
        target: a Mesh, or points (M, 3); all of the source's shape, or a part of it.
        correspondences: (vertices, positions): (K,) indices of three or more vertices of the
            source, and (K, 3) where they belong on the target. They replace the search for a start,
            and pull all the time.
        scale: also one factor for all axes, found along with the bend.
        start: without correspondences, as `register` has it: "moments" from any pose, "none" as it
            lies, or a matrix (4, 4).
        stiffness: first and last, as lengths in units of the target's root mean square radius:
            what is larger than about this is kept in shape.
        max_distance: pairs further apart never count, in the target's unit.

    Returns:
        NonrigidRegistration.

    Raises:
        ValueError: no faces; fewer than three points or correspondences, or such as lie in one
            line; numbers that are not finite; nothing of the source near the target; a wrong
            number or name.

    Example:
        >>> found = ml.geometry.register_nonrigid(template, scan)
        >>> field = found.mesh.vertex_attributes["pressure"]  # the template's, on the scan's shape

    Source: B. Amberg et al., Optimal step nonrigid ICP algorithms for surface registration, 2007,
    for the falling stiffness; H. Li et al., Global correspondence optimization for non-rigid
    registration of depth scans, 2008; O. Sorkine, M. Alexa, As-rigid-as-possible surface modeling,
    2007, for the stiffness itself.
    """
    check_mesh(source, "source")
    check_tensor(source.vertices, "source.vertices", finite=True)
    first, last = _checked_stiffness(stiffness)
    if max_distance is not None and not max_distance > 0:
        raise ValueError(f"max_distance: expected a number above 0, got {max_distance!r}")
    marks = None if correspondences is None else _marks(source, correspondences)
    whole, number = one_place(source.detach().to("cpu").to(torch.float64))
    if marks is None:
        given = start if isinstance(start, str) else start_matrix(start)
        found = register(
            source, target, scale=scale, start=cast(Any, given), max_distance=max_distance
        )
        matrix = found.matrix
    else:
        matrix = _from_marks(source.vertices.detach().cpu().double()[marks[0]], marks[1], scale)
    goal = Target(target)
    reach = math.inf if max_distance is None else max_distance / goal.size
    # everything in the target's frame: its middle the origin, its root mean square radius one
    rest = (moved(matrix, whole.vertices) - goal.middle) / goal.size
    whole = whole.with_vertices(rest)
    if marks is not None:
        place = marks[0] if number is None else number[marks[0]]
        marks = place, (marks[1] - goal.middle) / goal.size
    task = _Bend(goal, reach, scale)
    at, steps, converged = task.run(whole, marks, first, last)
    after = at * goal.size + goal.middle
    _, _, weight, away = task.pairs(whole.with_vertices(at), last)
    area = lumped_areas(whole.with_vertices(at))
    counts = (weight > 0) & (area > 0)
    if not bool(counts.any()):
        raise ValueError(_APART.format(max_distance))
    share = area[counts] / area[counts].sum()
    error = float((share * away[counts].square()).sum().sqrt()) * goal.size
    overlap = float(area[counts].sum() / area.sum())
    matched, distance = counts, away * goal.size
    if number is not None:
        after, matched, distance = after[number], matched[number], distance[number]
    placed = source.detach().transform(matrix)
    mesh = placed.with_vertices(after.to(source.device, source.dtype))
    return NonrigidRegistration(
        turned_normals(placed, mesh),
        matrix,
        distance.to(source.device),
        matched.to(source.device),
        error,
        overlap,
        task.factor * float(torch.linalg.det(matrix[:3, :3])) ** (1 / 3),
        _stretch(whole, at / task.factor),
        _folds(whole, whole.with_vertices(at)),
        steps,
        converged,
    )


_APART = (
    "max_distance: no vertex of the source has a counterpart within {} on the target; pass a "
    "larger one, or start='moments' where they lie apart"
)


def _checked_stiffness(given: object) -> tuple[float, float]:
    try:
        first, last = (float(x) for x in cast(Any, given))
    except (TypeError, ValueError):
        first = last = math.nan
    if not (math.inf > first >= last > 0):
        raise ValueError(
            f"stiffness: expected two lengths above 0, the second no larger, got {given!r}; "
            "pass such as (1.0, 0.02)"
        )
    return first, last


def _marks(source: Mesh, given: Any) -> tuple[Tensor, Tensor]:
    """Vertices (K,) and where they belong (K, 3) float64."""
    if not isinstance(given, tuple | list) or len(given) != 2:
        raise ValueError(
            "correspondences: expected a pair (vertices, positions), got "
            f"{type(given).__name__}; pass vertices (K,) of the source and points (K, 3)"
        )
    index = as_tensor(given[0], "correspondences[0]").detach().cpu()
    name = "correspondences[0]"
    check_tensor(index, name, shape=("K",), dtype=(torch.int64, torch.int32))
    check_index(index, name, source.num_vertices, of="vertices")
    points = as_tensor(given[1], "correspondences[1]", dtype=torch.float64).detach().cpu().double()
    check_tensor(points, "correspondences[1]", shape=(len(index), 3), finite=True)
    if len(index) < 3:
        raise ValueError(
            f"correspondences: expected three or more, got {len(index)}; add some, or pass none"
        )
    return index.long(), points


def _from_marks(points: Tensor, goal: Tensor, scale: bool) -> Tensor:
    """(4, 4) of the rigid motion, or similarity, that brings points nearest to their goals."""
    for name, cloud in (("vertices", points), ("positions", goal)):
        spread = torch.linalg.svdvals(cloud - cloud.mean(0))
        if not float(spread[1]) > 1e-6 * float(spread[0]):
            raise ValueError(
                f"correspondences: expected {name} that are not all in one line, got such; add some"
            )
    matrix = torch.eye(4, dtype=torch.float64)
    turn, _ = rigid_motion(points, goal)
    local, to = points - points.mean(0), goal - goal.mean(0)
    factor = float(((local @ turn.T) * to).sum() / local.square().sum()) if scale else 1.0
    matrix[:3, :3] = factor * turn
    matrix[:3, 3] = goal.mean(0) - factor * turn @ points.mean(0)
    return matrix


class _Bend:
    """Closest points with stiffness, in the target's frame."""

    def __init__(self, target: Target, reach: float, scale: bool) -> None:
        self.target, self.reach, self.scale = target, reach, scale
        self.factor = 1.0  # of the mesh at rest

    def run(
        self, whole: Mesh, marks: tuple[Tensor, Tensor] | None, first: float, last: float
    ) -> tuple[Tensor, int, bool]:
        """Vertices (V, 3) of a mesh bent onto the target, steps, and whether they came to rest."""
        small, at_marks = whole, marks
        if whole.num_vertices > 1.5 * _COARSE:
            small = simplify(Mesh(whole.vertices, whole.faces), 2 * _COARSE)
            small = small.remove_unreferenced().mesh
            if marks is not None:
                near = _Blend(small, whole.vertices[marks[0]])
                vertex = near.corner.gather(1, near.weight.argmax(1, keepdim=True)).squeeze(1)
                vertex, rows = _distinct(vertex)
                # the same offset as its neighbour has
                moved_by = marks[1] - whole.vertices[marks[0]]
                at_marks = vertex, small.vertices[vertex] + moved_by[rows]
        cells = RigidCells(small)
        at, turn = cells.rest, torch.eye(3, dtype=torch.float64).expand(len(cells.rest), 3, 3)
        if at_marks is not None:
            vertex, rows = _distinct(at_marks[0])
            at_marks = vertex, at_marks[1][rows]
            at, turn = self._led(small, cells, at_marks)
        solver = _Planes(small, cells)
        steps, still = 0, False
        for level in range(_LEVELS):
            length = first * (last / first) ** (level / (_LEVELS - 1))
            for _ in range(_STEPS if level < _LEVELS - 1 else 3 * _STEPS):
                pairs = self.pairs(small.with_vertices(at), length)
                new = solver.step(at, turn, pairs, length, at_marks)
                turn = self._turns(cells, new)
                steps += 1
                still = float((new - at).norm(dim=1).square().mean().sqrt()) < _STILL
                at = new
                if still:
                    break
        if small is whole:
            return at, steps, still
        at = _Blend(small, whole.vertices).carried(whole.vertices, at, turn * self.factor)
        cells = RigidCells(whole)
        cells.grow(self.factor)
        turn = self._turns(cells, at)
        points = _Points(whole, cells)
        if marks is not None:
            vertex, rows = _distinct(marks[0])
            marks = vertex, marks[1][rows]
        for _ in range(_FINE_STEPS):
            pairs = self.pairs(whole.with_vertices(at), last)
            new = points.step(at, turn, pairs, last, marks)
            turn = self._turns(cells, new)
            steps += 1
            still = float((new - at).norm(dim=1).square().mean().sqrt()) < _STILL
            at = new
            if still:
                break
        return at, steps, still

    def _turns(self, cells: RigidCells, at: Tensor) -> Tensor:
        """Rotations of the cells; with `scale`, these grow or shrink as one to fit best."""
        turn, _ = cells.rotations(at)
        if self.scale:
            self.factor *= cells.fit(at, turn)
        return turn

    def _led(
        self, mesh: Mesh, cells: RigidCells, marks: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """Vertices and rotations where correspondences alone lead a mesh."""
        at = mesh.vertices
        for _ in range(_SIZES if self.scale else 1):
            rest = mesh.with_vertices(mesh.vertices * self.factor)
            at = Deformer(rest, marks[0], weight=_MARK).deform(marks[1]).vertices
            turn = self._turns(cells, at)
        return at, turn

    def pairs(self, mesh: Mesh, length: float) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of each vertex the nearest point (V, 3), the normal there, the pair's weight (V,) in 0 to
        1, and its distance."""
        at = mesh.vertices
        near, normal, border = self.target.counterparts(at)
        away = (at - near).norm(dim=1)
        cosine = (mesh.vertex_normals() * normal).sum(1)
        if self.target.tree is None:
            cosine = cosine.abs()  # normals of points have no side
        fits = (cosine > _SAME_WAY) & ~border & (away <= self.reach)
        spread = _SPREAD * float(away[fits].median()) if bool(fits.any()) else 0.0
        room = max(_TUKEY * spread, _ROOM * length, 1e-9)
        weight = (1 - (away / room).square()).clamp(min=0).square() * fits
        return near, normal, weight, away


class _Planes:
    """Steps of all coordinates at once, in which pairs pull along the target's normals."""

    def __init__(self, mesh: Mesh, cells: RigidCells) -> None:
        self.cells, self.area = cells, lumped_areas(mesh)
        size = len(cells.rest)
        row = torch.arange(size).repeat_interleave(cells.start.diff())
        axis = torch.arange(3)
        own = torch.arange(size)
        # the Laplacian for each axis, and a block (3, 3) for each vertex
        rows = [3 * row + k for k in range(3)]
        columns = [3 * cells.column + k for k in range(3)]
        for one in axis:
            for two in axis:
                if one != two:
                    rows.append(3 * own + one)
                    columns.append(3 * own + two)
        i, j = torch.cat(rows), torch.cat(columns)
        self.order = torch.argsort(i * 3 * size + j)
        count = torch.bincount(i, minlength=3 * size)
        start = torch.nn.functional.pad(count.cumsum(0), (1, 0))
        points = cells.rest.repeat_interleave(3, 0)
        self.pattern = SparseCholesky(start, j[self.order], points)

    def step(
        self,
        at: Tensor,
        turn: Tensor,
        pairs: tuple[Tensor, Tensor, Tensor, Tensor],
        length: float,
        marks: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        cells, stiff = self.cells, length * length
        near, normal, weight, _ = pairs
        pull = self.area * weight
        block = normal[:, :, None] * normal[:, None] * (1 - _SLIDE)
        block = pull[:, None, None] * (block + _SLIDE * torch.eye(3, dtype=block.dtype))
        least = 1e-9 * stiff * float(cells.values[cells.own].mean())
        right = (block @ near[:, :, None]).squeeze(2) + least * at
        diagonal = block.diagonal(dim1=1, dim2=2) + least
        if marks is not None:
            strong = _MARK * stiff * cells.values[cells.own[marks[0]], None]
            diagonal = diagonal.index_add(0, marks[0], strong.expand(-1, 3))
            right = right.index_add(0, marks[0], strong * marks[1])
        parts = []
        for k in range(3):
            parts.append((stiff * cells.values).index_add(0, cells.own, diagonal[:, k]))
        for one in range(3):
            parts += [block[:, one, two] for two in range(3) if one != two]
        factor = self.pattern.factor(torch.cat(parts)[self.order])
        for turned in range(_TURNS):
            if turned:
                turn, _ = cells.rotations(at)
            at = factor.solve((right + stiff * cells.forces(turn)).reshape(-1)).view(-1, 3)
        return at


class _Points:
    """Steps of each coordinate for itself, in which pairs pull to the target's points."""

    def __init__(self, mesh: Mesh, cells: RigidCells) -> None:
        self.cells, self.area = cells, lumped_areas(mesh)
        self.pattern = SparseCholesky(cells.start, cells.column, cells.rest)

    def step(
        self,
        at: Tensor,
        turn: Tensor,
        pairs: tuple[Tensor, Tensor, Tensor, Tensor],
        length: float,
        marks: tuple[Tensor, Tensor] | None,
    ) -> Tensor:
        cells, stiff = self.cells, length * length
        near, _, weight, _ = pairs
        least = 1e-9 * stiff * float(cells.values[cells.own].mean())
        pull = (self.area * weight)[:, None]
        right = pull * near + least * at
        diagonal = pull[:, 0] + least
        if marks is not None:
            strong = _MARK * stiff * cells.values[cells.own[marks[0]]]
            diagonal = diagonal.index_add(0, marks[0], strong)
            right = right.index_add(0, marks[0], strong[:, None] * marks[1])
        values = (stiff * cells.values).index_add(0, cells.own, diagonal)
        factor = self.pattern.factor(values)
        for turned in range(_TURNS):
            if turned:
                turn, _ = cells.rotations(at)
            at = factor.solve(right + stiff * cells.forces(turn))
        return at


class _Blend:
    """Points (P, 3) near a mesh, each by the corners of the face that it is nearest to."""

    def __init__(self, mesh: Mesh, points: Tensor) -> None:
        self.rest = mesh.vertices
        _, face, self.weight = MeshBVH(mesh).closest(points)
        self.corner = mesh.faces[face]

    def carried(self, points: Tensor, at: Tensor, turn: Tensor) -> Tensor:
        """The points as the rotations (V, 3, 3) and moves of their corners carry them."""
        away = points[:, None] - self.rest[self.corner]
        there = at[self.corner] + (turn[self.corner] @ away[..., None]).squeeze(3)
        return (self.weight[..., None] * there).sum(1)


def _distinct(index: Tensor) -> tuple[Tensor, Tensor]:
    """Distinct values, and the first row of each."""
    values, inverse = torch.unique(index, return_inverse=True)
    rows = torch.full((len(values),), len(index), dtype=torch.int64)
    return values, rows.scatter_reduce(0, inverse, torch.arange(len(index)), "amin")


def _stretch(rest: Mesh, at: Tensor) -> float:
    """Root mean square relative change of the lengths of edges."""
    edges = rest.topology.edges
    before, after = ((x[edges[:, 0]] - x[edges[:, 1]]).norm(dim=1) for x in (rest.vertices, at))
    real = before > 0
    return float((after[real] / before[real] - 1).square().mean().sqrt()) if len(edges) else 0.0


def _folds(rest: Mesh, mesh: Mesh) -> int:
    """Edges whose two faces look opposite ways, and did not at rest."""
    pairs = mesh.topology.face_pairs
    back = [
        (n[pairs[:, 0]] * n[pairs[:, 1]]).sum(1) < _BACK
        for n in (rest.face_normals(), mesh.face_normals())
    ]
    return int((back[1] & ~back[0]).sum())
