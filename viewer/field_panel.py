"""The part of the panel that colours surfaces by a field."""

from __future__ import annotations

from typing import TYPE_CHECKING

from meshlearn.viewer.fields import COLORMAPS, LABELS, Field, colors_of, fields_of, legend

if TYPE_CHECKING:
    from meshlearn.viewer.app import App

NONE = "none"


class FieldPanel:
    """A field by name on every item that has it, with one range for all.

    Args:
        app: whose items are coloured.
        extra: fields from elsewhere, {item name: {field name: Field}}.
    """

    def __init__(self, app: App, extra: dict[str, dict[str, Field]] | None = None) -> None:
        self.app, self.extra = app, extra or {}
        gui = app.server.gui
        self._found: dict[str, tuple[object, dict[str, Field]]] = {}
        with gui.add_folder("Field"):
            self.name = gui.add_dropdown("Field", (NONE, *self.names()), initial_value=NONE)
            self.colormap = gui.add_dropdown("Colours", (*COLORMAPS, LABELS))
            self.auto = gui.add_checkbox("Range of the data", True)
            self.low = gui.add_number("From", 0.0, step=1e-6, visible=False)
            self.high = gui.add_number("To", 1.0, step=1e-6, visible=False)
            self.hide = gui.add_checkbox("Hide where there is none", False, visible=False)
            self.legend = gui.add_html("")
        self.name.on_update(lambda _: self._suggest())
        for control in (self.name, self.colormap, self.auto, self.low, self.high, self.hide):
            control.on_update(lambda event: self.update(by_hand=event.client is not None))

    def fields(self, drawing: object) -> dict[str, Field]:
        """Fields of what a drawing shows now."""
        item = drawing.item
        known = self._found.get(item.name)
        if known is None or known[0] is not item:
            own = fields_of(item.mesh) if item.mesh is not None else {}
            known = (item, {**self.extra.get(item.name, {}), **own})
            self._found[item.name] = known
        return known[1]

    def names(self) -> list[str]:
        """Names of all fields, in order."""
        return list(dict.fromkeys(n for d in self.app.drawings for n in self.fields(d)))

    def add(self, item: str, field: Field) -> None:
        """A field that came later (a distance map)."""
        self.extra.setdefault(item, {})[field.name] = field
        self._found.pop(item, None)
        self.name.options = (NONE, *self.names())

    def choose(self, name: str) -> None:
        """Shows a field by name.

        Raises:
            ValueError: no item has it; says which there are.
        """
        if name != NONE and name not in self.names():
            raise ValueError(f"field: there is no {name!r}; there are {', '.join(self.names())}")
        self.name.value = name
        self._suggest()
        self.update()

    def _suggest(self) -> None:
        """Labels for few whole numbers, a ramp for others."""
        known = [self.fields(drawing).get(self.name.value) for drawing in self.app.drawings]
        found = [field for field in known if field is not None]
        labels = bool(found) and all(field.is_labels() for field in found)
        if labels != (self.colormap.value == LABELS):
            self.colormap.value = LABELS if labels else next(iter(COLORMAPS))

    def update(self, *, by_hand: bool = False) -> None:
        """Paints the drawings anew."""
        with self.app.lock:
            self._update(by_hand)

    def _update(self, by_hand: bool) -> None:
        name = self.name.value
        shown = [(d, self.fields(d)[name]) for d in self.app.drawings if name in self.fields(d)]
        for control in (self.low, self.high):
            control.visible = bool(shown) and not self.auto.value
        if shown and self.auto.value:
            ranges = [field.range() for _, field in shown]
            low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
            if not by_hand or (self.low.value, self.high.value) != (low, high):
                self.low.value, self.high.value = low, high
        low, high = self.low.value, self.high.value
        painted = {id(d): f for d, f in shown}
        self.hide.visible = any(f.missing().any() for _, f in shown)
        for drawing in self.app.drawings:
            field = painted.get(id(drawing))
            if field is None:
                drawing.paint(None)
            else:
                colors = colors_of(field.values, low, high, self.colormap.value)
                blank = field.missing() if self.hide.value and field.missing().any() else None
                drawing.paint(colors, field.domain, blank=blank)
        self.legend.content = "".join(
            legend(field, low, high, self.colormap.value, of=f"· {drawing.item.name}")
            for drawing, field in shown
        )
        self.app.refresh()
