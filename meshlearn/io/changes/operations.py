"""Changes of a document that keep its attributes: triangles, precision, choice of parts.

Each takes a document and gives a new one with a sentence on what was done (`Changed`); the arrays
of the old one stay as they are. Polygons stay polygons except in `triangulate`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from meshlearn.io.document import CornerField, Document, FileFormatError, Part, as_table
from meshlearn.io.left_behind import Loss
from meshlearn.io.surface import cut_polygons, take_corners


class Changed(NamedTuple):
    """A changed document.

    Attributes:
        document: the new document.
        done: a sentence on what was done, empty where there was nothing to do.
        losses: attributes that could not be kept.
    """

    document: Document
    done: str
    losses: tuple[Loss, ...] = ()


def each_part(document: Document, change: Callable[[Part], Part]) -> Document:
    """The document with each part changed."""
    return replace(document, parts=[change(part) for part in document.parts])


# --- polygons and vertices of a part -----------------------------------------------------------


def keep_corners(part: Part, keep: np.ndarray, *, fewest: int = 0) -> Part:
    """Corners where `keep` (C,) bool; polygons left with less than `fewest` corners are gone."""
    owner = np.repeat(np.arange(part.num_faces), part.sizes)
    sizes = np.bincount(owner[keep], minlength=part.num_faces)
    face = np.nonzero((sizes >= fewest) | (sizes == part.sizes))[0]
    stays = np.zeros(part.num_faces, bool)
    stays[face] = True
    corner = np.nonzero(keep & stays[owner])[0]
    start = np.concatenate([[0], np.cumsum(sizes[face])])
    return take_corners(part, corner, start, face)


def keep_faces(part: Part, keep: np.ndarray) -> Part:
    """Polygons where `keep` (F,) bool; vertices stay."""
    face = np.nonzero(keep)[0]
    corner = np.nonzero(np.repeat(keep, part.sizes))[0]
    start = np.concatenate([[0], np.cumsum(part.sizes[face])])
    return take_corners(part, corner, start, face)


def used_vertices(part: Part) -> np.ndarray:
    """(V,) bool: vertices that a polygon, a line, a point or a cell names."""
    used = np.zeros(len(part.vertices), bool)
    for index in (part.polygon_index, part.points, *part.lines, *part.cells.values()):
        used[index] = True
    return used


def renumbered(part: Part, new: np.ndarray, **changes: Any) -> Part:
    """The part with `changes`, everything in it naming vertex ``new[i]`` instead of i."""
    return replace(
        part,
        polygon_index=new[part.polygon_index],
        lines=[new[line] for line in part.lines],
        points=new[part.points],
        cells={kind: new[index] for kind, index in part.cells.items()},
        **changes,
    )


def faces_only(part: Part) -> Part:
    """The part without lines, points and volume elements."""
    return replace(
        part,
        lines=[],
        points=part.points[:0],
        cells={},
        cell_fields={},
        line_fields={},
        point_fields={},
    )


def keep_vertices(part: Part, keep: np.ndarray) -> Part:
    """Vertices where `keep` (V,) bool, which nothing else may name."""
    return renumbered(
        part,
        np.cumsum(keep) - 1,
        vertices=part.vertices[keep],
        vertex_fields={k: v[keep] for k, v in part.vertex_fields.items()},
    )


# --- polygons, precision, parts ----------------------------------------------------------------


def triangulate(document: Document) -> Changed:
    """Polygons cut into triangles, concave ones correctly; fields go along.

    Polygons of fewer than three corners have no triangle and are gone.
    """
    cut = short = 0

    def change(part: Part) -> Part:
        nonlocal cut, short
        sizes = part.sizes
        if (sizes == 3).all():
            return part
        cut, short = cut + int((sizes > 3).sum()), short + int((sizes < 3).sum())
        return cut_polygons(part)

    changed = each_part(document, change)
    done = [f"{cut:,} polygons cut into triangles"] if cut else []
    done += [f"{short:,} faces of fewer than 3 corners removed"] if short else []
    return Changed(changed, ", ".join(done))


def check_precision(precision: str) -> tuple[str, int]:
    """The dtype's name and the digits (0 for a dtype) of what `set_precision` takes.

    Raises:
        ValueError: it does not take it.
    """
    names = {"single": "float32", "double": "float64"}
    text = names.get(precision.lower(), precision.lower())
    digits = int(text) if text.isascii() and text.isdigit() else 0
    if text not in ("float32", "float64") and not 1 <= digits <= 17:
        raise ValueError(
            f"precision: expected float32, float64 or 1 to 17 significant digits, got {precision!r}"
        )
    return text, digits


def set_precision(document: Document, precision: str) -> Changed:
    """Coordinates and float fields in single or double precision, or rounded.

    Args:
        precision: "float32", "float64", or a number of significant digits, 1 to 17.

    Raises:
        ValueError: anything else.
    """
    text, digits = check_precision(precision)
    largest = 0.0

    def change(values: np.ndarray) -> np.ndarray:
        if values.dtype.kind != "f":
            return values
        if not digits:
            with np.errstate(over="ignore"):
                return values.astype(text)
        usable = np.isfinite(values) & (values != 0)
        wide = np.where(usable, values, 1).astype(np.float64)
        places = digits - 1 - np.floor(np.log10(np.abs(wide)))
        up, down = (10.0 ** np.clip(p, 0, 22) for p in (places, -places))
        rounded = np.where(places >= 0, np.round(wide * up) / up, np.round(wide / down) * down)
        for at in zip(*np.nonzero(np.abs(places) > 22), strict=True):  # powers that are not exact
            rounded[at] = float(f"{wide[at]:.{digits}g}")
        return np.where(usable, rounded, values).astype(values.dtype)

    def coordinates(values: np.ndarray) -> np.ndarray:
        nonlocal largest
        new = change(values)
        with np.errstate(invalid="ignore", over="ignore"):
            moved = np.abs(new.astype(np.float64) - values.astype(np.float64))
        largest = max(largest, float(np.nanmax(moved, initial=0.0)))
        return new

    def part_of(part: Part) -> Part:
        return replace(
            part,
            vertices=coordinates(part.vertices),
            vertex_fields={k: change(v) for k, v in part.vertex_fields.items()},
            face_fields={k: change(v) for k, v in part.face_fields.items()},
            corner_fields={
                k: replace(f, values=change(f.values)) for k, f in part.corner_fields.items()
            },
        )

    changed = each_part(document, part_of)
    what = f"{digits} digits" if digits else text
    return Changed(changed, f"rounded to {what}, vertices move by up to {largest:.3g}")


def select(document: Document, wanted: Sequence[str]) -> Changed:
    """Some parts of a document.

    Args:
        wanted: names of parts, else of objects, groups or materials of faces, else the number of a
            part, counted from 0. A kind in front ("material:red") takes names of that kind only.

    Raises:
        FileFormatError: nothing of that name is there; the sentence lists what is.
    """
    tables = {
        "object": document.metadata.get("object", []),
        "material": [m.name for m in document.materials],
    }
    whole: set[int] = set()
    faces: dict[int, np.ndarray] = {}
    there: dict[str, None] = {}
    for text in wanted:
        kind, _, rest = text.partition(":")
        kinds = ["part", "object", "group", "material"]
        name = text
        if kind in kinds and rest:
            kinds, name = [kind], rest
        found = False
        for kind in kinds:
            for number, part in enumerate(document.parts):
                if kind == "part":
                    there |= {part.name: None} if part.name else {}
                    if part.name == name:
                        whole.add(number)
                        found = True
                    continue
                names = part.groups if kind == "group" else tables[kind]
                there |= dict.fromkeys(map(str, names))
                label = part.face_fields.get(kind)
                if label is None or name not in names:
                    continue
                hit = np.isin(label, [k for k, n in enumerate(names) if n == name])
                faces[number] = faces.get(number, np.zeros(len(hit), bool)) | hit
                found = True
            if found:
                break
        if not found and name.isascii() and name.isdigit() and int(name) < len(document.parts):
            whole.add(int(name))
            found = True
        if not found:
            names = ", ".join(list(there)[:12]) + (", …" if len(there) > 12 else "")
            count = len(document.parts)
            raise FileFormatError(
                f"select: there is no {text!r}; expected "
                f"{f'{names}, or ' if names else ''}a number 0 to {count - 1}"
            )
    parts = []
    for number, part in enumerate(document.parts):
        if number in whole:
            parts.append(part)
        elif number in faces and faces[number].any():
            chosen = faces_only(keep_faces(part, faces[number]))
            parts.append(keep_vertices(chosen, used_vertices(chosen)))
    kept, total = sum(p.num_faces for p in parts), sum(p.num_faces for p in document.parts)
    done = f"selected {', '.join(wanted)}: {kept:,} of {total:,} faces"
    return Changed(replace(document, parts=parts), done)


def as_corner_field(values: np.ndarray, index: np.ndarray) -> CornerField:
    """A vertex field as one of corners, of the vertices `index` they have."""
    return CornerField(as_table(values), index.copy())
