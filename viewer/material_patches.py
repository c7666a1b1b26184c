"""What a file's materials put on a surface: textures and plain colours, by groups of faces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from meshlearn.io.document import Document
from meshlearn.mesh import Mesh

_KINDS = (b"\x89PNG", b"\xff\xd8\xff")  # what a browser shows of what documents hold


@dataclass(frozen=True)
class Patch:
    """Faces of one material.

    Attributes:
        faces: (K,) indices.
        image: a PNG or JPEG, or None.
        color: red, green, blue in 0 to 1, linear; it multiplies the image.
    """

    faces: np.ndarray
    image: bytes | None = None
    color: tuple[float, float, float] = (1.0, 1.0, 1.0)


def corner_uv(mesh: Mesh) -> np.ndarray | None:
    """(F, 3, 2) texture coordinates of the corners, v up, or None."""
    corner = mesh.corner_attributes.get("uv")
    if corner is not None and corner.values.shape[1] == 2:
        return corner.values.double().numpy()[corner.index.numpy()]
    vertex = mesh.vertex_attributes.get("uv")
    if vertex is not None and vertex.dim() == 2 and vertex.shape[1] == 2:
        return vertex.double().numpy()[mesh.faces.numpy()]
    return None


def patches_of(document: Document, mesh: Mesh) -> list[Patch]:
    """The patches of a mesh that was read from a document; none where all is plain."""
    index = mesh.face_attributes.get("material")
    if index is None or not document.materials or not mesh.num_faces:
        return []
    label = index.numpy()
    named = (label >= 0) & (label < len(document.materials))
    label = np.where(named, label, -1)
    has_uv = corner_uv(mesh) is not None
    found = []
    for number in np.unique(label):
        values = {} if number < 0 else document.materials[number].values
        image = document.images.get(str(values.get("base_texture"))) if has_uv else None
        image = image if image is not None and image.startswith(_KINDS) else None
        color = values.get("base_color", (0.8, 0.8, 0.8) if image is None else (1, 1, 1))
        color = tuple(float(np.clip(c, 0, 1)) for c in list(color)[:3])
        found.append(Patch(np.nonzero(label == number)[0], image, color))
    plain = all(patch.image is None and patch.color == found[0].color for patch in found)
    return [] if plain and found[0].color in ((1.0, 1.0, 1.0), (0.8, 0.8, 0.8)) else found
