"""Gathers whose gradient is a deterministic segment sum, and the sums themselves.

A scatter with atomics depends on the order of threads; here every output row is summed by one
thread in a fixed order, so results do not depend on the number of threads.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native

_BLOCK = 1024


class Incidence:
    """Which rows of an index array name each of `size` targets (CSR of the inverse).

    Args:
        index: (M,) int64 with values in [0, size).
        size: number of targets.

    Attributes: ``start`` (size + 1,) and ``order`` (M,), so that target t is named by
    ``order[start[t]:start[t + 1]]``, in ascending order.
    """

    def __init__(self, index: Tensor, size: int) -> None:
        self.index = index
        self.size = size
        if HAS_NATIVE and index.device.type == "cpu":
            self.start, self.order = torch.ops.meshlearn.incidence(index.contiguous(), size)
            return
        self.order = torch.argsort(index, stable=True)
        counts = torch.bincount(index, minlength=size)
        self.start = torch.zeros(size + 1, dtype=torch.int64, device=index.device)
        torch.cumsum(counts, 0, out=self.start[1:])


def gather_sum_reference(values: Tensor, start: Tensor, order: Tensor) -> Tensor:
    """Torch reference of the `gather_sum` operator: (M, D), (S + 1,), (K,) -> (S, D)."""
    segments = start.numel() - 1
    owner = torch.repeat_interleave(
        torch.arange(segments, device=values.device), start[1:] - start[:-1]
    )
    return values.new_zeros(segments, values.shape[1]).index_put(
        (owner,), values[order], accumulate=True
    )


def _gather_sum(values: Tensor, start: Tensor, order: Tensor) -> Tensor:
    if values.dtype in (torch.float16, torch.bfloat16):  # under autocast; rounded once, at the end
        return _gather_sum(values.float(), start, order).to(values.dtype)
    if use_native(values):
        return torch.ops.meshlearn.gather_sum(values.contiguous(), start, order)
    return gather_sum_reference(values, start, order)


class _Gather(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, incidence: Incidence) -> Tensor:
        ctx.incidence = incidence
        return values[incidence.index]

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _SegmentSum.apply(grad, ctx.incidence), None


class _SegmentSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values: Tensor, incidence: Incidence) -> Tensor:
        ctx.incidence = incidence
        return _gather_sum(values, incidence.start, incidence.order)

    @staticmethod
    def backward(ctx, grad: Tensor):
        return _Gather.apply(grad, ctx.incidence), None


def gather(values: Tensor, incidence: Incidence) -> Tensor:
    """values[incidence.index], (V, D) -> (M, D), whose gradient is a deterministic segment sum."""
    return _Gather.apply(values, incidence)


def segment_sum(values: Tensor, incidence: Incidence) -> Tensor:
    """Sum of the rows of `values` (M, D) that name each target -> (size, D), deterministic."""
    return _SegmentSum.apply(values, incidence)


def stable_sum(values: Tensor) -> Tensor:
    """Sum of all entries, the same to the bit on any number of threads.

    torch.sum splits a long array by threads; rows of fixed length are summed by one thread each.
    """
    flat = values.reshape(-1)
    while flat.numel() > _BLOCK:
        rows = -(-flat.numel() // _BLOCK)
        flat = torch.nn.functional.pad(flat, (0, rows * _BLOCK - flat.numel()))
        flat = flat.view(rows, _BLOCK).sum(1)
    return flat.sum()


def stable_mean(values: Tensor) -> Tensor:
    """Mean of all entries by `stable_sum`; nan for an empty tensor, as torch.mean."""
    return stable_sum(values) / values.numel() if values.numel() else values.sum() / 0


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::incidence")
    def _(index: Tensor, size: int) -> tuple[Tensor, Tensor]:
        return index.new_empty(size + 1), index.new_empty(index.shape[0])

    @torch.library.register_fake("meshlearn::gather_sum")
    def _(values: Tensor, start: Tensor, order: Tensor) -> Tensor:
        return values.new_empty(start.shape[0] - 1, values.shape[1])

    def _gather_sum_setup(ctx, inputs, output) -> None:
        values, start, order = inputs
        ctx.save_for_backward(start, order)
        ctx.rows = values.shape[0]

    def _gather_sum_backward(ctx, grad: Tensor):
        start, order = ctx.saved_tensors
        owner = torch.repeat_interleave(
            torch.arange(start.numel() - 1, device=grad.device), start[1:] - start[:-1]
        )
        out = grad.new_zeros(ctx.rows, grad.shape[1])
        return out.index_put((order,), grad[owner], accumulate=True), None, None

    torch.library.register_autograd(
        "meshlearn::gather_sum", _gather_sum_backward, setup_context=_gather_sum_setup
    )
