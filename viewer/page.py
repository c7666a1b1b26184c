"""The page that is served: viser's client with a title, a keyboard help, words and deep links."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from html import escape
from pathlib import Path

_HERE = Path(__file__).parent
_swap = threading.Lock()


def client_html() -> str:
    """viser's own page: one file, with nothing to fetch."""
    import viser

    return (Path(viser.__file__).parent / "client" / "build" / "index.html").read_text("utf-8")


def with_extras(html: str, *, title: str, data: str = "", body: str = "") -> str:
    """A page with our style and script, a title, and perhaps a script's data and more body."""
    style = (_HERE / "page.css").read_text("utf-8")
    script = "".join((_HERE / name).read_text("utf-8") for name in ("frames.js", "page.js"))
    start, end = html.index("<title>"), html.index("</title>")
    html = f"{html[:start]}<title>{escape(title)}{html[end:]}"
    # before the client's own scripts, so that its connection carries the link's query
    head = html.index("<head>") + len("<head>")
    html = f"{html[:head]}<script>{data}{script}</script><style>{style}</style>{html[head:]}"
    tail = html.rindex("</body>")
    return f"{html[:tail]}{body}{html[tail:]}"


@contextmanager
def served_page(title: str) -> Iterator[Path]:
    """While a server is made: it serves the page from a new folder that holds nothing else."""
    from viser import infra

    folder = Path(tempfile.mkdtemp(prefix="meshlearn-page-"))
    (folder / "index.html").write_text(with_extras(client_html(), title=title), "utf-8")
    (folder / "alive.txt").write_text("yes\n", "utf-8")  # the page asks for it, to tell the end
    with _swap:
        original = infra.WebsockServer

        def make(**options: object) -> infra.WebsockServer:
            return original(**{**options, "http_server_root": folder})

        infra.WebsockServer = make
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        finally:
            infra.WebsockServer = original
