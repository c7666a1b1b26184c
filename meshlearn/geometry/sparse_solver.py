"""Sparse symmetric positive systems: factored once, solved often."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE

_DENSE = 3000  # rows up to which a dense factor serves where nothing is compiled
_ENDS = 1e-8  # of the residual of a solution, as a share of the right-hand side
_MOST_STEPS = 2000  # of conjugate gradients
# a build from before these operators has none of them
_NATIVE = HAS_NATIVE and hasattr(torch.ops.meshlearn, "cholesky")


class SparseCholesky:
    """L D Lᵀ of a sparse symmetric positive matrix, on the CPU in float64.

    Solutions are right in each entry, also where those are many orders of magnitude smaller than
    the largest, which iterations on the residual are not.

    Args:
        start, column: (N + 1,) and (E,) int64, pattern of the whole matrix by rows (CSR).
        points: (N, 3), where rows are in space; only the order of elimination depends on it.

    Example:
        >>> matrix = -ml.geometry.laplacian_matrix(mesh, "cotangent", layout="csr").double()
        >>> pattern = SparseCholesky(matrix.crow_indices(), matrix.col_indices(), mesh.vertices)
        >>> factor = pattern.factor(matrix.values() + ...)
        >>> factor.solve(right)

    Source: A. George, Nested dissection of a regular finite element mesh, 1973; J. Liu, The role of
    elimination trees in sparse factorization, 1990.
    """

    def __init__(self, start: Tensor, column: Tensor, points: Tensor) -> None:
        self.start, self.column = start.cpu().contiguous(), column.cpu().contiguous()
        self.points = points.detach().cpu().double().contiguous()
        if _NATIVE:
            self.order = torch.ops.meshlearn.dissection(self.points, self.start, self.column)
        else:
            self.order = torch.arange(len(self.points))

    def factor(self, values: Tensor) -> Factor:
        """The factor of the matrix of these values (E,).

        Raises:
            ValueError: it is not positive.
        """
        return Factor(self, values.detach().cpu().double().contiguous())


class Factor:
    """A factored matrix, see `SparseCholesky`."""

    def __init__(self, pattern: SparseCholesky, values: Tensor) -> None:
        self.pattern = pattern
        self._parts: tuple[Tensor, ...] | None = None
        self._dense: Tensor | None = None
        size = len(pattern.order)
        if _NATIVE:
            start, column, order = pattern.start, pattern.column, pattern.order
            parts = torch.ops.meshlearn.cholesky(start, column, values, order)
            if size and bool(parts[3].isnan().any()):
                raise ValueError(_NOT_POSITIVE)
            self._parts = tuple(parts)
            return
        self._matrix = torch.sparse_csr_tensor(
            pattern.start, pattern.column, values, (size, size), check_invariants=False
        )
        if size <= _DENSE:
            self._dense, info = torch.linalg.cholesky_ex(self._matrix.to_dense())
            if int(info):
                raise ValueError(_NOT_POSITIVE)

    def solve(self, right: Tensor) -> Tensor:
        """x of ``A x = right``, (N,) or (N, D) float64 on the CPU."""
        if right.dim() == 1:
            return self.solve(right[:, None])[:, 0]
        if self._parts is not None:
            return torch.ops.meshlearn.cholesky_solve(
                self.pattern.order, *self._parts, right.contiguous()
            )
        if self._dense is not None:
            return torch.cholesky_solve(right, self._dense)
        values, row = self._matrix.values(), torch.arange(len(right))
        row = row.repeat_interleave(self.pattern.start.diff())
        own = row == self.pattern.column
        diagonal = values.new_zeros(len(right)).index_add(0, row[own], values[own])
        return solve(lambda x: self._matrix @ x, right, diagonal, torch.zeros_like(right))


def solve(
    apply: Callable[[Tensor], Tensor], right: Tensor, diagonal: Tensor, start: Tensor
) -> Tensor:
    """x (V, D) of ``apply(x) = right``, symmetric and positive, by conjugate gradients from a
    start, each column for itself.

    Raises:
        ValueError: it does not converge, as with faces that are all but flat.
    """
    inverse = 1 / diagonal[:, None].clamp(min=1e-300)
    x, rest = start, right - apply(start)
    z = inverse * rest
    way, size = z, _dots(rest, z)
    goal = _ENDS**2 * _dots(right, inverse * right).clamp(min=1e-300)
    for _ in range(_MOST_STEPS):
        if bool((size <= goal).all()):
            return x
        image = apply(way)
        along = _dots(way, image)
        step = torch.where(along > 0, size / along, 0)
        x, rest = x + step * way, rest - step * image
        z = inverse * rest
        new = _dots(rest, z)
        way, size = z + torch.where(size > 0, new / size, 0) * way, new
    raise ValueError(
        "mesh: its equations could not be solved, since its triangles are too thin; remesh it, or "
        "pass a smaller amount"
    )


def _dots(a: Tensor, b: Tensor) -> Tensor:
    """(D,) inner products of columns, in an order that does not depend on threads."""
    product = a * b
    rows = -(-len(product) // 1024)
    padded = torch.nn.functional.pad(product, (0, 0, 0, rows * 1024 - len(product)))
    return padded.view(rows, 1024, -1).sum(1).sum(0)


_NOT_POSITIVE = (
    "matrix: expected a positive one, as of a mesh whose triangles have areas, got one that is "
    "not; remove faces without area (mesh.remove_degenerate())"
)


if _NATIVE:

    @torch.library.register_fake("meshlearn::dissection")
    def _(points, start, column):
        return start.new_empty(start.shape[0] - 1)

    @torch.library.register_fake("meshlearn::cholesky")
    def _(start, column, value, order):
        count = torch.library.get_ctx().new_dynamic_size()
        return (
            torch.empty_like(start),
            start.new_empty(count, dtype=torch.int32),
            value.new_empty(count),
            value.new_empty(order.shape[0]),
        )

    @torch.library.register_fake("meshlearn::cholesky_solve")
    def _(order, first, row, value, diagonal, right):
        return torch.empty_like(right)
