"""PLY: ascii and binary of both byte orders, any element with any property, scalar or list."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from meshlearn._compiled import HAS_COMPILED, as_bytes, call
from meshlearn.io.color_space import BYTES_SAID, meant_as_bytes
from meshlearn.io.columns import fields_of, together
from meshlearn.io.document import CornerField, Document, FileFormatError, Part
from meshlearn.io.encoding import COMMAS_SAID, as_utf8, with_decimal_points, with_line_feeds
from meshlearn.io.formats.ply.ascii import read_ascii, without_comments
from meshlearn.io.formats.ply.header import Columns, Element, List, empty, read_header, short
from meshlearn.io.formats.ply.textures import take_textures
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.offset import take_offset_of_remarks
from meshlearn.io.text import said_of_bytes


def _binary(
    data: bytes | bytearray,
    path: Path,
    elements: list[Element],
    at: int,
    order: str,
    remarks: list[str],
):
    for element in elements:
        if not element.properties or element.count == 0:
            yield element, {p.name: empty(p) for p in element.properties}
            continue
        columns, at = _binary_element(data, path, element, at, order)
        yield element, columns
    remarks += said_of_bytes(data, at)


def _binary_element(data: bytes | bytearray, path: Path, element: Element, at: int, order: str):
    """Columns of one element, and where the next begins."""
    rows = element.count
    lists = [p for p in element.properties if p.count]
    lengths: dict[str, int] = {}
    if lists:  # as long as the first row's everywhere? Then it is a table.
        probe = at
        for given in element.properties:
            width = np.dtype(given.type).itemsize
            if given.count:
                size = np.dtype(given.count).itemsize
                if probe + size > len(data):
                    raise short(path, element)
                n = int(np.frombuffer(data, order + given.count, 1, probe)[0])
                if n < 0:
                    raise FileFormatError(f"{path}: a list of {element.name!r} has length {n}")
                lengths[given.name] = n
                probe += size + n * width
            else:
                probe += width
    fields: list[tuple] = []
    for k, given in enumerate(element.properties):
        if given.count:
            fields.append((f"n{k}", order + given.count))
            fields.append((f"p{k}", order + given.type, (lengths[given.name],)))
        else:
            fields.append((f"p{k}", order + given.type))
    if sum(lengths.values()) < 1 << 16:
        table = np.dtype(fields)
        if rows <= (len(data) - at) // table.itemsize:
            view = np.frombuffer(data, table, rows, at)
            names = [(k, p) for k, p in enumerate(element.properties)]
            if all((view[f"n{k}"] == lengths[p.name]).all() for k, p in names if p.count):
                columns: Columns = {}
                for k, given in names:
                    column = view[f"p{k}"]
                    native = np.dtype(given.type)
                    if given.count:
                        start = np.arange(rows + 1, dtype=np.int64) * lengths[given.name]
                        columns[given.name] = List(column.astype(native).reshape(-1), start)
                    else:
                        columns[given.name] = column.astype(native)
                return columns, at + rows * table.itemsize
        elif not lists:
            raise short(path, element)
    return _walk(data, path, element, at, order)


def _walk(data: bytes | bytearray, path: Path, element: Element, at: int, order: str):
    """Columns of an element whose lists differ in length."""
    layout = np.array(
        [
            (
                np.dtype(p.type).itemsize,
                np.dtype(p.count).itemsize if p.count else 0,
                int((p.count or "").startswith("i")),
            )
            for p in element.properties
        ],
        np.int64,
    )
    # a row takes at least its numbers and the lengths of its lists
    least = int(np.where(layout[:, 1] > 0, layout[:, 1], layout[:, 0]).sum())
    if element.count > (len(data) - at) // least:
        raise short(path, element)
    if HAS_COMPILED:
        try:
            source = (as_bytes(data), at, element.count, layout, order == ">")
            *offsets, last = call("ply_walk", *source, kinds="i")
        except EOFError:
            raise short(path, element) from None
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from None
        end = int(last[0])
    else:
        offsets, end = _walk_plain(data, path, element, at, order, layout)
    raw = np.frombuffer(data, np.uint8)
    columns: Columns = {}
    for k, given in enumerate(element.properties):
        width = int(layout[k, 0])
        where, count = offsets[2 * k], offsets[2 * k + 1]
        if not given.count:
            count = np.ones(element.count, np.int64)
        start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        item = np.arange(start[-1]) - np.repeat(start[:-1], count)
        first = np.repeat(where, count) + item * width
        values = np.empty((len(first), width), np.uint8)
        for b in range(width):
            values[:, b] = raw[first + b]
        native = values.reshape(-1).view(order + given.type).astype(given.type)
        columns[given.name] = List(native, start) if given.count else native
    return columns, end


def _walk_plain(data: bytes | bytearray, path: Path, element: Element, at: int, order: str, layout):
    offsets: list[list[int]] = [[] for _ in range(2 * len(element.properties))]
    for _ in range(element.count):
        for k, given in enumerate(element.properties):
            n = 1
            if given.count:
                size = int(layout[k, 1])
                if at + size > len(data):
                    raise short(path, element)
                n = int(np.frombuffer(data, order + given.count, 1, at)[0])
                if n < 0:
                    raise FileFormatError(f"{path}: a list of {element.name!r} has length {n}")
                at += size
                offsets[2 * k + 1].append(n)
            if at + n * int(layout[k, 0]) > len(data):
                raise short(path, element)
            offsets[2 * k].append(at)
            at += n * int(layout[k, 0])
    return [np.array(o, np.int64) for o in offsets], at


def _raw(columns: Columns) -> dict[str, np.ndarray]:
    return {k: v if isinstance(v, np.ndarray) else v.values for k, v in columns.items()}


_COORDINATES = ("texcoord", "texcoords", "texture_coordinates", "uvs")


def _corner_fields(part: Part, columns: Columns, key: str) -> dict[str, np.ndarray]:
    """Lists of faces that have a vector for each corner, or nothing, become corner fields; gives
    the others."""
    other: dict[str, np.ndarray] = {}
    for name, found in columns.items():
        if name == key or not isinstance(found, List):
            continue
        mapped = name in _COORDINATES and "texcoord" not in (set(columns) - {name})
        label = "uv" if mapped else name.removeprefix("corner_")
        lengths = np.diff(found.start)
        filled = lengths > 0
        corners = int(part.sizes[filled].sum())
        width = len(found.values) // corners if corners else 0
        known = mapped or name.startswith("corner_")
        if known and width and np.array_equal(lengths[filled], width * part.sizes[filled]):
            values = found.values.reshape(-1, width) if width > 1 else found.values
            index = np.arange(len(values))
            if values.dtype.kind == "f" and np.isnan(values).any():  # what the writer puts for none
                none = np.isnan(values.reshape(corners, -1)).all(axis=1)
                index[none] = -1
            if not filled.all():
                whole = np.full(len(part.polygon_index), -1, np.int64)
                whole[np.repeat(filled, part.sizes)] = index
                index = whole
            part.corner_fields[label] = CornerField(values, index)
        else:
            other[name] = found.values
    return other


_LISTS = (
    *("vertex_indices", "vertex_index", "vertex_indexes", "vertexindices", "vertex_ids"),
    *("indices", "index", "vertices", "vertex_list"),
)
_TRIPLES = (("v1", "v2", "v3"), ("vertex1", "vertex2", "vertex3"), ("v0", "v1", "v2"))


def _corners_of(columns: Columns) -> tuple[set[str], List | None]:
    """The names of the properties that say the corners of faces, and these."""
    lower = {name.lower(): name for name in reversed(list(columns))}
    for choice in _LISTS:
        found = columns.get(lower.get(choice, ""))
        if isinstance(found, List):
            return {lower[choice]}, found
    whole = [n for n, c in columns.items() if isinstance(c, List) and c.values.dtype.kind in "iu"]
    if len(whole) == 1:
        found = columns[whole[0]]
        assert isinstance(found, List)
        return {whole[0]}, found
    for triple in _TRIPLES:
        names = [lower.get(name, "") for name in triple]
        table = together(columns, tuple(names))
        if table is not None and table.dtype.kind in "iu":
            start = np.arange(len(table) + 1, dtype=np.int64) * 3
            return set(names), List(table.reshape(-1), start)
    return set(), None


def _lines_and_points(part: Part, name: str, columns: Columns) -> bool:
    """Takes an element of edges, polylines or points; False where it is of another kind."""
    if name == "edge":
        ends = [columns.get(k) for k in ("vertex1", "vertex2")]
        if not all(isinstance(e, np.ndarray) and e.dtype.kind in "iu" for e in ends):
            return False
        part.lines += list(np.stack(ends, axis=1).astype(np.int64))  # type: ignore[arg-type]
        part.line_fields = fields_of(columns, {"vertex1", "vertex2"})
    elif name == "polyline":
        found = columns.get("vertex_indices")
        if not isinstance(found, List) or found.values.dtype.kind not in "iu":
            return False
        part.lines += np.split(found.values.astype(np.int64), found.start[1:-1])
        part.line_fields = fields_of(columns, {"vertex_indices"})
    else:
        index = columns.get("vertex_index")
        if not isinstance(index, np.ndarray) or index.dtype.kind not in "iu":
            return False
        part.points = index.astype(np.int64)
        part.point_fields = fields_of(columns, {"vertex_index"})
    return True


def _lists_left(domain: str, columns: Columns) -> list[Loss]:
    """The losses of lists that are no corners: a vertex, a line and a point have numbers only."""
    limit = "reads lists of faces only"
    return [
        Loss(LossKind.FIELD, domain, name, len(column.start) - 1, limit, "the reader of PLY")
        for name, column in columns.items()
        if isinstance(column, List) and not (domain == "line" and name == "vertex_indices")
    ]


def _strips(strip: np.ndarray) -> np.ndarray:
    """(F, 3) triangles of strips separated by -1; degenerate ones are left out."""
    if len(strip) < 3:
        return np.zeros((0, 3), np.int64)
    at = np.arange(len(strip))
    begin = np.maximum.accumulate(np.where(strip < 0, at + 1, 0))  # of the strip, for each item
    a, b, c = strip[:-2], strip[1:-1], strip[2:]
    good = (a >= 0) & (b >= 0) & (c >= 0) & (a != b) & (b != c) & (a != c)
    odd = (at[:-2] - begin[:-2]) % 2 == 1
    return np.stack([np.where(odd, b, a), np.where(odd, a, b), c], axis=1)[good]


def _append(part: Part, faces: np.ndarray) -> list[Loss]:
    """Adds triangles (F, 3) behind the faces of a part -> the fields of faces that these have not,
    and that are left out."""
    if not len(faces):
        return []
    limit = "has no values for the triangles of strips"
    lost = [
        Loss(LossKind.FIELD, "face", name, len(values), limit, "the file")
        for name, values in part.face_fields.items()
        if part.num_faces
    ]
    part.face_fields = {}
    for field in part.corner_fields.values():
        field.index = np.concatenate([field.index, np.full(faces.size, -1)])
    ends = part.polygon_start[-1] + 3 * np.arange(1, len(faces) + 1)
    part.polygon_start = np.concatenate([part.polygon_start, ends])
    part.polygon_index = np.concatenate([part.polygon_index, faces.reshape(-1)])
    return lost


def read(data: bytes | bytearray, path: Path) -> Document:
    """Reads a PLY; elements other than vertex, face and tristrips stay in the metadata."""
    try:
        data = as_utf8(data)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    form, elements, metadata, at = read_header(data, path)
    part = Part()
    remarks: list[str] = []
    strips: list[np.ndarray] = []
    if form == "ascii":
        lines = with_line_feeds(data)
        if lines is not data:
            data = lines
            form, elements, metadata, at = read_header(data, path)
        try:
            points = with_decimal_points(data, at)
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from None
        if points is not None:
            data = points
            remarks.append(COMMAS_SAID)
        body = without_comments(data, at)
        if body is not None:
            data = body
            remarks.append("lines of comments between its numbers were left out")
        source = read_ascii(data, path, elements, at, remarks)
    else:
        source = _binary(data, path, elements, at, "<" if "little" in form else ">", remarks)
    other: dict[str, Any] = {}
    lists: list[Loss] = []
    for element, columns in source:
        if element.name == "vertex":
            xyz = together(columns, ("x", "y", "z"))
            if xyz is None:
                raise FileFormatError(f"{path}: expected properties x, y and z of vertices")
            if xyz.dtype not in (np.float32, np.float64):
                xyz = xyz.astype(np.float64)
            part.vertices = xyz
            part.vertex_fields = fields_of(columns, {"x", "y", "z"})
            lists += _lists_left("vertex", columns)
        elif element.name == "face":
            names, corners = _corners_of(columns)
            if corners is None:
                if element.count:
                    raise FileFormatError(f"{path}: expected a list vertex_indices of each face")
                continue
            part.polygon_start = corners.start
            part.polygon_index = corners.values.astype(np.int64)
            part.face_fields = fields_of(columns, names)
            other |= _corner_fields(part, columns, next(iter(names)))
        elif element.name in ("edge", "polyline", "point"):
            if not _lines_and_points(part, element.name, columns):
                other[element.name] = _raw(columns)
            else:
                lists += _lists_left("point" if element.name == "point" else "line", columns)
        elif element.name == "tristrips" and columns:
            strip = next(iter(columns.values()))
            if isinstance(strip, List):
                strips.append(_strips(strip.values.astype(np.int64)))
        else:
            other[element.name] = _raw(columns)
    for fields in (part.vertex_fields, part.face_fields):
        colors = fields.get("color")
        if colors is not None and (found := meant_as_bytes(colors)) is not colors:
            fields["color"] = found
            remarks += [BYTES_SAID] if BYTES_SAID not in remarks else []
    if other:
        metadata["elements"] = other
    left_out = [*lists, *(loss for faces in strips for loss in _append(part, faces))]
    document = Document([part], metadata=metadata, remarks=remarks, left_out=left_out)
    take_offset_of_remarks(document)
    take_textures(document, path)
    return document
