"""Writing XML files of VTK (.vtu and .vtp), see `meshlearn.io.formats.vtk.xml_read`."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import quoteattr

import numpy as np

from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document, Part
from meshlearn.io.formats.vtk import data as vtk_data
from meshlearn.io.formats.vtk.xml_file import TYPES
from meshlearn.io.offset import KEY, offset_of

_LABELS = {kind: name for name, kind in TYPES.items()}


def write_cells(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """A .vtu file, its data inline as base64, or as text; parts are joined."""
    return b"".join(_body(joined(document), False, ascii, _offset(document)))


def write_surface(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """A .vtp file, its data inline as base64, or as text; parts are joined."""
    surface = vtk_data.surface_of(joined(document))
    return b"".join(_body(surface, True, ascii, _offset(document)))


def _array(name: str, values: np.ndarray, ascii: bool) -> bytes:
    values = np.ascontiguousarray(vtk_data.plain(values))
    flat = values.reshape(len(values), -1) if values.size else values.reshape(len(values), 1)
    width = int(np.prod(values.shape[1:], dtype=np.int64)) or 1
    label = _LABELS[values.dtype.str[1:]]
    head = f'<DataArray type="{label}" Name={quoteattr(name)} NumberOfComponents="{width}"'
    if ascii:
        body = b"\n".join(" ".join(map(_text, row)).encode() for row in flat.tolist())
        return f'{head} format="ascii">\n'.encode() + body + b"\n</DataArray>\n"
    raw = values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
    body = base64.b64encode(np.uint64(len(raw)).astype("<u8").tobytes() + raw)
    return f'{head} format="binary">'.encode() + body + b"</DataArray>\n"


def _offset(document: Document) -> str:
    """The field of the whole file that says an offset."""
    place = offset_of(document)
    if place is None:
        return ""
    return (
        f'<FieldData>\n<DataArray type="Float64" Name="{KEY}" NumberOfComponents="3" '
        f'NumberOfTuples="1" format="ascii">{" ".join(map(repr, place))}</DataArray>\n'
        "</FieldData>\n"
    )


def _text(value: float) -> str:
    return repr(value)


def _body(part: Part, surface: bool, ascii: bool, data: str) -> Iterator[bytes]:
    """The file of a part in pieces; `surface`: of a part without cells of three dimensions."""
    kind = "PolyData" if surface else "UnstructuredGrid"
    cells = vtk_data.from_part(part)
    count = f'NumberOfPoints="{len(part.vertices)}"'
    if surface:
        count += f' NumberOfVerts="{len(part.points)}" NumberOfLines="{len(part.lines)}"'
        count += f' NumberOfPolys="{part.num_faces}" NumberOfStrips="0"'
    else:
        count += f' NumberOfCells="{len(cells.kind)}"'
    yield (
        f'<?xml version="1.0"?>\n<VTKFile type="{kind}" version="1.0" byte_order="LittleEndian" '
        f'header_type="UInt64">\n<{kind}>\n{data}<Piece {count}>\n'
    ).encode()
    for name, fields in (("PointData", part.vertex_fields), ("CellData", cells.fields)):
        yield f"<{name}>\n".encode()
        for key, values in vtk_data.vtk_names(fields).items():
            yield _array(key, values, ascii)
        yield f"</{name}>\n".encode()
    yield b"<Points>\n" + _array("Points", part.vertices, ascii) + b"</Points>\n"
    if surface:
        rows = {"Verts": len(part.points), "Lines": len(part.lines), "Polys": part.num_faces}
        first = 0
        for name, n in rows.items():
            start = cells.start[first : first + n + 1]
            index = cells.index[start[0] : start[-1]]
            yield f"<{name}>\n".encode() + _array("connectivity", index, ascii)
            yield _array("offsets", start[1:] - start[0], ascii) + f"</{name}>\n".encode()
            first += n
    else:
        yield b"<Cells>\n" + _array("connectivity", cells.index, ascii)
        yield _array("offsets", cells.start[1:], ascii)
        yield _array("types", cells.kind.astype(np.uint8), ascii) + b"</Cells>\n"
    yield f"</Piece>\n</{kind}>\n</VTKFile>\n".encode()
