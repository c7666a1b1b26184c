"""How far apart points of a scan lie, how noisy they are, and which of them are outliers."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.reconstruct import settings


def point_spacing(points: Tensor) -> float:
    """Side of the square of surface that a point stands for, the median over a sample of (P, 3).

    From neighbourhoods that are wide against the noise, where there are such: near ones of noisy
    points fill space, not a surface.
    """
    chosen = _sample(points)
    count = min(settings.NOISE_RINGS[-1], len(points) - 1)
    squared = geometry.knn(points[chosen], points, count + 1)[0]
    found: list[float] = []
    for k in settings.NOISE_RINGS:
        if k <= count or not found:
            k = min(k, count)
            found.append(float((math.pi * squared[:, k] / k).median()) ** 0.5)
    # of a plane all are the same; noise lifts the first ones, bends of the surface the last ones
    return min(found)


def _sample(points: Tensor) -> Tensor:
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
    return order[: settings.NOISE_SAMPLES].to(points.device)


def point_noise(points: Tensor) -> float:
    """Standard deviation of points (P, 3) across their surface, in their own unit.

    A quadric (a height over the plane of least variance, of six coefficients) is fitted to the
    nearest 16 points of each of a sample, to 32, 64 and so on; what is left of its residuals, by
    the degrees of freedom, is the noise, as bends of the surface are in the quadric. Few points
    tell it where they look like a piece of surface, flat against their radius; where not, as for
    noise above a spacing, more are asked. The median over the sample stands aside from edges, and
    what a neighbourhood of twice the points leaves more is taken off, as that is detail.
    Sheets nearer to each other than a spacing cannot be told from noise.

    Example:
        >>> noise = point_noise(points)
    """
    chosen = _sample(points)
    most = min(settings.NOISE_RINGS[-1], len(points))
    squared, index = geometry.knn(points[chosen], points, most)
    rings = [k for k in settings.NOISE_RINGS if k <= most] or [most]

    def left(k: int) -> float:
        return float(_left_of_quadrics(points[index[:, :k]], points[chosen]).median())

    noise = wider = left(rings[0])
    for k, twice in zip(rings, [*rings[1:], rings[-1]], strict=True):
        wider = left(twice)
        if noise < settings.NOISE_FLAT * float(squared[:, k - 1].sqrt().median()):
            break
        noise = wider
    # noise is the same in a wider neighbourhood, details of the surface add up
    details = max(0.0, wider**2 - noise**2) * settings.NOISE_DETAILS
    return math.sqrt(max(0.0, noise**2 - details))


def _left_of_quadrics(near: Tensor, centre: Tensor) -> Tensor:
    """(P,) standard deviation of neighbourhoods (P, K, 3) from a quadric each."""
    offset = (near - centre[:, None]).double()
    offset = offset - offset.mean(1, keepdim=True)
    k = near.shape[1]
    axes = torch.linalg.eigh(offset.transpose(1, 2) @ offset)[1]
    z, v, u = (offset @ axes).unbind(2)
    size = (u**2 + v**2).mean(1, keepdim=True).sqrt().clamp(min=1e-300)
    u, v = u / size, v / size
    basis = torch.stack([torch.ones_like(u), u, v, u * u, u * v, v * v], 2)
    normal = basis.transpose(1, 2) @ basis
    normal = normal + 1e-9 * k * torch.eye(6, dtype=normal.dtype, device=normal.device)
    weights = torch.linalg.solve(normal, basis.transpose(1, 2) @ z[..., None])
    left = z - (basis @ weights)[..., 0]
    freedom = max(1, k - settings.QUADRIC_FREEDOM)
    return ((left**2).sum(1) / freedom).sqrt()


def inliers(points: Tensor) -> Tensor:
    """(P,) bool: the points of (P, 3) that others are around as closely as around their neighbours.

    A point is out where its nearest neighbours are twice as far as those of the nearest quarter
    of them, and it lies off their plane, as the rim of a sparser part does not; or three times as
    far as is usual, where they fill space rather than a surface; and again without those, as
    outliers hide each other.

    Example:
        >>> points = points[inliers(points)]
    """
    count = min(settings.OUTLIER_NEIGHBOURS, len(points))
    keep = torch.ones(len(points), dtype=torch.bool, device=points.device)
    squared, index = geometry.PointTree(points).knn(points, count)
    far = squared[:, 1 : settings.RING + 1].sqrt().mean(1)
    looked = keep
    for _ in range(settings.OUTLIER_ROUNDS):
        rows = looked.nonzero()[:, 0]
        theirs = far[index[rows]]
        some = far[rows] > settings.OUTLIER_FACTOR * theirs.amin(1)  # few: the rest need no order
        rows = rows[some]
        usual = _quantile(theirs[some], settings.OUTLIER_USUAL)
        alone = far[rows] > settings.OUTLIER_FACTOR * usual
        rows, usual = rows[alone], usual[alone]
        out = torch.zeros_like(keep)
        out[rows[_off_plane(points[index[rows]]) > usual]] = True
        here = keep.nonzero()[:, 0]
        apart = here[far[here] > settings.OUTLIER_FAR * far[here].median()]
        out[apart[~_flat(points[index[apart]])]] = True
        if not bool(out.any()):
            break
        keep = keep & ~out
        here = keep.nonzero()[:, 0]
        if len(here) < max(settings.LEAST_POINTS, count):
            break
        # neighbours are others for those that lost one, and what is usual is around those
        lost = here[out[index[here]].any(1)]
        squared, found = geometry.PointTree(points[here]).knn(points[lost], count)
        index[lost] = here[found]
        far[lost] = squared[:, 1 : settings.RING + 1].sqrt().mean(1)
        changed = torch.zeros_like(keep)
        changed[lost] = True
        looked = keep & (changed | changed[index].any(1))
    return keep


def _quantile(values: Tensor, share: float) -> Tensor:
    """(P,) quantile of each row (P, K), between the two nearest values."""
    ordered = values.sort(1).values
    at = share * (values.shape[1] - 1)
    low = int(at)
    high = min(low + 1, values.shape[1] - 1)
    return ordered[:, low] + (at - low) * (ordered[:, high] - ordered[:, low])


def _off_plane(near: Tensor) -> Tensor:
    """(P,) distance of the first of neighbourhoods (P, K, 3) from the plane of the others."""
    others = near[:, 1:].double()
    middle = others.mean(1, keepdim=True)
    offset = others - middle
    normal = torch.linalg.eigh(offset.transpose(1, 2) @ offset)[1][..., 0]
    return ((near[:, 0].double() - middle[:, 0]) * normal).sum(1).abs().to(near)


def _flat(near: Tensor) -> Tensor:
    """(P,) bool: neighbourhoods (P, K, 3) that lie about a plane."""
    offset = (near - near.mean(1, keepdim=True)).double()
    spread = torch.linalg.eigvalsh(offset.transpose(1, 2) @ offset)
    return spread[:, 0] < settings.OUTLIER_FLAT * spread.sum(1)
