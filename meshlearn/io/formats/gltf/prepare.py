"""Documents as glTF files have them: images as PNG and JPEG, WebP and KTX2."""

from __future__ import annotations

from meshlearn.io.document import Document
from meshlearn.io.formats.gltf.material import images_used
from meshlearn.io.image_changes import with_images_as_png

KEPT = ("png", "jpg", "webp", "ktx2")  # the last two by extensions


def prepare(document: Document) -> Document:
    """The document with the images that its materials use of types that glTF has."""
    used = images_used(document.materials)
    return with_images_as_png(document, used, kept=KEPT, format="glTF")
