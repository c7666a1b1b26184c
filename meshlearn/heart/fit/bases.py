"""Where ventricles end that only short-axis slices show: half a gap beyond their last slice.

No valve is seen there. What is drawn on a slice stands for a disc as thick as the gap between
slices, in the sum of discs as in the voxels of a segmentation, so a ventricle ends where its last
disc does, under a flat lid. Left alone, the surface would go on to where the average heart has its
valves.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.heart.data.contours import VIEWS, Contours
from meshlearn.heart.fit.initial_pose import long_axis
from meshlearn.heart.fit.settings import LEAST_ON_SLICE, LID_SHARES

WALLS = {"lv": ("lv_endo",), "rv": ("rv_free", "rv_septum", "rv_endo")}
VALVES = {"lv": ("mitral", "aortic"), "rv": ("tricuspid", "pulmonary")}


class Base(NamedTuple):
    """Both ends of a ventricle: the slices they are on, the gap between slices, mm, the direction
    up; the rim (P, 3), half a gap above the contour of the last slice, points (K, 3) of the flat
    lid within, and the floor (Q, 3), half a gap below the RV's septum on its first."""

    last: int
    first: int
    gap: float
    up: Tensor
    rim: Tensor
    lid: Tensor
    floor: Tensor


def short_axis_bases(contours: Contours) -> dict[str, Base]:
    """The bases of "lv" and "rv", of those whose end is seen on short-axis slices alone."""
    found: dict[str, Base] = {}
    if contours.slices("lax"):
        return found
    for name, labels in WALLS.items():
        walls = contours.of(*labels)
        walls = walls.take(walls.view == VIEWS.index("sax"))
        numbers = [n for n in walls.slices() if int((walls.slice == n).sum()) >= LEAST_ON_SLICE]
        if len(contours.of(*VALVES[name])) or len(numbers) < 2:
            continue
        up = long_axis(contours)
        planes = [walls.points[walls.slice == n] for n in numbers]
        height = torch.stack([p.mean(0) @ up for p in planes])
        gap = float(height.sort().values.diff().median())
        last, first = numbers[int(height.argmax())], numbers[int(height.argmin())]
        half = gap / 2 * up
        rim, bottom = walls.take(walls.slice == last), walls.take(walls.slice == first)
        lid, floor = _within(rim) + half, bottom.of("rv_septum").points - half
        found[name] = Base(last, first, gap, up, rim.points + half, lid, floor)
    return found


def _within(rim: Contours) -> Tensor:
    """Points (K, 3) inside a contour: of the LV on the way to its middle, of the RV, which may be a
    crescent, from its free wall straight to its septum."""
    points, septum = rim.points, rim.of("rv_septum").points
    if len(rim.of("lv_endo")):
        to = points.mean(0).expand_as(points)
    elif len(septum):
        points = rim.of("rv_free").points
        to = septum[torch.cdist(points, septum).argmin(1)]
    else:
        return points[:0]
    return torch.cat([points + share * (to - points) for share in LID_SHARES])
