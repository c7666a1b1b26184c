"""Noisy points before they are fitted: the surface between them, by Poisson's equation.

A fit to points that are off their surface by more than a part of their spacing bends to each of
them. So it starts from the surface that all of them make together, and is fitted to places and
normals of that, near the points.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import normalize

from meshlearn import geometry
from meshlearn.geometry.splatting import gather_at
from meshlearn.mesh import Mesh
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.surface import clean_points, indicator_mesh, thinness
from meshlearn.reconstruct.targets.support import supported


class NoisySurface(NamedTuple):
    """What noisy points make together."""

    mesh: Mesh  # closed, gaps included
    points: Tensor  # (S, 3) places on it that are near the given points
    normals: Tensor  # (S, 3) unit, outward
    open: float  # share of the mesh that no point is near to
    outliers: int  # given points that were left out


def noisy_surface(points: Tensor, normals: Tensor | None, noise: float) -> NoisySurface | None:
    """The surface between noisy points, and places on it; None where they have none that is solid,
    or it does not go by where they are.

    Args:
        points: (P, 3), at least 16, finite.
        normals: (P, 3) unit, outward, or None.
        noise: standard deviation across the surface.

    Example:
        >>> found = noisy_surface(cloud.points, cloud.normals, point_noise(cloud.points))
    """
    if thinness(points)[0] < settings.THIN:
        return None
    clean = clean_points(points, normals, noise=noise)
    mesh = indicator_mesh(clean, resolution=None, sigma=settings.POISSON_SIGMA, screen=None)
    if mesh.num_faces == 0:
        return None
    mesh = supported(mesh, clean.points, least=settings.LEAST_OF_PART)
    off = geometry.MeshBVH(mesh).closest(clean.points).squared_distance.sqrt()
    most = off.kthvalue(max(1, int(settings.STARTED_SHARE * len(off)))).values
    if float(most) > settings.STARTED_OFF * (clean.spacing + clean.noise):
        return None
    count = min(max(settings.STARTED_PLACES * len(points), settings.SAMPLES), settings.STARTED_MOST)
    drawn = torch.Generator().manual_seed(0)
    at = geometry.sample_surface(mesh, count, generator=drawn)
    corners = mesh.vertex_normals()[mesh.faces[at.faces]]
    facing = normalize((corners * at.barycentric[..., None]).sum(1), dim=1)
    far = geometry.knn(at.points, clean.points, 1)[0][:, 0].sqrt()
    near = far < settings.STARTED_NEAR * clean.spacing
    if int(near.sum()) < settings.LEAST_POINTS:
        return None
    apart = float((far > 2 * settings.STARTED_NEAR * clean.spacing).float().mean())
    lost = int((~clean.kept).sum())
    return NoisySurface(mesh, at.points[near], facing[near], apart, lost)


def near_distance(solid: geometry.MeshBVH, points: Tensor) -> Tensor:
    """(P,) signed distance of places to a closed mesh; far from it, between those of a lattice.

    On a lattice over the places the distance is taken first. Between its nodes it is off by no more
    than the diagonal of a cell, so that beyond that the sign is known, and the distance nearly.
    """
    count = settings.STARTED_LATTICE
    if len(points) < count**3:
        return solid.signed_distance(points)
    low, high = points.amin(0), points.amax(0)
    cell = (high - low).clamp(min=1e-30) / (count - 1)
    steps = torch.arange(count).to(points)
    lattice = low + torch.cartesian_prod(steps, steps, steps) * cell
    known = solid.signed_distance(lattice).reshape(1, count, count, count)
    found = gather_at((points - low) / cell, known)[:, 0]
    near = found.abs() <= 1.01 * float(cell.norm())
    found[near] = solid.signed_distance(points[near])
    return found
