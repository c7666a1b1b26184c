"""The scene as one file that opens from disk, with no server and no network."""

from __future__ import annotations

from html import escape
from pathlib import Path

from meshlearn.viewer.app import App
from meshlearn.viewer.draw import Drawing
from meshlearn.viewer.page_html import with_extras


def export_page(app: App, path: Path) -> None:
    """Writes the scene as it is: shapes, camera, colours, and what panels keep (`Panel.html`).

    What asks the server (picking, other fields, steps of a run) stays out; the scene can be turned
    and its parts hidden.
    """
    from meshlearn.io.files import write_file

    title = app.page.title
    rows = "".join(_row(d) for d in app.drawings)
    kept = "".join(panel.html() for panel in app.panels)
    body = f"<aside id='ml-about' data-ml-ready><b>{escape(title)}</b>{rows}{kept}</aside>"
    html = app.page.scene_html(app.dark)
    page = with_extras(html, title=title, data="window.__ML_EXPORT__ = true;", body=body)
    write_file(path, page.encode())


def _row(drawing: Drawing) -> str:
    color = f"rgb{drawing.color}"
    return (
        f"<div><span style='color:{color}'>■</span> {escape(drawing.item.name)} "
        f"<small>{escape(drawing.item.summary)}</small></div>"
    )
