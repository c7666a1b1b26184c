"""A surface with colours or a texture as a binary glTF, in memory: what the page draws."""

from __future__ import annotations

import json
import struct

import numpy as np

_FLOAT, _UINT, _UBYTE = 5126, 5125, 5121


def surface_glb(
    vertices: np.ndarray,  # (V, 3) float32
    faces: np.ndarray,  # (F, 3)
    *,
    vertex_colors: np.ndarray | None = None,  # (V, 3) uint8
    face_colors: np.ndarray | None = None,  # (F, 3) uint8
    normals: np.ndarray | None = None,  # (V, 3); found from the faces if `smooth`
    uv: np.ndarray | None = None,  # (V, 2), v up
    image: bytes | None = None,  # PNG or JPEG
    smooth: bool = True,
    opacity: float = 1.0,
    color: tuple[float, float, float] = (1.0, 1.0, 1.0),  # linear, of the whole
) -> bytes:
    """The bytes of a .glb with one double-sided mesh.

    Colours on faces part the triangles from one another. Smooth normals are written out; without
    them the page shades each triangle flat.
    """
    vertices = np.ascontiguousarray(vertices, np.float32)
    faces = np.asarray(faces)
    if smooth and normals is None:
        normals = smooth_normals(vertices, faces)
    elif not smooth:
        normals = None
    if face_colors is not None:
        corner = faces.reshape(-1)
        vertices = vertices[corner]
        normals = None if normals is None else normals[corner]
        vertex_colors = np.repeat(face_colors, 3, 0)
        faces = np.arange(len(corner)).reshape(-1, 3)
    chunks: list[bytes] = []
    views: list[dict] = []
    accessors: list[dict] = []

    def view(data: bytes, **more: object) -> int:
        views.append({
            "buffer": 0, "byteOffset": sum(map(len, chunks)), "byteLength": len(data), **more
        })  # fmt: skip
        chunks.append(data + b"\0" * (-len(data) % 4))
        return len(views) - 1

    def accessor(array: np.ndarray, kind: int, shape: str, target: int, **more: object) -> int:
        at = view(np.ascontiguousarray(array).tobytes(), target=target)
        accessors.append({
            "bufferView": at, "componentType": kind, "count": array.size if shape == "SCALAR"
            else len(array), "type": shape, **more
        })  # fmt: skip
        return len(accessors) - 1

    empty = not len(vertices)
    low, high = ([0.0] * 3,) * 2 if empty else (vertices.min(0).tolist(), vertices.max(0).tolist())
    attributes = {"POSITION": accessor(vertices, _FLOAT, "VEC3", 34962, min=low, max=high)}
    if normals is not None:
        attributes["NORMAL"] = accessor(normals, _FLOAT, "VEC3", 34962)
    if vertex_colors is not None:
        rgba = np.full((len(vertices), 4), 255, np.uint8)
        rgba[:, :3] = _linear()[vertex_colors]
        attributes["COLOR_0"] = accessor(rgba, _UBYTE, "VEC4", 34962, normalized=True)
    if uv is not None:
        flipped = np.stack([uv[:, 0], 1 - uv[:, 1]], 1).astype(np.float32)
        attributes["TEXCOORD_0"] = accessor(flipped, _FLOAT, "VEC2", 34962)
    indices = accessor(faces.astype(np.uint32).reshape(-1), _UINT, "SCALAR", 34963)
    surface: dict = {
        "baseColorFactor": [*color, opacity], "metallicFactor": 0.0, "roughnessFactor": 0.9
    }  # fmt: skip
    tree: dict = {
        "asset": {"version": "2.0"},
        "scene": 0,
        "scenes": [{"nodes": [0]}],
        "nodes": [{"mesh": 0}],
        "meshes": [{
            "primitives": [{"attributes": attributes, "indices": indices, "material": 0}]
        }],
        "materials": [{"doubleSided": True, "pbrMetallicRoughness": surface}],
    }  # fmt: skip
    if opacity < 1:
        tree["materials"][0]["alphaMode"] = "BLEND"
    if image is not None and uv is not None:
        mime = "image/png" if image[:4] == b"\x89PNG" else "image/jpeg"
        tree["images"] = [{"bufferView": view(image), "mimeType": mime}]
        tree["textures"] = [{"source": 0}]
        surface["baseColorTexture"] = {"index": 0}
    data = b"".join(chunks)
    tree.update(accessors=accessors, bufferViews=views, buffers=[{"byteLength": len(data)}])
    text = json.dumps(tree, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    return b"".join([
        struct.pack("<4sII", b"glTF", 2, 28 + len(text) + len(data)),
        struct.pack("<I4s", len(text), b"JSON"), text,
        struct.pack("<I4s", len(data), b"BIN\0"), data,
    ])  # fmt: skip


def smooth_normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """(V, 3) float32 unit normals, faces weighted by area; up where there is none."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    across = np.cross(b - a, c - a)
    total = np.zeros((len(vertices), 3))
    for axis in range(3):
        for k in range(3):
            total[:, axis] += np.bincount(faces[:, k], across[:, axis], len(vertices))
    length = np.linalg.norm(total, axis=1, keepdims=True)
    total = np.where(length > 0, total / np.where(length > 0, length, 1), (0.0, 1.0, 0.0))
    return total.astype(np.float32)


def _linear() -> np.ndarray:
    """(256,) sRGB bytes as linear ones, which glTF wants."""
    x = np.arange(256) / 255
    return np.round(255 * np.where(x <= 0.04045, x / 12.92, ((x + 0.055) / 1.055) ** 2.4)).astype(
        np.uint8
    )
