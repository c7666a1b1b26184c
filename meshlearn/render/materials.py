"""What the materials of a mesh show: base colour, its texture, vertex colours, opacity.

The model is the metallic-roughness one of glTF 2.0, of which a matte surface is drawn:

    colour = factor * texture * vertex colour,    opacity = alpha * texture's opacity * vertex's

in linear light; what comes out is sRGB, as images are. Textures and the attribute "color" are sRGB
too, factors linear. What blends is drawn over what is behind it (`blending`). Metal, roughness,
emission and normal maps are drawn under an `EnvironmentLight`, see `meshlearn.render.surfaces`.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

import torch
from torch import Tensor

from meshlearn.render.color_space import to_linear, to_srgb
from meshlearn.render.decoded import decoded
from meshlearn.render.fragments import Fragments
from meshlearn.render.interpolate import interpolate
from meshlearn.render.texture import look_up

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

HALF = 0.5  # opacity below which a surface is left out, unless its material says another
_PLAIN = ((1.0, 1.0, 1.0), (0.8, 0.8, 0.8))  # factors that say nothing: programs' defaults
_LUMINANCE = (0.2126, 0.7152, 0.0722)  # of linear red, green and blue (ITU-R BT.709)


class TextureLike(Protocol):
    """What is asked of a texture; see `meshlearn.io.Texture`."""

    image: str
    uv: int
    offset: tuple[float, float]
    scale: tuple[float, float]
    rotation: float
    wrap: tuple[str, str]
    nearest: bool
    channel: str


class LooksLike(Protocol):
    """What is asked of a material's looks; see `meshlearn.io.Looks`."""

    base_color: tuple[float, float, float] | None
    alpha: float | None
    alpha_mode: str | None
    alpha_cutoff: float | None
    base_texture: TextureLike | None
    alpha_texture: TextureLike | None


class _Material(NamedTuple):
    name: str
    looks: LooksLike
    images: Mapping[str, bytes]


def _material(mesh: Mesh, number: int) -> _Material | None:
    """The material of that number; None where it says nothing of colour."""
    found = _any_material(mesh, number)
    if found is None:
        return None
    looks = found.looks
    cut = looks.alpha_mode in ("MASK", "BLEND")  # also by the colours of vertices
    says = any((looks.base_color, looks.base_texture, looks.alpha_texture, cut))
    return found if says else None


def used_materials(mesh: Mesh) -> dict[int, _Material | None]:
    """The materials that faces have and that say what they look like, by number."""
    label = mesh.face_attributes.get("material")
    if label is None or not mesh.materials or label.dim() != 1 or label.is_floating_point():
        return {}
    return {number: _any_material(mesh, number) for number in torch.unique(label).tolist()}


def _any_material(mesh: Mesh, number: int) -> _Material | None:
    if not 0 <= number < len(mesh.materials):
        return None
    given = mesh.materials[number]
    looks: LooksLike | None = getattr(given, "appearance", None)
    if looks is None:
        return None
    return _Material(str(getattr(given, "name", number)), looks, getattr(given, "images", {}))


def _used(mesh: Mesh) -> dict[int, _Material | None]:
    """The materials that faces have, by number; None for those that say nothing of colour."""
    return {number: _material(mesh, number) for number in used_materials(mesh)}


def has_looks(mesh: Mesh, *, plain: bool = True) -> bool:
    """Whether materials say what a mesh looks like.

    Args:
        plain: False leaves out those of one colour that is white or the light grey that programs
            write of what has no colour.
    """
    found = list(_used(mesh).values())
    if plain:
        return any(m is not None for m in found)
    colors = {None if m is None else m.looks.base_color for m in found}
    bare = all(m is None or not (m.looks.base_texture or m.looks.alpha_texture) for m in found)
    same = len(colors) == 1 and all(c is None or tuple(c) in _PLAIN for c in colors)
    return any(m is not None for m in found) and not (bare and same)


def says_anything(mesh: Mesh) -> bool:
    """Whether faces have materials at all, be they of metal or normals alone."""
    return any(material is not None for material in used_materials(mesh).values())


def needs_cutting(mesh: Mesh) -> bool:
    """Whether some of what its materials have on a mesh is left out, see `opacity_cut`."""
    return any(_cutoff(m) is not None for m in _used(mesh).values())


def _cutoff(material: _Material | None) -> float | None:
    """The opacity below which a material is left out; None where it is drawn whole."""
    if material is None:
        return None
    looks = material.looks
    if looks.alpha_mode == "MASK":
        return HALF if looks.alpha_cutoff is None else looks.alpha_cutoff
    if looks.alpha_mode == "BLEND" and (looks.base_texture or looks.alpha_texture):
        return HALF
    return None


