"""What parts look like, made alike so that they can be one: materials, coordinates, colours."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from meshlearn.io.document import CornerField, Part


def texture_field(number: int) -> str:
    """The field of a set of texture coordinates, as `Texture.uv` counts them: "uv", "uv1" …"""
    return f"uv{number}" if number else "uv"


def is_texture(name: str) -> bool:
    """Whether a field holds texture coordinates: "uv", "uv1", "uv2" …"""
    return re.fullmatch(r"uv([1-9]\d*)?", name) is not None


# of corners, that formats which have them hold: coordinates and colours
OF_CORNERS = frozenset({"uv", *(f"uv{k}" for k in range(1, 8)), "color"})


def without_gaps(field: CornerField, *, fill: float = 0.0) -> CornerField:
    """The field with a row of `fill` for the corners that name none."""
    gap = field.index < 0
    if not gap.any():
        return field
    row = np.full_like(field.values, fill, shape=(1, *_row(field)))
    values = np.concatenate([field.values, row])
    return CornerField(values, np.where(gap, len(values) - 1, field.index))


def looks_without_gaps(name: str, field: CornerField) -> CornerField:
    """Coordinates 0, or the colour white, at the corners that name none."""
    return without_gaps(field, fill=full_color(field.values.dtype) if name == "color" else 0.0)


def even_looks(parts: Sequence[Part]) -> None:
    """Gives parts, in place, the fields of looks that others have: the material -1, coordinates 0,
    the colour white. A field that is of vertices here and of corners there becomes one of corners.
    """
    if len(parts) < 2:
        return
    if any("material" in part.face_fields for part in parts):
        for part in parts:
            part.face_fields.setdefault("material", np.full(part.num_faces, -1, np.int32))
    names = {n for part in parts for n in (*part.vertex_fields, *part.corner_fields)}
    for name in sorted(n for n in names if is_texture(n) or n == "color"):
        there = [p.vertex_fields.get(name, p.corner_fields.get(name)) for p in parts]
        if len({_kind(found) for found in there}) > 1:
            _even(parts, name, there)


def _even(
    parts: Sequence[Part], name: str, there: Sequence[np.ndarray | CornerField | None]
) -> None:
    widths = [_row(found) for found in there if found is not None]
    if any(len(width) != 1 or (name == "color" and width[0] not in (3, 4)) for width in widths):
        return  # not what the name says
    width = max(widths)[0] if name == "color" else min(widths)[0]
    kinds = [_values(found).dtype for found in there if found is not None]
    kind = np.result_type(*kinds)
    if len({k.kind == "f" for k in kinds}) > 1:
        kind = np.dtype(np.float32)
    fill = full_color(kind) if name == "color" else 0.0
    by_corner = any(isinstance(found, CornerField) for found in there)
    for part, found in zip(parts, there, strict=True):
        rows = 1 if by_corner else len(part.vertices)
        table = np.full((rows if found is None else len(_values(found)), width), fill, kind)
        if found is not None:
            values = _values(found)[:, :width]
            if name == "color" and values.dtype != kind:
                values = values.astype(np.float64) * (fill / full_color(values.dtype))
            table[:, : values.shape[1]] = values
        part.vertex_fields.pop(name, None)
        if not by_corner:
            part.vertex_fields[name] = table
            continue
        index = np.zeros_like(part.polygon_index) if found is None else part.polygon_index
        index = found.index if isinstance(found, CornerField) else index.copy()
        part.corner_fields[name] = CornerField(table, index)


def full_color(kind: np.dtype) -> float:
    """Full colour in a type."""
    return float(np.iinfo(kind).max) if kind.kind in "iu" else 1.0


def translucent(colors: np.ndarray) -> int:
    """How many colours (N, 3 or 4) are not opaque."""
    if colors.ndim != 2 or colors.shape[1] < 4:
        return 0
    return int((colors[:, 3] != full_color(colors.dtype)).sum())


def _values(found: np.ndarray | CornerField) -> np.ndarray:
    return found.values if isinstance(found, CornerField) else found


def _row(found: np.ndarray | CornerField) -> tuple[int, ...]:
    return _values(found).shape[1:]


def _kind(found: np.ndarray | CornerField | None) -> tuple[object, ...]:
    if found is None:
        return (None,)
    values = _values(found)
    return type(found), values.shape[1:], values.dtype
