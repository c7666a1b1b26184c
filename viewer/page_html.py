"""The text of the page: viser's client with a title, a keyboard help, words and deep links."""

from __future__ import annotations

from html import escape
from pathlib import Path

_HERE = Path(__file__).parent


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
