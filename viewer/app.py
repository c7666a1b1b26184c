"""The page: a scene of items, and the panels that steer it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from meshlearn.viewer.coloring import Coloring
from meshlearn.viewer.compare_panel import ComparePanel
from meshlearn.viewer.draw import Drawing, Frame, Look, is_large
from meshlearn.viewer.field_panel import FieldPanel
from meshlearn.viewer.fields import Field
from meshlearn.viewer.items import Item, unique_names
from meshlearn.viewer.items_panel import ItemsPanel
from meshlearn.viewer.link_panel import LinkPanel
from meshlearn.viewer.look_panel import LookPanel
from meshlearn.viewer.page import Page, title_of
from meshlearn.viewer.panel import Key, Panel, ShownRun
from meshlearn.viewer.pick_panel import PickPanel
from meshlearn.viewer.run_panel import RunPanel
from meshlearn.viewer.runs import Run, empty_shape

# The panels, in the order in which they are made. Another one is a file and a line here.
PANELS: tuple[type[Panel], ...] = (
    ItemsPanel,
    FieldPanel,
    ComparePanel,
    RunPanel,
    LookPanel,
    PickPanel,
    LinkPanel,
)
HEAD_START = 0.06  # seconds in which a page takes in what stands in for a large mesh

P = TypeVar("P", bound=Panel)


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
    extra: dict[str, dict[str, Field]] = dataclasses.field(default_factory=dict)
    azimuth: float = 30.0
    elevation: float = 22.0


class App:
    """Serves items on a page; `wait` blocks until interrupted, `close` ends it.

    It is the `meshlearn.viewer.panel.Scene` that its panels are given.

    Args:
        items: what is shown, see `read_item`; those with an ``error`` are listed with it.
        options: see `Options`.
        run: a run folder, shown beside the items.
        page: the page, if it is up already; the app ends it.

    Attributes:
        url: address of the page.
        port: the port taken.
        drawings: what is drawn.
        panels: the parts of the panel, see `PANELS`; `panel` finds one.

    Raises:
        ImportError: viser is not installed.
    """

    def __init__(
        self,
        items: list[Item],
        options: Options | None = None,
        *,
        run: Run | None = None,
        page: Page | None = None,
    ) -> None:
        self.options = options or Options()
        self.items = list(items)
        kept: list[Item | None] = []
        if run is not None:
            kept = [_fit_of(run), run.target(), run.template()]
        self.items += [item for item in kept if item is not None]
        unique_names(self.items)
        self.panels: list[Panel] = []
        self.lock: AbstractContextManager[Any] = threading.RLock()
        self._look, self.dark = self.options.look, self.options.dark
        self.comparing = self.options.compare
        title = [item.name for item in self.items] if run is None else [run.folder.name]
        self.page = page or Page(title_of(title), port=self.options.port, dark=self.dark)
        self.port, self.url = self.page.port, self.page.url
        try:
            with self.page.atomic():
                self._place(run, kept)
            if self.page.clients() and any(is_large(item) for item in self.items):
                self.page.flush()
                time.sleep(HEAD_START)
            with self.page.atomic():
                self._build()
        except BaseException:
            self.close()
            raise

    def _place(self, run: Run | None, kept: list[Item | None]) -> None:
        """The scene without its surfaces, but with what stands in for large ones."""
        shown = [item for item in self.items if not item.error]
        self.frame = Frame.around(shown)
        self.drawings = [Drawing(self.page, item, i, self.frame) for i, item in enumerate(shown)]
        self.fields = Coloring(self.drawings, self.options.extra)
        self.run: ShownRun | None = None
        if run is not None:
            drawn = {id(drawing.item): drawing for drawing in self.drawings}
            fit, target, template = (drawn.get(id(item)) for item in kept)
            assert fit is not None  # it is there from the start, if only as an empty shape
            self.run = ShownRun(run, fit, target, template)
        self._aim()
        for drawing in self.drawings:
            drawing.show(not drawing.item.hidden)
            drawing.apply_coarse(self.look)

    def _aim(self) -> None:
        azimuth, elevation = np.radians([self.options.azimuth, self.options.elevation])
        direction = np.array([
            np.cos(elevation) * np.sin(azimuth), np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ])  # fmt: skip
        two = self.comparing or (self.run is not None and self.run.target is not None)
        far = 4.4 if two else 2.8  # two shapes stand side by side
        camera = self.page.initial_camera
        camera.position, camera.look_at, camera.up = far * direction, (0, 0, 0), (0, 1, 0)
        camera.fov, camera.near, camera.far = np.radians(45.0), 0.01, 100.0

    def _build(self) -> None:
        self.page.gui.add_html("<i data-ml-ready></i>")
        for kind in PANELS:
            panel = kind.of(self)
            if panel is not None:
                self.panels.append(panel)
        self.refresh()
        if self.options.field:
            self.fields.choose(self.options.field)
            self._unhide(self.options.field)
        keys = [
            Key("Back to the first view", "R", self.page.reset_cameras),
            Key("Dark or light", "D", self.switch_theme),
            *(key for panel in self.panels for key in panel.keys()),
        ]
        for key in keys if self.drawings else []:
            command = self.page.gui.add_command(key.label, hotkey=key.key)
            command.on_trigger(partial(self._pressed, key))

    def _pressed(self, key: Key, _: object) -> None:
        with self.lock:  # each key in a thread of its own: two steps back are two
            key.action()

    def _unhide(self, field: str) -> None:
        """Shows what is hidden if it alone has a field, in place of the fit it belongs to."""
        having = [d for d in self.drawings if field in self.fields.of(d)]
        if any(not d.item.hidden for d in having):
            return
        for drawing in having:
            self._show(drawing, True)
        if self.run is not None:
            self._show(self.run.fit, False)

    def _show(self, drawing: Drawing, visible: bool) -> None:
        drawing.show(visible)
        for panel in self.panels:
            panel.visibility_changed(drawing)

    # --- what panels ask ------------------------------------------------------------------------

    @property
    def look(self) -> Look:
        """How surfaces are drawn."""
        return self._look

    def set_look(self, look: Look) -> None:
        """Draws surfaces otherwise."""
        self._look = look
        self.refresh()

    def refresh(self) -> None:
        """Draws what changed."""
        with self.lock, self.page.atomic():
            for drawing in self.drawings:
                drawing.apply_coarse(self.look)
                drawing.apply(self.look)

    def shapes_changed(self) -> None:
        """After a shape was replaced: what panels make of it, its colours, and the scene."""
        for panel in self.panels:
            panel.shapes_changed()
        self.refresh()

    def beside(self, left: Drawing, right: Drawing, *, apart: bool = True) -> None:
        """Puts two drawings side by side, as seen from the first view, or back in one place."""
        reach = 0.0
        if apart:
            boxes = [d.item.bounds() for d in (left, right) if d.item.summary]
            placed = [self.frame.into(box) for box in boxes if box is not None]
            reach = 0.45 * max(float(np.linalg.norm(box[1] - box[0])) for box in placed)
        azimuth = np.radians(self.options.azimuth)
        along = reach * np.array([np.cos(azimuth), 0.0, -np.sin(azimuth)])
        left.place(-along)
        right.place(along)

    def state(self) -> dict[str, object]:
        """What a link carries, of all panels."""
        return {name: value for panel in self.panels for name, value in panel.state().items()}

    def follow(self, state: Mapping[str, object]) -> None:
        """Takes what a link carried."""
        for panel in self.panels:
            panel.follow(state)

    # --- life -----------------------------------------------------------------------------------

    def panel(self, kind: type[P]) -> P:
        """The panel of a kind.

        Raises:
            LookupError: this page has none.
        """
        for panel in self.panels:
            if isinstance(panel, kind):
                return panel
        raise LookupError(f"this page has no {kind.__name__}")

    def switch_theme(self) -> None:
        """Dark or light."""
        self.dark = not self.dark
        self.page.theme(self.dark)

    def wait(self) -> None:
        """Serves until interrupted."""
        while True:
            time.sleep(3600)

    def close(self) -> None:
        for panel in self.panels:
            panel.close()
        self.page.close()

    def __enter__(self) -> App:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _fit_of(run: Run) -> Item:
    """The newest mesh of a run, or what stands for one before the first."""
    first = run.shape(run.steps[-1]) if run.steps else None
    return first or empty_shape(f"{run.folder.name}: fit")
