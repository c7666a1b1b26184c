"""Reading and writing meshes, point clouds and volumes: a folder a format behind one table.

Names are imported on first use: reading a document asks for no more than its format.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what the table below holds, for editors and type checkers
    from meshlearn.io.document import CornerField as CornerField
    from meshlearn.io.document import Document as Document
    from meshlearn.io.document import FileFormatError as FileFormatError
    from meshlearn.io.document import Material as Material
    from meshlearn.io.document import Part as Part
    from meshlearn.io.files import convert as convert
    from meshlearn.io.files import find_losses as find_losses
    from meshlearn.io.files import load_document as load_document
    from meshlearn.io.files import read_document as read_document
    from meshlearn.io.files import save_document as save_document
    from meshlearn.io.format import ANY as ANY
    from meshlearn.io.format import EVERYTHING as EVERYTHING
    from meshlearn.io.format import NONE as NONE
    from meshlearn.io.format import Format as Format
    from meshlearn.io.format import Holds as Holds
    from meshlearn.io.left_behind import Loss as Loss
    from meshlearn.io.left_behind import LossKind as LossKind
    from meshlearn.io.left_behind import LossReport as LossReport
    from meshlearn.io.looks import Looks as Looks
    from meshlearn.io.looks import Texture as Texture
    from meshlearn.io.meshes import from_mesh as from_mesh
    from meshlearn.io.meshes import load as load
    from meshlearn.io.meshes import save as save
    from meshlearn.io.meshes import to_mesh as to_mesh
    from meshlearn.io.registry import readable_suffixes as readable_suffixes
    from meshlearn.io.registry import register_format as register_format
    from meshlearn.io.registry import writable_suffixes as writable_suffixes

_FROM = {
    "ANY": "meshlearn.io.format",
    "EVERYTHING": "meshlearn.io.format",
    "NONE": "meshlearn.io.format",
    "CornerField": "meshlearn.io.document",
    "Document": "meshlearn.io.document",
    "FileFormatError": "meshlearn.io.document",
    "Format": "meshlearn.io.format",
    "Holds": "meshlearn.io.format",
    "Looks": "meshlearn.io.looks",
    "Loss": "meshlearn.io.left_behind",
    "LossKind": "meshlearn.io.left_behind",
    "LossReport": "meshlearn.io.left_behind",
    "Material": "meshlearn.io.document",
    "Part": "meshlearn.io.document",
    "Texture": "meshlearn.io.looks",
    "convert": "meshlearn.io.files",
    "find_losses": "meshlearn.io.files",
    "from_mesh": "meshlearn.io.meshes",
    "load": "meshlearn.io.meshes",
    "load_document": "meshlearn.io.files",
    "read_document": "meshlearn.io.files",
    "readable_suffixes": "meshlearn.io.registry",
    "register_format": "meshlearn.io.registry",
    "save": "meshlearn.io.meshes",
    "save_document": "meshlearn.io.files",
    "to_mesh": "meshlearn.io.meshes",
    "writable_suffixes": "meshlearn.io.registry",
}

__all__ = [
    "ANY",
    "EVERYTHING",
    "NONE",
    "CornerField",
    "Document",
    "FileFormatError",
    "Format",
    "Holds",
    "Looks",
    "Loss",
    "LossKind",
    "LossReport",
    "Material",
    "Part",
    "Texture",
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

if not TYPE_CHECKING:  # else every name would be there, as an object

    def __getattr__(name: str) -> object:
        if name not in _FROM:
            raise AttributeError(f"module 'meshlearn.io' has no attribute {name!r}")
        value = getattr(import_module(_FROM[name]), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
