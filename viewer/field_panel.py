"""The part of the panel that colours surfaces by a field."""

from __future__ import annotations

from collections.abc import Mapping

from meshlearn.viewer.coloring import NONE
from meshlearn.viewer.fields import COLORMAPS, LABELS, colors_of, legend
from meshlearn.viewer.panel import Panel, Scene


class FieldPanel(Panel):
    """A field by name on every item that has it, with one range for all."""

    def __init__(self, scene: Scene) -> None:
        self.scene, self.fields = scene, scene.fields
        gui = scene.page.gui
        with gui.add_folder("Field"):
            self.name = gui.add_dropdown(
                "Field", (NONE, *self.fields.names()), initial_value=self.fields.chosen
            )
            self.colormap = gui.add_dropdown("Colours", (*COLORMAPS, LABELS))
            self.auto = gui.add_checkbox("Range of the data", True)
            self.low = gui.add_number("From", 0.0, step=1e-6, visible=False)
            self.high = gui.add_number("To", 1.0, step=1e-6, visible=False)
            self.hide = gui.add_checkbox("Hide where there is none", False, visible=False)
            self.legend = gui.add_html("")
        self.name.on_update(lambda _: self._take())
        for control in (self.name, self.colormap, self.auto, self.low, self.high, self.hide):
            control.on_update(lambda event: self.update(by_hand=event.client is not None))
        self.fields.watch(self._told)

    @classmethod
    def of(cls, scene: Scene) -> FieldPanel | None:
        return cls(scene) if any(d.item.mesh is not None for d in scene.drawings) else None

    def _take(self) -> None:
        """The field that was chosen here."""
        self.fields.chosen = self.name.value
        self._suggest()

    def _told(self) -> None:
        """A field was added, or chosen elsewhere."""
        names = (NONE, *self.fields.names())
        if tuple(self.name.options) != names:
            self.name.options = names
        if self.name.value != self.fields.chosen:
            self.name.value = self.fields.chosen  # and so it is taken
        else:
            self._suggest()
            self.update()

    def _suggest(self) -> None:
        """Labels for few whole numbers, a ramp for others."""
        known = [self.fields.shown(drawing) for drawing in self.scene.drawings]
        found = [field for field in known if field is not None]
        labels = bool(found) and all(field.is_labels() for field in found)
        if labels != (self.colormap.value == LABELS):
            self.colormap.value = LABELS if labels else next(iter(COLORMAPS))

    def update(self, *, by_hand: bool = False) -> None:
        """Paints the drawings anew."""
        with self.scene.lock:
            self._update(by_hand)

    def _update(self, by_hand: bool) -> None:
        painted = {d: self.fields.shown(d) for d in self.scene.drawings}
        shown = [(d, field) for d, field in painted.items() if field is not None]
        for control in (self.low, self.high):
            control.visible = bool(shown) and not self.auto.value
        if shown and self.auto.value:
            ranges = [field.range() for _, field in shown]
            low, high = min(r[0] for r in ranges), max(r[1] for r in ranges)
            if not by_hand or (self.low.value, self.high.value) != (low, high):
                self.low.value, self.high.value = low, high
        low, high = self.low.value, self.high.value
        self.hide.visible = any(field.missing().any() for _, field in shown)
        for drawing, field in painted.items():
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
        self.scene.refresh()

    def state(self) -> dict[str, object]:
        return {"field": self.fields.chosen}

    def follow(self, state: Mapping[str, object]) -> None:
        name = state.get("field")
        if isinstance(name, str) and name in (NONE, *self.fields.names()):
            self.fields.choose(name)

    def html(self) -> str:
        return self.legend.content

    def shapes_changed(self) -> None:
        if self.fields.chosen != NONE:
            self.update()
