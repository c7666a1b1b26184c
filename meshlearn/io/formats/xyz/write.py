"""Writing lines of points, see `meshlearn.io.formats.xyz.read`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document
from meshlearn.io.text import columns_text


def write(document: Document, path: Path) -> bytes:
    """A line for each vertex."""
    return b"".join(pieces(document, path)[path.name])


def pieces(document: Document, path: Path) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    part = joined(document)
    columns = [part.vertices]
    order = ("normal", "color", "value")
    if path.suffix.lower() == ".pts" and "normal" not in part.vertex_fields:
        order = ("normal", "value", "color")  # intensity stands before the colour
    for key in order:
        values = part.vertex_fields.get(key)
        if values is not None and len(values):
            values = values.reshape(len(values), -1)
            columns.append(values[:, :3] if key != "value" else values)
    if path.suffix.lower() == ".pts":
        return {path.name: _counted(columns)}
    return {path.name: columns_text(columns) if len(part.vertices) else [b"# no points\n"]}


def _counted(columns: list[np.ndarray]) -> Iterable[bytes | memoryview]:
    yield f"{len(columns[0])}\n".encode()
    yield from columns_text(columns)
