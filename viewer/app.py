"""The page: a scene of items and the panel that steers it."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from html import escape
from types import ModuleType

import numpy as np

from viewer.draw import EDGES, Drawing, Frame, Look
from viewer.items import Item, unique_names
from viewer.page import served_page

HOST = "127.0.0.1"


def import_viser() -> ModuleType:
    """viser, or an ImportError that says how to get it."""
    try:
        import viser
    except ImportError as error:
        raise ImportError(
            "the viewer needs viser, which is not installed: pip install 'meshlearn[viewer]'"
        ) from error
    return viser


@contextmanager
def quiet_console() -> Iterator[None]:
    """viser prints its address and its end; what a verb prints is the verb's own."""
    import rich

    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


@dataclass(frozen=True)
class Options:
    """What the page starts with.

    Attributes:
        port: the first port tried; if it is in use, the next free one is taken.
        dark: dark page.
        look: how surfaces are drawn.
        azimuth, elevation: degrees around the y axis from +z towards +x, and above.
    """

    port: int = 8080
    dark: bool = False
    look: Look = field(default_factory=Look)
    azimuth: float = 30.0
    elevation: float = 22.0


class App:
    """Serves items on a page; `wait` blocks until interrupted, `close` ends it.

    Args:
        items: what is shown, see `read_item`; those with an ``error`` are listed with it.
        options: see `Options`.

    Attributes:
        url: address of the page.
        port: the port taken.

    Raises:
        ImportError: viser is not installed.
    """

    def __init__(self, items: list[Item], options: Options | None = None) -> None:
        viser = import_viser()
        self.options = options or Options()
        self.items = list(items)
        unique_names(self.items)
        self.look = self.options.look
        with quiet_console(), served_page(self._title()) as self._folder:
            self.server = viser.ViserServer(
                host=HOST, port=self.options.port, label="meshlearn", verbose=False
            )
        self.server.request_share_url = lambda *_, **__: None  # no tunnel out of this machine
        self.port = self.server.get_port()
        self.url = f"http://{HOST}:{self.port}"
        with self.server.atomic():
            self._build()

    def _title(self) -> str:
        return " · ".join([*[item.name for item in self.items[:3]], "meshlearn"])

    def _build(self) -> None:
        server = self.server
        server.gui.add_html("<i data-ml-ready></i>")
        server.gui.configure_theme(
            dark_mode=self.options.dark, show_logo=False, show_share_button=False
        )
        server.gui.main_panel.dock_right()
        server.scene.set_up_direction("+y")
        server.scene.configure_default_lights(cast_shadow=False)
        shown = [item for item in self.items if not item.error]
        self.frame = Frame.around(shown)
        self._aim()
        self.drawings = [Drawing(server, item, i, self.frame) for i, item in enumerate(shown)]
        self._panel_items()
        self._panel_look()
        self.refresh()

    def _aim(self) -> None:
        azimuth, elevation = np.radians([self.options.azimuth, self.options.elevation])
        direction = np.array([
            np.cos(elevation) * np.sin(azimuth), np.sin(elevation),
            np.cos(elevation) * np.cos(azimuth),
        ])  # fmt: skip
        camera = self.server.initial_camera
        camera.position, camera.look_at, camera.up = 2.8 * direction, (0, 0, 0), (0, 1, 0)
        camera.fov, camera.near, camera.far = np.radians(45.0), 0.01, 100.0

    def refresh(self) -> None:
        """Draws what changed."""
        with self.server.atomic():
            for drawing in self.drawings:
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
                box = gui.add_checkbox(drawing.item.name, True)
                box.on_update(lambda event, d=drawing: d.show(event.target.value))
                text = swatch(drawing.color) + escape(drawing.item.summary)
                gui.add_html(f"<div class='ml-summary' style='{_SMALL}'>{text}</div>")
                for line in drawing.item.notes:
                    gui.add_html(note(line, "warning"))

    def _panel_look(self) -> None:
        gui = self.server.gui
        if not any(d.item.has_faces or d.item.normals is not None for d in self.drawings):
            return
        with gui.add_folder("Look"):
            shading = gui.add_dropdown(
                "Shading", ("smooth", "flat", "wireframe"), initial_value=self.look.shading
            )
            opacity = gui.add_slider("Opacity", 0.1, 1.0, 0.05, self.look.opacity)
            edges = {
                kind: gui.add_checkbox(f"{kind.capitalize()} edges", kind in self.look.edges)
                for kind in EDGES
            }
            normals = gui.add_checkbox("Normals", self.look.normals)
            back = gui.add_checkbox("Tint back faces", self.look.back)
            colors = gui.add_checkbox("Colours of the file", self.look.colors)

        def changed(_: object) -> None:
            self.look = replace(
                self.look,
                shading=shading.value,
                opacity=opacity.value,
                edges=frozenset(kind for kind, box in edges.items() if box.value),
                normals=normals.value,
                back=back.value,
                colors=colors.value,
            )
            self.refresh()

        for control in (shading, opacity, *edges.values(), normals, back, colors):
            control.on_update(changed)

    # --- life -----------------------------------------------------------------------------------

    def wait(self) -> None:
        """Serves until interrupted."""
        while True:
            time.sleep(3600)

    def close(self) -> None:
        with quiet_console():
            self.server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

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
