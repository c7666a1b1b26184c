"""What a mesh's materials put on its surface: textures and plain colours, by groups of faces."""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from meshlearn.io.document import Material
from meshlearn.io.image_types import as_png, type_of
from meshlearn.io.looks import Looks, Texture
from meshlearn.io.texture_placing import placed_coordinates, placing
from meshlearn.mesh import Mesh

_SHOWN = ("png", "jpg")  # what a browser shows of what documents hold
_BARE = (0.8, 0.8, 0.8)  # faces of no material
_PLAIN = ((1.0, 1.0, 1.0), _BARE)  # colours that programs write of what has none


@dataclass(frozen=True)
class Patch:
    """Faces of one material.

    Attributes:
        faces: (K,) indices.
        looks: base colour, opacity, and how an image is looked up at `uv`.
        image: a PNG or JPEG, or None.
        uv: (K, 3, 2) where the corners look it up, v up, or None.
    """

    faces: np.ndarray
    looks: Looks = field(default_factory=Looks)
    image: bytes | None = None
    uv: np.ndarray | None = None

    @property
    def color(self) -> tuple[float, float, float]:
        """Red, green, blue in 0 to 1, linear; it multiplies the image."""
        return self.looks.base_color or (1.0, 1.0, 1.0)


def _coordinates(mesh: Mesh, texture: Texture, faces: np.ndarray) -> np.ndarray | None:
    """(K, 3, 2) where the corners of faces (K,) look a texture up."""
    name = f"uv{texture.uv}" if texture.uv else "uv"
    corner, vertex = mesh.corner_attributes.get(name), mesh.vertex_attributes.get(name)
    if corner is not None and corner.values.shape[1] >= 2:
        values, index = corner.values, corner.index
    elif vertex is not None and vertex.dim() == 2 and vertex.shape[1] >= 2:
        values, index = vertex, mesh.faces
    else:
        return None
    found = values.double().numpy()[index.numpy()[faces]].reshape(-1, values.shape[1])
    return placed_coordinates(found, placing(texture)).reshape(-1, 3, 2)


def _alike(one: Texture, other: Texture) -> bool:
    """Whether two textures are looked up at the same places."""
    return placing(one) == placing(other) and one.uv == other.uv and one.wrap == other.wrap


def _image(material: Material, texture: Texture) -> bytes | None:
    """The image of a texture as a browser shows it; None where it is not there."""
    data = material.images.get(texture.image)
    kind = None if data is None else type_of(data, texture.image)
    if data is None or kind in _SHOWN:
        return data
    return as_png(data, kind=kind or "")


def _with_opacity(material: Material, base: bytes | None, opacity: Texture) -> bytes | None:
    """An image (white where there is none) with the opacity that another one says, as PNG; None
    where that other cannot be shown."""
    said = _image(material, replace(opacity))
    if said is None:
        return None
    with Image.open(io.BytesIO(said)) as opened:
        whole = opened.convert("RGBA")
    bands = dict(zip("rgba", whole.split(), strict=True))
    channel = opacity.channel or ("a" if bands["a"].getextrema()[0] < 255 else "luminance")
    alpha = bands.get(channel) or whole.convert("RGB").convert("L")
    if base is None:
        shown = Image.new("RGB", alpha.size, (255, 255, 255))
    else:
        with Image.open(io.BytesIO(base)) as opened:
            shown = opened.convert("RGB")
    shown.putalpha(alpha.resize(shown.size))
    out = io.BytesIO()
    shown.save(out, "PNG")
    return out.getvalue()


def patches_of(mesh: Mesh) -> list[Patch]:
    """The patches of a mesh; none where all is plain."""
    index = mesh.face_attributes.get("material")
    if index is None or not mesh.materials or not mesh.num_faces:
        return []
    label = index.numpy()
    named = (label >= 0) & (label < len(mesh.materials))
    label = np.where(named, label, -1)
    found = []
    for number in np.unique(label).tolist():
        faces = np.nonzero(label == number)[0]
        material = mesh.materials[number] if number >= 0 else None
        if not isinstance(material, Material):
            found.append(Patch(faces, Looks(base_color=_BARE)))
            continue
        said = material.appearance
        texture, opacity = said.base_texture, said.alpha_texture
        image = None if texture is None else _image(material, texture)
        if opacity is not None and (texture is None or _alike(texture, opacity)):
            clear = _with_opacity(material, image, opacity)
            texture, image = (texture or opacity, image) if clear is None else (opacity, clear)
        uv = None if texture is None or image is None else _coordinates(mesh, texture, faces)
        color = said.base_color or (_BARE if uv is None else (1.0, 1.0, 1.0))
        red, green, blue = (float(np.clip(c, 0, 1)) for c in color)
        shown = Looks(base_color=(red, green, blue), alpha=said.alpha)
        if said.alpha_mode in ("MASK", "BLEND"):
            shown.alpha_mode, shown.alpha_cutoff = said.alpha_mode, said.alpha_cutoff
        if texture is not None and uv is not None:
            plain = Texture("image", wrap=texture.wrap, nearest=texture.nearest)
            shown = replace(shown, base_texture=plain)
        found.append(Patch(faces, shown, image if uv is not None else None, uv))
    plain_ = all(patch.image is None and patch.color == found[0].color for patch in found)
    return [] if plain_ and found[0].color in _PLAIN else found
