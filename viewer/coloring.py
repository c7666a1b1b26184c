"""Which fields the shown items have, and which of them colours the surfaces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from meshlearn.viewer.draw import Drawing
from meshlearn.viewer.fields import Field, fields_of
from meshlearn.viewer.items import Item

NONE = "none"


class Coloring:
    """The fields of drawings, one of which is chosen.

    Args:
        drawings: what is shown.
        extra: fields from elsewhere, {item name: {field name: Field}}.

    Attributes:
        chosen: name of the field that is shown, or `NONE`.
    """

    def __init__(
        self, drawings: Sequence[Drawing], extra: dict[str, dict[str, Field]] | None = None
    ) -> None:
        self.drawings, self.extra, self.chosen = drawings, extra or {}, NONE
        self._found: dict[str, tuple[Item, dict[str, Field]]] = {}
        self._told: list[Callable[[], None]] = []

    def watch(self, told: Callable[[], None]) -> None:
        """Calls `told` when a field was added or chosen."""
        self._told.append(told)

    def of(self, drawing: Drawing) -> dict[str, Field]:
        """Fields of what a drawing shows now."""
        item = drawing.item
        known = self._found.get(item.name)
        if known is None or known[0] is not item:
            own = fields_of(item.mesh) if item.mesh is not None else {}
            known = (item, {**self.extra.get(item.name, {}), **own})
            self._found[item.name] = known
        return known[1]

    def shown(self, drawing: Drawing) -> Field | None:
        """The field that colours a drawing, or None."""
        return self.of(drawing).get(self.chosen)

    def names(self) -> list[str]:
        """Names of all fields, in order."""
        return list(dict.fromkeys(name for d in self.drawings for name in self.of(d)))

    def add(self, item: str, field: Field) -> None:
        """A field that came later (a distance map)."""
        self.extra.setdefault(item, {})[field.name] = field
        self._found.pop(item, None)
        self._tell()

    def choose(self, name: str) -> None:
        """Shows a field by name.

        Raises:
            ValueError: no item has it; says which there are.
        """
        if name != NONE and name not in self.names():
            raise ValueError(f"field: there is no {name!r}; there are {', '.join(self.names())}")
        self.chosen = name
        self._tell()

    def _tell(self) -> None:
        for told in self._told:
            told()
