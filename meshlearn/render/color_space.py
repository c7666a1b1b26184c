"""sRGB and linear light (IEC 61966-2-1), both in [0, 1]; negative numbers are kept as they are."""

from __future__ import annotations

import torch
from torch import Tensor

_SLOPE, _OFFSET, _POWER = 12.92, 0.055, 2.4  # of the standard's two pieces
_KNEE = 0.04045  # where they meet, encoded


def to_linear(encoded: Tensor) -> Tensor:
    """Linear light of sRGB values."""
    power = ((encoded.clamp(min=_KNEE) + _OFFSET) / (1 + _OFFSET)) ** _POWER
    return torch.where(encoded <= _KNEE, encoded / _SLOPE, power)


def to_srgb(linear: Tensor) -> Tensor:
    """sRGB values of linear light."""
    knee = _KNEE / _SLOPE
    power = (1 + _OFFSET) * linear.clamp(min=knee) ** (1 / _POWER) - _OFFSET
    return torch.where(linear <= knee, linear * _SLOPE, power)
