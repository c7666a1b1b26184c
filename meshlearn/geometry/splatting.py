"""Values between points and the nodes of a regular grid, by trilinear weights, differentiable.

`splat` spreads values of points over the nodes of their cells, `gather_at` reads values of nodes
at points; each is the transpose of the other, and the gradient of one is made of the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence
from meshlearn._validate import FLOATS, check_tensor


def _cells(at: Tensor, shape: Sequence[int]) -> Tensor:
    """(P, 3) int64 cells that points lie in; those outside the grid in the nearest."""
    most = torch.tensor([n - 2 for n in shape], device=at.device)
    return torch.minimum(at.detach().floor().long().clamp(min=0), most)


def _corners(at: Tensor, shape: Sequence[int]) -> list[tuple[Tensor, Tensor]]:
    """Number of the node and weight (P,) of each of the eight corners of the points' cells."""
    cell = _cells(at, shape)
    part = at - cell
    found = []
    for dx, dy, dz in product((0, 1), repeat=3):
        share = torch.where(
            torch.tensor([dx, dy, dz], device=at.device, dtype=torch.bool), part, 1 - part
        ).prod(1)
        node = ((cell[:, 0] + dx) * shape[1] + cell[:, 1] + dy) * shape[2] + cell[:, 2] + dz
        found.append((node, share))
    return found


def splat_reference(at: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    """Torch reference of `splat`."""
    out = values.new_zeros(shape[0] * shape[1] * shape[2], values.shape[1])
    for node, share in _corners(at, shape):
        out = out.index_add(0, node, share[:, None] * values)
    return out.T.reshape(values.shape[1], *shape)


def gather_at_reference(at: Tensor, field: Tensor) -> Tensor:
    """Torch reference of `gather_at`."""
    flat = field.reshape(field.shape[0], -1)
    out = field.new_zeros(at.shape[0], field.shape[0])
    for node, share in _corners(at, field.shape[1:]):
        out = out + share[:, None] * flat[:, node].T
    return out


def _splatted(at: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    cell = _cells(at, shape)
    rows = Incidence(cell[:, 0] * (shape[1] - 1) + cell[:, 1], (shape[0] - 1) * (shape[1] - 1))
    return torch.ops.meshlearn.splat(at, values, rows.start, rows.order, list(shape))


class _Splat(torch.autograd.Function):
    @staticmethod
    def forward(ctx, at: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
        at, values = at.contiguous(), values.contiguous()
        ctx.save_for_backward(at, values)
        return _splatted(at, values, shape)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):
        at, values = ctx.saved_tensors
        grad = grad.contiguous()
        to_at = to_values = None
        if ctx.needs_input_grad[0]:
            to_at = torch.ops.meshlearn.splat_slope(at, grad, values)
        if ctx.needs_input_grad[1]:
            to_values = torch.ops.meshlearn.splat_gather(at, grad)
        return to_at, to_values, None


class _GatherAt(torch.autograd.Function):
    @staticmethod
    def forward(ctx, at: Tensor, field: Tensor) -> Tensor:
        at, field = at.contiguous(), field.contiguous()
        ctx.save_for_backward(at, field)
        return torch.ops.meshlearn.splat_gather(at, field)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad: Tensor):
        at, field = ctx.saved_tensors
        grad = grad.contiguous()
        to_at = to_field = None
        if ctx.needs_input_grad[0]:
            to_at = torch.ops.meshlearn.splat_slope(at, field, grad)
        if ctx.needs_input_grad[1]:
            to_field = _splatted(at, grad, field.shape[1:])
        return to_at, to_field


@eager
def splat(at: Tensor, values: Tensor, shape: Sequence[int]) -> Tensor:
    """Values of points spread over the eight nodes around each, by trilinear weights.

    Args:
        at: (P, 3) float32 or float64 places in cells: node (i, j, k) lies at (i, j, k). A place
            outside the grid takes the nearest cell's weights, carried on.
        values: (P, D), of the dtype and on the device of `at`.
        shape: nodes along each axis, three numbers of at least 2.

    Returns:
        (D, X, Y, Z): at each node the sum of its shares, the same to the bit on any number of
        threads; gradients reach `at` and `values`.

    Raises:
        ValueError: wrong shapes, dtypes or devices, places that are not finite.

    Example:
        >>> splat(torch.tensor([[0.5, 0.0, 0.0]]), torch.ones(1, 1), (2, 2, 2))[0, :, 0, 0]
        tensor([0.5000, 0.5000])
    """
    check_tensor(at, "at", shape=("P", 3), dtype=FLOATS, finite=True)
    check_tensor(
        values, "values", shape=(at.shape[0], "D"), dtype=at.dtype, device=at.device, like="at"
    )
    if len(shape) != 3 or any(int(n) < 2 for n in shape):
        raise ValueError(f"shape: expected three numbers of nodes of 2 or more, got {shape!r}")
    nodes = [int(n) for n in shape]
    if use_native(at):
        return _Splat.apply(at, values, nodes)
    return splat_reference(at, values, nodes)


@eager
def gather_at(at: Tensor, field: Tensor) -> Tensor:
    """Values of a grid's nodes at points between them, by trilinear interpolation.

    Args:
        at: (P, 3) float32 or float64 places in cells, see `splat`.
        field: (D, X, Y, Z) values at the nodes, at least 2 along each axis.

    Returns:
        (P, D); gradients reach `at` and `field`, summed in a fixed order.

    Raises:
        ValueError: wrong shapes, dtypes or devices, places that are not finite.

    Example:
        >>> gather_at(torch.tensor([[0.5, 0.5, 0.5]]), torch.arange(8.0).view(1, 2, 2, 2))
        tensor([[3.5000]])
    """
    check_tensor(at, "at", shape=("P", 3), dtype=FLOATS, finite=True)
    check_tensor(
        field, "field", shape=("D", "X", "Y", "Z"), dtype=at.dtype, device=at.device, like="at"
    )
    if min(field.shape[1:]) < 2:
        raise ValueError(
            f"field: expected 2 nodes or more along each axis, got {tuple(field.shape[1:])}"
        )
    if use_native(at):
        return _GatherAt.apply(at, field)
    return gather_at_reference(at, field)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::splat")
    def _(at: Tensor, values: Tensor, start: Tensor, order: Tensor, shape: list[int]) -> Tensor:
        return at.new_empty(values.shape[1], *shape)

    @torch.library.register_fake("meshlearn::splat_gather")
    def _(at: Tensor, field: Tensor) -> Tensor:
        return at.new_empty(at.shape[0], field.shape[0])

    @torch.library.register_fake("meshlearn::splat_slope")
    def _(at: Tensor, field: Tensor, weight: Tensor) -> Tensor:
        return at.new_empty(at.shape[0], 3)
