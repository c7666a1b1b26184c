"""The scene as one file that opens from disk, with no server and no network."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from meshlearn.viewer.draw import Drawing
from meshlearn.viewer.page import with_extras

if TYPE_CHECKING:
    from meshlearn.viewer.app import App


def export_page(app: App, path: Path) -> None:
    """Writes the scene as it is: shapes, camera, colours, legend and figures.

    What asks the server (picking, other fields, steps of a run) stays out; the scene can be turned
    and its parts hidden.
    """
    from meshlearn.io.files import write_file

    html = app.server.get_scene_serializer().as_html(dark_mode=app.dark)
    rows = "".join(_row(d) for d in app.drawings)
    legend = app.field_panel.legend.content if app.field_panel is not None else ""
    figures = app.compare_panel.table if app.compare_panel is not None else ""
    body = (
        f"<aside id='ml-about' data-ml-ready><b>{escape(app.title)}</b>{rows}{legend}{figures}"
        "</aside>"
    )
    page = with_extras(html, title=app.title, data="window.__ML_EXPORT__ = true;", body=body)
    write_file(path, page.encode())


def _row(drawing: Drawing) -> str:
    color = f"rgb{drawing.color}"
    return (
        f"<div><span style='color:{color}'>■</span> {escape(drawing.item.name)} "
        f"<small>{escape(drawing.item.summary)}</small></div>"
    )