def blends(mesh: Mesh) -> bool:
    """Whether materials of a mesh are transparent, as glass is, and not only cut out."""
    return any(m is not None and m.looks.alpha_mode == "BLEND" for m in _used(mesh).values())


def opacity_cut(mesh: Mesh, part: Fragments, change: Tensor | None = None) -> Tensor:
    """(P,) bool: where P pixels look through the mesh.

    A mask cuts where opacity is below its cutoff. What blends counts as there where the opacity of
    its texture is one half or more, and whole where it has none.

    Args:
        part, change: as in `material_colors`.
    """
    through = torch.zeros_like(part.face, dtype=torch.bool)
    label = mesh.face_attributes["material"][part.face]
    for number, material in _used(mesh).items():
        if material is None:
            continue
        cutoff = _cutoff(material)
        rows = (label == number).nonzero().squeeze(1)
        if cutoff is None or not len(rows):
            continue
        some = Fragments(*(t[rows] for t in part))
        slope = None if change is None else change[rows]
        mask = material.looks.alpha_mode == "MASK"
        with torch.no_grad():
            opacity = _opacity(mesh, material, some, slope, whole=mask)
        through[rows] = opacity < cutoff
    return through


def opacity_of(mesh: Mesh, part: Fragments, change: Tensor | None = None) -> Tensor:
    """(P,) opacity of P pixels: of what blends in [0, 1], of a mask 0 or 1, of all else 1.

    Args:
        part, change: as in `material_colors`.
    """
    out = mesh.vertices.new_ones(len(part.face))
    label = mesh.face_attributes["material"][part.face]
    for number, material in _used(mesh).items():
        mode = None if material is None else material.looks.alpha_mode
        rows = (label == number).nonzero().squeeze(1)
        if material is None or mode not in ("MASK", "BLEND") or not len(rows):
            continue
        some = Fragments(*(t[rows] for t in part))
        slope = None if change is None else change[rows]
        found = _opacity(mesh, material, some, slope, whole=True)
        if mode == "MASK":
            found = (found >= (_cutoff(material) or 0.0)).to(out)
        out = out.index_put((rows,), found.clamp(0, 1))
    return out


def material_colors(
    mesh: Mesh, part: Fragments, default: Sequence[float], change: Tensor | None = None
) -> Tensor:
    """Colours (P, 3) sRGB of the pixels that see a mesh, by its materials.

    Where a face has no material, or one that says nothing of colour, it has its attribute "color",
    else `default`.

    Args:
        part: of P pixels: face (P,), barycentric (P, 3).
        change: (P, 3, 2) derivatives of the barycentrics, which choose the mipmap level.
    """
    tint = attribute_colors(mesh, part)
    label = mesh.face_attributes["material"][part.face]
    white = mesh.vertices.new_ones(len(part.face), 3)
    known = torch.zeros_like(part.face, dtype=torch.bool)
    shade = white if tint is None else to_linear(tint[:, :3])
    for number, material in _used(mesh).items():
        rows = (label == number).nonzero().squeeze(1)
        if material is None or not len(rows):
            continue
        known[rows] = True
        factor = material.looks.base_color
        color = shade[rows] if factor is None else shade[rows] * shade.new_tensor(factor)
        if material.looks.base_texture is not None:
            some = Fragments(*(t[rows] for t in part))
            slope = None if change is None else change[rows]
            image = looked_up(mesh, material, material.looks.base_texture, some, slope)
            color = color if image is None else color * image[:, :3]
        shade = shade.index_put((rows,), color)
    out = to_srgb(shade.clamp(0, 1))
    bare = white.new_tensor(default).expand_as(out) if tint is None else tint[:, :3]
    return torch.where(known[:, None], out, bare)


def attribute_colors(mesh: Mesh, part: Fragments) -> Tensor | None:
    """(P, 3) or (P, 4) of the attribute "color" of vertices, corners or faces, in 0 to 1; None
    where there is none."""
    rows: Tensor | None = mesh.faces
    color = mesh.vertex_attributes.get("color")
    if color is None and "color" in mesh.corner_attributes:
        color, rows = mesh.corner_attributes["color"]
    if color is None and mesh.face_attributes.get("color") is not None:
        color, rows = mesh.face_attributes["color"], None
    if color is None:
        return None
    if color.dim() != 2 or color.shape[1] < 3:
        raise ValueError(
            f'mesh: expected attribute "color" of shape (*, 3) or (*, 4), got {tuple(color.shape)}'
        )
    # whole numbers of 16 bits, or of 8, be they kept in wider ones
    scale = 1 if color.is_floating_point() else 65535 if color.dtype == torch.uint16 else 255
    return interpolate(color[:, :4].to(mesh.vertices.dtype) / scale, part, rows)


