"""Reading and writing meshes, point clouds and volumes: one file a format behind one registry."""

from meshlearn.io.document import (
    CornerField,
    Document,
    FileFormatError,
    Material,
    Part,
    from_mesh,
    to_mesh,
)
from meshlearn.io.left_behind import Loss, LossReport
from meshlearn.io.registry import (
    convert,
    find_losses,
    load,
    load_document,
    read_document,
    readable_suffixes,
    save,
    save_document,
    writable_suffixes,
)

__all__ = [
    "CornerField",
    "Document",
    "FileFormatError",
    "Loss",
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
    "save",
    "save_document",
    "to_mesh",
    "writable_suffixes",
]
