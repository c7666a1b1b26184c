"""Names of images as files: those of a document beside the file that it is written to."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

from meshlearn.io.document import Document, Material
from meshlearn.io.image_types import type_of
from meshlearn.io.looks import Texture
from meshlearn.io.resolver import safe_place


def image_places(document: Document, path: Path) -> dict[str, str]:
    """Where each image of a document is written, below the folder of `path`: key -> place.

    No two have one place, also where letters' case does not count, and none that of `path` or of a
    file of its name with another ending that is no image's.
    """
    out: dict[str, str] = {}
    taken = {path.name.casefold(), path.with_suffix(".mtl").name.casefold()}
    for key in document.images:
        place = safe_place(key)
        head, dot, ending = place.rpartition(".")
        if not dot or "/" in ending:
            head, dot, ending = place, "", ""
        if not ending:
            ending = type_of(document.images[key])
            dot = "." if ending else ""
        place, number = head + dot + ending, 2
        while place.casefold() in taken:
            place, number = f"{head}_{number}{dot}{ending}", number + 1
        taken.add(place.casefold())
        out[key] = place
    return out


def prefixed(place: str, stem: str) -> str:
    """A place with a stem before the file's name: "textures/a.png" as "textures/STEM_a.png"."""
    folder, slash, name = place.rpartition("/")
    return f"{folder}{slash}{stem}_{name}"


def with_images_named(document: Document, names: Mapping[str, str]) -> Document:
    """A document whose images have other keys, also where its materials name them."""
    names = {old: new for old, new in names.items() if old != new}
    if not names:
        return document
    images = {names.get(key, key): data for key, data in document.images.items()}
    materials = [_renamed(material, names) for material in document.materials]
    return replace(document, images=images, materials=materials)


def _renamed(material: Material, names: Mapping[str, str]) -> Material:
    looks = material.looks
    if looks is not None:
        looks = copy(looks)
        for name, texture in list(looks.textures()):
            new: Texture = replace(texture, image=names.get(texture.image, texture.image))
            setattr(looks, name, new)
    values = {
        key: {k: _map(v, names) for k, v in value.items()} if key == "mtl" else _deep(value, names)
        for key, value in material.values.items()
    }
    return Material(material.name, values, looks)


def _map(statement: str, names: Mapping[str, str]) -> str:
    """A statement of an MTL, whose last words are the image's name."""
    for old, new in names.items():
        if statement == old or statement.endswith(" " + old):
            return statement[: len(statement) - len(old)] + new
    return statement


def _deep(value: Any, names: Mapping[str, str], key: str = "") -> Any:
    if isinstance(value, dict):
        return {k: _deep(v, names, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_deep(v, names, key) for v in value]
    named = key in ("image", "file", "") and isinstance(value, str)
    return names.get(value, value) if named else value
