"""Meshes of KHR_draco_mesh_compression, by DracoPy (extra "draco")."""

from __future__ import annotations

from importlib.util import find_spec
from typing import NamedTuple

import numpy as np

from meshlearn.io.formats.gltf.file import COMPONENTS, File

NAME = "KHR_draco_mesh_compression"


class Decoded(NamedTuple):
    """A primitive.

    Attributes:
        attributes: values (V, components) by their names in glTF, whole numbers as fractions where
            the accessor says so.
        corners: (F, 3) int64 vertices of triangles; None where it is points.
    """

    attributes: dict[str, np.ndarray]
    corners: np.ndarray | None


def installed() -> bool:
    return find_spec("DracoPy") is not None


def library():
    """DracoPy.

    Raises:
        ImportError: it is not installed; names the extra.
    """
    try:
        import DracoPy
    except ImportError:
        raise ImportError(
            "meshes that are compressed by Draco need DracoPy: pip install 'meshlearn[draco]'"
        ) from None
    return DracoPy


def words_of(file: File, primitive: dict) -> dict | None:
    """What a primitive says of its compressed data; None where it has none, or where the library
    is not there and the file has the data uncompressed too."""
    extensions = primitive.get("extensions")
    said = extensions.get(NAME) if isinstance(extensions, dict) else None
    if not isinstance(said, dict):
        return None
    attributes = primitive.get("attributes")
    if not installed() and isinstance(attributes, dict):
        places = [*attributes.values(), primitive.get("indices")]
        whole = all("bufferView" in file.item("accessors", k) for k in places if k is not None)
        if whole and NAME not in file.json.get("extensionsRequired", []):
            return None
    return said


def decoded(file: File, said: dict, attributes: dict) -> Decoded:
    """The data of a primitive whose extension says `said`.

    Raises:
        ImportError: DracoPy is not installed.
        FileFormatError: no legal data.
    """
    draco = library()
    data, offset, length, _ = file.view(file.number(said, "bufferView"))
    try:
        mesh = draco.decode(bytes(data[offset : offset + length]))
    except Exception as error:
        raise file.error(f"its Draco data cannot be decoded ({error})") from None
    numbers = said.get("attributes")
    if not isinstance(numbers, dict):
        raise file.error("expected attributes of Draco data by their numbers")
    held = {found["unique_id"]: found["data"] for found in mesh.attributes}
    out = {}
    for key, number in numbers.items():
        if key not in attributes:
            continue
        if number not in held:
            raise file.error(f"its Draco data has no attribute {number!r}, which is to be {key}")
        values = np.asarray(held[number])
        entry = file.item("accessors", attributes[key])
        kind = COMPONENTS.get(entry.get("componentType", -1))
        if kind is None:
            raise file.error(f"accessors[{attributes[key]}] has an unknown type")
        out[key] = file.normalised(entry, values.reshape(len(values), -1).astype(kind))
    faces = getattr(mesh, "faces", None)
    corners = None if faces is None else np.asarray(faces).astype(np.int64).reshape(-1, 3)
    return Decoded(out, corners)
