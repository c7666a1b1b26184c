"""The door to the library manifold3d, for solids as closed surfaces."""

from __future__ import annotations

from typing import Any


def manifold_library(what: str) -> Any:
    """The module manifold3d, or ImportError that says how to get it.

    Args:
        what: that needs it, with a verb in the singular: "a boolean needs".
    """
    try:
        import manifold3d
    except ImportError as error:
        raise ImportError(
            f"{what} the package manifold3d, which is not installed; pip install 'meshlearn[union]'"
        ) from error
    return manifold3d
