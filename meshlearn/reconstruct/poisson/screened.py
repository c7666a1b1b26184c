"""Screening: the indicator of points drawn to zero at all of them, not only on their mean.

Around gaps and in thin parts the spectral indicator chi0 (`spectral`) is not zero at points: too
little of the surface says where inside is. What is added, d, is the least of

(P4) integral |grad d|^2 + a sum_i w_i (chi0(p_i) + d(p_i))^2, with sum_i w_i the area in the unit
     box, and 1 / a a length: so far from the points d has faded in

on a coarser grid, since d is smooth: (-lap + a S) d = -a S' chi0(p), S the sum of w_i over the
points' trilinear weights. Conjugate gradients, preconditioned by (4 pi^2 |k|^2 + a sum w)^-1 in the
frequency domain.

Source: Kazhdan and Hoppe, "Screened Poisson Surface Reconstruction" (2013), whose energy this is,
less what the spectral solution has minimised already.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from meshlearn.geometry.splatting import gather_at, splat
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.spectral import frequencies


def screened_indicator(
    chi: Tensor, points: Tensor, areas: Tensor, *, reach: float = settings.SCREEN_REACH
) -> Tensor:
    """An indicator with values near 0 at points, by the least smooth change (P4).

    Args:
        chi: (N, N, N) indicator on a periodic grid, node i at i / N.
        points: (P, 3) in [0, 1).
        areas: (P,) area that each stands for, in the unit box.
        reach: cells of chi's grid within which the change fades in, away from the points.

    Example:
        >>> chi = screened_indicator(chi, points, areas)
    """
    fine = chi.shape[0]
    nodes = min(fine, settings.SCREEN_NODES)
    at, strength = points * nodes, fine / reach
    weights = (areas * strength)[:, None]
    kx, ky, kz = frequencies(nodes, chi)
    waves = 4 * math.pi**2 * (kx**2 + ky**2 + kz**2)
    shift = float(weights.sum())
    volume = float(nodes) ** 3  # nodes in the box: a splat is a density times so much

    def applied(d: Tensor) -> Tensor:
        smooth = torch.fft.irfftn(torch.fft.rfftn(d) * waves, s=[nodes] * 3)
        return smooth + volume * splat(at, weights * gather_at(at, d[None]), [nodes] * 3)[0]

    def conditioned(r: Tensor) -> Tensor:
        return torch.fft.irfftn(torch.fft.rfftn(r) / (waves + shift), s=[nodes] * 3)

    given = gather_at(points * fine, chi[None])
    left = -volume * splat(at, weights * given, [nodes] * 3)[0]
    change = conjugate_gradients(
        applied, left, torch.zeros_like(left), conditioned,
        settings.SCREEN_STEPS, settings.SCREEN_END,
    )  # fmt: skip
    return chi + finer(change, fine)


def conjugate_gradients(
    applied: Callable[[Tensor], Tensor],
    right: Tensor,
    start: Tensor,
    conditioned: Callable[[Tensor], Tensor],
    steps: int,
    end: float,
) -> Tensor:
    """The solution of a symmetric positive system, to a share of its right side or so many steps.

    Example:
        >>> x = conjugate_gradients(lambda x: 2 * x, b, b * 0, lambda r: r, 10, 1e-12)
    """
    left = right - applied(start)
    step = conditioned(left)
    direction, size = step, (left * step).sum()
    first = float((right * conditioned(right)).sum())
    for _ in range(steps):
        if not float(size) > end * first:
            break
        turned = applied(direction)
        length = size / (direction * turned).sum()
        start = start + length * direction
        left = left - length * turned
        step = conditioned(left)
        before, size = size, (left * step).sum()
        direction = step + size / before * direction
    return start


def finer(values: Tensor, nodes: int) -> Tensor:
    """A periodic field (N, N, N) on a grid of more nodes, by its Fourier series."""
    count = values.shape[0]
    if nodes == count:
        return values
    waves = torch.fft.rfftn(values) * (nodes / count) ** 3
    half = count // 2  # the highest wave of an even grid is left out
    out = waves.new_zeros(nodes, nodes, nodes // 2 + 1)
    for one in (slice(0, half), slice(1 - half, None)):
        for two in (slice(0, half), slice(1 - half, None)):
            out[one, two, :half] = waves[one, two, :half]
    return torch.fft.irfftn(out, s=[nodes] * 3)
