"""Documents as OBJ files have them: textures placed by their coordinates, WebP as PNG.

Images for graphics cards (KTX2, DDS) stay as they are, which is told.

The statements -s and -o of a map could say it, and most programs that read .mtl files leave them
out.
"""

from __future__ import annotations

from meshlearn.io.document import Document
from meshlearn.io.formats.obj.material import WRITTEN
from meshlearn.io.image_changes import with_images_as_png
from meshlearn.io.image_types import type_of
from meshlearn.io.texture_placing import with_placing_in_coordinates

NOT_READ = ("webp", "avif", "heic")  # types of images that came after programs for OBJ
OF_CARDS = ("ktx2", "ktx", "dds", "astc", "")  # those of graphics cards, and what is not known


def prepare(document: Document) -> Document:
    """The document with placed coordinates; materials that an .mtl file said stay as they are."""
    program = "programs that read OBJ"
    looks = [m.looks for m in document.materials if m.looks and "mtl" not in m.values]
    used = [texture.image for look in looks for _, texture in look.textures()]
    kinds = {k: type_of(document.images[k], k) for k in used if k in document.images}
    other = [k for k, kind in kinds.items() if kind in NOT_READ or kind in OF_CARDS]
    document = with_images_as_png(document, other, kept=(), format="OBJ", open_to=OF_CARDS)
    return with_placing_in_coordinates(document, own="mtl", names=WRITTEN, program=program)
