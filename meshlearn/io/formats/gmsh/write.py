"""Writing Gmsh files, see `meshlearn.io.formats.gmsh.read`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.capability import beyond_double, is_numeric
from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document, Part, as_table
from meshlearn.io.elements import by_size, cut_large, size_losses
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.text import rows_text

# number of a kind -> corners, name
KINDS = {
    1: (2, "line"),
    2: (3, "triangle"),
    3: (4, "quad"),
    4: (4, "tetra"),
    5: (8, "hexahedron"),
    6: (6, "wedge"),
    7: (5, "pyramid"),
    15: (1, "point"),
}
_NUMBER = {name: number for number, (_, name) in KINDS.items()}


def _fits(values: np.ndarray) -> bool:
    """Whether doubles hold a field, which is what the format has."""
    return is_numeric(values) and values.ndim <= 2 and values.size > 0


def losses(document: Document) -> Iterator[Loss]:
    """What a Gmsh file cannot hold beyond what its `Holds` says."""
    yield from size_losses(document)
    for part in document.parts:
        for domain in ("vertex", "face", "line", "point"):
            for key, values in getattr(part, f"{domain}_fields").items():
                told = domain in ("vertex", "face") and not is_numeric(values)
                if values.size and not told and not _fits(values):
                    limit = "has fields of one or more doubles"
                    yield Loss(LossKind.FIELD, domain, key, len(values), limit)
                elif wide := beyond_double(values):
                    limit = "has fields of doubles"
                    yield Loss(LossKind.FIELD_LAST_DIGITS, domain, key, wide, limit)
        yield Loss(LossKind.POLYLINES, count=sum(len(line) != 2 for line in part.lines))


def write(document: Document, path: Path) -> bytes:
    """A .msh file of version 2.2, as text; polygons of more than four corners are cut."""
    return b"".join(pieces(document, path)[path.name])


def pieces(document: Document, path: Path) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    names = _names(document.metadata.get("physical"))
    return {path.name: _text(cut_large(joined(document)), names)}


def _names(physical: object) -> bytes:
    """The section of names of physical groups, by dimension and number."""
    rows = []
    for key, name in physical.items() if isinstance(physical, dict) else ():
        words = str(key).split()
        if len(words) == 2 and all(word.isdecimal() for word in words):
            plain = " ".join(str(name).replace('"', "'").split())
            rows.append(f'{words[0]} {words[1]} "{plain}"\n')
    if not rows:
        return b""
    return f"$PhysicalNames\n{len(rows)}\n{''.join(rows)}$EndPhysicalNames\n".encode()


def _groups(part: Part) -> Iterator[tuple[str, np.ndarray, dict[str, np.ndarray]]]:
    """Kind, corners (N, C) and fields of elements."""
    if len(part.points):
        yield "point", part.points[:, None], part.point_fields
    if part.lines:
        pairs = [np.stack([line[:-1], line[1:]], 1) for line in part.lines]
        owner = np.repeat(np.arange(len(pairs)), [len(p) for p in pairs])
        segments = np.concatenate(pairs).astype(np.int64)
        yield "line", segments, {k: v[owner] for k, v in part.line_fields.items()}
    for size, name in ((3, "triangle"), (4, "quad")):
        faces, corners = by_size(part, [size])[size]
        if len(faces):
            yield name, corners, {k: v[faces] for k, v in part.face_fields.items()}
    for name, cells in part.cells.items():
        if name in _NUMBER and len(cells):
            yield name, cells, {k: v[name] for k, v in part.cell_fields.items() if name in v}


def _text(part: Part, names: bytes) -> Iterator[bytes | memoryview]:
    yield b"$MeshFormat\n2.2 0 8\n$EndMeshFormat\n" + names
    yield b"$Nodes\n%d\n" % len(part.vertices)
    at = 0
    for piece in rows_text(part.vertices):
        rows = bytes(piece).splitlines()
        yield b"".join(b"%d %b\n" % (at + k, row) for k, row in enumerate(rows, 1))
        at += len(rows)
    yield b"$EndNodes\n"
    groups = list(_groups(part))
    yield b"$Elements\n%d\n" % sum(len(corners) for _, corners, _ in groups)
    first = 1
    fields: dict[str, list[tuple[np.ndarray, np.ndarray]]] = {}
    for name, corners, own in groups:
        count = len(corners)
        numbers = np.arange(first, first + count)
        ref = own.get("ref")
        tag, plain = np.zeros(count, np.int64), False
        if ref is not None and ref.dtype.kind in "iub" and ref.ndim == 1:
            tag, plain = ref.astype(np.int64), True
        columns = [numbers, np.full(count, _NUMBER[name]), np.full(count, 2), tag, tag, corners + 1]
        yield from rows_text(np.column_stack(columns).astype(np.int64))
        for key, values in own.items():
            if _fits(values) and not (key == "ref" and plain):
                fields.setdefault(key, []).append((numbers, values))
        first += count
    yield b"$EndElements\n"
    for key, values in part.vertex_fields.items():
        if _fits(values):
            numbers = np.arange(1, len(values) + 1)
            yield from _field("NodeData", key, [(numbers, values)])
    for key, found in fields.items():
        yield from _field("ElementData", key, found)


def _field(section: str, key: str, found: list) -> Iterator[bytes | memoryview]:
    shaped = [(n, as_table(v).astype(np.float64)) for n, v in found]
    width = shaped[0][1].shape[1]
    shaped = [(n, v) for n, v in shaped if v.shape[1] == width]
    count = sum(len(n) for n, _ in shaped)
    label = " ".join(key.replace('"', "'").split())
    yield f'${section}\n1\n"{label}"\n1\n0.0\n3\n0\n{width}\n{count}\n'.encode()
    for numbers, values in shaped:
        yield from rows_text(np.column_stack([numbers, values]))
    yield f"$End{section}\n".encode()
