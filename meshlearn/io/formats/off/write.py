"""Writing OFF files, see `meshlearn.io.formats.off.read`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document, Part, as_table
from meshlearn.io.text import (
    columns_text,
    polygons_text,
    rows_text,
)


def write(document: Document, path: Path) -> bytes:
    """An OFF file (ST, C, N in front of it as there are coordinates of textures, colours, normals);
    parts are joined."""
    return b"".join(pieces(document, path)[path.name])


def pieces(document: Document, path: Path) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    return {path.name: _text(joined(document))}


def _text(part: Part) -> Iterator[bytes | memoryview]:
    fields = part.vertex_fields
    colour, normal, uv = fields.get("color"), fields.get("normal"), fields.get("uv")
    colour = colour if colour is not None and colour.ndim == 2 and colour.shape[1] >= 3 else None
    words = [("ST", uv), ("C", colour), ("N", normal)]
    word = "".join(letter for letter, values in words if values is not None) + "OFF"
    yield f"{word}\n{len(part.vertices)} {part.num_faces} 0\n".encode()
    columns = [part.vertices]
    if normal is not None:
        columns.append(normal[:, :3])
    if colour is not None:
        top = 1.0 if colour.dtype.kind == "f" else 255
        if colour.shape[1] == 3:  # the fourth component is not optional
            colour = np.concatenate([colour, np.full((len(colour), 1), top, colour.dtype)], 1)
        columns.append(colour[:, :4])
    if uv is not None:
        columns.append(uv[:, :2])
    yield from columns_text(columns)
    faces = polygons_text(part.polygon_start, [part.polygon_index], counted=True)
    tint = part.face_fields.get("color", part.face_fields.get("color_index"))
    if tint is None:
        yield from faces
        return
    texts = rows_text(as_table(tint))
    for left, right in zip(faces, texts, strict=True):
        pairs = zip(bytes(left).splitlines(), bytes(right).splitlines(), strict=True)
        yield b"".join(a + (b"" if b"nan" in b else b" " + b) + b"\n" for a, b in pairs)
