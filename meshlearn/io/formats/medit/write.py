"""Writing MEDIT files, see `meshlearn.io.formats.medit.read`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document, Part
from meshlearn.io.elements import by_size, cut_large, size_losses
from meshlearn.io.formats.medit.read import CELLS
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.text import rows_text


def losses(document: Document) -> Iterator[Loss]:
    """What a MEDIT file cannot hold beyond what its `Holds` says."""
    yield from size_losses(document)
    one = "has one number an element"
    for part in document.parts:
        for key, values in part.line_fields.items():
            if key != "ref":
                yield Loss(LossKind.FIELD, "line", key, len(values), one)
        for key, kinds in part.cell_fields.items():
            if key != "ref":
                yield Loss(LossKind.FIELD, "cell", key, sum(map(len, kinds.values())), one)
        long = sum(len(line) != 2 for line in part.lines)
        yield Loss(LossKind.POLYLINES, count=long, limit="has edges; they were cut")


def write(document: Document, path: Path) -> bytes:
    """A .mesh file of one part; polygons of more than four corners are cut."""
    return b"".join(pieces(document, path)[path.name])


def pieces(document: Document, path: Path) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    return {path.name: _text(cut_large(joined(document)))}


def _ref(values: np.ndarray | None, rows: int) -> np.ndarray:
    if values is None or values.dtype.kind not in "iub" or values.ndim > 1:
        return np.zeros(rows, np.int64)
    return values.astype(np.int64)


def _text(part: Part) -> Iterator[bytes | memoryview]:
    yield b"MeshVersionFormatted 2\nDimension 3\n"
    count = len(part.vertices)
    yield f"Vertices\n{count}\n".encode()
    refs = b"".join(rows_text(_ref(part.vertex_fields.get("ref"), count)[:, None])).splitlines()
    at = 0
    for piece in rows_text(part.vertices):
        rows = bytes(piece).splitlines()
        yield b"".join(r + b" " + n + b"\n" for r, n in zip(rows, refs[at:], strict=False))
        at += len(rows)
    face_ref = _ref(part.face_fields.get("ref"), part.num_faces)
    for size, name in ((3, "Triangles"), (4, "Quadrilaterals")):
        faces, corners = by_size(part, [size])[size]
        yield from _section(name, corners, face_ref[faces])
    if part.lines:
        edges, owner = _edges(part)
        yield from _section(
            "Edges", edges, _ref(part.line_fields.get("ref"), len(part.lines))[owner]
        )
    for name, (kind, _) in CELLS.items():
        if kind in part.cells:
            ref = part.cell_fields.get("ref", {}).get(kind)
            yield from _section(name.title(), part.cells[kind], _ref(ref, len(part.cells[kind])))
    yield b"End\n"


def _edges(part: Part) -> tuple[np.ndarray, np.ndarray]:
    """(E, 2) segments of the lines, and the line of each."""
    pairs = [np.stack([line[:-1], line[1:]], 1) for line in part.lines]
    owner = np.repeat(np.arange(len(pairs)), [len(p) for p in pairs])
    return np.concatenate([*pairs, np.zeros((0, 2), np.int64)]).astype(np.int64), owner


def _section(name: str, index: np.ndarray, ref: np.ndarray) -> Iterator[bytes | memoryview]:
    if len(index):
        yield f"{name}\n{len(index)}\n".encode()
        yield from rows_text(np.column_stack([index + 1, ref]).astype(np.int64))
