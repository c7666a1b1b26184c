"""The part of the panel that lists what is shown, and what could not be."""

from __future__ import annotations

from html import escape

from meshlearn.viewer.draw import Drawing
from meshlearn.viewer.panel import SMALL, Panel, Scene, note


class ItemsPanel(Panel):
    """Names with what is said of each, and a box that hides it."""

    def __init__(self, scene: Scene) -> None:
        gui = scene.page.gui
        self._boxes = {}
        bad = [item for item in scene.items if item.error]
        if not scene.items:
            gui.add_html(note("Nothing to show: no file was given.", "empty"))
        elif not scene.drawings:
            gui.add_html(note("Nothing could be shown.", "empty"))
        for item in bad:
            gui.add_html(note(f"{item.name}: {item.error}", "error"))
        if not scene.drawings:
            return
        with gui.add_folder("Shown"):
            for drawing in scene.drawings:
                item = drawing.item
                box = self._boxes[drawing] = gui.add_checkbox(item.name, not item.hidden)
                box.on_update(lambda event, d=drawing: d.show(event.target.value))
                text = swatch(drawing.color) + escape(item.summary)
                gui.add_html(f"<div class='ml-summary' style='{SMALL}'>{text}</div>")
                if item.legend:
                    gui.add_html(legend_html(item.legend))
                for line in item.notes:
                    gui.add_html(note(line, "warning"))

    @classmethod
    def of(cls, scene: Scene) -> ItemsPanel:
        return cls(scene)

    def visibility_changed(self, drawing: Drawing) -> None:
        self._boxes[drawing].value = drawing.visible


def swatch(color: tuple[int, int, int]) -> str:
    """A small square of a colour."""
    style = "display:inline-block;width:0.8em;height:0.8em;border-radius:2px;margin-right:0.5em"
    return f"<span style='{style};background:rgb{color}'></span>"


def legend_html(names: list[tuple[str, tuple[int, int, int]]]) -> str:
    """Names of colours, in a row."""
    cells = "".join(
        f"<span style='margin-right:0.9em;white-space:nowrap'>{swatch(color)}{escape(name)}</span>"
        for name, color in names
    )
    return f"<div class='ml-names' style='{SMALL}'>{cells}</div>"
