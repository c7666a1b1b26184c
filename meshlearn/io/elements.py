"""Faces and cells of fixed kinds, as simulation formats list them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from meshlearn.arrays.triangulation import triangulate
from meshlearn.io.document import Document, Part
from meshlearn.io.left_behind import Loss, LossKind

CORNERS = {"tetra": 4, "hexahedron": 8, "wedge": 6, "pyramid": 5}


def from_faces(part: Part, kinds: Iterable[np.ndarray]) -> None:
    """Sets polygons from arrays (N, corners) of faces, one kind after another."""
    kinds = [np.asarray(k, np.int64) for k in kinds if len(k)]
    sizes = [np.full(len(k), k.shape[1], np.int64) for k in kinds]
    part.polygon_start = np.concatenate([[0], *sizes]).astype(np.int64).cumsum()
    part.polygon_index = np.concatenate([*(k.reshape(-1) for k in kinds), np.zeros(0, np.int64)])
    part.polygon_index = part.polygon_index.astype(np.int64)


def without_between(count: int, every: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """(count,) which vertices stay where curved elements become straight: all but those that
    elements name and no corner is. A vertex that nothing names stays.

    Args:
        every: vertices that elements name.
        corners: those of them that are corners.
    """
    keep = np.ones(count, bool)
    keep[every] = False
    keep[corners] = True
    return keep


def curved_loss(nodes: int, format: str) -> Loss:
    """The loss of nodes between the corners of curved elements, which are read as straight."""
    limit = "makes curved elements straight"
    name = "nodes between the corners of curved elements"
    return Loss(
        LossKind.OTHER, name=name, count=nodes, limit=limit, holder=f"the reader of {format}"
    )


def by_size(part: Part, sizes: Iterable[int]) -> dict[int, tuple[np.ndarray, np.ndarray]]:
    """For each wanted number of corners: which faces (N,), and their corners (N, size)."""
    out = {}
    count = part.sizes
    for size in sizes:
        faces = np.nonzero(count == size)[0]
        corners = part.polygon_start[faces][:, None] + np.arange(size)
        out[size] = (faces, part.polygon_index[corners] if len(faces) else np.zeros((0, size), int))
    return out


def size_losses(document: Document) -> Iterator[Loss]:
    """What a format of triangles and quads loses: other polygons, and the order of mixed ones."""
    other = sum(int(((p.sizes != 3) & (p.sizes != 4)).sum()) for p in document.parts)
    yield Loss(LossKind.LARGE_POLYGONS, count=other)
    if not other:
        moved = sum(_moved(p.sizes) for p in document.parts)
        yield Loss(LossKind.FACE_ORDER, count=moved)


def _moved(sizes: np.ndarray) -> int:
    order = np.argsort(sizes, kind="stable")
    return int((order != np.arange(len(sizes))).sum())


def cut_large(part: Part) -> Part:
    """The part with polygons of more than four corners cut into triangles; fields go along."""
    from dataclasses import replace

    from meshlearn.io.document import CornerField

    sizes = part.sizes
    if not ((sizes < 3) | (sizes > 4)).any():
        return part
    corner, owner = triangulate(part.vertices, part.polygon_start, part.polygon_index)
    faces = part.polygon_index[corner]
    keep = sizes == 4
    take = ~keep[owner]
    quads = np.nonzero(keep)[0]
    quad_corners = part.polygon_start[quads][:, None] + np.arange(4)
    made = replace(
        part,
        face_fields={
            k: np.concatenate([v[owner[take]], v[quads]]) for k, v in part.face_fields.items()
        },
        corner_fields={
            k: CornerField(
                f.values,
                np.concatenate(
                    [f.index[corner[take].reshape(-1)], f.index[quad_corners].reshape(-1)]
                ),
            )
            for k, f in part.corner_fields.items()
        },
    )
    from_faces(made, [faces[take], part.polygon_index[quad_corners]])
    return made
