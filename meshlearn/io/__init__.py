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
from meshlearn.io.registry import (
    LossReport,
    convert,
    load,
    load_document,
    readable_suffixes,
    save,
    save_document,
    writable_suffixes,
)

__all__ = [
    "CornerField",
    "Document",
    "FileFormatError",
    "LossReport",
    "Material",
    "Part",
    "convert",
    "from_mesh",
    "load",
    "load_document",
    "readable_suffixes",
    "save",
    "save_document",
    "to_mesh",
    "writable_suffixes",
]
