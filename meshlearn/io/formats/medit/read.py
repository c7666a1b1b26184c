"""MEDIT .mesh, as text: triangles, quads, edges, tetrahedra and other cells, each with a number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.capability import Holds, losses_of
from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.elements import by_size, cut_large, from_faces, size_losses
from meshlearn.io.left_behind import Loss
from meshlearn.io.text import read_block, rows_of, rows_text

SUFFIXES = (".mesh",)
HOLDS = Holds(
    "MEDIT",
    vertex=frozenset({"ref"}),
    face=frozenset({"ref"}),
    lines=True,
    cells=frozenset({"tetra", "hexahedron", "wedge", "pyramid"}),
    element_fields=True,
)
_CELLS = {
    "tetrahedra": ("tetra", 4),
    "hexahedra": ("hexahedron", 8),
    "prisms": ("wedge", 6),
    "pyramids": ("pyramid", 5),
}
_WIDTHS = {
    "triangles": 3,
    "quadrilaterals": 4,
    "edges": 2,
    **{k: n for k, (_, n) in _CELLS.items()},
}
_WORD = re.compile(rb"(?:^|(?<=\s))([A-Za-z][A-Za-z0-9]*)")
_COUNT = re.compile(rb"(?:\s|#[^\n]*\n)*([0-9]{1,18})(?=\s|\Z)")


def read(data: bytes, path: Path) -> Document:
    """Reads a .mesh; sections of other names (corners, ridges, tangents …) are left out."""
    head = re.match(rb"(?:\xef\xbb\xbf)?(?:\s|#[^\n]*\n)*MeshVersionFormatted\s", data)
    if head is None:
        raise FileFormatError(f"{path}: expected 'MeshVersionFormatted' as the first word")
    at, dimension = head.end(), 3
    found: dict[str, np.ndarray] = {}
    while (word := _WORD.search(data, at)) is not None:
        name = word[1].decode().lower()
        at = word.end()
        if name == "end":
            break
        if name not in ("dimension", "vertices", *_WIDTHS):
            continue
        count = _COUNT.match(data, at)
        if count is None:
            raise FileFormatError(f"{path}: expected a whole number behind {word[1].decode()!r}")
        n, at = int(count[1]), count.end()
        if name == "dimension":
            if n not in (2, 3):
                raise FileFormatError(f"{path}: expected dimension 2 or 3, got {n}")
            dimension = n
            continue
        width = (dimension if name == "vertices" else _WIDTHS[name]) + 1
        if n * width * 2 > len(data) - at + 1:
            raise FileFormatError(
                f"{path}: the header promises {n} {name}, {len(data) - at} bytes are left"
            )
        found[name], at = _table(data, path, at, n, width, name)
    return _document(path, found, dimension)


def _table(data: bytes, path: Path, at: int, rows: int, width: int, name: str):
    line = data.find(b"\n", at)
    if line >= 0 and not data[at:line].strip():
        try:
            block = read_block(data, line + 1, rows)
            table = block.table(width)
            if table is not None and len(block.values) == rows * width:
                return table, block.end
        except ValueError:
            pass
    word = _WORD.search(data, at)  # not a line each: number after number up to the next word
    stop = word.start() if word else len(data)
    try:
        values = rows_of(memoryview(data)[at:stop])[0]
    except ValueError as error:
        raise FileFormatError(f"{path}: among {name}, {error}") from None
    if len(values) < rows * width:
        raise FileFormatError(
            f"{path}: the header promises {rows} {name} of {width} numbers, found {len(values)}"
        )
    return values[: rows * width].reshape(rows, width), stop


def _whole(path: Path, values: np.ndarray, name: str) -> np.ndarray:
    if not ((np.abs(values) < 2**53) & (values == np.round(values))).all():
        raise FileFormatError(f"{path}: expected whole numbers among {name}")
    return values.astype(np.int64)


def _document(path: Path, found: dict[str, np.ndarray], dimension: int) -> Document:
    part = Part()
    xyz = found.get("vertices", np.zeros((0, dimension + 1)))
    part.vertices = np.zeros((len(xyz), 3))
    part.vertices[:, :dimension] = xyz[:, :dimension]
    if xyz[:, -1].any():
        part.vertex_fields["ref"] = _whole(path, xyz[:, -1], "vertices")
    whole = {k: _whole(path, v, k) for k, v in found.items() if k in _WIDTHS}
    faces = [whole[k] for k in ("triangles", "quadrilaterals") if k in whole]
    from_faces(part, [f[:, :-1] - 1 for f in faces])
    refs = np.concatenate([*(f[:, -1] for f in faces), np.zeros(0, np.int64)])
    if refs.any():
        part.face_fields["ref"] = refs
    if "edges" in whole:
        part.lines = list(whole["edges"][:, :-1] - 1)
        if whole["edges"][:, -1].any():
            part.line_fields["ref"] = whole["edges"][:, -1]
    for name, (kind, _) in _CELLS.items():
        if name in whole and len(whole[name]):
            part.cells[kind] = whole[name][:, :-1] - 1
            part.cell_fields.setdefault("ref", {})[kind] = whole[name][:, -1]
    if not any(v.any() for v in part.cell_fields.get("ref", {}).values()):
        part.cell_fields.pop("ref", None)
    return Document([part])


def losses(document: Document) -> list[str | Loss]:
    """What a .mesh file cannot hold of this document."""
    lost = [*losses_of(document, HOLDS), *size_losses(document, "MEDIT")]
    for part in document.parts:
        tables = {"line": part.line_fields, "cell": part.cell_fields}
        for domain, table in tables.items():
            for key in table:
                if key != "ref":
                    lost.append(Loss(f"{domain} field {key!r}", "MEDIT has one number an element"))
        long = sum(len(line) != 2 for line in part.lines)
        if long:
            lost.append(Loss("polylines", "MEDIT has edges; they were cut", long))
    return lost


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
    for name, (kind, _) in _CELLS.items():
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
