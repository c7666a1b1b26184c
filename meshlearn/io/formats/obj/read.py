"""Wavefront OBJ: polygons with indexed texture coordinates and normals, colours, groups,
materials. Objects (``o``) are parts where each has its own vertices, else labels of faces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from meshlearn._compiled import HAS_COMPILED, as_bytes, call, threads
from meshlearn.io.document import CornerField, Document, FileFormatError, Material, Part
from meshlearn.io.encoding import (
    COMMAS_SAID,
    decoded_name,
    plain_text,
    with_decimal_points,
    with_plain_infinities,
)
from meshlearn.io.formats.obj.beyond import KNOWN, FreeForm
from meshlearn.io.formats.obj.material import load_materials, plain_name
from meshlearn.io.formats.obj.parts import split_objects
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.offset import take_offset

_WORDS = {word.encode() for word in ("g", "o", "s", "usemtl", "mtllib", "l", "p", *KNOWN)}


def read(data: bytes | bytearray, path: Path) -> Document:
    """Reads an OBJ; relative indices, continuation lines, UTF-16 and line ends of any system are
    understood."""
    data = plain_text(data)
    if b"\\" in data:
        data = bytearray(re.sub(rb"\\[ \t]*\r?\n", b" ", data))
    if b"\0" in data[:4096]:
        raise FileFormatError(f"{path}: expected text of an OBJ file, got binary data")
    remarks = []
    try:
        points = with_decimal_points(data, words=b"v|vt|vn")
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    if points is not None:
        data = points
        remarks.append(COMMAS_SAID)
    data, found = _parsed(data)
    if len(found.v) == 0 and len(found.start) == 1 and not _says_nothing(data, found.event):
        raise FileFormatError(f"{path}: expected an OBJ file, found no vertices in it")
    part = Part(vertices=found.v, polygon_start=found.start, polygon_index=found.index)
    if np.isfinite(found.colour[:, 0]).any():
        part.vertex_fields["color"], bytewise = _colours(found.colour[:, : 4 if found.alpha else 3])
        if bytewise:
            remarks.append("colours of vertices were read as bytes, 0 to 255")
    missing: list[Loss] = []
    uv = found.vt if found.vt[:, 2].any() else found.vt[:, :2]
    for name, values, index in (("uv", uv, found.index_vt), ("normal", found.vn, found.index_vn)):
        gone = int((index >= len(values)).sum())
        if gone:
            index = np.where(index < len(values), index, -1)
            why = "names values that are not there"
            missing.append(Loss(LossKind.FIELD, "corner", name, gone, why, "the file"))
        if len(values) or (len(index) and bool((index >= 0).any())):
            index = index if len(index) else np.full(len(found.index), -1, np.int64)
            part.corner_fields[name] = CornerField(np.ascontiguousarray(values), index)
    part.lines = np.split(found.line, np.cumsum(found.line_length)[:-1])
    part.lines = part.lines if len(found.line_length) else []
    part.points = found.point
    if found.longer:
        why = "takes 3 coordinates and a colour of 3 or 4"
        name = "numbers of vertices that have more than 7"
        missing.append(Loss(LossKind.OTHER, "", name, found.longer, why, "the reader of OBJ"))
    document = Document([part], left_out=missing, remarks=remarks)
    take_offset(document, data)
    _events(document, part, data, found.event)
    absent = load_materials(document, path, document.metadata.pop("mtllib", []))
    if absent:  # all that the others say is in the materials
        document.metadata["mtllib"] = absent
    return document


def _parsed(data: bytes | bytearray) -> tuple[bytes | bytearray, Found]:
    """What a parser finds, and the text it finds it in."""
    parse = _native if HAS_COMPILED else _plain
    try:
        return data, Found(*parse(data))
    except ValueError:
        other = with_plain_infinities(data)
        if other is None:
            raise
        return other, Found(*parse(other))


def _says_nothing(data: bytes | bytearray, event: np.ndarray) -> bool:
    """Whether a file without vertices and faces is an OBJ that says so: remarks and names only."""
    words = {bytes(data[at : at + n]).split(None, 1)[0] for _, at, n in event.tolist() if n}
    return bool(words or b"#" in data) and words <= _WORDS


def _colours(values: np.ndarray) -> tuple[np.ndarray, bool]:
    """Colours of vertices (V, 3 or 4), and whether they were written as bytes; white where a vertex
    has none, opaque where it has no alpha."""
    low, top = float(values.min(initial=0)), float(values.max(initial=0))
    if low >= 0 and top <= 1:  # not so where one is NaN
        return np.ascontiguousarray(values), False
    values = values.copy()
    held = values[np.isfinite(values[:, :3]).all(1), :3]
    top = float(held.max(initial=0))
    bytewise = 1 < top <= 255 and float(held.min(initial=0)) >= 0
    bytewise = bytewise and bool((held == np.round(held)).all())
    alpha = values[:, 3:]
    known = alpha[np.isfinite(alpha)]
    if bytewise and len(known) and float(known.max()) <= 1:  # 255 128 0 0.5
        alpha *= 255
    values[np.isnan(values)] = 255.0 if bytewise else 1.0
    return (np.clip(np.round(values), 0, 255).astype(np.uint8) if bytewise else values), bytewise


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
    facts: np.ndarray
    event: np.ndarray

    @property
    def alpha(self) -> int:
        """How many vertices have 7 numbers."""
        return int(self.facts[0])

    @property
    def longer(self) -> int:
        """How many vertices have more."""
        return int(self.facts[1])


def _native(data: bytes | bytearray) -> tuple[np.ndarray, ...]:
    found = call("obj_read", threads(), as_bytes(data), kinds="ddddi")
    points = (values.reshape(-1, w) for values, w in zip(found[:4], (3, 4, 3, 3), strict=True))
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
    alpha = longer = 0

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
                x = [float(t) for t in rest[:8]]
                if len(x) < 3 or len(x) == 5:
                    raise ValueError
                w = x[3] if len(x) == 4 else 1.0
                v.append([c / w if w not in (0.0, 1.0) else c for c in x[:3]])
                if len(x) in (6, 7):
                    colour[len(v) - 1] = [*x[3:], np.nan][:4]
                alpha += len(x) == 7
                longer += len(x) > 7
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
    coloured = colour or longer
    colours = [colour.get(i, [np.nan] * 4) for i in range(len(v))] if coloured else []

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
        floats(colours, 4),
        floats(vt, 3),
        floats(vn, 3),
        start,
        *(np.ascontiguousarray(column) for column in columns),
        whole(line),
        whole(line_length),
        whole(point),
        whole([alpha, longer]),
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
    beyond = FreeForm()
    for face, offset, length in event.tolist():
        word, *more = bytes(data[offset : offset + length]).split(None, 1) or [b""]
        if word.lower() in kinds or word.lower() == b"mtllib":
            word = word.lower()
        rest = more[0].strip() if more else b""
        text = decoded_name(rest)
        foreign = foreign or (not rest.isascii() and text.encode("utf-8") != rest)
        text = plain_name(text) if word == b"usemtl" else text
        if word == b"mtllib":
            document.metadata.setdefault("mtllib", []).append(text)
        elif word in kinds:
            if word == b"o":
                objects.append((text, face, offset))
            table = names[kinds[word]]
            marks[kinds[word]].append((face, table.setdefault(text, len(table))))
        elif word:
            beyond.take(word.decode("latin-1"), text)
    document.left_out += beyond.losses()
    document.remarks += beyond.remarks()
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
