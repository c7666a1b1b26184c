"""Materials of glTF and `Looks`: metal and roughness as they are, and the placing of textures.

glTF counts v from an image's top, documents from its bottom. A rotation there is counter-clockwise
as one sees it, with v down: Q = ((c, s), (-s, c)), which is how the example of
KHR_texture_transform ("the lower left quadrant, rotated clockwise 90 degrees") comes out as it
says, and how programs do it; the matrix of its GLSL lines is the transpose. With f = (0, 1),
D = diag(1, -1), S the scale and R the common rotation of documents, D Q D = R, and so

    offset' = f + D (offset + Q S f),    rotation' = rotation,    scale' = scale.
"""

from __future__ import annotations

import math

from meshlearn.io.formats.gltf.specular import NAME as SPECULAR
from meshlearn.io.looks import Looks, Texture

_WRAPS = {33071: "clamp", 33648: "mirror", 10497: "repeat"}
_CODES = {name: code for code, name in _WRAPS.items()}
TRANSFORM = "KHR_texture_transform"
UNLIT = "KHR_materials_unlit"
STRENGTH = "KHR_materials_emissive_strength"
IOR = "KHR_materials_ior"
_READ = {
    "pbrMetallicRoughness", "normalTexture", "occlusionTexture", "emissiveTexture",
    "emissiveFactor", "alphaMode", "alphaCutoff", "doubleSided", "extras", "extensions",
}  # fmt: skip


def turned_over(
    offset: tuple[float, float], rotation: float, scale: tuple[float, float]
) -> tuple[float, float]:
    """The offset with v from the other end, for a rotation as glTF has it; with the negative
    rotation, back."""
    c, s = math.cos(rotation), math.sin(rotation)
    u, v = offset[0] + s * scale[1], offset[1] + c * scale[1]  # offset + Q S f
    return u, 1 - v


def _pair(value: object, default: tuple[float, float]) -> tuple[float, float]:
    if (
        isinstance(value, list)
        and len(value) == 2
        and all(isinstance(x, (int, float)) for x in value)
    ):
        return float(value[0]), float(value[1])
    return default


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, (int, float)) else default


def _texture(said: object, strength: str = "") -> Texture | None:
    if not isinstance(said, dict) or not said.get("image"):
        return None
    found = Texture(str(said["image"]))
    uv = said.get("texCoord", 0)
    extensions = said.get("extensions")
    more = extensions.get(TRANSFORM) if isinstance(extensions, dict) else None
    if isinstance(more, dict):
        scale = _pair(more.get("scale"), (1.0, 1.0))
        offset, rotation = _pair(more.get("offset"), (0.0, 0.0)), _number(more.get("rotation"), 0)
        found.scale = scale
        found.offset, found.rotation = turned_over(offset, rotation, scale), rotation
        uv = more.get("texCoord", uv)
    found.uv = uv if isinstance(uv, int) and uv >= 0 else 0
    sampler = said.get("sampler")
    if isinstance(sampler, dict):
        names = [_WRAPS.get(sampler.get(key, 10497), "repeat") for key in ("wrapS", "wrapT")]
        found.wrap = (names[0], names[1])
        found.nearest = sampler.get("magFilter") == 9728
    found.strength = _number(said.get(strength), 1.0) if strength else 1.0
    return found


def _color(value: object) -> tuple[float, float, float] | None:
    if isinstance(value, list) and len(value) >= 3:
        numbers = [_number(x, 0.0) for x in value[:3]]
        return numbers[0], numbers[1], numbers[2]
    return None


