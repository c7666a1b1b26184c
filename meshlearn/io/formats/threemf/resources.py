"""What triangles are written to look like: colours, textures and base materials of a 3MF model.

A triangle names one group of properties and an entry of it for each corner. Where a material's
colour, its texture and colours of corners come together, that group is a multiproperties whose
layers multiply. Specification: 3MF materials and properties extension 1.2, 2 to 6.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from xml.sax.saxutils import quoteattr

import numpy as np

from meshlearn.io.color_space import to_srgb
from meshlearn.io.document import Document, Material, Part
from meshlearn.io.image_changes import with_images_as_png
from meshlearn.io.image_types import type_of
from meshlearn.io.looks import Texture
from meshlearn.io.texture_placing import placed_coordinates, placing

MATERIAL = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
KEPT = ("png", "jpg")  # types of images
_STYLE = {"repeat": "wrap", "mirror": "mirror", "clamp": "clamp"}
UV = ("uv", *(f"uv{k}" for k in range(1, 10)))


def attribute(text: str) -> str:
    """Quoted, without characters that XML cannot have."""
    return quoteattr(
        "".join(c for c in text if (c >= " " or c in "\t\n\r") and c not in "\ufffe\uffff")
    )


def base_texture(material: Material) -> Texture | None:
    """The texture of a material's colour."""
    return material.appearance.base_texture


def base_color(material: Material) -> np.ndarray:
    """(red, green, blue, alpha) of a material as bytes, sRGB."""
    looks = material.appearance
    alpha = looks.alpha if looks.alpha_mode in ("BLEND", "MASK") else None
    color = to_srgb(np.array(looks.base_color or (1.0, 1.0, 1.0))).tolist()
    numbers = [*color, 1.0 if alpha is None else alpha]
    return as_bytes(np.array([numbers], np.float64))[0]


def as_bytes(values: np.ndarray) -> np.ndarray:
    """Colours (N, 3 or 4) as (N, 4) uint8; floats are in [0, 1]."""
    if values.dtype.kind == "f":
        values = np.clip(np.round(np.nan_to_num(values.astype(np.float64)) * 255), 0, 255)
    elif values.dtype.kind == "u" and values.dtype.itemsize > 1:
        values = np.round(values / np.iinfo(values.dtype).max * 255)
    out = np.full((len(values), 4), 255, np.uint8)
    out[:, : values.shape[1]] = values.astype(np.uint8)
    return out


def has_colors(values: np.ndarray) -> bool:
    """Whether a field holds colours of three or four numbers."""
    return values.shape[1:] in ((3,), (4,)) and values.dtype.kind in "fu"


