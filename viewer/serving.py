"""The page's server: up before anything is read, so that the browser can load the page meanwhile.

Nothing here imports torch.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import ModuleType

from meshlearn.viewer.page import served_page

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


class Served:
    """A page with an empty scene and panel.

    Args:
        title: of the page.
        port: the first port tried; if it is in use, the next free one is taken.
        dark: dark page.

    Attributes:
        viser: the server behind it.
        url, port: where it is.

    Raises:
        ImportError: viser is not installed.
    """

    def __init__(self, title: str, *, port: int = 8080, dark: bool = False) -> None:
        viser = import_viser()
        self.title, self._closed = title, False
        with quiet_console(), served_page(title) as self._folder:
            self.viser = viser.ViserServer(host=HOST, port=port, label="meshlearn", verbose=False)
        self.viser.request_share_url = lambda *_, **__: None  # no tunnel out of this machine
        self.port = self.viser.get_port()
        self.url = f"http://{HOST}:{self.port}"
        with self.viser.atomic():
            self.theme(dark)
            self.viser.gui.main_panel.dock_right()
            self.viser.scene.set_up_direction("+y")
            light(self.viser.scene)

    def theme(self, dark: bool) -> None:
        """Dark or light."""
        self.viser.gui.configure_theme(dark_mode=dark, show_logo=False, show_share_button=False)

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
            self.viser.stop()
            self.viser._websock_server._server_thread.join(timeout=20)

    def __enter__(self) -> Served:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def light(scene: object) -> None:
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
