"""What an intersection of half-spaces gives, packed, and the planes that it points at."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor


class Packed(NamedTuple):
    """What the operator gives. Planes are rows of its table, sides of the box -1 to -6."""

    vertices: Tensor  # (V, 3)
    vertex_planes: Tensor  # (V, 3) int64
    start: Tensor  # (F + 1,) int64
    index: Tensor  # type: ignore[assignment]  # (M,) int64; the name that tuple.index had
    face_plane: Tensor  # (F,) int64
    vertex_start: Tensor  # (C + 1,) int64
    face_start: Tensor  # (C + 1,) int64


def box_planes(bounds: list[float], like: Tensor) -> Tensor:
    """(6, 4) sides of the box, in the order of -1 to -6: low x, high x, low y, ..."""
    rows = like.new_zeros(6, 4, dtype=torch.float64)
    for side in range(6):
        axis, high = side // 2, side % 2
        rows[side, axis] = 1.0 if high else -1.0
        rows[side, 3] = -bounds[3 + axis] if high else bounds[axis]
    return rows


def rows_of(planes: Tensor, ids: Tensor, bounds: list[float]) -> Tensor:
    """Rows of the table by id, (..., 4) float64, sides of the box included."""
    table = torch.cat([planes.double(), box_planes(bounds, planes)])
    return table[torch.where(ids < 0, planes.shape[0] - 1 - ids, ids)]
