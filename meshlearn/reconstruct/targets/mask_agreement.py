"""Whether masks and cameras belong together: each mask has to be what all others leave of it.

On the ray of a covered pixel lies a point of the object, which no other camera may see beside its
mask. The share of the pixels for which there is such a point is 1 where all is right. For a pixel
without one, those cameras are to blame that deny the points of its ray that the fewest deny.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, max_pool2d

from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.visual_hull import Hull
from meshlearn.render import Camera


class Agreement(NamedTuple):
    """How far masks agree.

    Attributes:
        share: of the covered pixels of all views, those that the others leave a point for.
        blame: (N,) share of all other covered pixels that each view denies.
        hold: (N,) share of the covered pixels of each view that the others leave a point for.
    """

    share: float
    blame: Tensor
    hold: Tensor


def mask_agreement(
    cameras: Camera,
    masks: Tensor,
    known: Tensor | None = None,
    *,
    tolerance: int = 0,
    box: Tensor | None = None,
) -> Agreement:
    """How far masks (N, H, W) agree with each other through their cameras.

    Lengths below a part of `settings.AGREEMENT_CELLS` of the object are not looked at.

    Args:
        known: (N, H, W) bool, the pixels that a camera saw; None for all.
        tolerance: how many cameras may deny a point of the object.
        box: (2, 3) that the object lies in; by default it is looked for around the point that the
            cameras look at.

    Example:
        >>> mask_agreement(images.cameras, images.masks).share
        1.0
    """
    hull = Hull(cameras, masks, known=known)
    if box is None:
        box = _box_of_object(hull)
    if len(cameras) < 2 or not float((box[1] - box[0]).max()) > 0:
        zero = torch.zeros(len(cameras), device=masks.device)
        return Agreement(1.0, zero, zero + 1)
    points, step = _lattice(box.to(masks.device))
    denied = hull.outside(points, 0.5 * 3**0.5 * step)  # a cell that the hull touches is inside
    count = denied.sum(1)
    inside = count <= tolerance
    n = len(cameras)
    blame = torch.zeros(n, device=points.device)
    held = torch.zeros(n, device=points.device)
    covered = torch.zeros(n, device=points.device)
    for j in range(n):
        full, place, valid = _blocks(cameras[j], masks[j], points, step)
        h, w = full.shape
        hit = torch.zeros(h * w, device=points.device)
        hit[place[valid & inside]] = 1
        # a point may fall beside its pixel by a block
        hit = max_pool2d(hit.view(1, 1, h, w), 3, stride=1, padding=1).view(-1) > 0
        wanted = full.view(-1)
        covered[j], held[j] = wanted.sum(), (wanted & hit).sum()
        open_ = wanted & ~hit
        chosen = valid & open_[place]
        if not bool(chosen.any()):
            continue
        at, how_many, who = place[chosen], count[chosen], denied[chosen]
        least = torch.full((h * w,), n + 1, device=points.device)
        least.scatter_reduce_(0, at, how_many, "amin")
        best = how_many == least[at]
        at, who = at[best], who[best].float()
        votes = torch.zeros(h * w, n, device=points.device).index_add_(0, at, who)
        voters = torch.zeros(h * w, device=points.device).index_add_(
            0, at, torch.ones_like(who[:, 0])
        )
        blame += (votes / voters.clamp(min=1)[:, None]).sum(0)
    total = covered.sum().clamp(min=1)
    others = (total - covered).clamp(min=1)
    return Agreement(float(held.sum() / total), blame / others, held / covered.clamp(min=1))


def check_agreement(
    cameras: Camera,
    masks: Tensor,
    known: Tensor | None,
    *,
    tolerance: int,
    names: Sequence[str] = (),
    box: Tensor | None = None,
) -> str:
    """A sentence where masks disagree in a part, "" where they do not.

    Raises:
        ValueError: (almost) nothing in space is inside the masks of all cameras.
    """
    found = mask_agreement(cameras, masks, known, tolerance=tolerance, box=box)
    if found.share >= settings.AGREEMENT_TOLD:
        return ""
    most = float(found.blame.max())
    worst = found.blame.argsort(descending=True, stable=True)[: settings.AGREEMENT_NAMED].tolist()
    keep = [i for i in worst if float(found.blame[i]) > settings.AGREEMENT_BLAMED * most]
    listed = ", ".join(
        f"view {i}{f' ({names[i]})' if i < len(names) else ''}: {float(found.blame[i]):.0%}"
        for i in keep
    )
    blamed = f"; those that deny most of what the others cover are {listed}" if keep else ""
    mend = "check masks and cameras of these" if keep else "check masks and cameras"
    mend += ", leave them out, or (in Python) raise tolerance"
    if found.share < settings.AGREEMENT_LEAST:
        raise ValueError(
            "masks: no point in space is inside the masks of all cameras, or almost none: for "
            f"{1 - found.share:.0%} of the covered pixels none is{blamed}; {mend}"
        )
    return (
        f"masks: they disagree about {1 - found.share:.0%} of what they cover, which is cut off"
        f"{blamed}; {mend}"
    )


def _box_of_object(hull: Hull) -> Tensor:
    """(2, 3) around the object, be masks of some cameras wrong."""
    box = hull.view_box()
    for part in (4, 2):
        patient = copy(hull)
        patient.tolerance = len(hull.cameras) // part
        try:
            return patient.bounds(settings.AGREEMENT_SEARCH)
        except ValueError:
            continue
    return box


def _lattice(box: Tensor) -> tuple[Tensor, float]:
    """Points (P, 3) in a box, and their step."""
    step = float((box[1] - box[0]).max()) / settings.AGREEMENT_CELLS
    lines = [
        torch.arange(float(low) + step / 2, float(high) + step / 2, step, device=box.device)
        for low, high in box.T
    ]
    return torch.cartesian_prod(*lines).view(-1, 3).float(), step


def _blocks(
    cam: Camera, mask: Tensor, points: Tensor, step: float
) -> tuple[Tensor, Tensor, Tensor]:
    """A mask in blocks as large as a step (bool), the block of each point, and if there is one.

    A point outside of the image, or behind the camera, has none.
    """
    h, w = mask.shape
    u, v, z = cam.project(points, (h, w)).unbind(1)
    valid = (u >= 0) & (u < w) & (v >= 0) & (v < h) & (z >= cam.near)
    pixels = float(cam.focal.max()) * h * step
    if not cam.orthographic and bool(valid.any()):
        pixels /= float(z[valid].median())
    size = max(1, min(h, w, round(pixels)))
    full = avg_pool2d((mask >= settings.COVERED).float()[None, None], size, ceil_mode=True)[0, 0]
    column, row = (t.nan_to_num(0).clamp(0, 1e7).long() // size for t in (u, v))
    place = row.clamp(max=full.shape[0] - 1) * full.shape[1] + column.clamp(max=full.shape[1] - 1)
    return full >= settings.COVERED, place, valid
