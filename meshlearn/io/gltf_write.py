"""Writing glTF files, see `meshlearn.io.gltf`."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np

from meshlearn.io.document import Document, Material, Part


def losses(document: Document) -> list[str]:
    """What a GLB file cannot hold of this document."""
    lost = []
    for part in document.parts:
        lost += ["polygons of more than 3 corners"] * bool((part.sizes > 3).any())
        lost += ["double precision"] * (part.vertices.dtype == np.float64)
        lost += [f"face field {k!r}" for k in part.face_fields if k != "material"]
        known = ("uv", "normal")
        lost += [f"corner field {k!r}" for k in part.corner_fields if k not in known]
    return list(dict.fromkeys(lost))


class _Writer:
    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.size = 0
        self.views: list[dict] = []
        self.accessors: list[dict] = []

    def add(self, values: np.ndarray, kind: str, target: int, *, bounds: bool = False) -> int:
        data = np.ascontiguousarray(values).tobytes()
        self.views.append(
            {"buffer": 0, "byteOffset": self.size, "byteLength": len(data), "target": target}
        )
        padded = data + b"\0" * (-len(data) % 4)
        self.pieces.append(padded)
        self.size += len(padded)
        codes = {"f4": 5126, "u4": 5125, "u2": 5123, "u1": 5121}
        entry = {
            "bufferView": len(self.views) - 1,
            "componentType": codes[values.dtype.str[1:]],
            "count": len(values),
            "type": kind,
        }
        if bounds and len(values):
            entry["min"] = [float(v) for v in values.min(0)]
            entry["max"] = [float(v) for v in values.max(0)]
        self.accessors.append(entry)
        return len(self.accessors) - 1


def _unshared(part: Part, faces: np.ndarray, corner: np.ndarray):
    """Vertices split where corner attributes differ: faces, source vertex, attribute rows."""
    corner_fields = {
        k: f
        for k, f in part.corner_fields.items()
        if k in ("uv", "normal") and len(f.values) and not (f.index < 0).any()
    }
    vertex = faces.reshape(-1)
    if not corner_fields:
        return faces, None, {}
    keys = np.stack([vertex, *(f.index[corner.reshape(-1)] for f in corner_fields.values())], 1)
    unique, inverse = np.unique(keys, axis=0, return_inverse=True)
    rows = {k: unique[:, 1 + n] for n, k in enumerate(corner_fields)}
    return inverse.reshape(-1, 3), unique[:, 0], rows


def _write_part(writer: _Writer, part: Part) -> dict | None:
    from meshlearn.io.document import _tensor
    from meshlearn.mesh import PolygonMesh

    sizes = part.sizes
    if len(part.vertices) == 0:
        return None
    if (sizes == 3).all():
        faces = part.polygon_index.reshape(-1, 3)
        corner = np.arange(faces.size).reshape(-1, 3)
        owner = np.arange(len(faces))
    else:
        polygons = PolygonMesh(
            _tensor(part.vertices), (_tensor(part.polygon_start), _tensor(part.polygon_index))
        )
        cut = polygons.triangulation()
        faces, corner = cut.mesh.faces.numpy(), cut.corner_map.numpy()
        owner = cut.face_map.numpy()
    faces, source, rows = _unshared(part, faces, corner)
    take = slice(None) if source is None else source
    with np.errstate(over="ignore"):
        position = part.vertices[take].astype(np.float32)
    attributes = {"POSITION": writer.add(position, "VEC3", 34962, bounds=True)}
    vectors = {"normal": ("NORMAL", 3), "uv": ("TEXCOORD_0", 2), "color": ("COLOR_0", 4)}
    for key, (label, width) in vectors.items():
        if key in rows:
            values = part.corner_fields[key].values[rows[key]]
        elif key in part.vertex_fields:
            values = part.vertex_fields[key][take]
        else:
            continue
        if values.ndim != 2 or values.shape[1] not in (width, 3 if key == "color" else width):
            continue
        if key == "color" and values.dtype == np.uint8:
            values = values.astype(np.float32) / 255
        kind = f"VEC{values.shape[1]}"
        attributes[label] = writer.add(values.astype(np.float32), kind, 34962)
    for key, values in part.vertex_fields.items():
        if key in vectors or values.dtype.kind not in "fiub" or values.ndim > 2:
            continue
        values = values.reshape(len(values), -1)[take]
        if 1 <= values.shape[1] <= 4:
            kind = "SCALAR" if values.shape[1] == 1 else f"VEC{values.shape[1]}"
            name = "_" + "".join(c if c.isalnum() else "_" for c in key).upper()
            attributes[name] = writer.add(values.astype(np.float32), kind, 34962)
    primitives = []
    material = part.face_fields.get("material")
    label = np.full(len(faces), -1) if material is None else np.asarray(material)[owner]
    small = len(position) <= 65535
    for number in np.unique(label).tolist() if len(faces) else []:
        index = faces[label == number].reshape(-1).astype(np.uint16 if small else np.uint32)
        entry = {"attributes": attributes, "indices": writer.add(index, "SCALAR", 34963)}
        if number >= 0:
            entry["material"] = int(number)
        primitives.append(entry)
    if not primitives:
        primitives = [{"attributes": attributes, "mode": 0}]
    return (
        {"name": part.name, "primitives": primitives} if part.name else {"primitives": primitives}
    )


def write(document: Document, path: Path) -> bytes:
    """A GLB (or .gltf with its data inside) of one scene; polygons are triangulated."""
    writer = _Writer()
    meshes, nodes = [], []
    for part in document.parts:
        mesh = _write_part(writer, part)
        if mesh is None:
            continue
        node: dict = {"mesh": len(meshes)}
        if part.name:
            node["name"] = part.name
        if part.transform is not None:
            node["matrix"] = [float(v) for v in np.asarray(part.transform).T.reshape(-1)]
        meshes.append(mesh)
        nodes.append(node)
    scene = {"nodes": list(range(len(nodes)))} if nodes else {}
    body: dict = {"asset": {"version": "2.0", "generator": "meshlearn"}, "scene": 0}
    body["scenes"] = [scene]
    binary = b"".join(writer.pieces)
    if nodes:
        body |= {"nodes": nodes, "meshes": meshes}
        body |= {"accessors": writer.accessors, "bufferViews": writer.views}
        body["buffers"] = [{"byteLength": len(binary)}]
    used = max((p.get("material", -1) for m in meshes for p in m["primitives"]), default=-1)
    if used >= 0:
        keep = ("name", "pbrMetallicRoughness", "alphaMode", "doubleSided", "emissiveFactor")
        materials = [*document.materials, *(Material(f"material {k}") for k in range(used + 1))]
        body["materials"] = [
            {"name": m.name, **{k: _plain(v) for k, v in m.values.items() if k in keep[1:]}}
            for m in materials[: max(used + 1, len(document.materials))]
        ]
    if path.suffix.lower() == ".gltf":
        if nodes:
            uri = "data:application/octet-stream;base64," + base64.b64encode(binary).decode()
            body["buffers"][0]["uri"] = uri
        return json.dumps(body, indent=1).encode()
    text = json.dumps(body, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text
    if binary:
        chunks += struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<III", 0x46546C67, 2, 12 + len(chunks)) + chunks


def _plain(value: object) -> object:
    """A material's value without the textures it names, which are not written."""
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items() if not k.endswith("Texture")}
    return value
