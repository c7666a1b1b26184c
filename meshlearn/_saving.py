"""How `mesh.save(path)` reaches the formats, which stand above the data model.

The data model calls `save`; whoever knows the formats says by `set_writer` what that does. The
package does so when it is imported, which is before any of its rooms.
"""

from __future__ import annotations

from collections.abc import Callable
from os import PathLike
from typing import Any

Writer = Callable[..., None]  # (anything that a format writes, path, **options)

_writer: Writer | None = None


def set_writer(writer: Writer) -> None:
    """From now on `save` is this function."""
    global _writer
    _writer = writer


def save(what: Any, path: str | PathLike[str], **options: Any) -> None:
    """Writes `what` to a file."""
    if _writer is None:
        raise RuntimeError("save: no writer is set; import meshlearn, which sets one")
    _writer(what, path, **options)
