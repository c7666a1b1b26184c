"""As rigid as possible: the energy of a bent surface, and the turns of its cells.

A cell is a vertex with its edges. Bent from p to x, a mesh has the energy

    E(x) = Σ_i Σ_j w_ij |(x_i - x_j) - R_i (p_i - p_j)|²

over neighbours j of i, R_i the rotation that makes the cell's share least: zero for every rigid
motion. Steps take turns: rotations for vertices, then vertices for rotations, which is one linear
system whose matrix, twice the Laplacian of the weights, never changes. They are mixed as Anderson
does, taken back where the energy grew.

Source: O. Sorkine, M. Alexa, As-rigid-as-possible surface modeling, 2007; Y. Peng et al., Anderson
acceleration for geometry optimization and physics simulation, 2018.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn._segment import Incidence, segment_sum
from meshlearn.geometry.laplacian import cotangents
from meshlearn.mesh import Mesh

_LEAST, _MOST = 1e-2, 1e2  # cotangents beyond are of angles that carry no shape
_WINDOW = 6  # earlier steps that a new one is mixed with


class RigidCells:
    """Cells of a mesh at rest, float64 on the CPU.

    Attributes:
        rest: (V, 3)
        start, column, values: (V + 1,), (E,), (E,) the Laplacian of the weights by rows (CSR), each
            row with its diagonal.
        own: (V,) where the diagonal stands in `values`; zero in rows of vertices without edges.
    """

    def __init__(self, mesh: Mesh) -> None:
        topology, size = mesh.topology, mesh.num_vertices
        self.rest = mesh.vertices.detach()
        edges = topology.edges
        half = cotangents(mesh).roll(-2, 1).reshape(-1, 1) / 2  # edge k is opposite corner k + 2
        weight = segment_sum(half, topology.edge_half_edges)[:, 0].clamp(_LEAST, _MOST)
        real = edges[:, 0] != edges[:, 1]
        edges, weight = edges[real], weight[real]
        vertex, other = edges.flatten(), edges.flip(1).flatten()
        order = torch.argsort(vertex * size + other)
        self.vertex, self.other = vertex[order], other[order]
        self.weight = weight.repeat_interleave(2)[order]
        edge = self.rest[self.vertex] - self.rest[self.other]
        self._at = Incidence(self.vertex, size)
        total = segment_sum(self.weight[:, None], self._at)[:, 0]
        diagonal = torch.arange(size)
        row = torch.cat((self.vertex, diagonal))
        column = torch.cat((self.other, diagonal))
        order = torch.argsort(row * size + column)
        self.column = column[order]
        self.values = torch.cat((-self.weight, total))[order]
        self.start = torch.nn.functional.pad(torch.bincount(row, minlength=size).cumsum(0), (1, 0))
        self.own = (row == column)[order].nonzero().squeeze(1)
        # weighted edges at rest, and what they weigh by their squares
        self._pull = self.weight[:, None] * edge
        self._size = (self._pull * edge).sum(1)

    def rotations(self, at: Tensor) -> tuple[Tensor, Tensor]:
        """(V, 3, 3) rotations of the cells of a mesh bent to `at` (V, 3), and its energy."""
        now = at[self.vertex] - at[self.other]
        spread = (self._pull[:, :, None] * now[:, None]).reshape(-1, 9)
        spread = segment_sum(spread, self._at).view(-1, 3, 3)
        turn, along = nearest_rotations(spread)
        energy = (self._size + self.weight * now.square().sum(1)).sum() - 2 * along.sum()
        return turn, energy

    def fit(self, at: Tensor, turn: Tensor) -> float:
        """The factor by which the mesh at rest comes nearest to `at`; grows by it."""
        now = at[self.vertex] - at[self.other]
        along = ((turn[self.vertex] @ self._pull[:, :, None]).squeeze(2) * now).sum()
        factor = float(along / self._size.sum())
        if factor > 0:
            self.grow(factor)
            return factor
        return 1.0

    def grow(self, factor: float) -> None:
        """Another size of the mesh at rest."""
        self._pull = self._pull * factor
        self._size = self._size * factor**2

    def forces(self, turn: Tensor) -> Tensor:
        """(V, 3) right-hand side: the Laplacian of the vertices that the rotations ask for."""
        mean = 0.5 * (turn[self.vertex] + turn[self.other])
        pull = (mean @ self._pull[:, :, None]).squeeze(2)
        return segment_sum(pull, self._at)

    def product(self, at: Tensor) -> Tensor:
        """(V, 3) the Laplacian's product."""
        pull = self.weight[:, None] * (at[self.vertex] - at[self.other])
        return segment_sum(pull, self._at)


def nearest_rotations(spread: Tensor) -> tuple[Tensor, Tensor]:
    """Rotations R (N, 3, 3) with the largest tr(R A), of matrices A = Σ p qᵀ, and that trace (N,).

    R takes the p onto the q.
    """
    u, s, v = torch.linalg.svd(spread)
    mirrored = torch.linalg.det(u) * torch.linalg.det(v) < 0
    sign = torch.ones_like(s)
    sign[:, 2] = torch.where(mirrored, -1.0, 1.0)
    turn = v.transpose(1, 2) @ (sign[:, :, None] * u.transpose(1, 2))
    return turn, (s * sign).sum(1)


def settle(
    cells: RigidCells,
    at: Tensor,
    step: Callable[[Tensor], Tensor],
    *,
    iterations: int,
    still: float,
    extra: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, int, bool]:
    """Steps of rotations and vertices until none moves further than `still`.

    Args:
        at: (V, 3) where to begin.
        step: the vertices (V, 3) for forces (V, 3).
        extra: an energy of the vertices besides that of the cells.

    Returns:
        The vertices, how many steps it took, and whether they came to rest.
    """
    mixed = plain = at
    before = float("inf")
    history: list[tuple[Tensor, Tensor]] = []
    for number in range(1, iterations + 1):
        turn, energy = cells.rotations(mixed)
        total = float(energy) + (float(extra(mixed)) if extra else 0.0)
        if total > before and mixed is not plain:  # a mixture that made it worse
            mixed, history = plain, history[-1:]
            turn, energy = cells.rotations(mixed)
            total = float(energy) + (float(extra(mixed)) if extra else 0.0)
        before = total
        plain = step(cells.forces(turn))
        move = plain - mixed
        if float(move.norm(dim=1).amax()) <= still:
            return plain, number, True
        history.append((plain, move))
        history = history[-_WINDOW:]
        mixed = _mixture(history) if len(history) > 1 else plain
    return plain, iterations, False


def _mixture(history: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Earlier steps in the mixture whose moves add up to the least."""
    plain, move = history[-1]
    changes = torch.stack([(move - old).flatten() for _, old in history[:-1]], 1)
    square = changes.T @ changes
    square = square + 1e-10 * square.trace() * torch.eye(len(square), dtype=square.dtype)
    share = torch.linalg.solve(square, changes.T @ move.flatten())
    steps = torch.stack([plain - old for old, _ in history[:-1]], 2)
    return plain - steps @ share
