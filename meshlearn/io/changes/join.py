"""Several parts as one, for formats that know only one."""

from __future__ import annotations

import numpy as np

from meshlearn.io.document import CornerField, Document, Part
from meshlearn.io.placed import placed_part


def mirrors(transform: np.ndarray) -> bool:
    """Whether a transform turns faces inside out."""
    return bool(np.linalg.det(np.asarray(transform, np.float64)[:3, :3]) < 0)


def reversed_corners(part: Part) -> np.ndarray:
    """(C,) the corners of each polygon the other way round, as positions in polygon_index."""
    first = np.repeat(part.polygon_start[:-1], part.sizes)
    last = np.repeat(part.polygon_start[1:] - 1, part.sizes)
    return first + last - np.arange(len(part.polygon_index))


def joined(document: Document) -> Part:
    """All parts in order as one, transforms applied; fields that all parts have are kept, labels of
    groups renumbered."""
    parts = document.parts
    if len(parts) == 1 and parts[0].transform is None:
        return parts[0]
    out = Part()
    if not parts:
        return out
    placed = [placed_part(p) for p in parts]
    parts = [part for part, _ in placed]
    out.vertices = np.concatenate([p.vertices for p in parts])
    starts, index, base, held = [np.zeros(1, np.int64)], [], 0, 0
    order = []  # corners, reversed within polygons of mirrored parts
    for part, (_, mirrored) in zip(parts, placed, strict=True):
        corners = reversed_corners(part) if mirrored else np.arange(len(part.polygon_index))
        order.append(corners)
        starts.append(part.polygon_start[1:] + held)
        index.append(part.polygon_index[corners] + base)
        out.lines += [line + base for line in part.lines]
        out.points = np.concatenate([out.points, part.points + base])
        for kind, cells in part.cells.items():
            above = [out.cells[kind]] if kind in out.cells else []
            out.cells[kind] = np.concatenate([*above, cells + base])
        base += len(part.vertices)
        held += len(part.polygon_index)
    out.polygon_start = np.concatenate(starts)
    out.polygon_index = np.concatenate(index)
    for kind in ("vertex_fields", "face_fields", "line_fields", "point_fields"):
        tables = [getattr(p, kind) for p in parts]
        for name, first in tables[0].items():
            if all(name in t and t[name].shape[1:] == first.shape[1:] for t in tables):
                getattr(out, kind)[name] = np.concatenate([t[name] for t in tables])
    if "group" in out.face_fields:
        labels = []
        for part in parts:
            label = part.face_fields["group"]
            labels.append(np.where(label < 0, label, label + len(out.groups)))
            out.groups = [*out.groups, *part.groups]
        out.face_fields["group"] = np.concatenate(labels)
    for name in parts[0].corner_fields:
        if not all(name in p.corner_fields for p in parts):
            continue
        values, labels, base = [], [], 0
        for part, corners in zip(parts, order, strict=True):
            field = part.corner_fields[name]
            values.append(field.values)
            label = field.index[corners]
            labels.append(np.where(label < 0, -1, label + base))
            base += len(field.values)
        out.corner_fields[name] = CornerField(np.concatenate(values), np.concatenate(labels))
    return out
