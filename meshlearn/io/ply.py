"""PLY: ascii and binary of both byte orders, any element with any property, scalar or list."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from meshlearn._native import HAS_NATIVE
from meshlearn.io.document import CornerField, Document, FileFormatError, Part
from meshlearn.io.ply_header import Element, Property, read_header
from meshlearn.io.ply_write import losses, write
from meshlearn.io.text import as_bytes, call, rows_of

__all__ = ["SUFFIXES", "losses", "read", "write"]

SUFFIXES = (".ply",)


@dataclass
class _List:
    """A list property of all rows: values (K,), start (rows + 1,)."""

    values: np.ndarray
    start: np.ndarray


_Columns = dict[str, "np.ndarray | _List"]


def _short(path: Path, element: Element) -> FileFormatError:
    return FileFormatError(
        f"{path}: the header promises {element.count} of {element.name!r}, the file ends before"
    )


def _binary(data: bytes, path: Path, elements: list[Element], at: int, order: str):
    for element in elements:
        if not element.properties or element.count == 0:
            yield element, {p.name: _empty(p) for p in element.properties}
            continue
        columns, at = _binary_element(data, path, element, at, order)
        yield element, columns


def _empty(given: Property) -> np.ndarray | _List:
    values = np.zeros(0, given.type)
    return _List(values, np.zeros(1, np.int64)) if given.count else values


def _binary_element(data: bytes, path: Path, element: Element, at: int, order: str):
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
                    raise _short(path, element)
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
                columns: _Columns = {}
                for k, given in names:
                    column = view[f"p{k}"]
                    native = np.dtype(given.type)
                    if given.count:
                        start = np.arange(rows + 1, dtype=np.int64) * lengths[given.name]
                        columns[given.name] = _List(column.astype(native).reshape(-1), start)
                    else:
                        columns[given.name] = column.astype(native)
                return columns, at + rows * table.itemsize
        elif not lists:
            raise _short(path, element)
    return _walk(data, path, element, at, order)


def _walk(data: bytes, path: Path, element: Element, at: int, order: str):
    """Columns of an element whose lists differ in length."""
    layout = np.array(
        [
            (
                np.dtype(p.type).itemsize,
                np.dtype(p.count).itemsize if p.count else 0,
                int(bool(p.count) and p.count[0] == "i"),
            )
            for p in element.properties
        ],
        np.int64,
    )
    if HAS_NATIVE:
        try:
            out = call(
                "ply_walk",
                as_bytes(data),
                at,
                element.count,
                torch.from_numpy(layout),
                order == ">",
            )
        except ValueError as error:
            if "promises" in str(error):
                raise _short(path, element) from None
            raise FileFormatError(f"{path}: {error}") from None
        offsets = [t.numpy() for t in out[:-1]]
        end = int(out[-1])
    else:
        offsets, end = _walk_plain(data, path, element, at, order, layout)
    raw = np.frombuffer(data, np.uint8)
    columns: _Columns = {}
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
        columns[given.name] = _List(native, start) if given.count else native
    return columns, end


def _walk_plain(data: bytes, path: Path, element: Element, at: int, order: str, layout):
    offsets: list[list[int]] = [[] for _ in range(2 * len(element.properties))]
    for _ in range(element.count):
        for k, given in enumerate(element.properties):
            n = 1
            if given.count:
                size = int(layout[k, 1])
                if at + size > len(data):
                    raise _short(path, element)
                n = int(np.frombuffer(data, order + given.count, 1, at)[0])
                if n < 0:
                    raise FileFormatError(f"{path}: a list of {element.name!r} has length {n}")
                at += size
                offsets[2 * k + 1].append(n)
            if at + n * int(layout[k, 0]) > len(data):
                raise _short(path, element)
            offsets[2 * k].append(at)
            at += n * int(layout[k, 0])
    return [np.array(o, np.int64) for o in offsets], at


def _ascii(data: bytes, path: Path, elements: list[Element], at: int):
    """Elements of an ascii body: a line each, as the format says, or at least one after another."""
    try:
        values, lengths = rows_of(memoryview(data)[at:])
    except ValueError as error:
        raise FileFormatError(f"{path}: in the body, {error}") from None
    by_lines = []
    row, ends = 0, np.concatenate([[0], np.cumsum(lengths)])
    for element in elements:
        if element.properties and element.count > len(lengths) - row:
            break
        rows = element.count if element.properties else 0
        columns = _by_lines(values, ends[row : row + rows + 1], element.properties)
        if columns is None:
            break
        by_lines.append((element, columns))
        row += rows
    if len(by_lines) == len(elements):
        yield from by_lines
        return
    cursor = 0
    for element in elements:
        if element.count * len(element.properties) > len(values) - cursor:
            raise _short(path, element)
        columns, cursor = _ascii_mixed(values, path, element, cursor)
        yield element, columns


def _by_lines(values: np.ndarray, ends: np.ndarray, properties: list[Property]):
    """Columns where row r is values[ends[r]:ends[r + 1]], numbers behind it left out; None if
    not."""
    cursor, stop = ends[:-1].copy(), ends[1:]
    columns: _Columns = {}
    for given in properties:
        if (cursor >= stop).any():
            return None
        first = values[cursor]
        cursor = cursor + 1
        if not given.count:
            columns[given.name] = _cast(first, given.type)
            continue
        if not ((first >= 0) & (first <= stop - cursor)).all():
            return None
        count = first.astype(np.int64)
        start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        item = np.arange(start[-1]) - np.repeat(start[:-1], count)
        found = values[np.repeat(cursor, count) + item]
        columns[given.name] = _List(_cast(found, given.type), start)
        cursor = cursor + count
    return columns


def _cast(values: np.ndarray, kind: str) -> np.ndarray:
    native = np.dtype(kind)
    if native.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(native)
    info = np.iinfo(native)
    return np.nan_to_num(np.clip(values, info.min, info.max)).astype(native)


def _ascii_mixed(values: np.ndarray, path: Path, element: Element, cursor: int):
    found: dict[str, list] = {p.name: [] for p in element.properties}
    counts: dict[str, list[int]] = {p.name: [] for p in element.properties}
    for _ in range(element.count):
        for given in element.properties:
            n = 1
            if given.count:
                if cursor >= len(values) or not 0 <= values[cursor] <= len(values) - cursor - 1:
                    raise _short(path, element)
                n = int(values[cursor])
                cursor += 1
            if cursor + n > len(values):
                raise _short(path, element)
            found[given.name].append(values[cursor : cursor + n])
            counts[given.name].append(n)
            cursor += n
    columns: _Columns = {}
    for given in element.properties:
        joined = np.concatenate([*found[given.name], np.zeros(0)])
        start = np.concatenate([[0], np.cumsum(counts[given.name])]).astype(np.int64)
        cast = _cast(joined, given.type)
        columns[given.name] = _List(cast, start) if given.count else cast
    return columns, cursor


def _together(columns: _Columns, names: tuple[str, ...]) -> np.ndarray | None:
    found = [columns.get(n) for n in names]
    if any(f is None or isinstance(f, _List) for f in found):
        return None
    return np.stack(found, axis=1)  # type: ignore[arg-type]


_VECTORS = {
    "normal": [("nx", "ny", "nz")],
    "color": [
        ("red", "green", "blue", "alpha"),
        ("red", "green", "blue"),
        ("r", "g", "b", "a"),
        ("r", "g", "b"),
        ("diffuse_red", "diffuse_green", "diffuse_blue"),
    ],
    "uv": [("u", "v"), ("s", "t"), ("texture_u", "texture_v")],
}


def _fields(columns: _Columns, skip: set[str]) -> dict[str, np.ndarray]:
    """Scalar columns as fields; those that are parts of a vector together."""
    out: dict[str, np.ndarray] = {}
    used = set(skip)
    for name, choices in _VECTORS.items():
        for parts in choices:
            vector = None if used & set(parts) else _together(columns, parts)
            if vector is not None:
                out[name] = vector
                used |= set(parts)
                break
    for name, values in columns.items():
        if name not in used and isinstance(values, np.ndarray):
            out[name] = values
    return out


def _strips(strip: np.ndarray) -> np.ndarray:
    """Triangles of strips separated by -1."""
    faces = []
    for run in np.split(strip, np.nonzero(strip < 0)[0]):
        run = run[run >= 0]
        for k in range(len(run) - 2):
            a, b, c = run[k : k + 3]
            if len({int(a), int(b), int(c)}) == 3:
                faces.append((a, b, c) if k % 2 == 0 else (b, a, c))
    return np.array(faces, np.int64).reshape(-1, 3)


def read(data: bytes, path: Path) -> Document:
    """Reads a PLY; elements other than vertex, face and tristrips stay in the metadata."""
    form, elements, metadata, at = read_header(data, path)
    part = Part()
    if form == "ascii":
        source = _ascii(data, path, elements, at)
    else:
        source = _binary(data, path, elements, at, "<" if "little" in form else ">")
    other = {}
    for element, columns in source:
        if element.name == "vertex":
            xyz = _together(columns, ("x", "y", "z"))
            if xyz is None:
                raise FileFormatError(f"{path}: expected properties x, y and z of vertices")
            if xyz.dtype not in (np.float32, np.float64):
                xyz = xyz.astype(np.float64)
            part.vertices = xyz
            part.vertex_fields = _fields(columns, {"x", "y", "z"})
        elif element.name == "face":
            key = next((k for k in ("vertex_indices", "vertex_index") if k in columns), None)
            corners = columns[key] if key else None
            if not isinstance(corners, _List):
                if element.count:
                    raise FileFormatError(f"{path}: expected a list vertex_indices of each face")
                continue
            part.polygon_start = corners.start
            part.polygon_index = corners.values.astype(np.int64)
            part.face_fields = _fields(columns, {key or ""})
            uv = columns.get("texcoord")
            if isinstance(uv, _List) and np.array_equal(uv.start, 2 * corners.start):
                values = uv.values.reshape(-1, 2)
                part.corner_fields["uv"] = CornerField(values, np.arange(len(values)))
            elif isinstance(uv, _List):
                other["texcoord"] = uv.values
        elif element.name == "tristrips" and columns:
            strip = next(iter(columns.values()))
            if isinstance(strip, _List):
                made = Part.triangles(part.vertices, _strips(strip.values.astype(np.int64)))
                part.polygon_start, part.polygon_index = made.polygon_start, made.polygon_index
        else:
            other[element.name] = {
                k: v if isinstance(v, np.ndarray) else v.values for k, v in columns.items()
            }
    if other:
        metadata["elements"] = other
    return Document([part], metadata=metadata)
