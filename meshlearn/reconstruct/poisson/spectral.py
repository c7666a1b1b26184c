"""The indicator of oriented points by one Poisson solve in the frequency domain, differentiable.

(P1) normals, weighted by the area that each point stands for, are spread over the nodes of a grid
     by trilinear weights: v, the gradient of the solid's indicator
(P2) smoothed and integrated: chi^(k) = g(k) (-i k . v^(k)) / (2 pi |k|^2), chi^(0) = 0, with
     g(k) = exp(-2 sigma^2 |k|^2 / r^2), sigma in cells; chi rises by 1 from inside to outside
(P3) its value at the points, averaged with the same weights, is taken off, so that the surface is
     at 0, and the rest divided by twice the value at the corner of the box: -1/2 inside, +1/2 out

Sources: Kazhdan, "Reconstruction of Solid Models from Oriented Point Sets" (2005); Peng et al.,
"Shape As Points" (2021), section 3.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn.geometry.splatting import gather_at, splat
from meshlearn.reconstruct import settings


def point_areas(squared: Tensor) -> Tensor:
    """(P,) area of surface that each point stands for, of squared distances (P, K) to its nearest.

    The first column is the point itself. Of K points evenly on a plane, K - 1 lie in a disc of the
    radius of the last; one disc is noisy, so the areas of several are averaged. A speck of few
    points far from all others has no such disc: its points stand for little more than the disc of
    their `NEAR_RING` nearest says, else it would outweigh the rest.
    """
    count = squared.shape[1]
    first = min(settings.RING, count - 1)
    ranks = torch.arange(first, count, device=squared.device)
    areas = (math.pi * squared[:, ranks] / ranks).mean(1)
    near = min(settings.NEAR_RING, count - 1)
    if near < 1:
        return areas
    return torch.minimum(areas, settings.AREA_MOST * math.pi / near * squared[:, near])


def frequencies(nodes: int, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Whole waves along the box, broadcast along x, y, and z of a half spectrum."""
    along = torch.fft.fftfreq(nodes, 1 / nodes, dtype=like.dtype, device=like.device)
    half = torch.fft.rfftfreq(nodes, 1 / nodes, dtype=like.dtype, device=like.device)
    return along[:, None, None], along[None, :, None], half[None, None, :]


def spectral_indicator(
    points: Tensor, normals: Tensor, weights: Tensor, nodes: int, *, sigma: float
) -> Tensor:
    """Indicator of oriented points on a periodic grid: -1/2 inside, 1/2 outside, 0 at the points.

    Args:
        points: (P, 3) in [0, 1), well within the box, which repeats.
        normals: (P, 3) unit, outward.
        weights: (P,) areas, or anything proportional to them.
        nodes: of the grid along each axis; node i lies at i / nodes.
        sigma: smoothing, in cells.

    Returns:
        (nodes, nodes, nodes), with gradients to points, normals and weights.

    Example:
        >>> chi = spectral_indicator(points, normals, points.new_ones(len(points)), 64, sigma=1.0)
    """
    return spectral_solution(points, normals, weights, nodes, sigma=sigma)[0]


def spectral_solution(
    points: Tensor, normals: Tensor, weights: Tensor, nodes: int, *, sigma: float
) -> tuple[Tensor, Tensor]:
    """The indicator, see `spectral_indicator`, and (P,) the areas of points that make it so high:
    those which they stand for, where points are all around."""
    total = weights.sum()
    at = points * nodes
    vector = splat(at, normals * (weights / total)[:, None], [nodes] * 3)  # (P1)
    kx, ky, kz = frequencies(nodes, points)
    squared = kx**2 + ky**2 + kz**2
    bell = torch.exp(squared * (-2 * sigma**2 / nodes**2))
    dot = torch.zeros((), device=points.device)
    for axis, k in enumerate((kx, ky, kz)):
        odd = torch.where(k.abs() * 2 == nodes, 0.0, k)  # the highest wave has no slope
        dot = dot + odd * torch.fft.rfftn(vector[axis])
    scale = bell / (2 * math.pi * squared.clamp(min=1))
    chi = torch.fft.irfftn(-1j * dot * scale, s=[nodes] * 3)  # (P2)
    mean = (gather_at(at, chi[None])[:, 0] * weights).sum() / total
    chi = chi - mean
    height = 2 * chi[0, 0, 0].abs().clamp(min=torch.finfo(chi.dtype).tiny)
    return chi / height, weights / (total * height * float(nodes) ** 3)  # (P3)
