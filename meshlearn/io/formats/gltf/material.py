"""Materials and textures of glTF: indices into the file become names, and back."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from meshlearn.io.document import Document, Material
from meshlearn.io.formats.gltf.file import File
from meshlearn.io.formats.gltf.looks import looks_of, words_of
from meshlearn.io.resolver import UnreadableError, leave_out

_ENDINGS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp"}
_MIME = {".png": "image/png", ".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".webp": "image/webp"}
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


def read_images(file: File, document: Document) -> list[str | None]:
    """Takes the images of a file; the name of each, or None where its data is not there."""
    names: list[str | None] = []
    for index, entry in enumerate(file.json.get("images", [])):
        uri, ending = entry.get("uri"), _ENDINGS.get(entry.get("mimeType", ""), "")
        if isinstance(uri, str) and not uri.startswith("data:"):
            name = uri
        else:
            name = str(entry.get("name") or f"image{index}")
            name = "".join("_" if c in '/\\:*?"<>|' or ord(c) < 32 else c for c in name)
            name = name if "." in name or not ending else name + ending
        try:
            if uri is not None:
                data = file.resource(uri)
            else:
                buffer, offset, length, _ = file.view(file.number(entry, "bufferView"))
                data = bytes(buffer[offset : offset + length])
        except UnreadableError:
            # a texture that is not there does not hinder the mesh
            names.append(None)
            leave_out(
                document, uri if isinstance(uri, str) and len(uri) < 200 else f"image {index}"
            )
            continue
        while name in document.images and document.images[name] != data:
            name = f"{index}_{name}"
        document.images[name] = data
        names.append(name)
    return names


def read_material(file: File, entry: dict, index: int, images: list[str | None]) -> Material:
    """A material whose textures are named by image and sampler instead of by index."""

    def texture(found: dict) -> dict:
        out = dict(found)
        where = file.item("textures", out.pop("index", None))
        source = where.get("source")
        if isinstance(source, int) and 0 <= source < len(images) and images[source]:
            out["image"] = images[source]
        if where.get("sampler") is not None:
            out["sampler"] = dict(file.item("samplers", where["sampler"]))
        return out

    said = _textures({k: v for k, v in entry.items() if k != "name"}, texture)
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


def _mime(name: str, data: bytes) -> str:
    """The type of an image by its content, else by its name's ending."""
    if data[:4] == b"\x89PNG":
        return "image/png"
    if data[:3] == b"\xff\xd8\xff":
        return "image/jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    return _MIME.get("." + name.lower().rpartition(".")[2], "image/jpeg")


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
            mime = _mime(name, images[name])
            entry_ = {"name": name, "mimeType": mime, "bufferView": add(images[name])}
            out["images"].append(entry_)
        entry["source"] = places[name]
        if found.get("sampler"):
            if found["sampler"] not in out["samplers"]:
                out["samplers"].append(found["sampler"])
            entry["sampler"] = out["samplers"].index(found["sampler"])
        if entry not in out["textures"]:
            out["textures"].append(entry)
        return {"index": out["textures"].index(entry), **said}

    for material in materials:
        said = _textures(gltf_of(material), texture)
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
