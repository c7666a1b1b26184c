"""Changes of a document's frame: size, unit of length, the axis that points up."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from meshlearn.arrays.precision import box_of, common_box, middle_of
from meshlearn.io.changes.operations import Changed, each_part
from meshlearn.io.document import Document, Part, placed_vertices
from meshlearn.io.offset import KEY, offset_of

METRES = {
    "um": 1e-6,
    "mm": 1e-3,
    "cm": 1e-2,
    "dm": 1e-1,
    "m": 1.0,
    "km": 1e3,
    "in": 0.0254,
    "ft": 0.3048,
    "yd": 0.9144,
}
_UNIT_NAMES = {
    "micron": "um",
    "micrometer": "um",
    "millimeter": "mm",
    "centimeter": "cm",
    "decimeter": "dm",
    "meter": "m",
    "kilometer": "km",
    "inch": "in",
    "foot": "ft",
    "yard": "yd",
}
_Y_UP = frozenset("obj gltf glb dae usd usda usdc usdz".split())  # others by habit: z
_DIRECTIONS = frozenset("normal tangent bitangent".split())  # fields that turn with the mesh


def _frame(document: Document, key: str) -> str | None:
    """The unit or the up axis that a document states."""
    value = getattr(document, key, None) or document.metadata.get(key)
    return value.lower() if isinstance(value, str) and value else None


def _state(document: Document, key: str, value: str) -> Document:
    return replace(document, unit=value) if key == "unit" else replace(document, up=value)


def metres(unit: str) -> float | None:
    """Metres of a unit such as "mm" or "0.3 m"; None where it is none of length."""
    word, _, rest = unit.partition(" ")
    try:
        found = METRES.get(unit) if not rest else float(word) if rest == "m" else None
    except ValueError:
        return None
    return found if found and math.isfinite(found) and found > 0 else None


def unit_of(size: float) -> str:
    """The unit of so many metres: by its name, or as a factor such as "0.3 m"."""
    near = 1e-6  # some programs write it in single precision
    named = next((name for name, m in METRES.items() if abs(size - m) < near * m), None)
    return named or f"{size!r} m"


def scale(document: Document, factor: float) -> Changed:
    """Coordinates times `factor`, about the origin; normals and other fields stay.

    Raises:
        ValueError: not a finite number above 0.
    """
    if not (math.isfinite(factor) and factor > 0):
        raise ValueError(f"scale: expected a finite factor above 0, got {factor:g}")

    def change(part: Part) -> Part:
        matrix = part.transform
        if matrix is not None:
            matrix = np.array(matrix, np.float64)
            matrix[:3, 3] *= factor
        with np.errstate(over="ignore"):
            vertices = (part.vertices.astype(np.float64) * factor).astype(part.vertices.dtype)
        return replace(part, vertices=vertices, transform=matrix)

    scaled = _with_offset(each_part(document, change), lambda offset: offset * factor)
    return Changed(scaled, f"coordinates times {factor:g}")


def _moved(part: Part, shift: np.ndarray, kind: type[np.floating] | None = None) -> Part:
    """A part moved by `shift` (3,): its transform, or else its vertices, summed in doubles."""
    if part.transform is not None:
        matrix = np.array(part.transform, np.float64)
        matrix[:3, 3] += shift
        return replace(part, transform=matrix)
    vertices = part.vertices.astype(np.float64) + shift
    return replace(part, vertices=vertices.astype(kind or part.vertices.dtype))


def center(document: Document) -> Changed:
    """Moved so that the middle of its box is the origin; the offset is stated in the metadata,
    where `uncenter` and other programs find what to add."""
    boxes = [box_of(placed_vertices(part, part.vertices)[0]) for part in document.parts]
    box = common_box(boxes)
    if box is None:
        return Changed(document, "")
    middle = middle_of(box)
    before = offset_of(document) or (0.0, 0.0, 0.0)
    offset = [old + float(new) for old, new in zip(before, middle, strict=True)]
    changed = each_part(document, lambda part: _moved(part, -middle))
    metadata = {**document.metadata, KEY: offset}
    told = " ".join(f"{x:.12g}" for x in offset)
    return Changed(replace(changed, metadata=metadata), f"centred, the offset is {told}")


def uncenter(document: Document) -> Changed:
    """Moved back by the offset that it states, in double precision."""
    offset = offset_of(document)
    if offset is None:
        return Changed(document, "not moved, since the file states no offset")
    changed = each_part(document, lambda part: _moved(part, np.array(offset), np.float64))
    metadata = {k: v for k, v in document.metadata.items() if k != KEY}
    told = " ".join(f"{x:.12g}" for x in offset)
    return Changed(replace(changed, metadata=metadata), f"moved back by the offset {told}")


def _with_offset(document: Document, change: Callable[[np.ndarray], np.ndarray]) -> Document:
    """The document with the offset that it states changed as its coordinates were."""
    offset = offset_of(document)
    if offset is None:
        return document
    new = [float(x) for x in change(np.array(offset))]
    return replace(document, metadata={**document.metadata, KEY: new})


def _pair(
    text: str, what: str, known: Sequence[str], names: dict[str, str]
) -> tuple[str | None, str]:
    """ "a" as (None, "a") and "a:b" as ("a", "b")."""
    parts = text.lower().split(":")
    found = [names.get(p.rstrip("s") if p not in known else p, p) for p in parts]
    if len(parts) > 2 or any(p not in known for p in found):
        raise ValueError(
            f"{what}: expected one of {', '.join(known)}, or two as {known[0]}:{known[1]} "
            f"(from:to), got {text!r}"
        )
    return (None if len(found) == 1 else found[0]), found[-1]


def change_unit(document: Document, unit: str) -> Changed:
    """Coordinates in another unit of length.

    Args:
        unit: "mm", or "in:mm" for what the file counts in and what it shall. Without the first,
            the unit the file states is used; if it states none, numbers stay and are called so.

    Raises:
        ValueError: a unit that is not known (um, mm, cm, dm, m, km, in, ft, yd).
    """
    source, target = _pair(unit, "unit", list(METRES), _UNIT_NAMES)
    stated = _frame(document, "unit")
    source = source or _UNIT_NAMES.get(stated or "", stated)
    if source is None:
        done = f"numbers kept and called {target}, since the file states no unit"
        return Changed(_state(document, "unit", target), done)
    size = metres(source)
    if size is None:
        raise ValueError(f"unit: the file counts in {source!r}; say what to convert as FROM:TO")
    if source == target:
        return Changed(_state(document, "unit", target), "")
    changed = scale(document, size / METRES[target]).document
    return Changed(_state(changed, "unit", target), f"converted from {source} to {target}")


def check_unit(unit: str) -> None:
    """Raises ValueError for what `change_unit` does not take."""
    _pair(unit, "unit", list(METRES), _UNIT_NAMES)


def check_up(up: str) -> None:
    """Raises ValueError for what `change_up` does not take."""
    _pair(up, "up", ["x", "y", "z"], {})


def _turn(source: int, target: int) -> np.ndarray:
    """The rotation by 90 degrees that takes axis `source` to axis `target`."""
    matrix = np.eye(3)
    if source != target:
        matrix[[source, target]] = 0
        matrix[target, source], matrix[source, target] = 1, -1
    return matrix


def change_up(document: Document, up: str, *, format: str | None = None) -> Changed:
    """Turns the mesh by 90 degrees so that another axis points up; normals turn along.

    Args:
        up: "z", or "y:z" for the axis that is up and the one that shall be. Without the first, what
            the file states, else the habit of its format: y for OBJ and glTF, z for others.
        format: the extension of the file the document is from.

    Raises:
        ValueError: an axis that is none of x, y, z.
    """
    source, target = _pair(up, "up", ["x", "y", "z"], {})
    habit = ""
    if source is None:
        source = (_frame(document, "up") or "").strip("+_up")[:1] or None
    if source not in ("x", "y", "z"):
        source = "y" if (format or "").lower().lstrip(".") in _Y_UP else "z"
        habit = f" ({source} taken as up, since the file does not say)"
    assert target is not None
    turned = _state(document, "up", target)
    if source == target:
        return Changed(turned, f"nothing to turn{habit}" if habit else "")
    turn = _turn("xyz".index(source), "xyz".index(target))

    def rotate(values: np.ndarray) -> np.ndarray:
        out = np.array(values)
        out[..., :3] = values[..., :3] @ turn.T.astype(values.dtype) + 0.0  # no minus zeros
        return out

    def turns(name: str, values: np.ndarray) -> bool:
        known = name in _DIRECTIONS and values.dtype.kind == "f"
        return known and values.ndim == 2 and values.shape[1] >= 3

    def fields(table: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {k: rotate(v) if turns(k, v) else v for k, v in table.items()}

    def change(part: Part) -> Part:
        matrix = part.transform
        if matrix is not None:
            whole = np.eye(4)
            whole[:3, :3] = turn
            matrix = whole @ np.asarray(matrix, np.float64) @ whole.T
        return replace(
            part,
            vertices=rotate(part.vertices),
            vertex_fields=fields(part.vertex_fields),
            face_fields=fields(part.face_fields),
            corner_fields={
                k: replace(f, values=rotate(f.values)) if turns(k, f.values) else f
                for k, f in part.corner_fields.items()
            },
            transform=matrix,
        )

    changed = _with_offset(each_part(turned, change), lambda offset: turn @ offset + 0.0)
    return Changed(changed, f"turned from {source} up to {target} up{habit}")
