"""Writing STL files, see `meshlearn.io.formats.stl.read`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn._compiled import HAS_COMPILED, call, threads
from meshlearn.arrays.triangulation import as_points
from meshlearn.io.document import Document, Part
from meshlearn.io.even_looks import translucent
from meshlearn.io.formats.stl.colors import bits_of, is_color, rounded_colors
from meshlearn.io.formats.stl.read import FACET, HEAD
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.surface import one_surface
from meshlearn.io.text import rows_text

_FACETS = 1 << 15  # of a piece


def losses(document: Document) -> Iterator[Loss]:
    """What a binary STL file cannot hold beyond what its `Holds` says."""
    for part in document.parts:
        color = part.face_fields.get("color")
        if color is None or not part.num_faces:
            continue
        if not is_color(color):
            limit = "has colours of 3 numbers"
            yield Loss(LossKind.FIELD_SHAPE, "face", "color", len(color), limit)
            continue
        limit = "has 5 bits of each of red, green and blue"
        yield Loss(LossKind.FIELD_DIGITS, "face", "color", rounded_colors(color), limit)
        yield Loss(LossKind.ALPHA, "face", "color", translucent(color))
        if "attribute" in part.face_fields:
            limit = "has the colours of faces in its place"
            yield Loss(LossKind.FIELD, "face", "attribute", part.num_faces, limit)


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """An STL file, binary unless `ascii`; polygons are triangulated."""
    return b"".join(pieces(document, path, ascii=ascii)[path.name])


def pieces(
    document: Document, path: Path, *, ascii: bool = False
) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    if ascii:
        return {path.name: itertools.chain.from_iterable(map(_solid, document.parts or [Part()]))}
    surface = one_surface(document)
    name = " ".join(document.parts[0].name.split()) if len(document.parts) == 1 else ""
    head = name.encode()[:80].decode("utf-8", errors="ignore").encode() or HEAD
    head = b" " + head[:79] if head[:5].lower() == b"solid" else head
    color = surface.face_fields.get("color")
    extra = surface.face_fields.get("attribute")
    if color is not None and is_color(color):
        extra = bits_of(color)
    return {path.name: _table(head, surface, extra)}


def _solid(part: Part) -> Iterator[bytes]:
    surface = one_surface(Document([part]))
    vertices, faces = as_points(surface.vertices), surface.polygon_index.reshape(-1, 3)
    name = " ".join(part.name.split())
    yield f"solid {name}\n".encode()
    for first in range(0, len(faces), _FACETS):
        chosen = faces[first : first + _FACETS]
        table = np.frombuffer(_pack(vertices, chosen), FACET)
        with np.errstate(over="ignore"):
            corners = vertices[chosen.reshape(-1)].astype(np.float32)
        normals = b"".join(rows_text(np.ascontiguousarray(table["normal"]))).splitlines()
        points = b"".join(rows_text(corners)).splitlines()
        for k, normal in enumerate(normals):
            a, b, c = points[3 * k : 3 * k + 3]
            yield (
                b"facet normal %b\nouter loop\nvertex %b\nvertex %b\nvertex %b\n"
                b"endloop\nendfacet\n" % (normal, a, b, c)
            )
    yield f"endsolid {name}\n".encode()


def _table(head: bytes, surface: Part, extra: np.ndarray | None) -> Iterator[bytes | memoryview]:
    vertices, faces = as_points(surface.vertices), surface.polygon_index.reshape(-1, 3)
    yield head.ljust(80, b"\0") + np.uint32(len(faces)).tobytes()
    for first in range(0, len(faces), _FACETS):
        rows = slice(first, first + _FACETS)
        packed = _pack(vertices, faces[rows])
        if extra is not None:
            np.frombuffer(packed, FACET)["extra"] = extra[rows]
        yield packed


def _pack(vertices: np.ndarray, faces: np.ndarray) -> memoryview:
    """Rows of the table of a binary file."""
    if HAS_COMPILED:
        name, faces = f"stl_pack_{vertices.dtype.name}", np.ascontiguousarray(faces)
        return call(name, threads(), vertices, faces, kinds="b")[0].data
    corners = vertices[faces].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        table = np.zeros(len(corners), FACET)
        table["corners"] = corners
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        good = (length > 0) & np.isfinite(length)
        table["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=good)
    return memoryview(bytearray(table.tobytes()))
