"""Documents as OBJ files have them: textures placed by their coordinates.

The statements -s and -o of a map could say it, and most programs that read .mtl files leave them
out.
"""

from __future__ import annotations

from meshlearn.io.document import Document
from meshlearn.io.formats.obj.looks import WRITTEN
from meshlearn.io.texture_placing import with_placing_in_coordinates


def prepare(document: Document) -> Document:
    """The document with placed coordinates; materials that an .mtl file said stay as they are."""
    program = "programs that read OBJ"
    return with_placing_in_coordinates(document, own="mtl", names=WRITTEN, program=program)
