"""OFF, COFF, NOFF, STOFF and their combinations, as text: polygons, colours, normals."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.text import rows_of, write_polygons, write_rows

SUFFIXES = (".off", ".coff", ".noff")


def read(data: bytes, path: Path) -> Document:
    """Reads an OFF; the counts may stand on the first line, comments anywhere."""
    head = re.match(rb"\s*(?:#[^\n]*\n\s*)*(ST)?(C)?(N)?(4)?(n)?OFF([ \t]+BINARY)?[ \t\r]*", data)
    if head is None:
        raise FileFormatError(f"{path}: expected 'OFF' (or COFF, NOFF …) as the first word")
    if head[4] or head[5]:
        raise FileFormatError(f"{path}: expected points of three dimensions, got 4OFF or nOFF")
    if head[6]:
        raise FileFormatError(f"{path}: binary OFF is not read; save it as text")
    try:
        values, lengths = rows_of(memoryview(data)[head.end() :])
    except ValueError as error:
        raise FileFormatError(f"{path}: behind the first word, {error}") from None
    if len(lengths) == 0 or lengths[0] < 2:
        raise FileFormatError(f"{path}: expected the numbers of vertices, faces and edges")
    num_vertices, num_faces = values[0], values[1]
    if not (num_vertices >= 0 and num_faces >= 0):
        raise FileFormatError(f"{path}: expected counts of 0 or more, got {values[:2]}")
    if num_vertices + num_faces > len(lengths) - 1:
        raise FileFormatError(
            f"{path}: the header promises {num_vertices:.0f} vertices and {num_faces:.0f} faces, "
            f"the file has {len(lengths) - 1} lines behind it"
        )
    nv, nf = int(num_vertices), int(num_faces)
    start = np.concatenate([[0], np.cumsum(lengths)])
    rows = lengths[1 : 1 + nv]
    if nv and rows.min() < 3:
        raise FileFormatError(f"{path}: vertex {int(rows.argmin())} has fewer than 3 numbers")
    first = start[1 : 1 + nv]

    def column(k: int) -> np.ndarray:
        return values[first + k]

    part = Part(vertices=np.stack([column(k) for k in range(3)], 1) if nv else np.zeros((0, 3)))
    width, at = int(rows.min()) if nv else 0, 3
    if head[3] and width >= at + 3:
        part.vertex_fields["normal"] = np.stack([column(at + k) for k in range(3)], 1)
        at += 3
    coloured = head[2] is not None or (not head[1] and not head[3])
    if coloured and width >= at + 3:
        n = 4 if width >= at + 4 else 3
        part.vertex_fields["color"] = _colours(np.stack([column(at + k) for k in range(n)], 1))
        at += n
    if head[1] and width >= at + 2:
        part.vertex_fields["uv"] = np.stack([column(at + k) for k in range(2)], 1)
    _faces(part, path, values, start[1 + nv : 1 + nv + nf], lengths[1 + nv : 1 + nv + nf])
    return Document([part])


def _colours(values: np.ndarray) -> np.ndarray:
    """Colours as the file means them: whole numbers up to 255 as bytes, else as they are."""
    if len(values) and (values == np.round(values)).all() and values.max() > 1:
        return np.clip(values, 0, 255).astype(np.uint8)
    return values


def _faces(part: Part, path: Path, values, first, lengths) -> None:
    if len(first) == 0:
        return
    sizes = values[first]
    if not ((sizes >= 0) & (sizes == np.round(sizes)) & (sizes < lengths)).all():
        face = int(np.nonzero(~((sizes >= 0) & (sizes < lengths)))[0][0])
        raise FileFormatError(
            f"{path}: face {face} promises {sizes[face]:g} corners, its line has "
            f"{lengths[face] - 1} numbers behind"
        )
    sizes = sizes.astype(np.int64)
    part.polygon_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    item = np.arange(part.polygon_start[-1]) - np.repeat(part.polygon_start[:-1], sizes)
    index = values[np.repeat(first, sizes) + 1 + item]
    if not (np.abs(index) < 2**53).all():
        raise FileFormatError(f"{path}: a face names a vertex that is no number")
    part.polygon_index = index.astype(np.int64)
    extra = lengths - 1 - sizes
    n = int(extra.min())
    if n in (3, 4) and (extra == n).all():
        at = first + 1 + sizes
        colour = np.stack([values[at + k] for k in range(n)], 1)
        part.face_fields["color"] = _colours(colour)


def losses(document: Document) -> list[str]:
    """What an OFF file cannot hold of this document."""
    lost = ["names of parts"] * (len(document.parts) > 1)
    lost += ["materials"] * bool(document.materials)
    for part in document.parts:
        known = ("normal", "color")
        lost += [f"vertex field {k!r}" for k in part.vertex_fields if k not in known]
        lost += [f"face field {k!r}" for k in part.face_fields if k != "color"]
        lost += [f"corner field {k!r}" for k in part.corner_fields]
    return lost


def write(document: Document, path: Path) -> bytes:
    """An OFF file (C and N in front of it as there are colours and normals); parts are joined."""
    from meshlearn.io.join import joined

    part = joined(document)
    colour, normal = part.vertex_fields.get("color"), part.vertex_fields.get("normal")
    word = ("C" if colour is not None else "") + ("N" if normal is not None else "") + "OFF"
    out = [f"{word}\n{len(part.vertices)} {part.num_faces} 0\n".encode()]
    rows = [part.vertices]
    if normal is not None:
        rows.append(normal.astype(part.vertices.dtype))
    if colour is not None:
        if colour.shape[1] == 3:  # the fourth component is not optional
            top = 1.0 if colour.dtype.kind == "f" else 255
            colour = np.concatenate([colour, np.full((len(colour), 1), top, colour.dtype)], 1)
        rows.append(colour.astype(part.vertices.dtype))
    out.append(write_rows(np.concatenate(rows, axis=1)))
    faces = write_polygons(part.polygon_start, [part.polygon_index], counted=True)
    tint = part.face_fields.get("color")
    if tint is not None and part.num_faces:
        pairs = zip(faces.splitlines(), write_rows(tint).splitlines(), strict=True)
        faces = b"".join(b" ".join(pair) + b"\n" for pair in pairs)
    out.append(faces)
    return b"".join(out)
