"""How `mesh.show()` reaches the viewer, and a notebook a picture: both stand above the data model.

As in `_saving`, whoever knows them says by `set_showers` what these do; the package does so when it
is imported.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

_show: Callable[..., Any] | None = None
_html: Callable[[Any], str] | None = None


def set_showers(show: Callable[..., Any], html: Callable[[Any], str]) -> None:
    """From now on `show` and `html` are these functions."""
    global _show, _html
    _show, _html = show, html


def show(what: Any, **options: Any) -> Any:
    """Shows `what` in the viewer."""
    if _show is None:
        raise RuntimeError("show: no viewer is set; import meshlearn, which sets one")
    return _show(what, **options)


def html(what: Any) -> str:
    """What a notebook shows of `what`."""
    if _html is None:
        raise RuntimeError("html: no picture is set; import meshlearn, which sets one")
    return _html(what)
