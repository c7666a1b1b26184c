"""Parts about origins of their own: how a format of single precision keeps large coordinates.

A part whose vertices lie far from the origin, as those of a survey do, is written about a place
near it, and its transform, which such formats hold in double precision, puts it back.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from meshlearn.arrays.precision import box_of, common_box, is_far, middle_of
from meshlearn.io.document import Document, Part


def with_local_origins(document: Document) -> Document:
    """The document with far parts of double precision about an origin of their own, each where it
    was. Parts that lie together share one, so that their common vertices round alike."""
    boxes = [_far_box(part) for part in document.parts]
    if not any(box is not None for box in boxes):
        return document
    whole = common_box(b for b, p in zip(boxes, document.parts, strict=True) if p.transform is None)
    shared = None if whole is None else _round_place(whole)
    parts = [
        part if box is None else _about(part, _origin(part, box, shared))
        for part, box in zip(document.parts, boxes, strict=True)
    ]
    return replace(document, parts=parts)


def _far_box(part: Part) -> np.ndarray | None:
    """(2, 3) the box of a part that single precision costs detail."""
    if part.vertices.dtype != np.float64:
        return None
    box = box_of(part.vertices)
    return box if is_far(box) else None


def _origin(part: Part, box: np.ndarray, shared: np.ndarray | None) -> np.ndarray:
    near = shared is not None and part.transform is None and not is_far(box - shared)
    return shared if near and shared is not None else _round_place(box)


def _round_place(box: np.ndarray) -> np.ndarray:
    """(3,) near the middle of a box, of few digits: people read it."""
    digits = 10.0 ** math.floor(math.log10(float((box[1] - box[0]).max())))
    place = np.round(middle_of(box) / digits) * digits if 1e-300 < digits < 1e300 else box[0]
    return place + 0.0


def _about(part: Part, origin: np.ndarray) -> Part:
    back = np.eye(4)
    back[:3, 3] = origin
    before = np.eye(4) if part.transform is None else np.asarray(part.transform, np.float64)
    return replace(part, vertices=part.vertices - origin, transform=before @ back)
