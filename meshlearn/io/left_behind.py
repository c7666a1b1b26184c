"""What a conversion could not keep: how many of what, and why."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from meshlearn.io.document import Document, Part


@dataclass(frozen=True)
class Loss:
    """One kind of thing that a format could not hold.

    Attributes:
        name: what was lost, such as "vertex field 'heat'".
        why: the reason, a property of the target format.
        count: how many values, polygons, names … of it there were.
    """

    name: str
    why: str
    count: int = 1

    def to_dict(self) -> dict[str, object]:
        """count, name and why, as JSON has them."""
        return {"count": self.count, "name": self.name, "why": self.why}

    def __str__(self) -> str:
        return f"{self.name} ({self.count:,}: {self.why})"


@dataclass(frozen=True)
class LossReport:
    """What a target format could not hold, one `Loss` for each kind.

    Example:
        >>> report = meshlearn.io.convert("in.ply", "out.stl")
        >>> [(loss.count, loss.name, loss.why) for loss in report.items]
        [(12, "vertex field 'heat'", 'STL has no fields of vertices')]
    """

    items: tuple[Loss, ...] = ()

    @property
    def losses(self) -> tuple[str, ...]:
        """Names of what was lost."""
        return tuple(item.name for item in self.items)

    def to_dict(self) -> list[dict[str, object]]:
        """The losses as JSON has them."""
        return [item.to_dict() for item in self.items]

    def __bool__(self) -> bool:
        return bool(self.items)

    def __str__(self) -> str:
        if not self.items:
            return "nothing was lost"
        return "lost: " + "; ".join(str(item) for item in self.items)


def _total(count: Callable[[Part], int]) -> Callable[[Document], int]:
    return lambda document: sum(int(count(part)) for part in document.parts)


def _rounded(part: Part) -> int:
    """Coordinates of a part that float32 does not hold."""
    if part.vertices.dtype != np.float64:
        return 0
    with np.errstate(over="ignore"):
        held = part.vertices.astype(np.float32).astype(np.float64)
    return int(((held != part.vertices) & ~np.isnan(part.vertices)).sum())


def _shared(part: Part) -> int:
    return int((np.bincount(part.polygon_index, minlength=1) > 1).sum())


# pattern of a name -> how many a document has, why {} (a format) loses it
_KINDS: list[tuple[str, Callable[[Document], int], str]] = [
    ("polygons? of more", _total(lambda p: (p.sizes > 3).sum()), "{} holds triangles only"),
    ("double precision", _total(_rounded), "{} holds single precision"),
    ("shared vertices", _total(_shared), "{} writes every triangle with corners of its own"),
    (
        "names of parts",
        lambda d: sum(bool(p.name) for p in d.parts) or len(d.parts),
        "{} holds one part",
    ),
    ("materials?", lambda d: len(d.materials), "{} has no materials"),
    ("lines?", _total(lambda p: len(p.lines)), "{} has no lines"),
    ("points?", _total(lambda p: len(p.points)), "{} has no points"),
    ("groups?", _total(lambda p: len(p.groups)), "{} has no groups"),
    (
        "transforms?",
        _total(lambda p: p.transform is not None),
        "{} has no placed parts; the vertices were moved",
    ),
]
_PLURAL = {"vertex": "vertices", "face": "faces", "corner": "corners"}


def _field_count(document: Document, domain: str, name: str) -> int:
    total = 0
    for part in document.parts:
        values = getattr(part, f"{domain}_fields").get(name)
        if values is not None:
            total += int((values.index >= 0).sum()) if domain == "corner" else len(values)
    return total


def explain(document: Document, name: str, format_name: str) -> Loss | None:
    """The loss that a format's text `name` stands for; None where the document has none of it."""
    field = re.match(r"(vertex|face|corner) field '(.*)'", name)
    if field:
        domain, key = field.groups()
        held = "no corner field of that name" if domain == "corner" else f"no {domain} field of it"
        if format_name == "STL":
            held = f"no fields of {_PLURAL[domain]}"
        return Loss(name, f"{format_name} has {held}", _field_count(document, domain, key))
    for pattern, count, why in _KINDS:
        if re.match(pattern, name):
            found = count(document)
            return Loss(name, why.format(format_name), found) if found else None
    return Loss(name, f"{format_name} has no place for it")


def report_of(document: Document, found: Iterable[object], format_name: str) -> LossReport:
    """The report of what a format's `losses` named: texts, or losses with count and why."""
    items: dict[str, Loss] = {}
    for entry in found:
        if isinstance(entry, str):
            if entry in items:
                continue
            loss = explain(document, entry, format_name)
        else:
            loss = Loss(entry.name, entry.why, entry.count)  # type: ignore[attr-defined]
            if loss.name in items:
                loss = Loss(loss.name, loss.why, loss.count + items[loss.name].count)
        if loss is not None:
            items[loss.name] = loss
    return LossReport(tuple(items.values()))
