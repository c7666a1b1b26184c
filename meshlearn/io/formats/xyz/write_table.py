"""Writing tables of points with names: .csv, and .asc as CloudCompare has it ("//x y z …")."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.capability import beyond_double, is_numeric
from meshlearn.io.changes.join import joined
from meshlearn.io.columns import Table, columns_of
from meshlearn.io.document import Document
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.text import columns_text


def losses(document: Document) -> Iterator[Loss]:
    """What a table cannot hold beyond what its `Holds` says."""
    for part in document.parts:
        for key, values in part.vertex_fields.items():
            if is_numeric(values):
                limit = "is read as doubles"
                count = beyond_double(values)
                yield Loss(LossKind.FIELD_LAST_DIGITS, "vertex", key, count, limit)


def write(document: Document, path: Path) -> bytes:
    """A line of names, and one for each vertex."""
    return b"".join(pieces(document, path)[path.name])


def pieces(document: Document, path: Path) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    part = joined(document)
    table: Table = [(axis, part.vertices[:, k]) for k, axis in enumerate("xyz")]
    table += columns_of(part.vertex_fields, {"x", "y", "z"})
    names = [name for name, _ in table]
    rows = columns_text([np.ascontiguousarray(values)[:, None] for _, values in table])
    if path.suffix.lower() == ".asc":
        names = [re.sub(r"[,;\"'\s]", "_", name) for name in names]
        head = ("//" + " ".join(names) + "\n").encode()
        return {path.name: itertools.chain([head], rows)}
    quoted = ['"' + n.replace('"', '""') + '"' if set(n) & set(',"') else n for n in names]
    head = (",".join(quoted) + "\n").encode()
    commas = (bytes(row).replace(b" ", b",") for row in rows)
    return {path.name: itertools.chain([head], commas)}
