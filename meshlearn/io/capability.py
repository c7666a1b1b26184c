"""What a document has and a format has no place for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from meshlearn.arrays.precision import rounding
from meshlearn.io.document import Document, Part, placed_vertices
from meshlearn.io.format import NONE, Holds
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.local_origins import with_local_origins

_PLURAL = {"vertex": "vertices", "face": "faces", "corner": "corners"}


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


def _roundings(document: Document, holds: Holds) -> Iterator[Loss]:
    """What single precision costs coordinates, as they are written."""
    if holds.double is True:
        return
    if holds.double == "local":
        document = with_local_origins(document)
    for part in document.parts:
        vertices = part.vertices
        if not holds.transforms:
            vertices, _ = placed_vertices(part, vertices)
        found = rounding(vertices)
        yield Loss(LossKind.PRECISION, count=found.numbers, size=found.largest)
        yield Loss(LossKind.TOGETHER, count=found.together)


def _field(domain: str, key: str, values: np.ndarray, count: int, holds: Holds) -> Loss | None:
    """The loss of a field of vertices, faces or corners; None where the format holds it."""
    names = getattr(holds, domain)
    if not _within(key, names):
        limit = "" if names else f"has no fields of {_PLURAL[domain]}"
    elif not is_numeric(values) and not holds.text:
        limit = "has fields of numbers only"
    elif holds.width and domain != "corner" and values.size > holds.width * len(values):
        limit = f"has fields of at most {holds.width} components"
    else:
        return None
    return Loss(LossKind.FIELD, domain, key, count, limit)


def _field_losses(part: Part, holds: Holds) -> Iterator[Loss | None]:
    for key, values in part.vertex_fields.items():
        yield _field("vertex", key, values, len(values), holds)
    for key, values in part.face_fields.items():
        if key not in ("group", "material"):  # said once, as groups and materials
            yield _field("face", key, values, len(values), holds)
    for key, corners in part.corner_fields.items():
        count = int((corners.index >= 0).sum())
        yield _field("corner", key, corners.values, count, holds)


def _is_cloud(part: Part) -> bool:
    """Whether the vertices of a part are its points, in their order, and nothing else is there; so
    readers understand vertices alone."""
    alone = not (part.num_faces or part.lines or part.cells)
    return alone and np.array_equal(part.points, np.arange(len(part.vertices)))


def _element_losses(part: Part, holds: Holds) -> Iterator[Loss]:
    if part.lines and not holds.lines:
        yield Loss(LossKind.LINES, count=len(part.lines))
    if len(part.points) and not holds.points and not (holds.bare_vertices and _is_cloud(part)):
        yield Loss(LossKind.POINTS, count=len(part.points))
    for kind, cells in part.cells.items():
        if not _within(kind, holds.cells):
            yield Loss(LossKind.CELLS, name=kind, count=len(cells))
    if not holds.element_fields:
        for domain, table in (("line", part.line_fields), ("point", part.point_fields)):
            for key, values in table.items():
                limit = f"has no fields of {domain}s"
                yield Loss(LossKind.FIELD, domain, key, len(values), limit)
    limit = "has no fields of cells" if not holds.element_fields else "has no cells"
    if not holds.element_fields or holds.cells == NONE:
        for key, kinds in part.cell_fields.items():
            yield Loss(LossKind.FIELD, "cell", key, sum(map(len, kinds.values())), limit)


def _part_losses(part: Part, holds: Holds) -> Iterator[Loss]:
    yield from filter(None, _field_losses(part, holds))
    yield from _element_losses(part, holds)
    if part.transform is not None and not holds.transforms:
        yield Loss(LossKind.TRANSFORMS)
    if part.groups and not holds.groups:
        yield Loss(LossKind.GROUPS, count=len(part.groups))
    if not holds.faces:
        yield Loss(LossKind.FACES, count=part.num_faces)
        if part.num_faces:
            return
    if not holds.polygons:
        yield Loss(LossKind.POLYGONS, count=int((part.sizes > 3).sum()))
    if not holds.shared:
        uses = np.bincount(part.polygon_index, minlength=len(part.vertices))
        yield Loss(LossKind.SHARED_VERTICES, count=int((uses > 1).sum()))
        yield Loss(LossKind.UNUSED_VERTICES, count=int((uses == 0).sum()))


def losses_of(document: Document, holds: Holds) -> list[Loss]:
    """What a format with these abilities cannot hold of a document; counts may be 0."""
    lost: list[Loss] = []
    names = sum(bool(part.name) for part in document.parts)
    several = len(document.parts) > 1
    if not holds.parts and (several or (names and not holds.names)):
        lost.append(Loss(LossKind.PARTS, count=names or len(document.parts)))
    if not holds.materials:
        lost.append(Loss(LossKind.MATERIALS, count=len(document.materials)))
    if not holds.textures:
        lost.append(Loss(LossKind.TEXTURES, count=len(document.images)))
    lost += _frame(document.up, holds.up, LossKind.UP_AXIS, LossKind.UP_AXIS_UNSAID)
    lost += _frame(document.unit, holds.unit, LossKind.UNIT, LossKind.UNIT_UNSAID)
    absent = {loss.name for loss in document.left_out if loss.kind is LossKind.NAMED_FILE}
    for key, value in document.metadata.items():
        said = isinstance(value, list) and absent.issuperset(map(str, value))  # file by file
        if not _within(key, holds.metadata) and not said:
            lost.append(Loss(LossKind.METADATA, name=str(key)))
    for part in document.parts:
        lost += _part_losses(part, holds)
    lost += _roundings(document, holds)
    if several and not holds.parts:
        lost += _uncommon(document, holds)
    return lost


def _frame(
    stated: str | None, held: bool | str, other: LossKind, unsaid: LossKind
) -> Iterable[Loss]:
    """The loss of an up axis or a unit that the file states."""
    if not stated or held is True or held == stated:
        return []
    if held:
        return [Loss(other, name=stated, limit=f"means {held} always", instead=held)]
    return [Loss(unsaid, name=stated)]


def _uncommon(document: Document, holds: Holds) -> Iterator[Loss]:
    """Fields that only some of several parts have, where parts are joined."""
    for domain in ("vertex", "face", "corner"):
        tables = [getattr(part, f"{domain}_fields") for part in document.parts]
        for key in dict.fromkeys(k for table in tables for k in table):
            held = sum(key in table for table in tables)
            if held < len(tables) and _within(key, getattr(holds, domain)):
                limit = "holds one part, and not all parts have it"
                yield Loss(LossKind.FIELD, domain, key, held, limit)