def looks_of(said: dict) -> Looks:
    """What a material of a file means, its textures named by image."""
    surface = said.get("pbrMetallicRoughness")
    surface = surface if isinstance(surface, dict) else {}
    factor = surface.get("baseColorFactor")
    looks = Looks(base_color=_color(factor) or (1.0, 1.0, 1.0))
    if isinstance(factor, list) and len(factor) == 4:
        looks.alpha = _number(factor[3], 1.0)
    looks.metallic = _number(surface.get("metallicFactor"), 1.0)
    looks.roughness = _number(surface.get("roughnessFactor"), 1.0)
    looks.base_texture = _texture(surface.get("baseColorTexture"))
    for name, channel in (("metallic_texture", "b"), ("roughness_texture", "g")):
        texture = _texture(surface.get("metallicRoughnessTexture"))
        if texture is not None:
            texture.channel = channel
            setattr(looks, name, texture)
    looks.normal_texture = _texture(said.get("normalTexture"), "scale")
    looks.occlusion_texture = _texture(said.get("occlusionTexture"), "strength")
    looks.emissive = _color(said.get("emissiveFactor"))
    if looks.emissive is not None and any(looks.emissive):  # else nothing is emitted at all
        looks.emissive_texture = _texture(said.get("emissiveTexture"))
    else:
        looks.emissive = None
    mode = said.get("alphaMode")
    looks.alpha_mode = mode if mode in ("MASK", "BLEND") else None
    if mode == "MASK":
        looks.alpha_cutoff = _number(said.get("alphaCutoff"), 0.5)
    if said.get("doubleSided") is True:
        looks.double_sided = True
    extensions = said.get("extensions")
    extensions = extensions if isinstance(extensions, dict) else {}
    looks.unlit = True if UNLIT in extensions else None
    more = extensions.get(STRENGTH)
    if looks.emissive is not None and isinstance(more, dict):
        r, g, b = (_number(more.get("emissiveStrength"), 1.0) * x for x in looks.emissive)
        looks.emissive = r, g, b
    names = [x for x in extensions if x not in (UNLIT, STRENGTH, SPECULAR)]
    more = extensions.get(IOR)
    if isinstance(more, dict) and _number(more.get("ior"), 1.5) == 1.5:
        names.remove(IOR)  # which every surface has without it
    looks.beyond = tuple(names + [key for key in said if key not in _READ])
    return looks


def words_of(looks: Looks) -> tuple[dict, list[str]]:
    """Looks as glTF says them -> the material, and the properties that it has no word for."""
    surface: dict = {}
    said: dict = {}
    extensions: dict = {}
    color, alpha = looks.base_color, looks.alpha
    if color is not None or alpha is not None:
        numbers = (*(color or (1.0, 1.0, 1.0)), 1.0 if alpha is None else alpha)
        surface["baseColorFactor"] = [min(max(float(x), 0.0), 1.0) for x in numbers]
    surface["metallicFactor"] = min(max(looks.metallic or 0.0, 0.0), 1.0)
    if looks.roughness is not None:
        surface["roughnessFactor"] = min(max(looks.roughness, 0.0), 1.0)
    unsaid = []
    for name, texture in looks.textures():
        words = _texture_words(texture)
        if name == "base_texture":
            surface["baseColorTexture"] = words
        elif name == "normal_texture":
            said["normalTexture"] = words | _unless(1.0, scale=texture.strength)
        elif name == "occlusion_texture":
            said["occlusionTexture"] = words | _unless(1.0, strength=texture.strength)
        elif name == "emissive_texture":
            said["emissiveTexture"] = words
            said.setdefault("emissiveFactor", [1.0, 1.0, 1.0])
        elif not (
            name == "alpha_texture"
            and looks.base_texture is not None
            and texture.image == looks.base_texture.image
        ):
            unsaid.append(name)  # one channel of an image of its own: glTF packs several in one
    if looks.emissive is not None:
        top = max(1.0, *map(float, looks.emissive))
        said["emissiveFactor"] = [min(max(float(x) / top, 0.0), 1.0) for x in looks.emissive]
        if top > 1:
            extensions[STRENGTH] = {"emissiveStrength": top}
    if looks.alpha_mode is not None:
        said["alphaMode"] = looks.alpha_mode
    if looks.alpha_mode == "MASK" and looks.alpha_cutoff is not None:
        said["alphaCutoff"] = looks.alpha_cutoff
    if looks.double_sided:
        said["doubleSided"] = True
    if looks.unlit:
        extensions[UNLIT] = {}
    if extensions:
        said["extensions"] = extensions
    return {"pbrMetallicRoughness": surface, **said}, unsaid


def _unless(default: float, **value: float) -> dict:
    return {k: v for k, v in value.items() if v != default}


def _texture_words(texture: Texture) -> dict:
    words: dict = {"image": texture.image}
    if texture.uv:
        words["texCoord"] = texture.uv
    if texture.placed:
        offset = turned_over(texture.offset, -texture.rotation, texture.scale)
        more = {"offset": list(offset), "scale": list(texture.scale)}
        words["extensions"] = {TRANSFORM: more | _unless(0.0, rotation=texture.rotation)}
    if texture.wrap != ("repeat", "repeat") or texture.nearest:
        codes = [_CODES[name] for name in texture.wrap]
        words["sampler"] = {"wrapS": codes[0], "wrapT": codes[1]}
        if texture.nearest:
            words["sampler"] |= {"magFilter": 9728, "minFilter": 9728}
    return words
