"""The page and its server: all that the viewer asks of viser goes through `Page`.

A page is up before anything is read, so that the browser can load it meanwhile; nothing here
imports torch. What viser does not promise stands in `viser_private`.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from meshlearn.viewer.page_html import with_extras
from meshlearn.viewer.viser_private import address_of, client_html, serving_from, wait_for_end

if TYPE_CHECKING:
    from viser import ClientHandle, InitialCameraConfig, SceneApi

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


_quiet: list[bool] = []  # what the console was, once for each that wants it quiet now
_quiet_lock = threading.Lock()


@contextmanager
def quiet_console() -> Iterator[None]:
    """viser prints its address and its end; what a verb prints is the verb's own."""
    import rich

    console = rich.get_console()
    with _quiet_lock:
        _quiet.append(console.quiet)
        console.quiet = True
    try:
        yield
    finally:
        with _quiet_lock:
            before = _quiet.pop()  # the first is what it was before anyone
            console.quiet = before


def title_of(names: Iterable[str]) -> str:
    """What a page that shows these is called."""
    return " · ".join([*list(names)[:3], "meshlearn"])


class Page:
    """A page with an empty scene and an empty panel, served to this machine only.

    Args:
        title: of the page.
        port: the first port tried; if it is in use, the next free one is taken.
        dark: dark page.

    Attributes:
        url, port: where it is.
        gui: controls of the panel (`viser.GuiApi`).
        scene: nodes of the scene (`viser.SceneApi`).
        initial_camera: where a client looks from at first.

    Raises:
        ImportError: viser is not installed.
        RuntimeError: a viser that this was not made for.
    """

    def __init__(self, title: str, *, port: int = 8080, dark: bool = False) -> None:
        viser = import_viser()
        self.title, self._closed = title, False
        # the folder holds nothing else, so nothing else is given away
        self._folder = Path(tempfile.mkdtemp(prefix="meshlearn-page-"))
        try:
            html = with_extras(client_html(), title=title)
            (self._folder / "index.html").write_text(html, "utf-8")
            (self._folder / "alive.txt").write_text("yes\n", "utf-8")  # the page asks for it
            with quiet_console(), serving_from(self._folder):
                self._server = viser.ViserServer(
                    host=HOST, port=port, label="meshlearn", verbose=False
                )
        except BaseException:
            shutil.rmtree(self._folder, ignore_errors=True)
            raise
        self._server.request_share_url = lambda *_, **__: None  # no tunnel out of this machine
        self.gui: Any = self._server.gui  # its types hold that values of controls cannot be set
        self.scene: SceneApi = self._server.scene
        self.initial_camera: InitialCameraConfig = self._server.initial_camera
        self.port = int(self._server.get_port())
        self.url = f"http://{HOST}:{self.port}"
        with self.atomic():
            self.theme(dark)
            self.gui.main_panel.dock_right()
            self.scene.set_up_direction("+y")
            light(self.scene)

    def atomic(self) -> AbstractContextManager[None]:
        """What is drawn within is shown at once."""
        return self._server.atomic()

    def flush(self) -> None:
        """Sends what waits to be sent."""
        self._server.flush()

    def clients(self) -> dict[int, ClientHandle]:
        """Browsers that show the page, by numbers that grow."""
        return self._server.get_clients()

    def on_connect(self, told: Callable[[str], None]) -> None:
        """Calls `told` with the address, query included, that each new browser connects with."""
        self._server.on_client_connect(lambda client: told(address_of(self._server, client)))

    def reset_cameras(self) -> None:
        """Every browser looks from where it looked at first."""
        start = self.initial_camera
        for client in self.clients().values():
            client.camera.position, client.camera.look_at = start.position, start.look_at

    def theme(self, dark: bool) -> None:
        """Dark or light."""
        self.gui.configure_theme(dark_mode=dark, show_logo=False, show_share_button=False)

    def scene_html(self, dark: bool) -> str:
        """The scene as a page of its own, which asks no server."""
        return self._server.get_scene_serializer().as_html(dark_mode=dark)

    def close(self) -> None:
        """Ends it, once; pages that are open say so."""
        if self._closed:
            return
        self._closed = True
        # viser waits for connections that a browser only keeps in store: that goes on behind
        ending = threading.Thread(target=self._end, daemon=True)
        ending.start()
        ending.join(timeout=1.5)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _end(self) -> None:
        with quiet_console():
            self._server.stop()
            wait_for_end(self._server, 20)

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def light(scene: SceneApi) -> None:
    """Three plain lights; an environment map takes a software renderer 15 s to prepare."""
    scene.configure_environment_map(hdri=None)
    scene.configure_default_lights(enabled=False)
    scene.add_light_hemisphere(
        "/light/sky", sky_color=(255, 255, 255), ground_color=(150, 150, 165), intensity=1.6
    )
    for name, intensity, at in (("key", 1.7, (3, 5, 4)), ("fill", 0.5, (-4, 1, -3))):
        scene.add_light_directional(
            f"/light/{name}", intensity=intensity, position=at, cast_shadow=False
        )
