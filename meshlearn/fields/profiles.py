"""Plane figures with exact distances, and the solids that they sweep.

Figures are solids of two dimensions, see `meshlearn.fields.analytic`: functions of points (..., 2),
negative inside, with the same algebra.

Example:
    >>> star = Polygon([(0, 1), (-0.4, -0.6), (0.5, 0.2)])
    >>> prism = extruded(star, 0.5)
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.fields.analytic import Number, Solid, Vector, as_like, length, positive

__all__ = ["Circle", "Polygon", "Rectangle", "extruded", "revolved"]


class Circle(Solid):
    """Disc of a radius about the origin: exact."""

    def __init__(self, radius: Number = 1.0) -> None:
        positive(radius, "radius")
        super().__init__(lambda p: length(p) - as_like(radius, p), dims=2)


class Rectangle(Solid):
    """Rectangle about the origin with half its sides (..., 2): exact."""

    def __init__(self, half: Vector = (1.0, 1.0)) -> None:
        positive(half, "half")  # type: ignore[arg-type]

        def value(p: Tensor) -> Tensor:
            q = p.abs() - as_like(half, p)
            return length(q.clamp(min=0)) + q.amax(-1).clamp(max=0)

        super().__init__(value, dims=2)


class Polygon(Solid):
    """Simple polygon of corners (n, 2) in either direction: exact.

    Memory and time are those of n times the points. Gradients reach the corners.
    """

    def __init__(self, corners: Tensor | Sequence[Sequence[float]]) -> None:
        ring = torch.as_tensor(corners)
        if ring.dim() != 2 or ring.shape[1] != 2 or ring.shape[0] < 3:
            raise ValueError(f"corners: expected 3 or more (n, 2), got {tuple(ring.shape)}")

        def value(p: Tensor) -> Tensor:
            a = as_like(corners, p)
            b = a.roll(-1, 0)
            q, along = p[..., None, :] - a, b - a
            squared = (along * along).sum(-1).clamp(min=torch.finfo(p.dtype).tiny)
            t = ((q * along).sum(-1) / squared).clamp(0, 1)
            distance = length(q - t[..., None] * along).amin(-1)
            # edges crossed on the way to the right
            y = p[..., None, 1]
            crosses = (a[:, 1] <= y) != (b[:, 1] <= y)
            side = along[:, 0] * q[..., 1] - along[:, 1] * q[..., 0]
            right = (side > 0) == (along[:, 1] > 0)
            inside = (crosses & right).sum(-1) % 2 == 1
            return torch.where(inside, -distance, distance)

        super().__init__(value, dims=2)


def extruded(figure: Solid, half_height: Number) -> Solid:
    """The figure in x and y, from -half_height to half_height in z: exact where the figure is."""
    _flat(figure)
    positive(half_height, "half_height")

    def value(p: Tensor) -> Tensor:
        side, cap = figure(p[..., :2]), p[..., 2].abs() - as_like(half_height, p)
        q = torch.stack(torch.broadcast_tensors(side, cap), -1)
        return length(q.clamp(min=0)) + q.amax(-1).clamp(max=0)

    return Solid(value, exact=(figure.exact_outside, figure.exact_inside))


def revolved(figure: Solid) -> Solid:
    """The figure's half of positive x, as (radius, z), turned about the z axis.

    Exact where the figure is, if it is symmetric about the axis x = 0 or does not touch it.
    """
    _flat(figure)

    def value(p: Tensor) -> Tensor:
        return figure(torch.stack((length(p[..., :2]), p[..., 2]), -1))

    return Solid(value, exact=(figure.exact_outside, figure.exact_inside))


def _flat(figure: Solid) -> None:
    if not isinstance(figure, Solid) or figure.dims != 2:
        raise ValueError("figure: expected a solid of two dimensions, such as a Polygon")
