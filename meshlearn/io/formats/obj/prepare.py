"""Documents as OBJ files have them: textures placed by their coordinates, WebP as PNG.

The statements -s and -o of a map could say it, and most programs that read .mtl files leave them
out.
"""

from __future__ import annotations

from meshlearn.io.document import Document
from meshlearn.io.formats.obj.material import WRITTEN
from meshlearn.io.image_changes import with_images_as_png
from meshlearn.io.image_types import type_of
from meshlearn.io.texture_placing import with_placing_in_coordinates

NOT_READ = ("webp", "avif")  # types of images that came after programs for OBJ


def prepare(document: Document) -> Document:
    """The document with placed coordinates; materials that an .mtl file said stay as they are."""
    program = "programs that read OBJ"
    looks = [m.looks for m in document.materials if m.looks and "mtl" not in m.values]
    used = [texture.image for look in looks for _, texture in look.textures()]
    webp = [k for k in used if k in document.images and type_of(document.images[k]) in NOT_READ]
    document = with_images_as_png(document, webp, kept=(), format="OBJ")
    return with_placing_in_coordinates(document, own="mtl", names=WRITTEN, program=program)
