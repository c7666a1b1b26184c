"""What single precision costs coordinates: how far it moves points, and which fall together.

A float32 has 24 bits: of a point 5 400 km from the origin it keeps half a metre. What matters is
how far a shape lies from the origin in sizes of itself, so nothing here depends on the unit.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from meshlearn._compiled import HAS_COMPILED, call
from meshlearn.arrays.connectivity import first_equal

# sizes from the origin up to which float32 keeps 20 bits of a shape: 1e-6 of its size
NEAR = 8.0


def box_of(points: np.ndarray) -> np.ndarray | None:
    """(2, 3) float64 box around those of points (P, 3) that are finite; None where none is."""
    if not len(points):
        return None
    with np.errstate(invalid="ignore"):
        ends = [(column.min(), column.max()) for column in points.T]  # quicker than along rows
        box = np.array(ends, np.float64).T
    if not np.isfinite(box).all():
        points = points[np.isfinite(points).all(1)]
        return box_of(points)
    return box


def common_box(boxes: Iterable[np.ndarray | None]) -> np.ndarray | None:
    """(2, 3) the box around several, of which some may be None."""
    found = [box for box in boxes if box is not None]
    if not found:
        return None
    return np.stack([np.min([b[0] for b in found], 0), np.max([b[1] for b in found], 0)])


def is_far(box: np.ndarray | None) -> bool:
    """Whether a box (2, 3) lies so many of its sizes from the origin that float32 costs detail."""
    if box is None:
        return False
    with np.errstate(over="ignore"):
        size = float((box[1] - box[0]).max())
    return float(np.abs(box).max()) > NEAR * size > 0


def middle_of(box: np.ndarray) -> np.ndarray:
    """(3,) float64 middle of a box (2, 3)."""
    return box[0] + (box[1] - box[0]) / 2


def corner_texts(box: np.ndarray, digits: int = 6) -> list[list[str]]:
    """The corners of a box (2, 3) as people read them, see `place_texts`."""
    return place_texts(box, box, digits)


def place_texts(places: np.ndarray, box: np.ndarray, digits: int = 6) -> list[list[str]]:
    """Places (K, 3) in a box (2, 3) as people read them, with `digits` digits, or as many more as
    tell them apart to four digits of the box's size."""
    size, far = float((box[1] - box[0]).max()), float(np.abs(box).max())
    plain = [[f"{x:.{digits}g}" for x in row] for row in places.tolist()]
    if not (math.isfinite(far) and 0 < size <= far):
        return plain
    behind = digits - 2 - math.floor(math.log10(size))  # the point
    more = digits - 1 + math.floor(math.log10(far) - math.log10(size))
    if more <= digits or abs(behind) > 300:
        return plain
    return [[f"{round(x, behind):.{min(more, 17)}g}" for x in row] for row in places.tolist()]


class Rounding(NamedTuple):
    """What float32 makes of coordinates."""

    numbers: int  # those that it does not hold
    largest: float  # most that one of them moves, in their unit
    together: int  # points that fall on another one that they were apart from


def rounding(points: np.ndarray, origin: np.ndarray | None = None) -> Rounding:
    """What float32 would make of points (P, 3) float64, those that are not finite left out.

    Args:
        origin: (3,) that the float32 numbers count from; default: zero.
    """
    if points.dtype != np.float64 or not len(points):
        return Rounding(0, 0.0, 0)
    begin = np.zeros(3) if origin is None else np.asarray(origin, np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        held = (points if origin is None else points - begin).astype(np.float32)
        back = held.astype(np.float64) if origin is None else held.astype(np.float64) + begin
        moved = np.abs(back - points)
    changed = (back != points) & ~np.isnan(points)
    count = int(changed.sum())
    if not count:
        return Rounding(0, 0.0, 0)
    largest = float(moved[changed & np.isfinite(points)].max(initial=0.0))
    return Rounding(count, largest, fallen_together(points, None if origin is None else held))


def fallen_together(points: np.ndarray, held: np.ndarray | None = None) -> int:
    """How many more rows of `held` (P, 3) float32 equal another row than of `points` (P, 3)
    float64; `held` is by default what they are as float32."""
    if held is None:
        if HAS_COMPILED and len(points) < 1 << 31:
            whole = np.ascontiguousarray(points, np.float64)
            if not call("rounded_meet", whole, kinds="i")[0][0]:
                return 0
        with np.errstate(over="ignore"):
            held = points.astype(np.float32)
    first = first_equal(held)
    own = first == np.arange(len(held))
    if own.all() or bool((points[first[~own]] == points[~own]).all()):
        return 0  # what is equal now was so before
    return max(int((first_equal(points) == np.arange(len(points))).sum()) - int(own.sum()), 0)
