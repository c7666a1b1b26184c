"""Writing PLY files, see `meshlearn.io.formats.ply.read`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.capability import beyond_double, is_numeric
from meshlearn.io.color_space import in_bytes
from meshlearn.io.columns import Table, columns_of, fitting_type, plain_numbers
from meshlearn.io.document import Document, Part, as_table
from meshlearn.io.formats.ply import textures
from meshlearn.io.image_names import image_places
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.offset import offset_line
from meshlearn.io.text import columns_text, polygons_text, rows_text

_ROWS = 1 << 15  # of a piece

_NAMES = {
    "i1": "char",
    "u1": "uchar",
    "i2": "short",
    "u2": "ushort",
    "i4": "int",
    "u4": "uint",
    "f4": "float",
    "f8": "double",
}


def losses(document: Document) -> Iterator[Loss]:
    """What a PLY file cannot hold beyond what its `Holds` says."""
    for part in document.parts:
        for domain in ("vertex", "face", "line", "point"):
            for key, values in getattr(part, f"{domain}_fields").items():
                if is_numeric(values):
                    limit = "has no whole numbers of 64 bits"
                    yield Loss(LossKind.FIELD_LAST_DIGITS, domain, key, _inexact(values), limit)
        for key, corners in part.corner_fields.items():
            if (corners.index < 0).any() and corners.values.dtype.kind != "f":
                limit = "has a value for every corner, or none"
                yield Loss(LossKind.FIELD, "corner", key, len(corners.index), limit)
    yield from textures.losses(document)


def _inexact(values: np.ndarray) -> int:
    """Whole numbers that neither 32 bits nor a double hold."""
    wide = values.dtype.kind in "iu" and values.dtype.itemsize == 8
    return beyond_double(values) if wide and fitting_type(values) == np.float64 else 0


def _lists_of(part: Part) -> list[tuple[str, np.ndarray]]:
    """(name, values (C, D)) of corner fields, a vector for each corner."""
    out = []
    for name, corners in part.corner_fields.items():
        values = plain_numbers(corners.values)
        values = as_table(values)
        none = corners.index < 0
        if not is_numeric(values) or (none.any() and values.dtype.kind != "f"):
            continue
        if none.any() and len(values) == 0:
            values = np.full((1, values.shape[1]), np.nan, values.dtype)
        found = values[np.where(none, 0, corners.index)]
        found[none] = np.nan if values.dtype.kind == "f" else 0
        out.append(("texcoord" if name == "uv" else f"corner_{name}", found))
    return out


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes | dict[str, bytes]:
    """A PLY file, binary little endian unless `ascii`, with its textures; parts are joined."""
    made = pieces(document, path, ascii=ascii)
    files = {n: d if isinstance(d, bytes) else b"".join(d) for n, d in made.items()}
    return files if len(files) > 1 else files[path.name]


def pieces(
    document: Document, path: Path, *, ascii: bool = False
) -> dict[str, bytes | Iterable[bytes | memoryview]]:
    """The files of `write` by name, each in pieces."""
    from meshlearn.io.changes.join import joined

    comments = [str(c) for c in document.metadata.get("comments", [])]
    comments += [line] if (line := offset_line(document)) else []
    keys = textures.images_of(document)
    places = image_places(document, path) if keys else {}
    comments += [f"TextureFile {places[key]}" for key in keys]
    body = _body(joined(textures.with_numbers(document, keys)), comments, ascii)
    return {path.name: body, **{places[key]: document.images[key] for key in keys}}


def _with_bytes(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields with colours as bytes, which most programs have, where they stand for such."""
    return {k: in_bytes(v) if k == "color" else v for k, v in fields.items()}


def _body(part: Part, comments: list[str], ascii: bool) -> Iterator[bytes | memoryview]:
    used = {"x", "y", "z"}
    vertex = [(n, part.vertices[:, k]) for k, n in enumerate("xyz")]
    vertex += columns_of(_with_bytes(part.vertex_fields), used)
    lists = _lists_of(part)
    face = columns_of(_with_bytes(part.face_fields), {"vertex_indices", *(n for n, _ in lists)})
    sizes = part.sizes
    widest = int(sizes.max(initial=0)) * max([1, *(v.shape[1] for _, v in lists)])
    count = "uchar" if widest < 256 else "uint"
    head = [
        "ply",
        f"format {'ascii' if ascii else 'binary_little_endian'} 1.0",
        "comment meshlearn",
    ]
    head += [f"comment {' '.join(line.split())}" for line in comments]
    head.append(f"element vertex {len(part.vertices)}")
    head += [f"property {_NAMES[v.dtype.str[1:]]} {n}" for n, v in vertex]
    head.append(f"element face {part.num_faces}")
    head.append(f"property list {count} int vertex_indices")
    head += [f"property list {count} {_NAMES[v.dtype.str[1:]]} {n}" for n, v in lists]
    head += [f"property {_NAMES[v.dtype.str[1:]]} {n}" for n, v in face]
    others = [_Other(*item) for item in _others(part)]
    for other in others:
        head += other.head
    yield ("\n".join([*head, "end_header"]) + "\n").encode()
    if ascii:
        yield from columns_text([v[:, None] for _, v in vertex])
        yield from _ascii_faces(part, lists, face)
        for other in others:
            yield other.text()
        return
    for first in range(0, len(part.vertices), _ROWS):
        yield _packed([v[first : first + _ROWS] for _, v in vertex])
    kind = "<u1" if count == "uchar" else "<u4"
    yield from _binary_faces(part, sizes, lists, face, kind)
    for other in others:
        yield other.binary()


