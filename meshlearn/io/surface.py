"""The triangles of a document: polygons cut, parts placed and joined, fields along."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meshlearn.arrays.triangulation import triangulate
from meshlearn.io.changes.join import joined
from meshlearn.io.changes.skin import with_surface
from meshlearn.io.document import CornerField, Document, Part, as_table
from meshlearn.io.even_looks import OF_CORNERS, even_looks, looks_without_gaps
from meshlearn.io.placed import placed_part


def take_corners(part: Part, corner: np.ndarray, start: np.ndarray, face: np.ndarray) -> Part:
    """Polygons made of old corners (C',), with offsets `start`, each with the fields of `face`."""
    return replace(
        part,
        polygon_start=np.ascontiguousarray(start, np.int64),
        polygon_index=part.polygon_index[corner],
        face_fields={k: v[face] for k, v in part.face_fields.items()},
        corner_fields={k: replace(f, index=f.index[corner]) for k, f in part.corner_fields.items()},
    )


def cut_polygons(part: Part) -> Part:
    """The part with polygons cut into triangles, concave ones correctly; fields go along.

    Polygons of fewer than three corners have no triangle and are gone.
    """
    if bool((part.sizes == 3).all()):
        return part
    corners, owner = triangulate(part.vertices, part.polygon_start, part.polygon_index)
    return take_corners(part, corners.reshape(-1), np.arange(len(owner) + 1) * 3, owner)


def placed_triangles(part: Part, kind: type[np.floating] | None = None) -> Part:
    """The part's triangles where its transform puts them; a mirrored part keeps its outside.

    Args:
        kind: dtype of the vertices, before anything is cut; None keeps that of the file.
    """
    part, mirrored = placed_part(with_surface(part))
    vertices = part.vertices
    if kind is None and vertices.dtype not in (np.float32, np.float64):
        kind = np.float64
    if kind is not None:
        with np.errstate(over="ignore"):
            vertices = vertices.astype(kind, copy=False)
    made = cut_polygons(part.with_vertices(vertices))
    if mirrored:
        corner = np.arange(len(made.polygon_index)).reshape(-1, 3)[:, ::-1].reshape(-1)
        made = take_corners(made, corner, made.polygon_start, np.arange(made.num_faces))
    return made


def one_surface(document: Document, kind: type[np.floating] | None = None) -> Part:
    """All parts of a document as one of triangles, in their order; what a mesh has of it.

    Nothing is merged, reordered or dropped; of a part with volume cells and no face the outer skin
    is the surface. Fields of numbers stay that all parts have, as rows of the same shape and both
    of floats or not, and of those of corners the ones without a gap. What a part looks like stays
    in any case: where others have materials, texture coordinates ("uv", "uv1" …) or colours and it
    has none, or not at each corner, it gets the material -1, coordinates 0 and white.

    Args:
        kind: dtype of the vertices; None keeps that of the file.
    """
    parts = [_numbers_only(placed_triangles(part, kind)) for part in document.parts]
    if not parts:
        return Part(vertices=np.zeros((0, 3), kind or np.float32))
    even_looks(parts)
    for domain in ("vertex_fields", "face_fields", "corner_fields"):
        tables = [getattr(part, domain) for part in parts]
        for name in {name for table in tables for name in table}:
            kinds = {_kind(table[name]) if name in table else None for table in tables}
            if len(kinds) > 1:
                for table in tables:
                    table.pop(name, None)
    return joined(Document(parts))


def _kind(values: np.ndarray | CornerField) -> tuple[tuple[int, ...], bool]:
    values = values.values if isinstance(values, CornerField) else values
    return values.shape[1:], values.dtype.kind == "f"


def _numbers_only(part: Part) -> Part:
    """The part's faces with its fields of numbers; those of corners as tables (K, D)."""
    return Part(
        name=part.name,
        vertices=part.vertices,
        polygon_start=part.polygon_start,
        polygon_index=part.polygon_index,
        vertex_fields={k: v for k, v in part.vertex_fields.items() if v.dtype.kind in "fiub"},
        face_fields={k: v for k, v in part.face_fields.items() if v.dtype.kind in "fiub"},
        corner_fields={
            k: looks_without_gaps(k, CornerField(as_table(f.values), f.index))
            for k, f in part.corner_fields.items()
            if not len(f.index) or int(f.index.min()) >= 0 or k in OF_CORNERS
        },
    )
