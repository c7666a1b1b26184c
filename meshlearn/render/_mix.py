"""Weighted sums of rows, the one thing interpolation and texture lookups are made of."""

from __future__ import annotations

import torch
from torch import Tensor

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
    return mix_rows_reference(values, rows, weight)
