"""Primitives of a COLLADA mesh as a part: triangles, polygons, strips, fans and lines."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.document import CornerField, Part
from meshlearn.io.even_looks import texture_field
from meshlearn.io.formats.dae.file import File
from meshlearn.io.formats.dae.holes import cut_holes

KINDS = ("triangles", "polylist", "polygons", "tristrips", "trifans", "lines", "linestrips")
_SEMANTICS = {"NORMAL": "normal", "COLOR": "color", "TANGENT": "tangent"}
_UNKNOWN = "does not know what they mean"
_DERIVED = ("TEXTANGENT", "TEXBINORMAL", "BINORMAL")  # of normals and texture coordinates


def read_primitives(file: File, mesh: Element, entry: Element) -> tuple[Part, dict[int, int]]:
    """A part of an element of primitives, and the field "uv", "uv1" … of each set of texture
    coordinates."""
    inputs = [
        (int(i.get("offset", "0")), i.get("semantic", ""), i.get("source"), int(i.get("set", "0")))
        for i in entry.findall("input")
    ]
    stride = max((offset for offset, *_ in inputs), default=0) + 1
    if not 0 < stride <= 1024 or min((offset for offset, *_ in inputs), default=0) < 0:
        raise file.error(f"an input has the offset {stride - 1}")
    part = Part()
    sets: dict[int, int] = {}
    named: list[tuple[str, int, str | None]] = []
    at: int | None = None
    for offset, semantic, source, number in inputs:
        if semantic == "VERTEX":
            at = offset
            _vertices(file, part, source, sets)
        else:
            label = _label(semantic, number, sets)
            if label:
                named.append((label, offset, source))
            else:
                file.lost[f"inputs {semantic!r}", _UNKNOWN] += 1
    if at is None:
        raise file.error(f"expected an input VERTEX of <{entry.tag}>")
    rows, holes = _rows(file, entry, stride)
    table = np.concatenate([*rows, np.zeros((0, stride), np.int64)])
    if holes:
        if len(table) and not 0 <= table[:, at].min() <= table[:, at].max() < len(part.vertices):
            raise file.error(f"a polygon names a vertex beyond its {len(part.vertices)}")
        corners, start = _cut(part.vertices[table[:, at]], rows, holes)
    else:
        corners, start = _corners(file, entry, rows, table)
    table = table[corners]
    if entry.tag in ("lines", "linestrips"):
        part.lines = np.split(table[:, at], start[1:-1]) if len(start) > 1 else []
        for label, *_ in named:
            file.lost[f"corner field {label!r} of lines", "reads the vertices of lines only"] += 1
        return part, sets
    part.polygon_start, part.polygon_index = start, table[:, at].copy()
    for label, offset, source in named:
        if label in part.corner_fields:
            label = next(
                f"{label}_{k}" for k in range(1, 99) if f"{label}_{k}" not in part.corner_fields
            )
        values = _flat(label, file.source(source))
        part.corner_fields[label] = CornerField(values, table[:, offset].copy())
    return part, sets


def _label(semantic: str, number: int, sets: dict[int, int]) -> str:
    """The field of an input; "" for none."""
    if semantic == "TEXCOORD":
        return texture_field(sets.setdefault(number, len(sets)))
    if semantic in _DERIVED:
        return semantic.lower()
    return _SEMANTICS.get(semantic, "")


def _flat(label: str, values: np.ndarray) -> np.ndarray:
    """Values as a document has them: texture coordinates of a flat image are two."""
    flat = label.startswith("uv") and values.shape[1] == 3 and not values[:, 2].any()
    return np.ascontiguousarray(values[:, :2]) if flat else values


def _vertices(file: File, part: Part, source: str | None, sets: dict[int, int]) -> None:
    for inner in file.target(source).findall("input"):
        values = file.source(inner.get("source"))
        semantic = inner.get("semantic", "")
        if semantic == "POSITION":
            part.vertices = values[:, :3] if values.shape[1] >= 3 else np.zeros((0, 3))
            part.vertices = np.ascontiguousarray(part.vertices)
        else:
            label = _label(semantic, int(inner.get("set", "0")), sets)
            if not label:
                file.lost[f"inputs {semantic!r}", _UNKNOWN] += 1
            elif label in part.vertex_fields:
                file.lost[f"vertex field {label!r}", "reads the first of its name"] += 1
            else:
                part.vertex_fields[label] = _flat(label, values)
    for label, values in list(part.vertex_fields.items()):
        if len(values) != len(part.vertices):
            limit = f"reads one for each of {len(part.vertices)} vertices"
            file.lost[f"vertex field {label!r}", limit] += len(values)
            del part.vertex_fields[label]


def _rows(
    file: File, entry: Element, stride: int
) -> tuple[list[np.ndarray], list[tuple[int, list[int]]]]:
    """The runs of indices, and which of them are holes of which."""
    groups = [file.numbers(p, whole=True) for p in entry.findall("p")]
    holes: list[tuple[int, list[int]]] = []
    for holder in entry.findall("ph"):
        around = holder.find("p")
        if around is None:
            continue
        inner = [file.numbers(h, whole=True) for h in holder.findall("h")]
        place = len(groups)
        holes.append((place, list(range(place + 1, place + 1 + len(inner)))))
        groups += [file.numbers(around, whole=True), *inner]
    for group in groups:
        if len(group) % stride:
            raise file.error(f"{len(group)} indices of <{entry.tag}> are not rows of {stride}")
    return [group.reshape(-1, stride) for group in groups], holes


def _cut(
    points: np.ndarray, rows: list[np.ndarray], holes: list[tuple[int, list[int]]]
) -> tuple[np.ndarray, np.ndarray]:
    """Corners of polygons, those with holes as triangles, and where each begins."""
    begin = np.concatenate([[0], np.cumsum([len(run) for run in rows])])
    runs = [np.arange(begin[k], begin[k + 1]) for k in range(len(rows))]
    of = dict(holes)
    inner = {k for _, found in holes for k in found}
    out: list[np.ndarray] = []
    for k, run in enumerate(runs):
        if of.get(k):
            out += list(cut_holes(points, run, [runs[h] for h in of[k]]))
        elif k not in inner:
            out.append(run)
    start = np.concatenate([[0], np.cumsum([len(run) for run in out])]).astype(np.int64)
    return np.concatenate([np.zeros(0, np.int64), *out]), start


def _corners(file: File, entry: Element, rows: list[np.ndarray], table: np.ndarray):
    """Which rows of the indices are corners, in order, and where each polygon begins."""
    total = len(table)
    every = np.arange(total)
    if entry.tag in ("triangles", "lines"):
        size = 3 if entry.tag == "triangles" else 2
        count, left = divmod(total, size)
        if left:
            limit = f"reads <{entry.tag}> of {size} corners each"
            file.lost["corners behind the last whole one", limit] += left
        return every[: count * size], np.arange(count + 1, dtype=np.int64) * size
    if entry.tag == "polylist":
        sizes = file.numbers(entry.find("vcount"), whole=True)
        if (sizes < 0).any() or int(sizes.sum()) != total:
            raise file.error(f"<vcount> promises {int(sizes.sum())} corners, <p> has {total}")
    elif entry.tag in ("polygons", "linestrips"):
        sizes = np.array([len(r) for r in rows], np.int64)
    else:
        found, base = [], 0
        for run in rows:
            for k in range(len(run) - 2):
                if entry.tag == "trifans":
                    found.append([base, base + k + 1, base + k + 2])
                else:
                    swap = k % 2
                    found.append([base + k + swap, base + k + 1 - swap, base + k + 2])
            base += len(run)
        corners = np.array(found, np.int64).reshape(-1)
        return corners, np.arange(len(found) + 1, dtype=np.int64) * 3
    return every, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
