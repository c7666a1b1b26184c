"""Names of images: as files beside the one that a document is written to, and as materials name
them, alone or together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def standing_alone(document: Document) -> list[Material]:
    """The materials of a document, each with the images that it names, as a mesh holds them."""
    out = []
    for material in document.materials:
        names = set(_named(material))
        said = [v for v in material.values.get("mtl", {}).values() if isinstance(v, str)]
        found = {
            key: data
            for key, data in document.images.items()
            if key in names or any(v == key or v.endswith(" " + key) for v in said)
        }
        out.append(replace(material, images={**found, **material.images}))
    return out


def standing_together(
    materials: Sequence[Material],
) -> tuple[list[Material], dict[str, bytes]]:
    """Materials that share images -> them, and the images by name; the inverse of
    `standing_alone`.

    Of several images of one name, all but the first get another one; so do those of which one
    material has no content.
    """
    images: dict[str, bytes] = {}
    absent = {name for m in materials for name in _named(m) if name not in m.images}
    out = []
    for material in materials:
        names = {}
        for key, data in material.images.items():
            head, dot, ending = key.rpartition(".")
            head, dot = (head, dot) if dot and "/" not in ending else (key, "")
            place, number = key, 2
            while place in absent or images.get(place, data) != data:
                place = f"{head}_{number}{dot}{ending if dot else ''}"
                number += 1
            images[place] = data
            names[key] = place
        changed = {old: new for old, new in names.items() if old != new}
        made = _renamed(material, changed) if changed else material
        out.append(replace(made, images={}) if made.images else made)
    return out, images


def _named(material: Material) -> Iterator[str]:
    """Names of images in a material's looks and in the words of its format (of "mtl": by its looks
    only)."""
    if material.looks is not None:
        for _, texture in material.looks.textures():
            yield texture.image

    def within(value: Any, key: str) -> Iterator[str]:
        if isinstance(value, dict):
            for k, v in value.items():
                yield from within(v, k)
        elif isinstance(value, list):
            for v in value:
                yield from within(v, key)
        elif isinstance(value, str) and key in ("image", "file", "base_texture"):
            yield value

    for key, value in material.values.items():
        if key != "mtl":
            yield from within(value, key)


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
    return Material(material.name, values, looks, material.images)


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
