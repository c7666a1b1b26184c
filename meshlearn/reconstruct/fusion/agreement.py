"""Whether depth images and cameras belong together, and whether walls are thicker than the reach.

Of points that some images saw, the others say one of four things: they saw the same place (agree),
something before it, something behind it (they look through it), or nothing. Where images and
cameras belong together hardly any look through a point, whatever the object.
"""

from __future__ import annotations

import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.reconstruct.fusion.pixels import Lenses, world_points
from meshlearn.render import Camera

_IMAGES, _POINTS = 8, 1500  # looked at, of all and of each
_AGREE = 0.02  # of the depth, that two images of one place may differ
_THROUGH = 0.05  # of the depth, from which on an image looks through a point
_UNITS = (1e-3, 1e3)
_DOUBT, _OTHER = 0.12, 0.5  # looked through, over agreed: from noise of 1 % up; other cameras
_ALIKE = 0.5  # the share of points that images agree with in the right unit
_THIN = 0.06  # of the points, from which on thin walls are told; near edges some seem so
_FACING = 0.8  # cosine from which on a ray goes nearly straight through a wall
_FREE = 0.5  # cells before what an image saw, where it saw through


class _Said(NamedTuple):
    """What images say of points of others: shares of all that say agree, through or before."""

    agree: float
    through: float
    same: float  # of the points, that any image agrees with


def check_agreement(cameras: Camera, depth: Tensor, lens: Lenses) -> bool:
    """Whether depth images agree; warns where that is in doubt. Raises ValueError where depth is of
    another unit than the cameras, or the cameras are those of other images.

    Args:
        cameras: a batch of N.
        depth: (N, H, W), 0 for none.
        lens: of the cameras.
    """
    if len(cameras) < 2:
        return False
    said = _said(cameras, depth, lens)
    if _belong(said):
        return True
    for factor in _UNITS:
        other = _said(cameras, depth * factor, lens)
        if _belong(other) and other is not None and other.same > _ALIKE:
            raise ValueError(
                "depth: the images agree with each other only where it is multiplied by "
                f"{factor:g}; it is in another unit than the cameras: set integer_depth_scale in "
                "transforms.json, or multiply the images"
            )
    if said is None:
        _warn("no image sees anything of what another saw; check cameras and depth")
    elif said.through > _DOUBT * said.agree:
        found = (
            f"of what one image saw, {said.through:.0%} of the others look through it and only "
            f"{said.agree:.0%} see it there"
        )
        if said.through > _OTHER * said.agree:
            raise ValueError(
                f"cameras: {found}; they belong to other images, come in another order, or look "
                "another way (OpenGL along -z, OpenCV along +z): check cameras and depth"
            )
        _warn(f"{found}; check that cameras and depth belong together and are in one order")
    return False


def _belong(said: _Said | None) -> bool:
    return said is not None and said.agree > 0 and said.through <= _DOUBT * said.agree


def _warn(sentence: str) -> None:
    warnings.warn(sentence, RuntimeWarning, stacklevel=5)


def _chosen(count: int) -> list[int]:
    some = min(count, _IMAGES)
    return [(i * count) // some for i in range(some)]


def _some(depth: Tensor) -> Tensor:
    """One image (1, H, W) with so many pixels left as are looked at."""
    step = max(1, round((int((depth > 0).sum()) / _POINTS) ** 0.5))
    seen = torch.zeros_like(depth)
    seen[:, ::step, ::step] = depth[:, ::step, ::step]
    return seen


def _one(lens: Lenses, k: int) -> Lenses:
    return lens._replace(lens=lens.lens[k : k + 1], pose=lens.pose[k : k + 1])


def _seen(cameras: Camera, depth: Tensor, points: Tensor) -> tuple[Tensor, Tensor]:
    """(N, P) depth of points, and what each image has there, 0 for nothing."""
    n, h, w = depth.shape
    place = cameras.project(points, (h, w))
    u, v, z = place.unbind(-1)
    inside = (u >= 0) & (v >= 0) & (u < w) & (v < h) & (z > 0)
    view = torch.arange(n, device=depth.device)[:, None]
    row, column = (torch.where(inside, c, 0.0).long() for c in (v, u))
    return z, torch.where(inside, depth[view, row, column], 0.0)


def _said(cameras: Camera, depth: Tensor, lens: Lenses) -> _Said | None:
    agree = through = before = same = total = 0
    for k in _chosen(len(depth)):
        points = world_points(_some(depth[k : k + 1]), _one(lens, k))
        if not len(points):
            continue
        z, at = _seen(cameras, depth, points)
        at[k] = 0
        gap = (at - z) / z.clamp(min=1e-30)
        like = (at > 0) & (gap.abs() <= _AGREE)
        agree += int(like.sum())
        through += int(((at > 0) & (gap > _THROUGH)).sum())
        before += int(((at > 0) & (gap < -_AGREE)).sum())
        same += int(like.any(0).sum())
        total += len(points)
    spoken = agree + through + before
    if not spoken:
        return None
    return _Said(agree / spoken, through / spoken, same / total)


def warn_of_thin_walls(
    cameras: Camera, depth: Tensor, lens: Lenses, surface: Tensor, *, reach: float, cell: float
) -> None:
    """Tells where walls are so thin that images of their two sides disagree within the reach.

    A place behind a surface by the reach is inside for the image that saw that surface; where
    another image sees it as free, the wall is thinner.

    Args:
        cameras, depth, lens: as in `check_agreement`.
        surface: (N, H, W, 2), see `surface_pixels`.
        reach: in cells.
        cell: side of a cell.
    """
    thin = total = 0
    for k in _chosen(len(depth)):
        some = _some(torch.where(surface[k : k + 1, ..., 0] > _FACING, depth[k : k + 1], 0.0))
        if not bool((some > 0).any()):
            continue
        one = _one(lens, k)
        slope = surface[k][some[0] > 0][:, 0]
        # as far behind along the ray as is the reach across the surface
        deeper = some.clone()
        deeper[some > 0] += reach * cell / slope
        z, at = _seen(cameras, depth, world_points(deeper, one))
        at[k] = 0
        thin += int((at - z > _FREE * cell).any(0).sum())
        total += len(slope)
    if total and thin > _THIN * total:
        _warn(
            f"walls at {thin / total:.0%} of what was seen are thinner than {reach * cell:.3g}, "
            f"{reach:g} cells, or images disagree by as much; they come out thicker: take more "
            "cells (resolution)"
        )
