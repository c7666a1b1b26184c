"""Writing lines of points, see `meshlearn.io.formats.xyz.read`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

import numpy as np

from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document
from meshlearn.io.even_looks import translucent
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.offset import offset_line
from meshlearn.io.text import columns_text


def losses(document: Document) -> Iterator[Loss]:
    """What lines of points cannot hold beyond what their `Holds` says."""
    for part in document.parts:
        if "color" in part.vertex_fields:
            yield Loss(LossKind.ALPHA, count=translucent(part.vertex_fields["color"]))


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
    body: Iterable[bytes | memoryview]
    if path.suffix.lower() == ".pts":
        body = _counted(columns)
    else:
        body = columns_text(columns) if len(part.vertices) else [b"# no points\n"]
    line = offset_line(document)
    return {path.name: chain([f"# {line}\n".encode()], body) if line else body}


def _counted(columns: list[np.ndarray]) -> Iterable[bytes | memoryview]:
    yield f"{len(columns[0])}\n".encode()
    yield from columns_text(columns)