def _opacity(
    mesh: Mesh, material: _Material, part: Fragments, change: Tensor | None, *, whole: bool
) -> Tensor:
    """(P,) opacity; of its texture alone unless `whole`."""
    looks = material.looks
    out = mesh.vertices.new_ones(len(part.face))
    if whole:
        out = out * (1.0 if looks.alpha is None else looks.alpha)
        tint = attribute_colors(mesh, part)
        if tint is not None and tint.shape[1] > 3:
            out = out * tint[:, 3]
    texture = looks.alpha_texture or looks.base_texture
    if texture is not None:
        image = looked_up(
            mesh, material, texture, part, change, color=texture is looks.base_texture
        )
        if image is not None:
            channel = texture.channel if texture is looks.alpha_texture else "a"
            if not channel:  # opacity, or of an image without any the luminance
                whole_image = decoded(material.images[texture.image], mesh.device, linear=False)
                channel = "a" if bool((whole_image.values[:, 3] < 1).any()) else "luminance"
            out = out * channel_of(image, channel)
    return out


def channel_of(image: Tensor, name: str) -> Tensor:
    """(P,) one of (P, 4)."""
    if name in ("r", "g", "b", "a"):
        return image[:, "rgba".index(name)]
    return (image[:, :3] * image.new_tensor(_LUMINANCE)).sum(1)


def looked_up(
    mesh: Mesh,
    material: _Material,
    texture: TextureLike,
    part: Fragments,
    change: Tensor | None,
    *,
    color: bool = True,
) -> Tensor | None:
    """(P, 4) of a texture at P pixels; None where its image or its coordinates are not there."""
    data = material.images.get(texture.image)
    uv = coordinates(mesh, texture.uv)
    if data is None or uv is None:
        what = f"no image {texture.image!r}" if data is None else "no texture coordinates"
        warnings.warn(f"the material {material.name!r} has {what}; drawn without", stacklevel=7)
        return None
    try:
        pyramid = decoded(data, mesh.device, linear=color)
    except ValueError as error:
        text = f"the material {material.name!r}: {texture.image}: {error}; drawn without"
        warnings.warn(text, stacklevel=7)
        return None
    values, index = uv
    place, slope = _interpolated(
        _placed(values[:, :2], texture).to(pyramid.values), part, index, change
    )
    wrap, place = _one_wrap(texture.wrap, place, pyramid.size)
    found = look_up(
        pyramid, place, None if texture.nearest else slope, wrap=wrap, nearest=texture.nearest
    )
    return found.to(mesh.dtype)


def coordinates(mesh: Mesh, number: int) -> tuple[Tensor, Tensor] | None:
    """Values and index (F, 3) of a set of texture coordinates."""
    name = f"uv{number}" if number else "uv"
    if name in mesh.corner_attributes:
        values, index = mesh.corner_attributes[name]
    elif name in mesh.vertex_attributes:
        values, index = mesh.vertex_attributes[name], mesh.faces
    else:
        return None
    return (values, index) if values.dim() == 2 and values.shape[1] >= 2 else None


def _placed(uv: Tensor, texture: TextureLike) -> Tensor:
    """(K, 2) where coordinates are looked up: offset + R (scale * uv)."""
    c, s = math.cos(texture.rotation), math.sin(texture.rotation)
    u, v = (uv.double() * uv.new_tensor(texture.scale, dtype=torch.float64)).unbind(1)
    turned = torch.stack((c * u - s * v, s * u + c * v), 1)
    return turned + turned.new_tensor(texture.offset)


def _interpolated(
    values: Tensor, part: Fragments, index: Tensor, change: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    if change is None:
        return interpolate(values, part, index), None
    return interpolate(values, part, index, derivatives=change.to(values))


def _one_wrap(wrap: tuple[str, str], place: Tensor, size: tuple[int, int]) -> tuple[str, Tensor]:
    """One way to go on beyond an image for both axes, and places (P, 2) that make up for it: those
    of another axis are brought into the image here, half a texel from its border."""
    if wrap[0] == wrap[1]:
        return wrap[0], place
    both = "repeat" if "repeat" in wrap else "clamp"
    axes = []
    for axis, kind in enumerate(wrap):
        x = place[..., axis]
        if kind == "mirror":
            x = 1 - (x - 2 * (x / 2).floor() - 1).abs()
        if kind != both:
            border = 0.5 / size[1 - axis]
            x = x.clamp(border, 1 - border)
        axes.append(x)
    return both, torch.stack(axes, -1)
