"""Wavefront OBJ: polygons with indexed texture coordinates and normals, colours, groups,
materials. Objects (``o``) are parts where each has its own vertices, else labels of faces."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from meshlearn._native import HAS_NATIVE
from meshlearn.io.capability import NONE, Holds, losses_of
from meshlearn.io.changes.join import mirrors as _mirrors
from meshlearn.io.changes.join import reversed_corners
from meshlearn.io.document import CornerField, Document, FileFormatError, Material, Part, _place
from meshlearn.io.formats.obj.mtl import load_materials, write_materials
from meshlearn.io.formats.obj.parts import split_objects
from meshlearn.io.left_behind import Loss
from meshlearn.io.text import as_bytes, call, columns_text, polygons_text, rows_text

SUFFIXES = (".obj",)


HOLDS = Holds(
    "OBJ",
    vertex=frozenset({"color", "normal", "uv"}),
    face=frozenset({"group", "object", "material", "smooth"}),
    corner=frozenset({"uv", "normal"}),
    lines=True,
    points=True,
    cells=NONE,
    parts=True,
    names=True,
    groups=True,
    materials=True,
    textures=True,
    metadata=frozenset({"mtllib", "object", "smooth"}),
)


def read(data: bytes, path: Path) -> Document:
    """Reads an OBJ; relative indices, continuation lines and a byte-order mark are understood."""
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    if b"\\" in data:
        data = bytearray(re.sub(rb"\\[ \t]*\r?\n", b" ", data))
    if b"\0" in data[:4096]:
        raise FileFormatError(f"{path}: expected text of an OBJ file, got binary data")
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    found = Found(*(_native if HAS_NATIVE else _plain)(data))
    if len(found.v) == 0 and len(found.start) == 1:
        if not any(k in data for k in (b"#", b"o ", b"g ")):
            raise FileFormatError(f"{path}: expected an OBJ file, found no vertices in it")
    part = Part(vertices=found.v, polygon_start=found.start, polygon_index=found.index)
    if len(found.colour):
        part.vertex_fields["color"] = found.colour
    uv = found.vt if found.vt[:, 2].any() else found.vt[:, :2]
    for name, values, index in (("uv", uv, found.index_vt), ("normal", found.vn, found.index_vn)):
        if len(values) or len(index):
            index = index if len(index) else np.full(len(found.index), -1, np.int64)
            part.corner_fields[name] = CornerField(np.ascontiguousarray(values), index)
    part.lines = np.split(found.line, np.cumsum(found.line_length)[:-1])
    part.lines = part.lines if len(found.line_length) else []
    part.points = found.point
    document = Document([part])
    _events(document, part, data, found.event)
    load_materials(document, path, document.metadata.get("mtllib", []))
    return document


class Found(NamedTuple):
    """What a parser found: see csrc/cpu/io_obj.cpp."""

    v: np.ndarray
    colour: np.ndarray
    vt: np.ndarray
    vn: np.ndarray
    start: np.ndarray
    index: np.ndarray
    index_vt: np.ndarray
    index_vn: np.ndarray
    line: np.ndarray
    line_length: np.ndarray
    point: np.ndarray
    event: np.ndarray


def _native(data: bytes) -> tuple[np.ndarray, ...]:
    found = [t.numpy() for t in call("obj_parse", as_bytes(data))]
    return (*found[:-1], found[-1].reshape(-1, 3))


def _plain(data: bytes):
    """The parser in plain Python, slower and equal."""
    v, colour, vt, vn, corner, length = [], {}, [], [], [], []
    line, line_length, point, event = [], [], [], []
    have = (v, vt, vn)

    def index(text: bytes, pool: list) -> int:
        value = int(text)
        if value == 0 or abs(value) > 1 << 58:
            raise ValueError
        found = value - 1 if value > 0 else len(pool) + value
        if found < 0:
            raise ValueError
        return found

    offset = 0
    for number, raw in enumerate(bytes(data).split(b"\n"), 1):
        text = raw.split(b"#", 1)[0].replace(b",", b" ")
        tokens = text.split()
        begin, offset = offset, offset + len(raw) + 1
        if not tokens:
            continue
        word, rest = tokens[0], tokens[1:]
        try:
            if word == b"v" and rest:
                x = [float(t) for t in rest[:7]]
                if len(x) not in (3, 4, 6, 7):
                    raise ValueError
                w = x[3] if len(x) in (4, 7) else 1.0
                v.append([c / w if w not in (0.0, 1.0) else c for c in x[:3]])
                if len(x) >= 6:
                    colour[len(v) - 1] = x[-3:]
            elif word == b"vt" and rest:
                vt.append([*(float(t) for t in rest[:3]), 0.0, 0.0][:3])
            elif word == b"vn" and rest:
                x = [float(t) for t in rest[:3]]
                if len(x) != 3:
                    raise ValueError
                vn.append(x)
            elif word in (b"f", b"fo") and (rest or b"#" in raw):
                if not rest:
                    raise ValueError
                for token in rest:
                    parts = [*token.split(b"/"), b"", b""][:3]
                    corner.append(
                        [index(t, pool) if t else -1 for t, pool in zip(parts, have, strict=True)]
                    )
                    if corner[-1][0] < 0:
                        raise ValueError
                length.append(len(rest))
            elif word == b"l" and rest:
                line.extend(index(t.split(b"/")[0], v) for t in rest)
                line_length.append(len(rest))
            elif word == b"p" and rest:
                point.extend(index(t, v) for t in rest)
            else:
                lead = len(raw) - len(raw.lstrip())
                event.append([len(length), begin + lead, len(raw.strip())])
        except ValueError:
            raise ValueError(
                f"line {number}: not a legal '{word.decode('latin-1')}' line"
            ) from None
    colours = [colour.get(i, [1.0] * 3) for i in range(len(v))] if colour else []

    def floats(rows: list, width: int) -> np.ndarray:
        return np.array(rows, np.float64).reshape(-1, width)

    def whole(rows: list, *shape: int) -> np.ndarray:
        return np.array(rows, np.int64).reshape(-1, *shape)

    corners = whole(corner, 3)
    start = np.concatenate([[0], np.cumsum(whole(length))]).astype(np.int64)
    columns = [
        corners[:, k] if k == 0 or (corners[:, k] >= 0).any() else corners[:0, k] for k in range(3)
    ]
    return (
        floats(v, 3),
        floats(colours, 3),
        floats(vt, 3),
        floats(vn, 3),
        start,
        *(np.ascontiguousarray(column) for column in columns),
        whole(line),
        whole(line_length),
        whole(point),
        whole(event, 3),
    )


def _events(document: Document, part: Part, data: bytes, event: np.ndarray) -> None:
    """Groups, objects and materials: a number for each face, and what the numbers mean; objects
    with vertices of their own become parts."""
    objects: list[tuple[str, int, int]] = []
    names: dict[str, dict[str, int]] = {"group": {}, "object": {}, "material": {}, "smooth": {}}
    kinds = {b"g": "group", b"o": "object", b"usemtl": "material", b"s": "smooth"}
    marks: dict[str, list[tuple[int, int]]] = {key: [] for key in names}
    for face, offset, length in event.tolist():
        word, _, rest = bytes(data[offset : offset + length]).partition(b" ")
        text = rest.strip().decode("utf-8", errors="replace")
        if word == b"mtllib":
            document.metadata.setdefault("mtllib", []).append(text)
        elif word in kinds:
            if word == b"o":
                objects.append((text, face, offset))
            table = names[kinds[word]]
            marks[kinds[word]].append((face, table.setdefault(text, len(table))))
    for kind, found in marks.items():
        if kind == "object" and found and part.num_faces == 0:
            part.name = next(iter(names[kind]))
        if not found or part.num_faces == 0:
            continue
        label = np.full(part.num_faces, -1, np.int32)
        for (face, number), following in zip(found, [*found[1:], (part.num_faces, 0)], strict=True):
            label[face : following[0]] = number
        part.face_fields[kind] = label
        if kind == "material":
            document.materials = [Material(name) for name in names[kind]]
        elif kind == "group":
            part.groups = list(names[kind])
        elif kind == "object" and len(names[kind]) == 1 and (label == 0).all():
            part.name = next(iter(names[kind]))  # the name of all there is
            del part.face_fields[kind]
        else:
            document.metadata[kind] = list(names[kind])
    found_parts = split_objects(part, data, objects)
    if found_parts is not None:
        document.parts = found_parts
        document.metadata.pop("object", None)


def losses(document: Document) -> list[str | Loss]:
    """What an OBJ file cannot hold of this document."""
    lost = losses_of(document, HOLDS)
    for part in document.parts:
        colour = part.vertex_fields.get("color")
        if colour is not None and colour.ndim == 2 and colour.shape[1] > 3:
            top = 1.0 if colour.dtype.kind == "f" else np.iinfo(colour.dtype).max
            clear = int((colour[:, 3] != top).sum())
            if clear:
                lost.append(Loss("transparency of colours", "OBJ colours are opaque", clear))
    return lost


def write(document: Document, path: Path) -> bytes | dict[str, bytes]:
    """An OBJ file, with a .mtl and images where there are materials; parts become objects."""
    files = {name: b"".join(made) for name, made in pieces(document, path).items()}
    return files if len(files) > 1 else files[path.name]


def pieces(document: Document, path: Path) -> dict[str, Iterable[bytes | memoryview]]:
    """The files of `write` by name, each in pieces."""
    library = path.with_suffix(".mtl").name
    said = any(m.values.get("mtl") or m.values.get("base_color") for m in document.materials)
    said = said or any(m.values.get("base_texture") for m in document.materials)
    if not said:
        return {path.name: _text(document, document.metadata.get("mtllib", []))}
    files: dict[str, Iterable[bytes | memoryview]] = {path.name: _text(document, [library])}
    files[library] = [write_materials(document.materials)]
    for name, image in document.images.items():
        if Path(name).name == name and name not in files:
            files[name] = [image]
    return files


def _clean(name: str) -> str:
    """A name that stays on its line."""
    return " ".join(name.split())


def _text(document: Document, libraries: list[str]) -> Iterator[bytes | memoryview]:
    yield b"# meshlearn\n"
    for name in libraries:
        yield f"mtllib {_clean(name)}\n".encode()
    base = {"v": 1, "vt": 1, "vn": 1}
    for number, part in enumerate(document.parts):
        if part.name or number:
            yield f"o {_clean(part.name)}\n".encode()
        rows, _ = _place(part, part.vertices)
        colour = part.vertex_fields.get("color")
        if colour is not None and colour.ndim == 2 and colour.shape[1] >= 3:
            colour = colour[:, :3]
            if colour.dtype.kind in "ui":
                colour = np.round(colour / np.iinfo(colour.dtype).max, 9)
            yield from columns_text([rows, colour], "v ")
        else:
            yield from rows_text(rows, "v ")
        fields, bases = [part.polygon_index], [base["v"]]
        uv, normal = part.corner_fields.get("uv"), part.corner_fields.get("normal")
        if uv is None and "uv" in part.vertex_fields:
            uv = CornerField(part.vertex_fields["uv"], part.polygon_index)
        if normal is None and "normal" in part.vertex_fields:
            normal = CornerField(part.vertex_fields["normal"], part.polygon_index)
        if uv is not None:
            yield from rows_text(uv.values[:, :3], "vt ")
        if normal is not None:
            yield from rows_text(normal.values[:, :3], "vn ")
        for key, corner in (("vt", uv), ("vn", normal)):
            if corner is not None:
                if key == "vn" and uv is None:
                    fields.append(np.full(len(part.polygon_index), -1, np.int64))
                    bases.append(0)
                fields.append(corner.index)
                bases.append(base[key])
                base[key] += len(corner.values)
        yield from _faces(document, part, fields, bases)
        for line in part.lines:
            yield ("l " + " ".join(str(i + base["v"]) for i in line) + "\n").encode()
        if len(part.points):
            texts = " ".join(str(i + base["v"]) for i in part.points)
            yield f"p {texts}\n".encode()
        base["v"] += len(part.vertices)


def _faces(
    document: Document, part: Part, fields: list[np.ndarray], bases: list[int]
) -> Iterator[bytes | memoryview]:
    """Face lines, with a line where group, object, material or smoothing changes."""
    tables = {
        "object": ("o", document.metadata.get("object", [])),
        "group": ("g", part.groups),
        "smooth": ("s", document.metadata.get("smooth", [])),
        "material": ("usemtl", [m.name for m in document.materials]),
    }
    marks = {
        kind: part.face_fields[kind]
        for kind, (_, names) in tables.items()
        if kind in part.face_fields and names
    }
    mirrored = part.transform is not None and _mirrors(part.transform)
    if mirrored:
        turn = reversed_corners(part)
        fields = [f[turn] for f in fields]
    if not marks or part.num_faces == 0:
        yield from polygons_text(part.polygon_start, fields, "f ", base=bases)
        return
    changes = np.zeros(part.num_faces, bool)
    changes[0] = True
    for label in marks.values():
        changes[1:] |= label[1:] != label[:-1]
    starts = [*np.nonzero(changes)[0].tolist(), part.num_faces]
    current = dict.fromkeys(marks, -1)
    for first, last in itertools.pairwise(starts):
        for kind, label in marks.items():
            number = int(label[first])
            word, names = tables[kind]
            if number != current[kind] and 0 <= number < len(names):
                yield f"{word} {_clean(names[number])}\n".encode()
            current[kind] = number
        start = part.polygon_start[first : last + 1]
        yield from polygons_text(start, fields, "f ", base=bases)
