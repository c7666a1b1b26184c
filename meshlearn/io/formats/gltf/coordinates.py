"""Texture coordinates of parts, and those that textures of their materials need."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

import numpy as np

from meshlearn.io.document import CornerField, Document, Part
from meshlearn.io.even_looks import OF_CORNERS, looks_without_gaps
from meshlearn.io.formats.gltf.material import gltf_of

MOST_SETS = 8  # that are made for a material which names one that is not there


def usable(part: Part) -> dict[str, CornerField]:
    """Fields of corners that are written, as attributes of vertices: normals and tangents that all
    corners have, coordinates and colours that some have, those of others 0 and white."""
    out = {}
    for key, field in part.corner_fields.items():
        gaps = field.index < 0
        if len(field.values) and not gaps.all():
            if key in OF_CORNERS:
                out[key] = looks_without_gaps(key, field)
            elif key in ("normal", "tangent") and not gaps.any():
                out[key] = field
    return out


def needed_sets(document: Document) -> list[int]:
    """How many sets of texture coordinates each material needs; the format demands that they are
    there."""
    return [
        min(max(_sets_of(gltf_of(material), document.images), default=-1) + 1, MOST_SETS)
        for material in document.materials
    ]


def needed_by(part: Part, needed: list[int]) -> int:
    """How many the materials of a part need, of `needed_sets`."""
    label = part.face_fields.get("material")
    if label is None or not any(needed):
        return 0
    return max((needed[k] for k in np.unique(label) if 0 <= k < len(needed)), default=0)


def _sets_of(said: Any, images: Container[str], depth: int = 0) -> Iterator[int]:
    """The sets that the textures of a material, of these images, are looked up in."""
    if isinstance(said, dict) and depth < 20:
        for key, item in said.items():
            if key.endswith("Texture") and isinstance(item, dict):
                if item.get("image") in images:
                    yield _set_of(item)
            else:
                yield from _sets_of(item, images, depth + 1)


def _set_of(texture: dict) -> int:
    extensions = texture.get("extensions")
    more = extensions.get("KHR_texture_transform") if isinstance(extensions, dict) else None
    found = more.get("texCoord") if isinstance(more, dict) else None
    found = texture.get("texCoord", 0) if found is None else found
    return found if isinstance(found, int) else 0
