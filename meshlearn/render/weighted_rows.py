"""Weighted sums of rows, the one thing interpolation and texture lookups are made of."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._compile import once
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, gather


def mix_rows_reference(values: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
    """Torch reference of `mix_rows`."""
    place, slot = torch.nonzero(rows >= 0, as_tuple=True)
    picked = gather(values, Incidence(rows[place, slot], values.shape[0]))
    terms = values.new_zeros(*rows.shape, values.shape[1])
    terms = terms.index_put((place, slot), picked * weight[place, slot, None])
    out = terms.new_zeros(rows.shape[0], values.shape[1])
    for k in range(rows.shape[1]):
        out = out + terms[:, k]
    return out


def mix_rows(values: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
    """Sum over k of weight[m, k] values[rows[m, k]], with deterministic gradients.

    Args:
        values: (A, D).
        rows: (M, K) int64, in [0, A), or -1 for no row.
        weight: (M, K), dtype of values.

    Returns:
        (M, D), differentiable in values and weight.
    """
    if use_native(values):
        return _Mix.apply(values, rows, weight)
    return mix_rows_reference(values, rows, weight)


class _Mix(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
        values, rows, weight = values.contiguous(), rows.contiguous(), weight.contiguous()
        ctx.save_for_backward(values, rows, weight)
        return torch.ops.meshlearn.mix_rows(values, rows, weight)

    @staticmethod
    @once("interpolate and texture")
    def backward(ctx, grad: Tensor):
        values, rows, weight = ctx.saved_tensors
        grad, count = grad.contiguous(), values.shape[0]
        grad_values = grad_weight = None
        if ctx.needs_input_grad[0]:
            flat = rows.reshape(-1)
            flat = torch.where(flat >= 0, flat, count)  # what has no row comes after the last
            by_row = Incidence(flat, count + 1)
            grad_values = torch.ops.meshlearn.mix_rows_values(
                grad, weight, by_row.start[:-1].contiguous(), by_row.order
            )
        if ctx.needs_input_grad[2]:
            grad_weight = torch.ops.meshlearn.mix_rows_weight(values, rows, grad)
        return grad_values, None, grad_weight


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::mix_rows")
    def _(values: Tensor, rows: Tensor, weight: Tensor) -> Tensor:
        return values.new_empty(rows.shape[0], values.shape[1])

    @torch.library.register_fake("meshlearn::mix_rows_weight")
    def _(values: Tensor, rows: Tensor, grad: Tensor) -> Tensor:
        return values.new_empty(rows.shape)

    @torch.library.register_fake("meshlearn::mix_rows_values")
    def _(grad: Tensor, weight: Tensor, start: Tensor, order: Tensor) -> Tensor:
        return grad.new_empty(start.shape[0] - 1, grad.shape[1])
