"""Surfaces as XML files of VTK (.vtp): points, lines and polygons with fields."""

from __future__ import annotations

from pathlib import Path

from meshlearn.io.changes.join import joined
from meshlearn.io.document import Document
from meshlearn.io.formats.vtk import data as vtk_data
from meshlearn.io.formats.vtk.xml import body, read
from meshlearn.io.left_behind import Loss

__all__ = ["SUFFIXES", "TEXT", "losses", "read", "write"]

SUFFIXES = (".vtp",)
TEXT = False


def losses(document: Document) -> list[str | Loss]:
    """What a .vtp file cannot hold of this document."""
    return vtk_data.losses(document, "VTP", solid=False)


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """A .vtp file, its data inline as base64, or as text; parts are joined."""
    return b"".join(body(vtk_data.surface_of(joined(document)), True, ascii))
