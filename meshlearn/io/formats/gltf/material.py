"""Materials and textures of glTF: indices become names, properties `Looks`, and back.

glTF counts v from an image's top, documents from its bottom. A rotation there is counter-clockwise
as one sees it, with v down: Q = ((c, s), (-s, c)), which is how the example of
KHR_texture_transform ("the lower left quadrant, rotated clockwise 90 degrees") comes out as it
says, and how programs do it; the matrix of its GLSL lines is the transpose. With f = (0, 1),
D = diag(1, -1), S the scale and R the common rotation of documents, D Q D = R, and so

    offset' = f + D (offset + Q S f),    rotation' = rotation,    scale' = scale.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np

from meshlearn.io.document import Document, Material
from meshlearn.io.formats.gltf.file import File
from meshlearn.io.formats.gltf.legal import legal_material
from meshlearn.io.formats.gltf.specular import NAME as SPECULAR
from meshlearn.io.formats.gltf.specular import metallic_roughness
from meshlearn.io.image_types import ENDINGS, type_of
from meshlearn.io.looks import Looks, Texture
from meshlearn.io.resolver import UnreadableError, confined, find_named, leave_out, take_image

_WRAPS = {33071: "clamp", 33648: "mirror", 10497: "repeat"}
_CODES = {name: code for code, name in _WRAPS.items()}
TRANSFORM = "KHR_texture_transform"
UNLIT = "KHR_materials_unlit"
STRENGTH = "KHR_materials_emissive_strength"
IOR = "KHR_materials_ior"
_ENDINGS = {"png": "png", "jpeg": "jpg", "webp": "webp", "ktx2": "ktx2"}
_MIME = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "ktx2": "image/ktx2"}
IMAGE_EXTENSIONS = {"webp": "EXT_texture_webp", "ktx2": "KHR_texture_basisu"}
IMAGE_EXTENSIONS |= {"dds": "MSFT_texture_dds", "avif": "EXT_texture_avif"}
# what a material may hold that is understood, and written again
KEEP = (
    "pbrMetallicRoughness",
    "normalTexture",
    "occlusionTexture",
    "emissiveTexture",
    "emissiveFactor",
    "alphaMode",
    "alphaCutoff",
    "doubleSided",
    "extras",
    "extensions",
)


def _sources(where: dict) -> list[tuple[str, object]]:
    """The images of a texture, the one that every program reads first: (extension, index)."""
    found = [("", where.get("source"))]
    extensions = where.get("extensions")
    for name in IMAGE_EXTENSIONS.values():
        more = extensions.get(name) if isinstance(extensions, dict) else None
        found.append((name, more.get("source") if isinstance(more, dict) else None))
    return [(name, source) for name, source in found if source is not None]


def _used_textures(value: object, found: set[int], depth: int = 0) -> set[int]:
    """Indices of the textures that materials name."""
    if isinstance(value, list):
        for item in value:
            _used_textures(item, found, depth + 1)
    elif isinstance(value, dict) and depth < 20:
        for key, item in value.items():
            if key.endswith("Texture") and isinstance(item, dict):
                index = item.get("index")
                if isinstance(index, int) and not isinstance(index, bool):
                    found.add(index)
            else:
                _used_textures(item, found, depth + 1)
    return found


def read_images(file: File, document: Document) -> list[str | None]:
    """Takes the images that materials use; the name of each texture's, or None where it has none
    whose data is there."""
    textures, images = file.json.get("textures", []), file.json.get("images", [])
    out: list[str | None] = [None] * len(textures)
    known: dict[int, str | None] = {}
    _check_places(file, images)
    taken = {e["uri"] for e in images if isinstance(e, dict) and isinstance(e.get("uri"), str)}
    others: dict[str, int] = {}
    for number in sorted(_used_textures(file.json.get("materials", []), set())):
        if not 0 <= number < len(textures):
            continue  # said where the material is read
        sources = _sources(file.item("textures", number))
        for _, index in sources:
            where = file.item("images", index)
            assert isinstance(index, int)
            if index not in known:
                known[index] = _read_image(file, document, where, index, taken)
            if known[index] is not None:
                out[number] = known[index]
                break
        for name, index in sources:
            if name and isinstance(index, int) and known.get(index) is None:
                others[name] = others.get(name, 0) + 1
    for name, count in others.items():
        document.remarks.append(
            f"{count:,} texture{'s' * (count != 1)} of {name} {'are' if count != 1 else 'is'} "
            f"read from the other image that the file has for it"
        )
    return out


def _check_places(file: File, images: list) -> None:
    """Raises FileFormatError where an image lies outside the file's folder."""
    for entry in images:
        uri = entry.get("uri") if isinstance(entry, dict) else None
        if isinstance(uri, str) and not uri.startswith("data:"):
            if find_named(file.path, uri, percent=True) is None:
                confined(file.path, uri, percent=True)


def _read_image(
    file: File, document: Document, entry: dict, index: int, taken: set[str]
) -> str | None:
    """The key of an image; None where its data is not there, which is no hindrance to the mesh."""
    uri = entry.get("uri")
    if isinstance(uri, str) and not uri.startswith("data:"):
        key = take_image(document, file.path, uri, percent=True)
        return key if key in document.images else None
    try:
        if uri is not None:
            data = file.resource(uri)
        else:
            buffer, offset, length, _ = file.view(file.number(entry, "bufferView"))
            data = bytes(buffer[offset : offset + length])
    except UnreadableError:
        leave_out(document, f"image {index}")
        return None
    name = str(entry.get("name") or f"image{index}")
    name = "".join("_" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in name)
    head, dot, ending = name.rpartition(".")
    head = head if dot and ending.lower() in ENDINGS else name
    mime = str(entry.get("mimeType", "")).rpartition("/")[2]
    ending = type_of(data, f"{head}.{mime}") or _ENDINGS.get(mime, ending)
    ending = f".{ending}" if ending else ""
    name, number = head + ending, 2
    while name in taken or (name in document.images and document.images[name] != data):
        name, number = f"{head}_{number}{ending}", number + 1
    document.images[name] = data
    return name


