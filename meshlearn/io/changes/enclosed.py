"""Removing what nobody sees from outside, in a document of several parts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meshlearn.io.changes.operations import Changed, keep_faces, keep_vertices, used_vertices
from meshlearn.io.document import Document, FileFormatError, Part, placed_vertices
from meshlearn.io.surface import one_surface


def remove_enclosed(document: Document) -> Changed:
    """Without the shells that no ray from outside reaches (`meshlearn.geometry.remove_enclosed`).

    All parts are looked at together, where they are placed, so that a part inside another is found;
    polygons stay polygons, each as its shell. Lines, points and volume elements stay with their
    vertices; parts of which nothing is left are gone.

    Raises:
        FileFormatError: a face has a corner that is not finite.
    """
    if not any(part.num_faces for part in document.parts):
        return Changed(document, "no faces, so none is enclosed")
    _check_finite(document)
    from meshlearn.geometry.enclosed import enclosed_faces
    from meshlearn.io.meshes import tensor_of
    from meshlearn.mesh import Mesh

    bare = [
        Part(polygon_start=p.polygon_start, polygon_index=p.polygon_index) for p in document.parts
    ]
    for part, own in zip(bare, document.parts, strict=True):
        part.vertices = placed_vertices(own, own.vertices.astype(np.float64))[0]
    surface = one_surface(Document(bare), np.float64)
    mesh = Mesh(tensor_of(surface.vertices), tensor_of(surface.polygon_index.reshape(-1, 3)))
    hidden = enclosed_faces(mesh).numpy() if mesh.num_faces else np.zeros(0, bool)
    parts: list[Part] = []
    names: list[str] = []
    begin = gone = 0
    for part in document.parts:
        triangles = np.maximum(part.sizes - 2, 0)
        owner = np.repeat(np.arange(part.num_faces), triangles)
        drop = np.zeros(part.num_faces, bool)
        drop[owner[hidden[begin : begin + len(owner)]]] = True
        begin += len(owner)
        if not drop.any():
            parts.append(part)
            continue
        gone += int(drop.sum())
        before = used_vertices(part)
        left = keep_faces(part, ~drop)
        left = keep_vertices(left, used_vertices(left) | ~before)
        if left.num_faces or left.lines or len(left.points) or left.cells:
            parts.append(left)
        else:
            names.append(part.name or f"part {len(parts) + len(names)}")
    total = sum(part.num_faces for part in document.parts)
    if not gone:
        return Changed(document, "no enclosed faces: rays from outside reach every shell")
    whole = f", {_listed(names)} whole" if names else ""
    done = f"{gone:,} of {total:,} faces removed, which no ray from outside reaches{whole}"
    return Changed(replace(document, parts=parts), done)


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name) for name in names[:4])
    return f"{shown} and {len(names) - 4} more" if len(names) > 4 else shown


def _check_finite(document: Document) -> None:
    for part in document.parts:
        if not np.isfinite(part.vertices[part.polygon_index]).all():
            raise FileFormatError(
                "remove_enclosed: expected finite corners of faces, got NaN or infinite ones; "
                "give --repair too, which removes those faces first"
            )
