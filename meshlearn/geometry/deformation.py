"""Meshes bent by handles: some vertices are moved, all others follow as rigidly as they can."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn._validate import TensorLike, as_tensor, check_index, check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.rigid_cells import RigidCells, nearest_rotations, settle
from meshlearn.geometry.smoothing import one_place
from meshlearn.geometry.sparse_solver import SparseCholesky
from meshlearn.geometry.turning import turned_normals
from meshlearn.mesh import Mesh

_STILL = 1e-5  # of the size: a move that is none
_FLAT = 1e-9  # of the spread of handles: decides a turn that they leave open


class Deformer:
    """Bends one mesh by the same handles again and again; factored once.

    Args:
        mesh: with faces; its vertices finite. Vertices at one place, as along seams, stay together.
        handles: (K,) indices of the vertices that are moved or held.
        weight: how strongly handles are pulled, in units of what neighbours pull with: 1 is as
            strong as all of a vertex's edges together, more comes nearer. None: they go exactly
            where they are told.

    Raises:
        ValueError: no faces, vertices that are not finite, no handle, one out of range or twice, a
            weight that is not above 0.

    Example:
        >>> arm = ml.geometry.Deformer(mesh, [*shoulder, hand])
        >>> poses = [arm.deform([*mesh.vertices[shoulder], place]) for place in way]

    Source: O. Sorkine, M. Alexa, As-rigid-as-possible surface modeling, 2007.
    """

    def __init__(self, mesh: Mesh, handles: TensorLike, *, weight: float | None = None) -> None:
        check_mesh(mesh)
        check_tensor(mesh.vertices, "mesh.vertices", finite=True)
        if weight is not None and not 0 < weight < math.inf:
            raise ValueError(f"weight: expected a number above 0 or None, got {weight!r}; try 1")
        self._mesh = mesh
        whole, number = one_place(mesh.detach().to("cpu").to(torch.float64))
        self._number = torch.arange(mesh.num_vertices) if number is None else number
        self._handles = self._checked(handles)
        box = whole.bounds()
        self._origin, self._size = box[0], float((box[1] - box[0]).max()) or 1.0
        self._rest = (whole.vertices - self._origin) / self._size
        self._cells = cells = RigidCells(whole.with_vertices(self._rest))
        self._place, self._twin = torch.unique(self._number[self._handles], return_inverse=True)
        parts = whole.topology.vertex_components().labels
        pulled = torch.bincount(parts[self._place], minlength=int(parts.max()) + 1)
        still = self._loose = (pulled == 0)[parts]
        pull = torch.zeros(len(self._rest), dtype=torch.float64)
        if weight is None:
            still = still.index_fill(0, self._place, True)
        else:
            pull[self._place] = weight * cells.values[cells.own[self._place]]
        self._still, self._pull = still, pull
        self._soft = weight is not None
        self._free = free = (~still).nonzero().squeeze(1)
        # the rows and columns of free vertices
        row = torch.arange(len(still)).repeat_interleave(cells.start.diff())
        keep = ~still[row] & ~still[cells.column]
        rank = torch.cumsum(~still, 0) - 1
        count = torch.bincount(rank[row[keep]], minlength=len(free))
        start = torch.nn.functional.pad(count.cumsum(0), (1, 0))
        values = cells.values.index_add(0, cells.own, pull)[keep]
        pattern = SparseCholesky(start, rank[cells.column[keep]], self._rest[free])
        self._factor = pattern.factor(values) if len(free) else None

    def _checked(self, handles: TensorLike) -> Tensor:
        index = as_tensor(handles, "handles").detach().cpu()
        if index.dtype == torch.bool and index.shape == (self._mesh.num_vertices,):
            index = index.nonzero().squeeze(1)
        if not index.numel():
            raise ValueError("handles: expected a vertex or more, got none; pass indices")
        check_tensor(index, "handles", shape=("K",), dtype=(torch.int64, torch.int32))
        check_index(index, "handles", self._mesh.num_vertices, of="vertices")
        if len(torch.unique(index)) < len(index):
            twice = int((torch.bincount(index) > 1).nonzero()[0])
            raise ValueError(f"handles: vertex {twice} is named twice; name each once")
        return index.long()

    def deform(self, positions: TensorLike, *, iterations: int = 200) -> Mesh:
        """The mesh with its handles at `positions` (K, 3); see `meshlearn.geometry.deform`."""
        if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 1:
            raise ValueError(f"iterations: expected a whole number above 0, got {iterations!r}")
        given = as_tensor(positions, "positions", dtype=torch.float64).detach().cpu().double()
        check_tensor(given, "positions", shape=(len(self._handles), 3), finite=True)
        goal = ((self._one_goal(given)) - self._origin) / self._size
        turn, move = rigid_motion(self._rest[self._place], goal)
        # what nothing pulls stays; all else begins as the handles lie as a whole
        at = torch.where(self._loose[:, None], self._rest, self._rest @ turn.T + move)
        if not self._soft:
            at[self._place] = goal
        fixed = torch.where(self._still[:, None], at, 0)
        apart = self._cells.product(fixed)[self._free]
        pulled = torch.zeros_like(at)
        pulled[self._place] = self._pull[self._place, None] * goal

        def step(forces: Tensor) -> Tensor:
            new = fixed.clone()
            if self._factor is not None:
                new[self._free] = self._factor.solve((forces + pulled)[self._free] - apart)
            return new

        def pulling(at: Tensor) -> Tensor:
            away = (at[self._place] - goal).square().sum(1)
            return 2 * (self._pull[self._place] * away).sum()

        begin = step(self._cells.forces(turn.expand(len(at), 3, 3)))
        made, _, _ = settle(
            self._cells, begin, step, iterations=iterations, still=_STILL, extra=pulling
        )
        made = torch.where(self._still[:, None], at, made)
        vertices = (made * self._size + self._origin)[self._number]
        mesh = self._mesh
        vertices = vertices.to(mesh.device, mesh.dtype)
        same = (self._loose[self._number]).to(mesh.device)
        vertices = torch.where(same[:, None], mesh.vertices.detach(), vertices)
        if not self._soft:
            vertices[self._handles.to(mesh.device)] = given.to(vertices)
        bare = mesh.detach()
        return turned_normals(bare, bare.with_vertices(vertices))

    def _one_goal(self, given: Tensor) -> Tensor:
        """Where each place goes, which several handles may stand at."""
        goal = torch.zeros(len(self._place), 3, dtype=torch.float64)
        goal[self._twin] = given
        apart = (goal[self._twin] != given).any(1)
        if bool(apart.any()):
            one = int(apart.nonzero()[0])
            same = (self._twin == self._twin[one]) & (given != given[one]).any(1)
            pair = self._handles[one], self._handles[int(same.nonzero()[0])]
            raise ValueError(
                f"positions: handles at vertices {int(pair[0])} and {int(pair[1])}, which stand at "
                "one place, were sent to two; send them to one"
            )
        return goal


def deform(
    mesh: Mesh,
    handles: TensorLike,
    positions: TensorLike,
    *,
    weight: float | None = None,
    iterations: int = 200,
) -> Mesh:
    """The mesh bent so that some vertices come to given places; all others follow, as rigidly as
    they can.

    Indices and attributes stay, "normal" and "tangent" turn with the surface. A rigid motion of the
    handles moves the mesh rigidly, to rounding. Parts of the mesh that are joined to no handle stay
    where they are. Deterministic; detached.

    Args:
        mesh: with faces, open or closed; its vertices finite. Vertices at one place, as along
            seams, stay together.
        handles: (K,) indices of vertices, or a mask (V,): those that are moved, and those that are
            held where they are.
        positions: (K, 3) where they go, in the mesh's unit.
        weight: None: exactly; else how strongly they are pulled, in units of what neighbours pull
            with: 1 is as strong as all edges of the vertex together.
        iterations: most steps; it ends earlier once nothing moves by 1e-5 of the mesh's size.

    Returns:
        Mesh.

    Raises:
        ValueError: no faces, numbers that are not finite, no handle, one out of range or twice,
            not as many positions, or a wrong number.

    Example:
        >>> low, high = z < 0.1, z > 0.9
        >>> there = mesh.vertices + torch.where(high, 0.3, 0.0)[:, None]
        >>> bent = ml.geometry.deform(mesh, low | high, there[low | high])

    Source: O. Sorkine, M. Alexa, As-rigid-as-possible surface modeling, 2007. `Deformer` keeps the
    factored system for more than one pose.
    """
    return Deformer(mesh, handles, weight=weight).deform(positions, iterations=iterations)


def rigid_motion(source: Tensor, goal: Tensor) -> tuple[Tensor, Tensor]:
    """Rotation (3, 3) and move (3,) that bring points (K, 3) nearest to others, in the mean of
    squares; of points that leave the turn open, as one or several in a line do, the least turn."""
    middle, to = source.mean(0), goal.mean(0)
    spread = (source - middle).T @ (goal - to)
    # a little of no turn at all decides what points leave open
    spread = spread + _FLAT * spread.norm() * torch.eye(3, dtype=spread.dtype)
    turn, _ = nearest_rotations(spread[None])
    return turn[0], to - turn[0] @ middle
