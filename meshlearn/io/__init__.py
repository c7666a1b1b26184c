"""Reading and writing meshes, point clouds and volumes: a folder a format behind one table.

Names are imported on first use: what `meshlearn info` needs is there without the rest.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshlearn.io.document import CornerField, Document, FileFormatError, Material, Part
    from meshlearn.io.files import convert, find_losses, load_document, read_document, save_document
    from meshlearn.io.format import ANY, EVERYTHING, NONE, Format, Holds
    from meshlearn.io.left_behind import Loss, LossKind, LossReport
    from meshlearn.io.meshes import from_mesh, load, save, to_mesh
    from meshlearn.io.registry import readable_suffixes, register_format, writable_suffixes

# module -> the names that it exports here
_EXPORTS = {
    "document": ("CornerField", "Document", "FileFormatError", "Material", "Part"),
    "files": ("convert", "find_losses", "load_document", "read_document", "save_document"),
    "format": ("ANY", "EVERYTHING", "NONE", "Format", "Holds"),
    "left_behind": ("Loss", "LossKind", "LossReport"),
    "meshes": ("from_mesh", "load", "save", "to_mesh"),
    "registry": ("readable_suffixes", "register_format", "writable_suffixes"),
}
_MODULE_OF = {name: module for module, names in _EXPORTS.items() for name in names}

__all__ = [
    "ANY",
    "EVERYTHING",
    "NONE",
    "CornerField",
    "Document",
    "FileFormatError",
    "Format",
    "Holds",
    "Loss",
    "LossKind",
    "LossReport",
    "Material",
    "Part",
    "convert",
    "find_losses",
    "from_mesh",
    "load",
    "load_document",
    "read_document",
    "readable_suffixes",
    "register_format",
    "save",
    "save_document",
    "to_mesh",
    "writable_suffixes",
]


def __getattr__(name: str) -> object:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'meshlearn.io' has no attribute {name!r}")
    value = getattr(import_module(f"meshlearn.io.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
