"""Where a field is looked at to learn it: points of a box, most of them near its surface."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor


def box_samples(
    field: Callable[[Tensor], Tensor],
    box: Tensor,
    count: int,
    device: torch.device,
    dtype: torch.dtype,
) -> tuple[Tensor, Tensor]:
    """Points (P, 3) of a box (2, 3) and a field's values there: a quarter anywhere, the rest ever
    nearer to its surface. P is about `count`."""
    low, high = (b.to(device, dtype) for b in box)
    longest = float((box[1] - box[0]).max())
    noise = torch.Generator().manual_seed(0)

    def draw(kind: Callable[..., Tensor], n: int) -> Tensor:
        return kind(n, 3, generator=noise, dtype=torch.float64).to(device, dtype)

    def look(points: Tensor) -> Tensor:
        with torch.no_grad():
            found = field(points).reshape(-1).to(points)
        if not bool(torch.isfinite(found).all()):
            raise ValueError("field: it gives NaN or infinite values in the box")
        return found

    points = low + (high - low) * draw(torch.rand, count)
    values = look(points)
    kept = [(points[: count // 4], values[: count // 4])]
    for share, spread in ((4, 0.03), (2, 0.01)):
        near = values.abs().argsort(stable=True)[: count // 8]
        points = points[near].repeat(share, 1)
        points = points + spread * longest * draw(torch.randn, len(points))
        points = points.maximum(low).minimum(high)
        values = look(points)
        kept.append((points, values))
    return torch.cat([p for p, _ in kept]), torch.cat([v for _, v in kept])


def clamped_error(found: Tensor, least: Tensor, most: Tensor, clamp: float) -> Tensor:
    """By how much `found` is not between `least` and `most`; beyond +-clamp all values are one.

    The clamped L1 of DeepSDF, except that a value which is beyond the clamp and should not be has a
    gradient: where the clamp flattens it too, a network that left the range never comes back.
    """
    low = torch.where(least <= -clamp, -torch.inf, least.clamp(max=clamp))
    high = torch.where(most >= clamp, torch.inf, most.clamp(min=-clamp))
    return (low - found).relu() + (found - high).relu()
