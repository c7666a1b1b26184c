"""Holes filled and small parts dropped, by size, in a document of several parts."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meshlearn.io.changes.operations import (
    Changed,
    keep_faces,
    keep_vertices,
    triangulate,
    used_vertices,
)
from meshlearn.io.document import CornerField, Document, FileFormatError, Part, placed_vertices

if TYPE_CHECKING:
    from torch import Tensor


def _placed(part: Part) -> tuple[Tensor, Tensor, np.ndarray]:
    """Vertices (V, 3) float64 where they are placed, triangles of the polygons, owner of each."""
    from meshlearn.io.meshes import tensor_of

    flat = triangulate(Document([replace(part, transform=None)])).document.parts[0]
    owner = np.repeat(np.arange(part.num_faces), np.maximum(part.sizes - 2, 0))
    vertices = placed_vertices(part, part.vertices.astype(np.float64))[0]
    if not np.isfinite(vertices[part.polygon_index]).all():
        raise FileFormatError(
            f"part {part.name!r}: faces have corners that are not finite; --repair drops them"
        )
    vertices = np.where(np.isfinite(vertices), vertices, 0.0)
    return tensor_of(vertices), tensor_of(flat.polygon_index.reshape(-1, 3)), owner


def drop_islands(document: Document, below: float) -> Changed:
    """Without components of faces whose box has a smaller diagonal; the largest one stays.

    Each part is looked at by itself; lines, points and volume elements stay.

    Raises:
        FileFormatError: a face has a corner that is not finite.
    """
    from meshlearn.geometry.holes import island_sizes
    from meshlearn.mesh.topology import Topology

    found = []
    for part in document.parts:
        vertices, faces, owner = _placed(part)
        own, diagonals = island_sizes(vertices, Topology(faces, len(vertices)))
        found.append((own.numpy(), diagonals.numpy(), owner))
    largest = max((size.max() for _, size, _ in found if len(size)), default=0.0)
    limit = min(below, largest)
    parts, gone = [], 0
    for part, (labels, size, owner) in zip(document.parts, found, strict=True):
        drop = np.zeros(part.num_faces, bool)
        drop[owner[size[labels] < limit]] = True
        if drop.any():
            gone += int((size < limit).sum())
            before = used_vertices(part)
            part = keep_faces(part, ~drop)
            part = keep_vertices(part, used_vertices(part) | ~before)
        parts.append(part)
    done = f"{gone:,} components smaller than {below:g} dropped" if gone else "no small components"
    return Changed(replace(document, parts=parts), done)


def fill_holes(document: Document, up_to: float) -> Changed:
    """With the holes filled whose rim has a box of a diagonal up to a length: new triangles behind
    the polygons of each part (`meshlearn.geometry.fill_holes`).

    Raises:
        FileFormatError: a face has a corner that is not finite.
    """
    filled = 0
    left: list[str] = []
    parts = []
    for part in document.parts:
        made, count, sentences = _filled(part, up_to)
        parts.append(made)
        filled += count
        left += sentences
    done = f"{filled:,} holes filled" if filled else "no holes filled"
    done = "; ".join([done, *left[:3], *([f"and {len(left) - 3} more"] if len(left) > 3 else [])])
    return Changed(replace(document, parts=parts), done)


def _filled(part: Part, up_to: float) -> tuple[Part, int, list[str]]:
    import torch

    from meshlearn.geometry.holes import extended, find_fills, sources_of

    vertices, faces, owner = _placed(part)
    single = part.vertices.dtype == np.float32 and part.transform is None
    fills = find_fills(
        vertices,
        faces,
        math.inf if math.isinf(up_to) else up_to,
        dtype=torch.float32 if single else torch.float64,
    )
    if not len(fills.faces):
        return part, 0, fills.left
    source = sources_of(fills, faces)
    new = fills.vertices.numpy()
    if part.transform is not None:
        matrix = np.linalg.inv(np.asarray(part.transform, np.float64))
        new = new @ matrix[:3, :3].T + matrix[:3, 3]
    count = len(fills.faces)
    first = np.zeros(len(part.vertices), np.int64)  # a corner at each vertex
    first[part.polygon_index] = np.arange(len(part.polygon_index))
    corner = first[faces.reshape(-1)[source.corners].numpy()].reshape(-1)
    face = owner[source.faces.numpy()]

    def of_vertices(values: np.ndarray) -> np.ndarray:
        exact = torch.from_numpy(values.astype(np.float64)) if values.dtype.kind == "f" else None
        if exact is None:
            return extended_rows(values)
        return extended(exact, fills).numpy().astype(values.dtype)

    def extended_rows(values: np.ndarray) -> np.ndarray:
        rows = list(range(len(values)))
        for a, _ in fills.parents.tolist():
            rows.append(rows[a])
        return values[rows]

    start = part.polygon_start[-1] + 3 * np.arange(1, count + 1)
    return (
        replace(
            part,
            vertices=np.concatenate([part.vertices, new.astype(part.vertices.dtype)]),
            polygon_start=np.concatenate([part.polygon_start, start]),
            polygon_index=np.concatenate([part.polygon_index, fills.faces.numpy().reshape(-1)]),
            vertex_fields={k: of_vertices(v) for k, v in part.vertex_fields.items()},
            face_fields={k: np.concatenate([v, v[face]]) for k, v in part.face_fields.items()},
            corner_fields={
                k: CornerField(v.values, np.concatenate([v.index, v.index[corner]]))
                for k, v in part.corner_fields.items()
            },
        ),
        fills.filled,
        fills.left,
    )
