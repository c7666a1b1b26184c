"""Writing legacy VTK files, see `meshlearn.io.formats.vtk.read`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np

from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document, Part
from meshlearn.io.formats.vtk import data as vtk_data
from meshlearn.io.offset import offset_line

_LABELS = {"u1": "unsigned_char", "i1": "signed_char", "u2": "unsigned_short", "i2": "short"}
_LABELS |= {"u4": "unsigned_int", "i4": "int", "u8": "vtktypeuint64", "i8": "vtktypeint64"}
_LABELS |= {"f4": "float", "f8": "double"}


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """A .vtk of version 3, binary unless `ascii`: POLYDATA, or with cells an UNSTRUCTURED_GRID."""
    title = " ".join(filter(None, ["meshlearn", offset_line(document)]))
    return b"".join(_body(joined(document), title, ascii))


def _numbers(values: np.ndarray, ascii: bool) -> bytes:
    if ascii:
        flat = values.reshape(len(values), -1) if values.size else values.reshape(0, 1)
        return b"".join(" ".join(map(repr, row)).encode() + b"\n" for row in flat.tolist())
    return values.astype(values.dtype.newbyteorder(">")).tobytes() + b"\n"


def _body(part: Part, title: str, ascii: bool) -> Iterator[bytes]:
    cells = vtk_data.from_part(part)
    surface = not part.cells
    kind = "POLYDATA" if surface else "UNSTRUCTURED_GRID"
    form = "ASCII" if ascii else "BINARY"
    yield f"# vtk DataFile Version 3.0\n{title}\n{form}\n".encode()
    label = _LABELS[part.vertices.dtype.str[1:]]
    yield f"DATASET {kind}\nPOINTS {len(part.vertices)} {label}\n".encode()
    yield _numbers(part.vertices, ascii)
    sizes = np.diff(cells.start)
    flat = np.insert(cells.index, cells.start[:-1], sizes).astype(np.int32)
    if surface:
        groups = [("VERTICES", len(part.points)), ("LINES", len(part.lines))]
        groups.append(("POLYGONS", part.num_faces))
        row = 0
        for name, count in groups:
            if count:
                first, last = cells.start[row] + row, cells.start[row + count] + row + count
                yield f"{name} {count} {last - first}\n".encode()
                yield _numbers(flat[first:last], ascii)
            row += count
    else:
        yield f"CELLS {len(sizes)} {len(flat)}\n".encode() + _numbers(flat, ascii)
        yield f"CELL_TYPES {len(sizes)}\n".encode()
        yield _numbers(cells.kind.astype(np.int32), ascii)
    for name, rows, fields in (
        ("POINT_DATA", len(part.vertices), part.vertex_fields),
        ("CELL_DATA", len(sizes), cells.fields),
    ):
        found = vtk_data.vtk_names(fields)
        if not found:
            continue
        yield f"{name} {rows}\nFIELD FieldData {len(found)}\n".encode()
        for key, values in found.items():
            width = int(np.prod(values.shape[1:], dtype=np.int64))
            label = _LABELS[values.dtype.str[1:]]
            yield f"{quote(key, safe='()[]{}+-_.,:;') or '%20'} {width} {rows} {label}\n".encode()
            yield _numbers(values, ascii)
