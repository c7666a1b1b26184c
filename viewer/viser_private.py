"""What the page needs of viser that viser does not promise: all of it is here, and guarded.

Where a later viser keeps something elsewhere, `serving_from` and `client_html` say so in one
sentence, since there is no page without them; the others then answer as if there were nothing: a
link that is opened leaves the look as it is, and the end of a page is not waited for.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from viser import ClientHandle, ViserServer

_swap = threading.Lock()


def _unknown(what: str) -> RuntimeError:
    import viser

    return RuntimeError(
        f"viewer: viser {viser.__version__} keeps {what} where it is not known; "
        "install viser 1.1: pip install 'viser>=1.1,<1.2'"
    )


def client_html() -> str:
    """viser's own page: one file, with nothing to fetch."""
    import viser

    path = Path(viser.__file__).parent / "client" / "build" / "index.html"
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise _unknown("its page") from error


@contextmanager
def serving_from(folder: Path) -> Iterator[None]:
    """A `ViserServer` that is made meanwhile serves the files of this folder, and no others."""
    from viser import infra

    with _swap:
        original: Any = getattr(infra, "WebsockServer", None)
        if original is None:
            raise _unknown("the server of its files")

        def make(**options: object) -> object:
            return original(**{**options, "http_server_root": folder})

        infra.WebsockServer = make  # type: ignore[assignment,misc]
        try:
            yield
        finally:
            infra.WebsockServer = original  # type: ignore[misc]


def address_of(server: ViserServer, client: ClientHandle) -> str:
    """The address that a client connected with, its query included; "" where it is not known."""
    sockets = getattr(server, "_websock_server", None)
    connection = getattr(sockets, "_live_connections", {}).get(client.client_id)
    request = getattr(connection, "request", None)
    return str(getattr(request, "path", ""))


def wait_for_end(server: ViserServer, seconds: float) -> None:
    """Waits until a server that was stopped has let go of its port."""
    thread = getattr(getattr(server, "_websock_server", None), "_server_thread", None)
    if isinstance(thread, threading.Thread):
        thread.join(timeout=seconds)
