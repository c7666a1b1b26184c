"""Grouping of equal rows."""

from __future__ import annotations

import torch
from torch import Tensor


def row_groups(rows: Tensor, size: int) -> tuple[Tensor, int]:
    """Group (N,) of each row (N, D) of integers in [0, size), in lexicographic order; count."""
    count = max(rows.shape[0], 1)
    if rows.shape[0] == 0:
        return rows.new_zeros(0), 0
    key, span = rows[:, 0], max(size, 1)
    for column in rows.unbind(1)[1:]:
        if span > (2**63 - 1) // max(size, 1):
            key = torch.unique(key, return_inverse=True)[1]
            span = count
        key, span = key * size + column, span * max(size, 1)
    unique, group = torch.unique(key, return_inverse=True)
    return group, unique.numel()


def first_of_group(group: Tensor, count: int) -> Tensor:
    """(count,) smallest row of each group."""
    rows = torch.arange(group.numel(), device=group.device)
    first = torch.full((count,), group.numel(), dtype=torch.int64, device=group.device)
    return first.scatter_reduce(0, group, rows, "amin")
