"""What a format can hold, and from that what it loses of a document."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from meshlearn.io.document import Document, Part
from meshlearn.io.left_behind import Loss

ANY = None  # fields of every name
NONE: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Holds:
    """What a file of one format has a place for; names of fields, or ANY.

    Attributes:
        name: of the format, as messages say it.
        vertex, face, corner: names of fields of vertices, faces and corners.
        text: fields of text too.
        width: most components of a field; 0 for any number.
        faces: faces at all.
        polygons: faces of more than three corners.
        double: coordinates in double precision.
        shared: vertices that several faces use, and those that none does.
        lines, points: elements of one dimension and of none.
        cells: kinds of volume elements.
        parts: more than one object, each with its name.
        names: the name of a single object.
        transforms: a placement for each part.
        groups: names of groups of faces.
        materials: by name at least.
        textures: images of materials.
        up, unit: a place to say them; a letter or word: what the format means always.
        metadata: keys, or ANY.
        element_fields: fields of lines, points and cells.
    """

    name: str
    vertex: frozenset[str] | None = NONE
    face: frozenset[str] | None = NONE
    corner: frozenset[str] | None = NONE
    text: bool = False
    width: int = 0
    faces: bool = True
    polygons: bool = True
    double: bool = True
    shared: bool = True
    lines: bool = False
    points: bool = False
    cells: frozenset[str] | None = NONE
    parts: bool = False
    names: bool = False
    transforms: bool = False
    groups: bool = False
    materials: bool = False
    textures: bool = False
    up: bool | str = False
    unit: bool | str = False
    metadata: frozenset[str] | None = NONE
    element_fields: bool = False


def _within(name: str, names: frozenset[str] | None) -> bool:
    return names is None or name in names


def is_numeric(values: np.ndarray) -> bool:
    """Whether a field holds numbers (not text)."""
    return values.dtype.kind in "fiub"


def beyond_double(values: np.ndarray) -> int:
    """How many whole numbers of 64 bits a double does not hold."""
    if values.dtype.kind not in "iu" or values.dtype.itemsize < 8:
        return 0
    limit = np.array(2**53, values.dtype)
    wide = values > limit
    if values.dtype.kind == "i":
        wide |= values < -limit
    return int(wide.sum())


def _field_losses(part: Part, holds: Holds) -> Iterable[str | Loss]:
    for domain in ("vertex", "face"):
        for key, values in getattr(part, f"{domain}_fields").items():
            if domain == "face" and key in ("group", "material"):
                continue  # said once, as groups and materials
            if not _within(key, getattr(holds, domain)):
                yield f"{domain} field {key!r}"
            elif not is_numeric(values) and not holds.text:
                why = f"{holds.name} has fields of numbers only"
                yield Loss(f"{domain} field {key!r}", why, len(values))
            elif holds.width and values.size > holds.width * len(values):
                why = f"{holds.name} has fields of at most {holds.width} components"
                yield Loss(f"{domain} field {key!r}", why, len(values))
    for key, corners in part.corner_fields.items():
        if not _within(key, holds.corner):
            yield f"corner field {key!r}"
        elif not is_numeric(corners.values) and not holds.text:
            why = f"{holds.name} has fields of numbers only"
            yield Loss(f"corner field {key!r}", why, len(corners.index))


def _element_losses(part: Part, holds: Holds) -> Iterable[str | Loss]:
    if part.lines and not holds.lines:
        yield "lines"
    if len(part.points) and not holds.points:
        yield "points"
    for kind, cells in part.cells.items():
        if len(cells) and not _within(kind, holds.cells):
            yield Loss(f"cells {kind!r}", f"{holds.name} has no such cells", len(cells))
    if not holds.element_fields:
        for domain, table in (("line", part.line_fields), ("point", part.point_fields)):
            for key, values in table.items():
                why = f"{holds.name} has no fields of {domain}s"
                yield Loss(f"{domain} field {key!r}", why, len(values))
        for key, kinds in part.cell_fields.items():
            count = sum(len(v) for v in kinds.values())
            yield Loss(f"cell field {key!r}", f"{holds.name} has no fields of cells", count)


def _part_losses(part: Part, holds: Holds) -> Iterable[str | Loss]:
    yield from _field_losses(part, holds)
    yield from _element_losses(part, holds)
    if part.transform is not None and not holds.transforms:
        yield "transforms"
    if part.groups and not holds.groups:
        yield "groups"
    if part.num_faces and not holds.faces:
        yield Loss("faces", f"{holds.name} has points only", part.num_faces)
        return
    if not holds.polygons and bool((part.sizes > 3).any()):
        yield "polygons of more than 3 corners"
    if not holds.double and part.vertices.dtype == np.float64:
        yield "double precision"
    if not holds.shared:
        yield "shared vertices"
        named = np.zeros(len(part.vertices), bool)
        named[part.polygon_index] = True
        used = int(named.sum())
        if used < len(part.vertices):
            why = f"{holds.name} has no vertices without a triangle"
            yield Loss("unused vertices", why, len(part.vertices) - used)


def losses_of(document: Document, holds: Holds) -> list[str | Loss]:
    """What a format with these abilities cannot hold of a document."""
    lost: list[str | Loss] = []
    named = any(part.name for part in document.parts)
    if (len(document.parts) > 1 and not holds.parts) or (
        named and not holds.names and not holds.parts
    ):
        lost.append("names of parts")
    if document.materials and not holds.materials:
        lost.append("materials")
    if document.images and not holds.textures:
        lost.append(Loss("textures", f"{holds.name} has no textures", len(document.images)))
    for what in ("up", "unit"):
        stated, held = getattr(document, what), getattr(holds, what)
        if stated and held is not True and held != stated:
            label = "up axis" if what == "up" else "unit"
            why = f"means {held} always" if held else f"does not say its {label}"
            lost.append(Loss(f"{label} {stated!r}", f"{holds.name} {why}"))
    for key in document.metadata:
        if not _within(key, holds.metadata):
            lost.append(Loss(f"metadata {key!r}", f"{holds.name} has no place for it"))
    for part in document.parts:
        lost += _part_losses(part, holds)
    if len(document.parts) > 1 and not holds.parts:
        lost += _uncommon(document, holds)
    return lost


def _uncommon(document: Document, holds: Holds) -> Iterable[Loss]:
    """Fields that only some of several parts have, where parts are joined."""
    for domain in ("vertex", "face", "corner"):
        tables = [getattr(part, f"{domain}_fields") for part in document.parts]
        for key in dict.fromkeys(k for table in tables for k in table):
            held = sum(key in table for table in tables)
            if held < len(tables) and _within(key, getattr(holds, domain)):
                why = f"{holds.name} holds one part, and not all parts have it"
                yield Loss(f"{domain} field {key!r}", why, held)
