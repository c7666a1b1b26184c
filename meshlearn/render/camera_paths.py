"""Sets of cameras around an object."""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor

from meshlearn.mesh.centring import far_middle, kind_for
from meshlearn.render.camera import Camera, Vector, positive, unit, vector


def sphere_directions(n: int, *, up: Vector = (0, 1, 0)) -> Tensor:
    """(n, 3) unit vectors spread evenly over the sphere, from above to below (Fibonacci lattice).

    Source: González (2010), "Measurement of areas on a sphere using Fibonacci and
    latitude-longitude lattices".

    Example:
        >>> sphere_directions(2)[:, 1]   # heights along up
        tensor([ 0.5000, -0.5000])
    """
    if not isinstance(n, int) or n < 1:
        raise ValueError(f"n: expected a positive int, got {n!r}")
    i = torch.arange(n, dtype=torch.float64)
    height = 1 - (2 * i + 1) / n
    angle = i * (math.pi * (3 - math.sqrt(5)))
    ring = (1 - height * height).clamp(min=0).sqrt()
    top = unit(vector(up, "up").to(torch.float64))
    seed = torch.tensor([0.0, 0.0, 1.0], dtype=torch.float64)
    if float((seed * top).sum().abs()) > 0.9:
        seed = torch.tensor([1.0, 0.0, 0.0], dtype=torch.float64)
    front = unit(seed - (seed * top).sum() * top)
    side = torch.linalg.cross(top, front)
    out = ring[:, None] * (angle.cos()[:, None] * front + angle.sin()[:, None] * side)
    return (out + height[:, None] * top).float()


def sphere_cameras(
    n: int,
    *,
    radius: float = 3.0,
    target: Vector = (0, 0, 0),
    up: Vector = (0, 1, 0),
    fov: float = 45.0,
) -> Camera:
    """A batch of `n` cameras spread evenly over a sphere, all looking at its middle.

    Args:
        n: how many.
        radius: distance to the target.
        target, up, fov: as in `Camera.look_at`.

    Example:
        >>> cams = sphere_cameras(40, radius=2.5)
    """
    direction = sphere_directions(n, up=up)
    # a view straight along up would have no upright image
    top = unit(vector(up, "up").float())
    along = (direction * top).sum(1, keepdim=True)
    tilt = torch.tensor([0.0, 0.0, 1.0] if float(top[2].abs()) < 0.9 else [1.0, 0.0, 0.0])
    direction = torch.where(along.abs() > 0.9999, unit(direction + 0.02 * tilt), direction)
    middle, radius = vector(target, "target"), positive(radius, "radius")
    kind = kind_for(middle.detach().cpu().double() + radius * direction)
    middle, direction = middle.to(kind), direction.to(kind)
    return Camera.look_at(middle + radius * direction, middle, up, fov=fov)


def views_around(points: Tensor, n: int, *, fov: float = 30.0, fill: float = 0.92) -> Camera:
    """`n` cameras on a sphere that see all `points` (P, 3) as large as they fit in a square image.

    All share one focal length. They are float32, or float64 where the points lie far from the
    origin.

    Raises:
        ValueError: there are no points, or they are not finite.
    """
    if points.dim() != 2 or points.shape[1] != 3 or not len(points):
        raise ValueError(f"points: expected (P, 3) with P > 0, got {tuple(points.shape)}")
    far = far_middle(points)
    if far is not None:
        return views_around(points.detach().double() - far, n, fov=fov, fill=fill).moved(far.cpu())
    cloud = vector(points.detach().float().cpu(), "points")
    low, high = cloud.amin(0), cloud.amax(0)
    middle = (low + high) / 2
    radius = max(float((cloud - middle).norm(dim=1).max()), 1e-12)
    distance = radius / math.sin(math.radians(fov) / 2)
    cams = sphere_cameras(n, radius=distance, target=middle, fov=fov)
    span = (cams.project(cloud, 1)[..., :2] - 0.5).abs().max()
    return replace(cams, focal=cams.focal * (fill / 2 / max(float(span), 1e-6)))
