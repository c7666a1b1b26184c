"""The viewer: meshes, points, fields and fits in a browser page, served to this machine only.

It needs the extra ``viewer`` (``pip install "meshlearn[viewer]"``); importing it does not.

Example:
    >>> items = [viewer.read_item(path) for path in ("part.obj", "fit.glb")]
    >>> app = viewer.App(items)
    >>> app.url
    'http://127.0.0.1:8080'
"""

from __future__ import annotations

from importlib import import_module

_FROM = {"App": "app", "Options": "app", "Item": "items", "read_item": "reading"}

__all__ = ["App", "Item", "Options", "read_item"]


def __getattr__(name: str) -> object:  # so that the page's server is up before torch is imported
    if name not in _FROM:
        raise AttributeError(f"module 'meshlearn.viewer' has no attribute {name!r}")
    return getattr(import_module(f"meshlearn.viewer.{_FROM[name]}"), name)
