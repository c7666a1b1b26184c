"""Wavefront OBJ: polygons with indexed texture coordinates and normals, colours, groups,
materials. Objects (``o``) are parts where each has its own vertices, else labels of faces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meshlearn._compiled import HAS_COMPILED, as_bytes, call, threads
from meshlearn.io.document import CornerField, Document, FileFormatError, Material, Part
from meshlearn.io.formats.obj.material import decoded_line, load_materials, plain_name
from meshlearn.io.formats.obj.parts import split_objects
from meshlearn.io.left_behind import Loss, LossKind


def read(data: bytes | bytearray, path: Path) -> Document:
    """Reads an OBJ; relative indices, continuation lines and a byte-order mark are understood."""
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    if b"\\" in data:
        data = bytearray(re.sub(rb"\\[ \t]*\r?\n", b" ", data))
    if b"\0" in data[:4096]:
        raise FileFormatError(f"{path}: expected text of an OBJ file, got binary data")
    if b"\n" not in data and b"\r" in data:
        data = data.replace(b"\r", b"\n")
    found = Found(*(_native if HAS_COMPILED else _plain)(data))
    if len(found.v) == 0 and len(found.start) == 1:
        if not any(k in data for k in (b"#", b"o ", b"g ")):
            raise FileFormatError(f"{path}: expected an OBJ file, found no vertices in it")
    part = Part(vertices=found.v, polygon_start=found.start, polygon_index=found.index)
    if len(found.colour):
        part.vertex_fields["color"] = found.colour
    missing: list[Loss] = []
    uv = found.vt if found.vt[:, 2].any() else found.vt[:, :2]
    for name, values, index in (("uv", uv, found.index_vt), ("normal", found.vn, found.index_vn)):
        gone = int((index >= len(values)).sum())
        if gone:
            index = np.where(index < len(values), index, -1)
            why = "names values that are not there"
            missing.append(Loss(LossKind.FIELD, "corner", name, gone, why, "the file"))
        if len(values) or (len(index) and not gone):
            index = index if len(index) else np.full(len(found.index), -1, np.int64)
            part.corner_fields[name] = CornerField(np.ascontiguousarray(values), index)
    part.lines = np.split(found.line, np.cumsum(found.line_length)[:-1])
    part.lines = part.lines if len(found.line_length) else []
    part.points = found.point
    document = Document([part], left_out=missing)
    _events(document, part, data, found.event)
    if load_materials(document, path, document.metadata.get("mtllib", [])):
        document.metadata.pop("mtllib", None)  # all that they say is in the materials
    return document


@dataclass(frozen=True)
class Found:
    """What a parser found: see csrc/io/obj.cpp."""

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


def _native(data: bytes | bytearray) -> tuple[np.ndarray, ...]:
    found = call("obj_parse", threads(), as_bytes(data), kinds="ddddi")
    points = (values.reshape(-1, 3) for values in found[:4])
    return (*points, *found[4:-1], found[-1].reshape(-1, 3))


def _plain(data: bytes | bytearray):
    """The parser in plain Python, slower and equal."""
    v: list[list[float]] = []
    vt: list[list[float]] = []
    vn: list[list[float]] = []
    colour: dict[int, list[float]] = {}
    corner: list[list[int]] = []
    length: list[int] = []
    line: list[int] = []
    line_length: list[int] = []
    point: list[int] = []
    event: list[list[int]] = []
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


def _events(document: Document, part: Part, data: bytes | bytearray, event: np.ndarray) -> None:
    """Groups, objects and materials: a number for each face, and what the numbers mean; objects
    with vertices of their own become parts."""
    objects: list[tuple[str, int, int]] = []
    names: dict[str, dict[str, int]] = {"group": {}, "object": {}, "material": {}, "smooth": {}}
    kinds = {b"g": "group", b"o": "object", b"usemtl": "material", b"s": "smooth"}
    marks: dict[str, list[tuple[int, int]]] = {key: [] for key in names}
    foreign = False
    for face, offset, length in event.tolist():
        word, *more = bytes(data[offset : offset + length]).split(None, 1) or [b""]
        rest = more[0].strip() if more else b""
        text = decoded_line(rest)
        foreign = foreign or (not rest.isascii() and text.encode("utf-8") != rest)
        text = plain_name(text) if word == b"usemtl" else text
        if word == b"mtllib":
            document.metadata.setdefault("mtllib", []).append(text)
        elif word in kinds:
            if word == b"o":
                objects.append((text, face, offset))
            table = names[kinds[word]]
            marks[kinds[word]].append((face, table.setdefault(text, len(table))))
    if foreign:
        document.remarks.append("names that are not UTF-8 were read as Latin-1")
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
