"""Polygons that go round one loop of corners several times."""

from __future__ import annotations

import numpy as np

from meshlearn.io.document import Part
from meshlearn.io.surface import take_corners

_LEAST = 3  # corners of a loop


def once_around(part: Part) -> tuple[Part, int]:
    """The part with polygons that go round one loop of corners again and again, as in a line
    ``f 1 2 3 4 1 2 3 4`` of OBJ, going round once -> it, and how many those were.

    A loop that is gone round k times covers nothing but itself, and would be k surfaces one upon
    the other when it is cut into triangles. Where corners differ in another field at the second
    time, the polygon stays as it is.
    """
    if part.sizes.max(initial=0) < 2 * _LEAST:
        return part, 0
    long = np.nonzero(part.sizes >= 2 * _LEAST)[0]
    size = part.sizes[long]
    at = np.repeat(part.polygon_start[long] - (np.cumsum(size) - size), size) + np.arange(
        int(size.sum())
    )
    first = part.polygon_index[part.polygon_start[long]]
    again = np.bincount(
        np.repeat(np.arange(len(long)), size), part.polygon_index[at] == np.repeat(first, size)
    )
    tables = [part.polygon_index, *(field.index for field in part.corner_fields.values())]
    found: dict[int, int] = {}
    for face in long[again > 1].tolist():
        run = slice(int(part.polygon_start[face]), int(part.polygon_start[face + 1]))
        corners = part.polygon_index[run]
        for period in (np.nonzero(corners[1:] == corners[0])[0] + 1).tolist():
            if period < _LEAST or len(corners) % period:
                continue
            if all(np.array_equal(t[run][period:], t[run][:-period]) for t in tables):
                found[face] = period
                break
    if not found:
        return part, 0
    sizes = part.sizes.copy()
    sizes[list(found)] = list(found.values())
    place = np.arange(len(part.polygon_index)) - np.repeat(part.polygon_start[:-1], part.sizes)
    corner = np.nonzero(place < np.repeat(sizes, part.sizes))[0]
    start = np.concatenate([[0], np.cumsum(sizes)])
    return take_corners(part, corner, start, np.arange(part.num_faces)), len(found)
