"""The page: a scene of items and the panel that steers it."""

from __future__ import annotations

import dataclasses
import threading
import time
from dataclasses import dataclass, replace
from html import escape

import numpy as np

from meshlearn.viewer.commands import Links, add_commands
from meshlearn.viewer.compare import ComparePanel
from meshlearn.viewer.draw import EDGES, SHADINGS, Drawing, Frame, Look, is_large
from meshlearn.viewer.field_panel import NONE, FieldPanel
from meshlearn.viewer.items import Item, unique_names
from meshlearn.viewer.pick import Picker
from meshlearn.viewer.run_panel import RunPanel
from meshlearn.viewer.runs import Run, empty_shape
from meshlearn.viewer.serving import Served, title_of

HEAD_START = 0.06  # seconds in which a page takes in what stands in for a large mesh


@dataclass(frozen=True)
class Options:
    """What the page starts with.

    Attributes:
        port: the first port tried; if it is in use, the next free one is taken.
        dark: dark page.
        look: how surfaces are drawn.
        field: name of the field that is shown first, or "".
        compare: compare the first two meshes.
        extra: fields from elsewhere, {item name: {field name: Field}}.
        azimuth, elevation: degrees around the y axis from +z towards +x, and above.
    """

    port: int = 8080
    dark: bool = False
    look: Look = dataclasses.field(default_factory=Look)
    field: str = ""
    compare: bool = False
    extra: dict = dataclasses.field(default_factory=dict)
    azimuth: float = 30.0
    elevation: float = 22.0


