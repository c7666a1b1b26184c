"""The viewer: meshes, points, fields and fits in a browser page, served to this machine only.

It needs the extra ``viewer`` (``pip install "meshlearn[viewer]"``); importing it does not.

Example:
    >>> items = [viewer.read_item(path) for path in ("part.obj", "fit.glb")]
    >>> app = viewer.App(items)
    >>> app.url
    'http://127.0.0.1:8080'
"""

from __future__ import annotations

from viewer.app import App, Options
from viewer.items import Item, read_item

__all__ = ["App", "Item", "Options", "read_item"]