def _packed(columns: list[np.ndarray]) -> bytes | memoryview:
    """Rows of a table of columns, (R,) or (R, D)."""
    if len({v.dtype for v in columns}) == 1 and all(v.ndim == 1 for v in columns):
        return np.stack(columns, axis=1).astype(columns[0].dtype.newbyteorder("<")).tobytes()
    layout = [(f"p{k}", v.dtype.newbyteorder("<"), v.shape[1:]) for k, v in enumerate(columns)]
    table = np.zeros(len(columns[0]), layout)
    for k, values in enumerate(columns):
        table[f"p{k}"] = values
    return table.tobytes()


def _others(part: Part) -> Iterator[tuple[str, np.ndarray | list[np.ndarray], dict]]:
    if part.lines:
        pairs = all(len(line) == 2 for line in part.lines)
        yield "edge" if pairs else "polyline", part.lines, part.line_fields
    if len(part.points):
        yield "point", part.points, part.point_fields


class _Other:
    """An element beside vertices and faces: edges, polylines (lists) or points."""

    def __init__(self, name: str, items, fields: dict) -> None:
        self.items = [np.atleast_1d(item).astype("<i4") for item in items]
        self.listed = name == "polyline"
        self.head = [f"element {name} {len(items)}"]
        self.head += {
            "polyline": ["property list uint int vertex_indices"],
            "edge": ["property int vertex1", "property int vertex2"],
            "point": ["property int vertex_index"],
        }[name]
        taken = {"vertex_indices", "vertex1", "vertex2", "vertex_index"}
        self.fields = columns_of(fields, taken)
        self.head += [f"property {_NAMES[v.dtype.str[1:]]} {n}" for n, v in self.fields]

    def text(self) -> bytes:
        columns = [b"".join(rows_text(v[:, None])).splitlines() for _, v in self.fields]
        out = []
        for k, item in enumerate(self.items):
            words = [*([len(item)] if self.listed else []), *item.tolist()]
            out.append(b" ".join([" ".join(map(str, words)).encode(), *(c[k] for c in columns)]))
        return b"\n".join(out) + b"\n"

    def binary(self) -> bytes:
        out = []
        for k, item in enumerate(self.items):
            if self.listed:
                out.append(np.uint32(len(item)).tobytes())
            out.append(item.tobytes())
            out += [v[k].astype(v.dtype.newbyteorder("<")).tobytes() for _, v in self.fields]
        return b"".join(out)


def _binary_faces(
    part: Part, sizes: np.ndarray, lists: Table, face: Table, kind: str
) -> Iterator[memoryview]:
    for size, rows in _runs(sizes):  # polygons of one size after another make a table
        for first in range(rows.start, rows.stop, _ROWS):
            last = min(first + _ROWS, rows.stop)
            corners = slice(int(part.polygon_start[first]), int(part.polygon_start[last]))
            layout: list[tuple] = [("n", kind), ("i", "<i4", (size,))]
            for k, (_, values) in enumerate(lists):
                width = size * values.shape[1]
                layout += [(f"m{k}", kind), (f"l{k}", values.dtype.newbyteorder("<"), (width,))]
            layout += [(f"p{k}", v.dtype.newbyteorder("<")) for k, (_, v) in enumerate(face)]
            table = np.empty(last - first, layout)
            table["n"] = size
            table["i"] = part.polygon_index[corners].reshape(-1, size)
            for k, (_, values) in enumerate(lists):
                table[f"m{k}"] = size * values.shape[1]
                table[f"l{k}"] = values[corners].reshape(last - first, -1)
            for k, (_, values) in enumerate(face):
                table[f"p{k}"] = values[first:last]
            yield table.view(np.uint8).data


def _runs(sizes: np.ndarray) -> list[tuple[int, slice]]:
    if len(sizes) == 0:
        return []
    if (sizes == sizes[0]).all():
        return [(int(sizes[0]), slice(0, len(sizes)))]
    ends = [*(np.nonzero(np.diff(sizes))[0] + 1).tolist(), len(sizes)]
    starts = [0, *ends[:-1]]
    return [(int(sizes[a]), slice(a, b)) for a, b in zip(starts, ends, strict=True)]


def _ascii_faces(part: Part, lists: Table, face: Table) -> Iterator[bytes | memoryview]:
    plain = polygons_text(part.polygon_start, [part.polygon_index], counted=True)
    if not lists and not face:
        yield from plain
        return
    columns = [b"".join(map(bytes, plain)).splitlines()]
    for _, values in lists:
        flat = b"".join(rows_text(values)).splitlines()
        starts = part.polygon_start.tolist()
        columns.append(
            [
                b" ".join([str(values.shape[1] * (b - a)).encode(), *flat[a:b]])
                for a, b in itertools.pairwise(starts)
            ]
        )
    columns += [b"".join(rows_text(v[:, None])).splitlines() for _, v in face]
    yield b"".join(b" ".join(row) + b"\n" for row in zip(*columns, strict=True))
