"""What a conversion could not keep: how many of what, and why, as types.

The words are made when a loss is printed, from one table. Whoever wants to know what was lost asks
its kind, domain and name, and reads no words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto


class LossKind(Enum):
    """The kinds of things that a format may have no place for."""

    # fields, of a domain and a name
    FIELD = auto()
    FIELD_DIGITS = auto()
    FIELD_LAST_DIGITS = auto()  # of whole numbers
    FIELD_SHAPE = auto()
    FIELD_ABSENCE = auto()  # elements without a value got one
    ALPHA = auto()
    # vertices and faces
    PRECISION = auto()
    TOGETHER = auto()  # vertices that a rounding puts on others
    NOT_FINITE = auto()
    SHARED_VERTICES = auto()
    UNUSED_VERTICES = auto()
    FACES = auto()
    FACE_ORDER = auto()
    POLYGONS = auto()  # of more than three corners
    LARGE_POLYGONS = auto()  # of more than four
    # other elements
    LINES = auto()
    POLYLINES = auto()
    POINTS = auto()
    CELLS = auto()  # of the kind `name`
    ELEMENTS = auto()  # lines, points and cells
    UNREAD = auto()  # geometry that the reader does not know, as `name` says
    # what is said of parts, and of the whole
    PARTS = auto()
    TRANSFORMS = auto()
    GROUPS = auto()
    MATERIALS = auto()
    MATERIAL_VALUES = auto()
    MATERIAL_PROPERTY = auto()  # `name` of so many materials
    TEXTURES = auto()
    NAMED_FILE = auto()  # the file `name`, that the source names
    UP_AXIS = auto()  # the format means another
    UP_AXIS_UNSAID = auto()  # the format does not say one
    UNIT = auto()
    UNIT_UNSAID = auto()
    METADATA = auto()
    OTHER = auto()  # what `name` says


# what is printed of each kind: the thing, and what its holder has instead unless the loss says more
_WORDS: dict[LossKind, tuple[str, str]] = {
    LossKind.FIELD: ("{domain} field {name!r}", "has no {domain} field of that name"),
    LossKind.FIELD_DIGITS: ("digits of {domain} field {name!r}", "has fewer digits"),
    LossKind.FIELD_LAST_DIGITS: ("last digits of {domain} field {name!r}", "has fewer digits"),
    LossKind.FIELD_SHAPE: ("shape of {domain} field {name!r}", "has rows of numbers"),
    LossKind.FIELD_ABSENCE: (
        "absence of field {name!r}",
        "has fields of all cells; those without got NaN or 0",
    ),
    LossKind.ALPHA: ("transparency of colours", "colours are opaque"),
    LossKind.PRECISION: ("double precision", "rounds to single precision"),
    LossKind.TOGETHER: ("vertices of their own place", "rounds them onto others"),
    LossKind.NOT_FINITE: ("vertices that are NaN or infinite", "has finite numbers only"),
    LossKind.SHARED_VERTICES: (
        "shared vertices",
        "writes every triangle with corners of its own",
    ),
    LossKind.UNUSED_VERTICES: ("unused vertices", "has no vertices without a triangle"),
    LossKind.FACES: ("faces", "has points only"),
    LossKind.FACE_ORDER: ("order of faces", "lists triangles, then quads"),
    LossKind.POLYGONS: ("polygons of more than 3 corners", "holds triangles only"),
    LossKind.LARGE_POLYGONS: ("polygons", "has triangles and quads only; others were cut"),
    LossKind.LINES: ("lines", "has no lines"),
    LossKind.POLYLINES: ("polylines", "has segments; they were cut"),
    LossKind.POINTS: ("points", "has no points"),
    LossKind.CELLS: ("cells {name!r}", "has no such cells"),
    LossKind.ELEMENTS: ("lines, points and cells", "has faces only"),
    LossKind.UNREAD: ("{name}", "does not read them"),
    LossKind.PARTS: ("names of parts", "holds one part"),
    LossKind.TRANSFORMS: ("transforms", "has no placed parts; the vertices were moved"),
    LossKind.GROUPS: ("groups", "has no groups"),
    LossKind.MATERIALS: ("materials", "has no materials"),
    LossKind.MATERIAL_VALUES: ("other values of materials", "has a name and a colour of each"),
    LossKind.MATERIAL_PROPERTY: ("{name} of materials", "has no word for it"),
    LossKind.NAMED_FILE: ("the file {name!r}", "names it, and it is not there"),
    LossKind.TEXTURES: ("textures", "has no textures"),
    LossKind.UP_AXIS: ("up axis {name!r}", "has another up axis"),
    LossKind.UP_AXIS_UNSAID: ("up axis {name!r}", "does not say its up axis"),
    LossKind.UNIT: ("unit {name!r}", "has other units"),
    LossKind.UNIT_UNSAID: ("unit {name!r}", "does not say its unit"),
    LossKind.METADATA: ("metadata {name!r}", "has no place for it"),
    LossKind.OTHER: ("{name}", "has no place for it"),
}


@dataclass(frozen=True)
class Loss:
    """One kind of thing that could not be kept.

    Attributes:
        kind: what kind of thing it is.
        domain: of a field: "vertex", "face", "corner", "line", "point" or "cell".
        name: of the field, the kind of cells, the unit …; empty where there is one only.
        count: how many values, polygons, names … of it there were.
        limit: what the format has instead, where that is not the same for all formats: a verb and
            what follows, such as "has fields of doubles".
        holder: what could not hold it: a format, which `find_losses` fills in, or a step on the
            way, such as "simplification".
        size: of a rounding: the most that a number moves, in the unit of the file; 0 for others.
        instead: of a unit or an up axis: the one that the format means always; empty for others.

    Example:
        >>> str(Loss(LossKind.FIELD, "vertex", "heat", 12, holder="OBJ"))
        "vertex field 'heat' (12: OBJ has no vertex field of that name)"
    """

    kind: LossKind
    domain: str = ""
    name: str = ""
    count: int = 1
    limit: str = ""
    holder: str = ""
    size: float = 0.0
    instead: str = ""

    @property
    def what(self) -> str:
        """What was lost, such as "vertex field 'heat'"."""
        return _WORDS[self.kind][0].format(domain=self.domain, name=self.name)

    @property
    def why(self) -> str:
        """The reason, a property of the format."""
        limit = self.limit or _WORDS[self.kind][1].format(domain=self.domain, name=self.name)
        moved = f", by up to {self.size:.2g}" if self.size else ""
        return f"{self.holder or 'the format'} {limit}{moved}"

    def to_dict(self) -> dict[str, object]:
        """count, name (`what`) and why, as JSON has them; of a rounding also its size."""
        size = {"largest": self.size} if self.size else {}
        return {"count": self.count, "name": self.what, "why": self.why, **size}

    def __str__(self) -> str:
        return f"{self.what} ({self.count:,}: {self.why})"


@dataclass(frozen=True)
class LossReport:
    """What a target format could not hold, one `Loss` for each kind.

    Example:
        >>> report = meshlearn.io.convert("in.ply", "out.stl")
        >>> [(loss.kind.name, loss.domain, loss.name, loss.count) for loss in report.items]
        [('FIELD', 'vertex', 'heat', 12)]
        >>> print(report)
        lost: vertex field 'heat' (12: STL has no fields of vertices)
    """

    items: tuple[Loss, ...] = ()

    @property
    def losses(self) -> tuple[str, ...]:
        """What was lost, in words."""
        return tuple(item.what for item in self.items)

    @property
    def listed(self) -> str:
        """All losses in words, one after another."""
        return "; ".join(map(str, self.items))

    def to_dict(self) -> list[dict[str, object]]:
        """The losses as JSON has them."""
        return [item.to_dict() for item in self.items]

    def __bool__(self) -> bool:
        return bool(self.items)

    def __str__(self) -> str:
        return f"lost: {self.listed}" if self.items else "nothing was lost"


def report_of(losses: Iterable[Loss], holder: str) -> LossReport:
    """The report of what `holder` could not hold: things once, counts summed, the largest size."""
    items: dict[tuple[LossKind, str, str], Loss] = {}
    for loss in losses:
        if loss.count < 1:
            continue
        key = (loss.kind, loss.domain, loss.name)
        before = items.get(key)
        if before is not None:
            size = max(before.size, loss.size)
            items[key] = replace(before, count=before.count + loss.count, size=size)
        else:
            items[key] = replace(loss, holder=loss.holder or holder)
    return LossReport(tuple(items.values()))
