"""What a file has in it: nothing goes in and nothing comes out without a word.

An element is a face, a line, a point or a volume cell. A document whose file has geometry and that
has no element is an error when it is read, as is one of which a format would hold none when it is
written; a file that says itself that it is empty is not.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.format import Holds
from meshlearn.io.left_behind import LossKind

# losses of a reader that mean geometry
GEOMETRY = frozenset(
    {
        LossKind.UNREAD,
        LossKind.FACES,
        LossKind.POLYGONS,
        LossKind.LARGE_POLYGONS,
        LossKind.LINES,
        LossKind.POLYLINES,
        LossKind.POINTS,
        LossKind.CELLS,
        LossKind.ELEMENTS,
    }
)
_MOST_SAID = 300  # characters of what could not be read


def _elements(part: Part) -> int:
    cells = sum(len(index) for index in part.cells.values())
    return part.num_faces + len(part.lines) + len(part.points) + cells


def with_elements(document: Document, path: Path) -> Document:
    """The document as it was read; vertices without any element are points.

    Raises:
        FileFormatError: there is no element, and there is geometry that the reader left out.
    """
    if any(map(_elements, document.parts)):
        return document
    unread = [loss for loss in document.left_out if loss.kind in GEOMETRY and loss.count]
    if unread:
        listed = "; ".join(f"{loss.count:,} of {loss.what}" for loss in unread)
        said = listed if len(listed) <= _MOST_SAID else listed[:_MOST_SAID] + " …"
        raise FileFormatError(
            f"{path}: nothing of it can be read, since {unread[0].why}: it has {said}"
        )
    if not any(len(part.vertices) for part in document.parts):
        return document
    parts = [replace(part, points=np.arange(len(part.vertices))) for part in document.parts]
    return replace(document, parts=parts)


def counts_in(document: Document, holds: Holds) -> tuple[int, int]:
    """Vertices and faces of what a format writes of a document."""
    sizes = [part.sizes for part in document.parts]
    triangles = sum(int(np.maximum(size - 2, 0).sum()) for size in sizes)
    if not holds.faces:
        faces = 0
    elif not holds.polygons:
        faces = triangles
    elif holds.most_corners:
        faces = sum(int(np.where(s > holds.most_corners, s - 2, s > 2).sum()) for s in sizes)
    else:
        faces = sum(map(len, sizes))
    if not holds.shared:
        return 3 * faces, faces
    return sum(len(part.vertices) for part in document.parts), faces


def check_something(document: Document, holds: Holds, path: Path, name: str) -> None:
    """Raises FileFormatError where a document has something, and a file of the format `name` would
    have nothing of it."""
    vertices, faces = counts_in(document, holds)
    all_faces = sum(part.num_faces for part in document.parts)
    has = {
        "faces of 3 corners or more": all_faces,
        "lines": sum(len(part.lines) for part in document.parts),
        "cells": sum(len(i) for part in document.parts for i in part.cells.values()),
        "points": sum(len(part.points) for part in document.parts),
        "vertices without faces": sum(len(part.vertices) for part in document.parts),
    }
    surface = all_faces or has["lines"] or has["cells"]
    kept = faces or (holds.points and has["points"]) or (holds.lines and has["lines"])
    if not surface:  # vertices are points
        kept = kept or (holds.bare_vertices and holds.shared and vertices)
    elif holds.points and not holds.faces:  # all vertices become points
        kept = kept or vertices
    for part in document.parts:
        for kind, index in part.cells.items():
            kept = kept or (len(index) and (holds.cells is None or kind in holds.cells))
    if kept:
        return
    kind, count = next(((k, n) for k, n in has.items() if n), ("", 0))
    if not count:
        return
    if all_faces:
        raise FileFormatError(
            f"{path}: not written, since nothing would be in it: none of {count:,} faces has 3 "
            f"corners or more"
        )
    other = ".vtu" if kind == "cells" else ".ply"
    raise FileFormatError(
        f"{path}: not written, since nothing would be in it: there are {count:,} {kind}, and "
        f"{name} has no {kind}; name a file of a format that has, such as {other}"
    )