def corner_values(part: Part, key: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Values of a field and their rows for each corner, -1 for none; None where there is none."""
    found = part.corner_fields.get(key)
    if found is not None:
        return found.values, found.index
    if key in part.vertex_fields:
        return part.vertex_fields[key], part.polygon_index
    if key in part.face_fields and key == "color":
        return part.face_fields[key], np.repeat(np.arange(part.num_faces), part.sizes)
    return None


def textured_faces(part: Part, material: int, texture: Texture | None) -> np.ndarray:
    """(F,) which triangles of a part have a material whose texture they have coordinates for."""
    label = part.face_fields.get("material")
    key = UV[texture.uv] if texture is not None and texture.uv < len(UV) else ""
    found = corner_values(part, key) if key else None
    if label is None or found is None or found[0].shape[1:] != (2,):
        return np.zeros(part.num_faces, bool)
    return (np.asarray(label) == material) & whole_faces(part, found[1])


def whole_faces(part: Part, index: np.ndarray) -> np.ndarray:
    """(F,) which faces have a value at each of their corners."""
    owner = np.repeat(np.arange(part.num_faces), part.sizes)
    return np.bincount(owner, index < 0, part.num_faces) == 0


@dataclass
class Look:
    """Triangles of a part that look alike.

    Attributes:
        faces: (F,) which they are.
        material: its number, or -1.
        texture: that of its colour, where the triangles have coordinates for it.
        tinted: whether their corners have colours.
        named: whether the base material is written: a white one without a say in colour is not.
    """

    faces: np.ndarray
    material: int
    texture: Texture | None
    tinted: bool
    named: bool


def looks_of(part: Part, materials: list[Material], images: Container[str]) -> list[Look]:
    """What the faces of a part look like, whose images are those that can be written."""
    count = part.num_faces
    label = np.asarray(part.face_fields.get("material", np.full(count, -1))).astype(np.int64)
    label = np.where((label >= 0) & (label < len(materials)), label, -1)
    colors = colors_of(part)
    tinted = whole_faces(part, colors[1]) if colors is not None else np.zeros(count, bool)
    out = []
    for number in np.unique(label).tolist():
        texture = base_texture(materials[number]) if number >= 0 else None
        here, drawn = label == number, np.zeros(count, bool)
        if texture is not None and texture.image in images:
            drawn = textured_faces(part, number, texture)
        plain = number < 0 or bool((base_color(materials[number]) == 255).all())
        for textures in (False, True):
            for tints in (False, True):
                faces = here & (drawn == textures) & (tinted == tints)
                named = number >= 0 and not (plain and (textures or tints))
                if faces.any():
                    own = texture if textures else None
                    out.append(Look(faces, number, own, tints, named))
    return out


@dataclass
class Resources:
    """The groups of a model, and what each part's triangles name of them.

    Args:
        document: its parts are triangles.
        images: where each image is in the package, by its key in the document.

    Attributes:
        groups: the text of each, whose numbers begin with 1; the first is that of base materials.
        faces: of each part (F, 4): the number of a group, 0 for none, and an entry for each corner.
    """

    document: Document
    images: dict[str, str]
    groups: list[bytes] = field(default_factory=lambda: [b""])
    faces: list[np.ndarray] = field(default_factory=list)
    _textures: dict[tuple, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        materials = self.document.materials
        looks = [looks_of(part, materials, self.images) for part in self.document.parts]
        left = nameless([x for found in looks for x in found])
        kept = [k for k in range(len(materials)) if k not in left]
        entry = {number: k for k, number in enumerate(kept)}
        if kept:
            self.groups[0] = _base_text([materials[k] for k in kept])
        for part, found in zip(self.document.parts, looks, strict=True):
            self.faces.append(self._part(part, found, entry))

    @property
    def extended(self) -> bool:
        """Whether the extension of materials is needed."""
        return any(b"<m:" in text for text in self.groups)

    def _add(self, body: str) -> int:
        number = len(self.groups) + 1
        self.groups.append(body.replace("@ID@", str(number), 1).encode())
        return number

    def _part(self, part: Part, looks: list[Look], entry: dict[int, int]) -> np.ndarray:
        out = np.zeros((part.num_faces, 4), np.int64)
        colors = colors_of(part) if any(look.tinted for look in looks) else None
        tint, index = 0, np.zeros((part.num_faces, 3), np.int64)
        if colors is not None:
            table, rows = np.unique(colors[0], axis=0, return_inverse=True)
            tint, index = self._add(_color_text(table)), rows.reshape(-1)[colors[1]].reshape(-1, 3)
        for look in looks:
            rows = np.nonzero(look.faces)[0]
            layers: list[tuple[int, np.ndarray]] = []
            if look.named:
                layers.append((1, np.full((len(rows), 3), entry[look.material])))
            if look.texture is not None:
                layers.append(self._texture(part, rows, look.texture))
            if look.tinted:
                layers.append((tint, index[rows]))
            if len(layers) > 1:
                layers = [self._multiplied(layers)]
            for group, found in layers:
                out[rows, 0], out[rows, 1:] = group, found
        return out

    def _texture(self, part: Part, rows: np.ndarray, texture: Texture) -> tuple[int, np.ndarray]:
        found = corner_values(part, UV[texture.uv])
        assert found is not None
        used, index = np.unique(found[1].reshape(-1, 3)[rows], return_inverse=True)
        uv = placed_coordinates(found[0][used], placing(texture))
        key = (texture.image, texture.wrap, texture.nearest)
        if key not in self._textures:
            path = attribute("/" + self.images[texture.image])
            kind = "jpeg" if self.images[texture.image].endswith(".jpg") else "png"
            u, v = (_STYLE.get(w, "wrap") for w in texture.wrap)
            more = ' filter="nearest"' if texture.nearest else ""
            self._textures[key] = self._add(
                f'<m:texture2d id="@ID@" path={path} contenttype="image/{kind}" '
                f'tilestyleu="{u}" tilestylev="{v}"{more}/>\n'
            )
        entries = "".join(
            f'<m:tex2coord u="{u!r}" v="{v!r}"/>' for u, v in np.nan_to_num(uv).tolist()
        )
        body = (
            f'<m:texture2dgroup id="@ID@" texid="{self._textures[key]}">{entries}'
            f"</m:texture2dgroup>\n"
        )
        return self._add(body), index.reshape(-1, 3)

    def _multiplied(self, layers: list[tuple[int, np.ndarray]]) -> tuple[int, np.ndarray]:
        rows = np.stack([index.reshape(-1) for _, index in layers], 1)
        table, index = np.unique(rows, axis=0, return_inverse=True)
        entries = "".join(
            f'<m:multi pindices="{" ".join(map(str, row))}"/>' for row in table.tolist()
        )
        ids = " ".join(str(number) for number, _ in layers)
        ways = " ".join(["multiply"] * (len(layers) - 1))
        body = (
            f'<m:multiproperties id="@ID@" pids="{ids}" blendmethods="{ways}">{entries}'
            f"</m:multiproperties>\n"
        )
        return self._add(body), index.reshape(-1, 3)


def nameless(looks: list[Look]) -> set[int]:
    """Materials of which textures or colours are written and not the name."""
    seen = {look.material for look in looks if look.material >= 0}
    return seen - {look.material for look in looks if look.named}


def colors_of(part: Part) -> tuple[np.ndarray, np.ndarray] | None:
    """Colours (N, 4) of a part as bytes, and the row of each corner; None where it has none."""
    found = corner_values(part, "color")
    if found is None or not has_colors(found[0]) or not len(found[0]):
        return None
    return as_bytes(found[0]), found[1]


def _hex(color: np.ndarray) -> str:
    digits = color.tolist() if color[3] != 255 else color[:3].tolist()
    return "#" + "".join(f"{b:02X}" for b in digits)


def _color_text(table: np.ndarray) -> str:
    entries = "".join(f'<m:color color="{_hex(row)}"/>' for row in table)
    return f'<m:colorgroup id="@ID@">{entries}</m:colorgroup>\n'


def _base_text(materials: list[Material]) -> bytes:
    lines = ['<basematerials id="1">\n']
    for material in materials:
        name = attribute(material.name)
        lines.append(f'<base name={name} displaycolor="{_hex(base_color(material))}"/>\n')
    return "".join([*lines, "</basematerials>\n"]).encode()


def package_images(document: Document) -> tuple[dict[str, str], dict[str, bytes]]:
    """Where the images of colours are in a package, by their keys, and the members themselves."""
    wanted = [t.image for m in document.materials if (t := base_texture(m)) is not None]
    places: dict[str, str] = {}
    members: dict[str, bytes] = {}
    for key in dict.fromkeys(name for name in wanted if name in document.images):
        data = document.images[key]
        kind = type_of(data, key)
        if kind not in KEPT:
            continue
        stem = PurePosixPath(key.replace("\\", "/")).stem
        stem = "".join(c if c.isascii() and (c.isalnum() or c in "-_.") else "_" for c in stem)
        stem = stem.strip(".") or "texture"
        name, number = f"3D/Textures/{stem}.{kind}", 2
        while name.lower() in {n.lower() for n in members}:
            name, number = f"3D/Textures/{stem}_{number}.{kind}", number + 1
        places[key], members[name] = name, data
    return places, members


def prepare(document: Document) -> Document:
    """The document with images of colours as PNG or JPEG, which the format has."""
    wanted = [t.image for m in document.materials if (t := base_texture(m)) is not None]
    return with_images_as_png(document, wanted, kept=KEPT, format="3MF")
