"""glTF files built by hand for tests, and the JSON of written ones."""

from __future__ import annotations

import base64
import io
import json
import struct
from pathlib import Path

import numpy as np
from PIL import Image

from meshlearn import io as mio

TRIANGLE = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0]], np.float32)
KINDS = {"f4": 5126, "u1": 5121, "u2": 5123, "i1": 5120, "i2": 5122, "u4": 5125}
TYPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


def json_of(data: bytes) -> dict:
    """The JSON chunk of a GLB file."""
    length, kind = struct.unpack_from("<II", data, 12)
    assert kind == 0x4E4F534A
    return json.loads(data[20 : 20 + length])


def picture(kind: str = "png", pixels: object = None, mode: str = "RGB") -> bytes:
    """An image file of Pillow's format `kind`; pixels (H, W, channels) uint8, else 2 x 2."""
    if pixels is None:
        pixels = np.arange(12).reshape(2, 2, 3) * 20
    out = io.BytesIO()
    Image.fromarray(np.asarray(pixels, np.uint8), mode).save(out, kind)
    return out.getvalue()


class Scene:
    """A glTF file, built by hand."""

    def __init__(self) -> None:
        self.json: dict = {"asset": {"version": "2.0"}, "bufferViews": [], "accessors": []}
        self.data = b""

    def view(self, data: bytes, **more: object) -> int:
        place = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data), **more}
        self.json["bufferViews"].append(place)
        self.data += data + b"\0" * (-len(data) % 4)
        return len(self.json["bufferViews"]) - 1

    def add(self, values: object, kind: str = "f4") -> int:
        array = np.asarray(values, "<" + kind)
        array = array.reshape(len(array), -1)
        self.json["accessors"].append(
            {
                "bufferView": self.view(array.tobytes()),
                "componentType": KINDS[kind],
                "count": len(array),
                "type": TYPES[array.shape[1]],
            }
        )
        return len(self.json["accessors"]) - 1

    def image(self, data: bytes, **more: object) -> int:
        """An image and a texture of it -> the texture's index."""
        images, textures = (self.json.setdefault(k, []) for k in ("images", "textures"))
        images.append({"bufferView": self.view(data), **more})
        textures.append({"source": len(images) - 1})
        return len(textures) - 1

    def mesh(
        self,
        more: dict | None = None,
        primitive: dict | None = None,
        corners: np.ndarray = TRIANGLE,
        **attributes,
    ) -> None:
        found = {"attributes": {"POSITION": self.add(corners), **attributes}, **(primitive or {})}
        self.json["meshes"] = [{"primitives": [found], **(more or {})}]

    def write(
        self,
        folder: Path,
        nodes: list[dict] | None = None,
        roots: list[int] | None = None,
        name: str = "a.gltf",
        **more: object,
    ) -> Path:
        (folder / name).write_text(json.dumps(self.body(nodes, roots, **more)))
        return folder / name

    def body(
        self, nodes: list[dict] | None = None, roots: list[int] | None = None, **more: object
    ) -> dict:
        """The JSON of the file, its data inside."""
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        self.json["buffers"] = [{"byteLength": len(self.data), "uri": uri}]
        nodes = [{"mesh": 0}] if nodes is None else nodes
        self.json |= {"nodes": nodes, "scenes": [{"nodes": roots or [0]}], "scene": 0, **more}
        return self.json

    def read(self, tmp_path, nodes: list[dict], roots: list[int] | None = None, **more):
        return mio.load_document(self.write(tmp_path, nodes, roots, **more))
