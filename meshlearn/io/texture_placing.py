"""Textures' placing taken into the coordinates themselves, for formats that have no words for it or
whose programs mostly do not read them.

A material's textures are looked up at ``offset + R(rotation) (scale * uv)`` of one of the sets of
coordinates (`meshlearn.io.looks.Texture`). Where all of them agree, the places become the field
"uv" of its faces and the textures are as if nothing had been said.
"""

from __future__ import annotations

import math
from collections.abc import Container
from dataclasses import replace

import numpy as np

from meshlearn.io.document import CornerField, Document, Material, Part, as_table
from meshlearn.io.even_looks import texture_field
from meshlearn.io.looks import Looks, Texture

_DIGITS = 12  # decimals of a coordinate; beyond them stands what large numbers leave when added

Placing = tuple[int, tuple[float, float], tuple[float, float], float]
PLAIN: Placing = (0, (0.0, 0.0), (1.0, 1.0), 0.0)


def placing(texture: Texture) -> Placing:
    """Set of coordinates, offset, scale and rotation."""
    return texture.uv, texture.offset, texture.scale, texture.rotation


def placed_coordinates(uv: np.ndarray, at: Placing) -> np.ndarray:
    """(N, 2) float64 places of coordinates (N, 2 or more)."""
    _, offset, scale, rotation = at
    c, s = math.cos(rotation), math.sin(rotation)
    with np.errstate(over="ignore", invalid="ignore"):
        u, v = (uv[:, :2].astype(np.float64) * scale).T
        out = np.stack([offset[0] + c * u - s * v, offset[1] + s * u + c * v], 1)
        return np.round(out, _DIGITS)


def _placings(looks: Looks, names: Container[str]) -> set[Placing]:
    """Those of the textures of a material, of its properties `names`."""
    return {placing(texture) for name, texture in looks.textures() if name in names}


def with_placing_in_coordinates(
    document: Document, *, own: str, names: Container[str], program: str
) -> Document:
    """A document whose materials' textures are placed by the coordinates alone, with remarks.

    Args:
        own: the format's key in `Material.values`: a material that has it is written in its own
            words and stays.
        names: the properties of `Looks` whose textures the format writes.
        program: who does not read placings, for the remark, such as "programs that read OBJ".
    """
    to_do: dict[int, Placing] = {}
    mixed = 0
    for number, material in enumerate(document.materials):
        if material.looks is None or own in material.values:
            continue
        found = _placings(material.looks, names)
        if len(found) > 1:
            mixed += 1
        elif found and found != {PLAIN}:
            to_do[number] = found.pop()
    remarks = list(document.remarks)
    if mixed:
        sentence = (
            f"textures of {_materials(mixed)} are placed in different ways, which most {program} "
            f"do not read"
        )
        if sentence not in remarks:
            remarks.append(sentence)
    if to_do:
        parts, baked = [], set(to_do)
        for part in document.parts:
            made, failed = _baked(part, to_do)
            parts.append(made)
            baked -= failed
        if baked != set(to_do):  # coordinates that are not there: nothing of these is changed
            to_do = {k: v for k, v in to_do.items() if k in baked}
            parts = [_baked(part, to_do)[0] for part in document.parts]
        materials = [
            _plain(m, names) if k in to_do else m for k, m in enumerate(document.materials)
        ]
        if to_do:
            remarks.append(
                f"the placing of textures of {_materials(len(to_do))} is in the coordinates now"
            )
        document = replace(document, parts=parts, materials=materials)
    return replace(document, remarks=remarks)


def _materials(count: int) -> str:
    return f"{count:,} material{'s' * (count != 1)}"


def _plain(material: Material, names: Container[str]) -> Material:
    """The material with textures that are looked up at the coordinates as they are."""
    assert material.looks is not None
    looks = replace(material.looks)
    for name, texture in list(looks.textures()):
        if name in names:
            plain = replace(texture, uv=0, offset=(0.0, 0.0), scale=(1.0, 1.0), rotation=0.0)
            setattr(looks, name, plain)
    values = {k: v for k, v in material.values.items() if k in ("base_color", "base_texture")}
    return Material(material.name, values, looks)


def _field(part: Part, number: int) -> CornerField | None:
    """A set of coordinates, by corners."""
    key = texture_field(number)
    if key in part.corner_fields:
        return part.corner_fields[key]
    values = part.vertex_fields.get(key)
    if values is None:
        return None
    return CornerField(as_table(values), part.polygon_index)


def _baked(part: Part, placings: dict[int, Placing]) -> tuple[Part, set[int]]:
    """A part with the places in "uv", and the materials whose coordinates it does not have."""
    label = part.face_fields.get("material")
    if label is None or not part.num_faces:
        return part, set()
    used = np.unique(label).tolist()
    wanted = {number: placings.get(number, PLAIN) for number in used}
    if set(wanted.values()) == {PLAIN}:
        return part, set()
    failed: set[int] = set()
    for number, at in wanted.items():
        field = _field(part, at[0])
        if number in placings and (field is None or field.values.shape[1] < 2):
            failed.add(number)
    if failed:
        return part, failed
    kinds = list(dict.fromkeys(wanted.values()))
    if len(kinds) == 1 and (kinds[0][0] == 0 or "uv" not in part.corner_fields):
        at, key = kinds[0], texture_field(kinds[0][0])
        if key in part.vertex_fields and key not in part.corner_fields:
            values = placed_coordinates(as_table(part.vertex_fields[key]), at)
            return replace(part, vertex_fields={**part.vertex_fields, "uv": values}), failed
    corner_label = np.repeat(label, part.sizes)
    pieces: list[np.ndarray] = []
    index = np.full(len(part.polygon_index), -1, np.int64)
    base = 0
    for at in kinds:
        field = _field(part, at[0])
        if field is None:  # faces whose material has no texture
            continue
        here = np.isin(corner_label, [n for n, a in wanted.items() if a == at])
        here &= field.index >= 0
        rows, inverse = np.unique(field.index[here], return_inverse=True)
        plain = at == PLAIN
        values = field.values[rows, :2]
        pieces.append(values.astype(np.float64) if plain else placed_coordinates(values, at))
        index[here] = inverse + base
        base += len(rows)
    fields = {**part.corner_fields, "uv": CornerField(np.concatenate(pieces), index)}
    others = {k: v for k, v in part.vertex_fields.items() if k != "uv"}
    return replace(part, corner_fields=fields, vertex_fields=others), failed