class App:
    """Serves items on a page; `wait` blocks until interrupted, `close` ends it.

    Args:
        items: what is shown, see `read_item`; those with an ``error`` are listed with it.
        options: see `Options`.
        run: a run folder, shown beside the items.
        served: the page's server, if it is up already; the app ends it.

    Attributes:
        url: address of the page.
        port: the port taken.

    Raises:
        ImportError: viser is not installed.
    """

    field_panel: FieldPanel | None = None
    compare_panel: ComparePanel | None = None
    run_panel: RunPanel | None = None
    boxes: dict[str, object]
    picker: Picker | None = None

    def __init__(
        self,
        items: list[Item],
        options: Options | None = None,
        *,
        run: Run | None = None,
        served: Served | None = None,
    ) -> None:
        self.options = options or Options()
        self.items = list(items)
        self.run = run
        if run is not None:
            self.items += self._of_run(run)
        unique_names(self.items)
        self.boxes = {}
        self.lock = threading.RLock()  # pages ask in threads of their own, and all at once
        self.look, self.dark = self.options.look, self.options.dark
        self.served = served or Served(
            title_of([item.name for item in self.items] if run is None else [run.folder.name]),
            port=self.options.port,
            dark=self.dark,
        )
        self.title, self.server = self.served.title, self.served.viser
        self.port, self.url = self.served.port, self.served.url
        try:
            self._fill()
        except BaseException:
            self.close()
            raise

    def _fill(self) -> None:
        with self.server.atomic():
            self._place()
        if self.server.get_clients() and any(is_large(item) for item in self.items):
            self.server.flush()
            time.sleep(HEAD_START)
        with self.server.atomic():
            self._build()

    def _of_run(self, run: Run) -> list[Item]:
        first = run.shape(run.steps[-1]) if run.steps else None
        self._fit = first or empty_shape(f"{run.folder.name}: fit")
        self._target = run.target()
        self._template = run.template()
        found = [self._fit, self._target, self._template]
        return [item for item in found if item is not None]

    def _place(self) -> None:
        """The scene without its surfaces, but with what stands in for large ones."""
        shown = [item for item in self.items if not item.error]
        self.frame = Frame.around(shown)
        self._aim()
        self.drawings = [Drawing(self.server, item, i, self.frame) for i, item in enumerate(shown)]
        for drawing in self.drawings:
            drawing.show(not drawing.item.hidden)
            drawing.apply_coarse(self.look)

    def _build(self) -> None:
        self.server.gui.add_html("<i data-ml-ready></i>")
        self._panel_items()
        self.refresh()
        if any(d.item.mesh is not None for d in self.drawings):
            self.field_panel = FieldPanel(self, self.options.extra)
        if self.options.compare:
            self.compare_panel = ComparePanel(self)
        if self.run is not None:
            drawn = {id(d.item): d for d in self.drawings}
            fit, target = drawn[id(self._fit)], drawn.get(id(self._target))
            template = drawn.get(id(self._template))
            self.run_panel = RunPanel(self, self.run, fit, target)
            if template is not None:
                template.place(fit.shift)
        self._panel_look()
        if self.drawings:
            self.picker = Picker(self)
            add_commands(self)
            self.links = Links(self)
        if self.options.field:
            self.field_panel.choose(self.options.field)
            self._unhide(self.options.field)

    def _unhide(self, field: str) -> None:
        """Shows what is hidden if it alone has a field, in place of the fit it belongs to."""
        having = [d for d in self.drawings if field in self.field_panel.fields(d)]
        if any(not d.item.hidden for d in having):
            return
        for drawing in having:
            self.boxes[drawing.item.name].value = True
            drawing.show(True)
        if self.run is not None:
            self.boxes[self._fit.name].value = False
            self.drawings[self.items.index(self._fit)].show(False)

    def switch_theme(self) -> None:
        """Dark or light."""
        self.dark = not self.dark
        self.served.theme(self.dark)

    def repaint(self) -> None:
        """After a shape was replaced: its field's colours, if one is shown, and the scene."""
        if self.field_panel is not None and self.field_panel.name.value != NONE:
            self.field_panel.update()
        else:
            self.refresh()

    def _aim(self) -> None:
        azimuth, elevation = np.radians([self.options.azimuth, self.options.elevation])
        direction = np.array([
            np.cos(elevation) * np.sin(azimuth), np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ])  # fmt: skip
        camera = self.server.initial_camera
        far = 4.4 if self._beside() else 2.8
        camera.position, camera.look_at, camera.up = far * direction, (0, 0, 0), (0, 1, 0)
        camera.fov, camera.near, camera.far = np.radians(45.0), 0.01, 100.0

    def _beside(self) -> bool:
        """Whether two shapes stand side by side."""
        return self.options.compare or (self.run is not None and self._target is not None)

    def beside(self, left: Drawing, right: Drawing, *, apart: bool = True) -> None:
        """Puts two drawings side by side, as seen from the first view, or back in one place."""
        reach = 0.0
        if apart:
            boxes = [self.frame.into(d.item.bounds()) for d in (left, right) if d.item.summary]
            reach = 0.45 * max(float(np.linalg.norm(b[1] - b[0])) for b in boxes)
        azimuth = np.radians(self.options.azimuth)
        along = reach * np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
        left.place(-along)
        right.place(along)

    def refresh(self) -> None:
        """Draws what changed."""
        with self.lock, self.server.atomic():
            for drawing in self.drawings:
                drawing.apply_coarse(self.look)
                drawing.apply(self.look)

    # --- the panel ------------------------------------------------------------------------------

    def _panel_items(self) -> None:
        gui = self.server.gui
        bad = [item for item in self.items if item.error]
        if not self.items:
            gui.add_html(note("Nothing to show: no file was given.", "empty"))
        elif not self.drawings:
            gui.add_html(note("Nothing could be shown.", "empty"))
        for item in bad:
            gui.add_html(note(f"{item.name}: {item.error}", "error"))
        if not self.drawings:
            return
        with gui.add_folder("Shown"):
            for drawing in self.drawings:
                box = self.boxes[drawing.item.name] = gui.add_checkbox(
                    drawing.item.name, not drawing.item.hidden
                )
                box.on_update(lambda event, d=drawing: d.show(event.target.value))
                text = swatch(drawing.color) + escape(drawing.item.summary)
                gui.add_html(f"<div class='ml-summary' style='{_SMALL}'>{text}</div>")
                if drawing.item.legend:
                    gui.add_html(legend_html(drawing.item.legend))
                for line in drawing.item.notes:
                    gui.add_html(note(line, "warning"))

    def _panel_look(self) -> None:
        gui = self.server.gui
        self.controls: dict[str, object] = {}
        if not any(d.item.mesh is not None or d.item.normals is not None for d in self.drawings):
            return
        with gui.add_folder("Look"):
            self.controls["shading"] = gui.add_dropdown(
                "Shading", SHADINGS, initial_value=self.look.shading
            )
            self.controls["opacity"] = gui.add_slider("Opacity", 0.1, 1.0, 0.05, self.look.opacity)
            for kind in EDGES:
                self.controls[kind] = gui.add_checkbox(
                    f"{kind.capitalize()} edges", kind in self.look.edges
                )
            self.controls["normals"] = gui.add_checkbox("Normals", self.look.normals)
            self.controls["back"] = gui.add_checkbox("Tint back faces", self.look.back)
            self.controls["colors"] = gui.add_checkbox("Colours of the file", self.look.colors)
            if any(d.item.parts is not None for d in self.drawings):
                self.apart = gui.add_slider("Take apart", 0.0, 2.0, 0.05, 0.0)
                self.apart.on_update(lambda event: self.take_apart(event.target.value))
        for control in self.controls.values():
            control.on_update(lambda _: self.look_changed())

    def look_changed(self) -> None:
        """Takes the look from the panel's controls."""
        value = {name: control.value for name, control in self.controls.items()}
        edges = frozenset(kind for kind in EDGES if value.pop(kind))
        self.look = replace(self.look, edges=edges, **value)
        self.refresh()

    def take_apart(self, share: float) -> None:
        """Moves the parts of meshes that have some away from one another."""
        with self.lock:
            for drawing in self.drawings:
                drawing.take_apart(share)
            self.refresh()

    # --- life -----------------------------------------------------------------------------------

    def wait(self) -> None:
        """Serves until interrupted."""
        while True:
            time.sleep(3600)

    def close(self) -> None:
        if self.run_panel is not None:
            self.run_panel.close()
        self.served.close()

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


_SMALL = "font-size:0.8em;opacity:0.75;padding:0 1em 0.4em 1em"
_TONES = {"error": "#c0392b", "warning": "#b7791f", "empty": "inherit"}


def note(text: str, kind: str) -> str:
    """A line of words in the panel; kind is "error", "warning" or "empty"."""
    style = f"font-size:0.85em;padding:0.2em 1em;color:{_TONES[kind]}"
    return f"<div class='ml-{kind}' role='note' style='{style}'>{escape(text)}</div>"


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
    return f"<div class='ml-names' style='{_SMALL}'>{cells}</div>"