def _understand_specular(said: dict, document: Document) -> None:
    """Says by metallic-roughness what a material says by specular-glossiness alone."""
    extensions = said.get("extensions")
    more = extensions.get(SPECULAR) if isinstance(extensions, dict) else None
    if not isinstance(more, dict) or said.get("pbrMetallicRoughness"):
        return

    def take(name: str, data: bytes) -> str:
        head, number = name.removesuffix(".png"), 2
        while document.images.get(name, data) != data:
            name, number = f"{head}_{number}.png", number + 1
        document.images[name] = data
        return name

    said["pbrMetallicRoughness"], problem = metallic_roughness(more, document.images, take)
    sentence = "specular-glossiness materials are understood as metallic-roughness"
    for text in (sentence, problem and f"{sentence}, without {problem}"):
        if text and text not in document.remarks:
            document.remarks.append(text)


def read_material(
    file: File, document: Document, entry: dict, index: int, images: list[str | None]
) -> Material:
    """A material whose textures are named by image and sampler instead of by index.

    Args:
        images: that of each texture.
    """

    def texture(found: dict) -> dict:
        out = dict(found)
        number = out.pop("index", None)
        where = file.item("textures", number)
        if images[number]:
            out["image"] = images[number]
        if where.get("sampler") is not None:
            out["sampler"] = dict(file.item("samplers", where["sampler"]))
        return out

    said = _textures({k: v for k, v in entry.items() if k != "name"}, texture)
    _understand_specular(said, document)
    values: dict = {"gltf": said}
    surface = said.get("pbrMetallicRoughness", {})
    colour = surface.get("baseColorFactor") if isinstance(surface, dict) else None
    if isinstance(colour, list) and len(colour) == 4:
        values["base_color"] = colour
    base = surface.get("baseColorTexture") if isinstance(surface, dict) else None
    if isinstance(base, dict) and base.get("image"):
        values["base_texture"] = base["image"]
    name = str(entry.get("name", f"material {index}"))
    return Material(name, values, looks_of(said))


def _textures(value, change: Callable[[dict], dict | None], depth: int = 0):
    """A copy in which every "...Texture" went through `change`; without those that gave None."""
    if not isinstance(value, dict) or depth > 20:
        return value
    out = {}
    for key, item in value.items():
        if key.endswith("Texture") and isinstance(item, dict):
            made = change(item)
            if made is not None:
                out[key] = made
        else:
            out[key] = _textures(item, change, depth + 1)
    return out


def gltf_of(material: Material) -> dict:
    """What glTF says of a material, from its own words or from colour and texture."""
    if "gltf" in material.values:
        return {k: v for k, v in material.values["gltf"].items() if k in KEEP}
    looks = material.appearance
    return words_of(looks)[0] if material.looks is not None or looks.said() else {}


def images_used(materials: Iterable[Material]) -> list[str]:
    """Keys of the images that a file of these materials names."""
    found: list[str] = []

    def note(said: dict) -> None:
        if isinstance(said.get("image"), str):
            found.append(said["image"])

    for material in materials:
        _textures(gltf_of(material), note)
    return list(dict.fromkeys(found))


def write_materials(
    materials: list[Material], images: dict[str, bytes], add: Callable[[bytes], int]
) -> dict[str, list]:
    """The arrays materials, textures, samplers and images of a file.

    Args:
        add: takes bytes into the buffer and gives the index of their view.
    """
    out: dict[str, list] = {"materials": [], "textures": [], "samplers": [], "images": []}
    places: dict[str, int] = {}

    def texture(found: dict) -> dict | None:
        said = {k: v for k, v in found.items() if k not in ("image", "sampler")}
        name = found.get("image")
        entry: dict = {}
        if name not in images:
            return None
        if name not in places:
            places[name] = len(out["images"])
            mime = _MIME.get(type_of(images[name], name), "image/png")
            entry_ = {"name": name, "mimeType": mime, "bufferView": add(images[name])}
            out["images"].append(entry_)
        extension = IMAGE_EXTENSIONS.get(out["images"][places[name]]["mimeType"][6:])
        if extension:
            entry["extensions"] = {extension: {"source": places[name]}}
        else:
            entry["source"] = places[name]
        if found.get("sampler"):
            if found["sampler"] not in out["samplers"]:
                out["samplers"].append(found["sampler"])
            entry["sampler"] = out["samplers"].index(found["sampler"])
        if entry not in out["textures"]:
            out["textures"].append(entry)
        return {"index": out["textures"].index(entry), **said}

    for material in materials:
        said = legal_material(_textures(gltf_of(material), texture))
        out["materials"].append({"name": material.name, **said})
    return {key: value for key, value in out.items() if value}


def flipped_v(uv: np.ndarray) -> np.ndarray:
    """Texture coordinates (N, 2) with v from the other end, float64, in which it goes back exactly.

    glTF counts v from an image's top; documents, as most formats, from its bottom.
    """
    with np.errstate(invalid="ignore"):  # NaN of any bits stays NaN
        uv = uv.astype(np.float64)
        uv[:, 1] = 1 - uv[:, 1]
    return uv


# --- properties and looks -------------------------------------------------------------------------


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
    looks.beyond = tuple(names + [key for key in said if key not in KEEP])
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
