"""Materials and textures of glTF: indices into the file become names, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from meshlearn.io.document import Document, Material
from meshlearn.io.formats.gltf.file import File
from meshlearn.io.formats.gltf.legal import legal_material
from meshlearn.io.formats.gltf.looks import looks_of, words_of
from meshlearn.io.formats.gltf.specular import NAME as SPECULAR
from meshlearn.io.formats.gltf.specular import metallic_roughness
from meshlearn.io.image_types import ENDINGS, type_of
from meshlearn.io.resolver import UnreadableError, confined, find_named, leave_out, take_image

_ENDINGS = {"png": "png", "jpeg": "jpg", "webp": "webp", "ktx2": "ktx2"}
_MIME = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "ktx2": "image/ktx2"}
IMAGE_EXTENSIONS = {"webp": "EXT_texture_webp", "ktx2": "KHR_texture_basisu"}
IMAGE_EXTENSIONS |= {"dds": "MSFT_texture_dds", "avif": "EXT_texture_avif"}
# what a material may hold that is written again
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
    if material.looks is not None:
        return words_of(material.looks)[0]
    surface: dict = {}
    if "base_color" in material.values:
        colour = [float(c) for c in material.values["base_color"]]
        surface["baseColorFactor"] = [min(max(c, 0.0), 1.0) for c in (*colour, 1.0)[:4]]
        surface["metallicFactor"] = 0.0
    if "base_texture" in material.values:
        surface["baseColorTexture"] = {"image": material.values["base_texture"]}
    return {"pbrMetallicRoughness": surface} if surface else {}


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
