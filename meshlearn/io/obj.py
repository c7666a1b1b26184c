"""Wavefront OBJ: polygons with indexed texture coordinates and normals, colours, groups,
materials."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import numpy as np

from meshlearn._native import HAS_NATIVE
from meshlearn.io.document import CornerField, Document, FileFormatError, Material, Part
from meshlearn.io.text import as_bytes, call, write_polygons, write_rows

SUFFIXES = (".obj",)


def read(data: bytes, path: Path) -> Document:
    """Reads an OBJ; relative indices, continuation lines and a byte-order mark are understood."""
    if data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    if b"\\" in data:
        data = re.sub(rb"\\\r?\n", b" ", data)
    if b"\0" in data[:4096]:
        raise FileFormatError(f"{path}: expected text of an OBJ file, got binary data")
    parse = _native if HAS_NATIVE else _plain
    v, colour, vt, vn, corner, length, line, line_length, point, event = parse(data)
    if len(v) == 0 and len(length) == 0 and not any(k in data for k in (b"#", b"o ", b"g ")):
        raise FileFormatError(f"{path}: expected an OBJ file, found no vertices in it")
    start = np.concatenate([[0], np.cumsum(length)]).astype(np.int64)
    part = Part(vertices=v, polygon_start=start, polygon_index=corner[:, 0].copy())
    if len(colour):
        part.vertex_fields["color"] = colour
    for name, values, k in (("uv", vt, 1), ("normal", vn, 2)):
        if len(values) or (corner[:, k] >= 0).any():
            part.corner_fields[name] = CornerField(values, corner[:, k].copy())
    for name, index, count in (("line", line, len(v)), ("point", point, len(v))):
        if len(index) and (index.min() < 0 or index.max() >= count):
            raise FileFormatError(f"{path}: a {name} names a vertex that is not there")
    part.lines = np.split(line, np.cumsum(line_length)[:-1]) if len(line_length) else []
    part.points = point
    document = Document([part])
    _events(document, part, data, event)
    return document


def _native(data: bytes):
    v, colour, vt, vn, corner, length, line, line_length, point, event = (
        t.numpy() for t in call("obj_parse", as_bytes(data))
    )
    return (
        v.reshape(-1, 3),
        colour.reshape(-1, 3),
        vt.reshape(-1, 2),
        vn.reshape(-1, 3),
        corner.reshape(-1, 3),
        length,
        line,
        line_length,
        point,
        event.reshape(-1, 3),
    )


def _plain(data: bytes):
    """The parser in plain Python, slower and equal."""
    v, colour, vt, vn, corner, length = [], {}, [], [], [], []
    line, line_length, point, event = [], [], [], []
    have = (v, vt, vn)

    def index(text: bytes, pool: list) -> int:
        value = int(text)
        if value == 0:
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
                vt.append([*(float(t) for t in rest[:2]), 0.0][:2])
            elif word == b"vn" and rest:
                x = [float(t) for t in rest[:3]]
                if len(x) != 3:
                    raise ValueError
                vn.append(x)
            elif word in (b"f", b"fo") and rest:
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

    return (
        floats(v, 3),
        floats(colours, 3),
        floats(vt, 2),
        floats(vn, 3),
        whole(corner, 3),
        whole(length),
        whole(line),
        whole(line_length),
        whole(point),
        whole(event, 3),
    )


def _events(document: Document, part: Part, data: bytes, event: np.ndarray) -> None:
    """Groups, objects and materials: a number for each face, and what the numbers mean."""
    names: dict[str, dict[str, int]] = {"group": {}, "object": {}, "material": {}, "smooth": {}}
    kinds = {b"g": "group", b"o": "object", b"usemtl": "material", b"s": "smooth"}
    marks: dict[str, list[tuple[int, int]]] = {key: [] for key in names}
    for face, offset, length in event.tolist():
        word, _, rest = bytes(data[offset : offset + length]).partition(b" ")
        text = rest.strip().decode("utf-8", errors="replace")
        if word == b"mtllib":
            document.metadata.setdefault("mtllib", []).append(text)
        elif word in kinds:
            table = names[kinds[word]]
            marks[kinds[word]].append((face, table.setdefault(text, len(table))))
    for kind, found in marks.items():
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
        else:
            document.metadata[kind] = list(names[kind])


def losses(document: Document) -> list[str]:
    """What an OBJ file cannot hold of this document."""
    lost = []
    for part in document.parts:
        known = {"color", "normal"}
        lost += [f"vertex field {k!r}" for k in part.vertex_fields if k not in known]
        known = {"group", "object", "material", "smooth"}
        lost += [f"face field {k!r}" for k in part.face_fields if k not in known]
        lost += [f"corner field {k!r}" for k in part.corner_fields if k not in ("uv", "normal")]
    return lost


def write(document: Document, path: Path) -> bytes:
    """An OBJ file; parts become objects."""
    out = [b"# meshlearn\n"]
    out += [f"mtllib {name}\n".encode() for name in document.metadata.get("mtllib", [])]
    base = {"v": 1, "vt": 1, "vn": 1}
    for part in document.parts:
        if part.name:
            out.append(f"o {part.name}\n".encode())
        rows = part.vertices
        colour = part.vertex_fields.get("color")
        if colour is not None and colour.ndim == 2 and colour.shape[1] >= 3:
            colour = colour[:, :3]
            if colour.dtype.kind in "ui":
                colour = np.round(colour / np.iinfo(colour.dtype).max, 9)
            rows = np.concatenate([rows, colour.astype(rows.dtype)], axis=1)
        out.append(write_rows(rows, "v "))
        fields = [part.polygon_index + base["v"]]
        uv = part.corner_fields.get("uv")
        normal = part.corner_fields.get("normal")
        if normal is None and "normal" in part.vertex_fields:
            normal = CornerField(part.vertex_fields["normal"], part.polygon_index)
        if uv is not None:
            out.append(write_rows(uv.values[:, :2], "vt "))
            fields.append(np.where(uv.index < 0, -1, uv.index + base["vt"]))
            base["vt"] += len(uv.values)
        if normal is not None:
            if uv is None:
                fields.append(np.full_like(part.polygon_index, -1))
            out.append(write_rows(normal.values, "vn "))
            fields.append(np.where(normal.index < 0, -1, normal.index + base["vn"]))
            base["vn"] += len(normal.values)
        out += _faces(document, part, fields)
        for line in part.lines:
            out.append(("l " + " ".join(str(i + base["v"]) for i in line) + "\n").encode())
        if len(part.points):
            texts = " ".join(str(i + base["v"]) for i in part.points)
            out.append(f"p {texts}\n".encode())
        base["v"] += len(part.vertices)
    return b"".join(out)


def _faces(document: Document, part: Part, fields: list[np.ndarray]) -> list[bytes]:
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
    if not marks or part.num_faces == 0:
        return [write_polygons(part.polygon_start, fields, "f ")]
    changes = np.zeros(part.num_faces, bool)
    changes[0] = True
    for label in marks.values():
        changes[1:] |= label[1:] != label[:-1]
    starts = [*np.nonzero(changes)[0].tolist(), part.num_faces]
    current = dict.fromkeys(marks, -1)
    out = []
    for first, last in itertools.pairwise(starts):
        for kind, label in marks.items():
            number = int(label[first])
            word, names = tables[kind]
            if number != current[kind] and 0 <= number < len(names):
                out.append(f"{word} {names[number]}\n".encode())
            current[kind] = number
        a, b = part.polygon_start[first], part.polygon_start[last]
        start = part.polygon_start[first : last + 1] - a
        out.append(write_polygons(start, [f[a:b] for f in fields], "f "))
    return out
