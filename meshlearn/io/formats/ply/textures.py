"""Textures of PLY files: remarks "comment TextureFile NAME", and "texnumber" of faces.

MeshLab's convention (https://github.com/cnr-isti-vclab/vcglib, wrap/io_trimesh): the images are
numbered in the order of their remarks; a face without a number has the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np

from meshlearn.io.document import Document, Material
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.looks import Looks, Texture, losses_of_looks
from meshlearn.io.resolver import take_image
from meshlearn.io.texture_placing import with_placing_in_coordinates

_REMARK = re.compile(r"TextureFile\s+(\S.*)", re.IGNORECASE)
_NEUTRAL = {"base_color": (1, 1, 1), "alpha": 1, "alpha_mode": "OPAQUE", "metallic": 0}
NUMBER = "texnumber"


def take_textures(document: Document, path: Path) -> None:
    """Makes materials of the images that the remarks of a document name, and labels of faces."""
    comments = document.metadata.get("comments", [])
    found = [match[1].strip() for match in map(_REMARK.fullmatch, comments) if match]
    if not found:
        return
    kept = [line for line in comments if not _REMARK.fullmatch(line)]
    document.metadata["comments"] = kept
    if not kept:
        del document.metadata["comments"]
    for name in found:
        key = take_image(document, path, name)
        looks = Looks(base_texture=Texture(key))
        document.materials.append(Material(_stem(key), {"base_texture": key}, looks))
    for part in document.parts:
        label = part.face_fields.pop(NUMBER, None)
        if label is None or label.ndim != 1:
            label = np.zeros(part.num_faces, np.int64)
        label = np.nan_to_num(label.astype(np.float64), nan=-1).astype(np.int64)
        good = (label >= 0) & (label < len(found))
        part.face_fields["material"] = np.where(good, label, -1).astype(np.int32)


def prepare(document: Document) -> Document:
    """The document with textures that are placed by their coordinates alone."""
    return with_placing_in_coordinates(
        document, own="ply", names=("base_texture",), program="programs that read PLY"
    )


def _stem(key: str) -> str:
    return PurePosixPath(key).stem


def image_of(material: Material) -> str:
    """The key of the image that a material has as its colour; "" where it has none."""
    if material.looks is not None and material.looks.base_texture is not None:
        return material.looks.base_texture.image
    return str(material.values.get("base_texture") or "")


def images_of(document: Document) -> list[str]:
    """Keys of the images that a PLY file of the document names, in the order of their numbers."""
    keys = dict.fromkeys(map(image_of, document.materials))
    return [key for key in keys if key in document.images]


def with_numbers(document: Document, keys: list[str]) -> Document:
    """The document with the number of its image, -1 for none, as a field of faces instead of that
    of its material."""
    if not keys:
        return document
    number = {key: k for k, key in enumerate(keys)}
    of = np.array([*(number.get(image_of(m), -1) for m in document.materials), -1], np.int32)
    parts = []
    for part in document.parts:
        fields = dict(part.face_fields)
        label = fields.pop("material", np.full(part.num_faces, -1))
        known = (label >= 0) & (label < len(document.materials))
        fields[NUMBER] = of[np.where(known, label, -1)]
        parts.append(replace(part, face_fields=fields))
    return replace(document, parts=parts)


def losses(document: Document) -> Iterator[Loss]:
    """What of materials and images is no texture of a face."""
    keys = images_of(document)
    told = []
    for material in document.materials:
        key = image_of(material)
        if key in keys and material.looks is not None:
            said = material.looks.said()
            unsaid = [
                name
                for name, value in said.items()
                if name != "base_texture" and value != _NEUTRAL.get(name)
            ]
            told.append((material.looks, unsaid))
    plain = sum(image_of(m) not in keys for m in document.materials if not _is_absent(document, m))
    yield Loss(LossKind.MATERIALS, count=plain, limit="has textures of faces only")
    renamed = sum(image_of(m) in keys and m.name != _stem(image_of(m)) for m in document.materials)
    yield Loss(LossKind.MATERIALS, count=renamed, limit="has textures of faces only")
    yield from losses_of_looks(told)
    yield Loss(LossKind.TEXTURES, count=len(document.images) - len(keys))


def _is_absent(document: Document, material: Material) -> bool:
    """Whether a material was nothing but an image that is not there, which is told already."""
    key = image_of(material)
    said = material.looks.said() if material.looks is not None else {}
    missing = {loss.name for loss in document.left_out if loss.kind is LossKind.NAMED_FILE}
    return key in missing and set(said) <= {"base_texture"} and material.name == _stem(key)
