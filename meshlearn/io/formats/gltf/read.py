"""glTF 2.0, as .glb and .gltf: scene graph, primitives of all modes, sparse and packed
accessors."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.formats.gltf.material import flipped_v, read_images, read_material
from meshlearn.io.formats.gltf.write import HOLDS, losses, pieces, write
from meshlearn.io.resolver import read_beside

__all__ = ["HOLDS", "SUFFIXES", "losses", "pieces", "read", "write"]

SUFFIXES = (".glb", ".gltf")
MOST_VERTICES = 1 << 28  # of a scene that names one mesh again and again

_COMPONENT = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}
_KNOWN_EXTENSIONS = {
    "KHR_mesh_quantization",
    "KHR_materials_unlit",
    "KHR_texture_transform",
    "KHR_materials_specular",
    "KHR_materials_ior",
}


class _File:
    def __init__(self, data: bytes, path: Path) -> None:
        self.path = path
        self.chunk: bytes | None = None
        if data[:4] == b"glTF":
            text = self._chunks(data)
        else:
            text = data
        try:
            self.json = json.loads(text.decode("utf-8-sig"))
        except (UnicodeDecodeError, ValueError, RecursionError):
            raise self.error("expected the JSON of a glTF file") from None
        if not isinstance(self.json, dict) or not isinstance(self.json.get("asset"), dict):
            raise self.error("expected a glTF object with 'asset'")
        version = str(self.json["asset"].get("version", ""))
        if not version.startswith("2"):
            raise self.error(f"expected glTF version 2, got {version!r}")
        needed = set(self.json.get("extensionsRequired", [])) - _KNOWN_EXTENSIONS
        if needed:
            raise self.error(f"it requires the extension {sorted(needed)[0]}, which is not read")
        self._buffers: dict[int, bytes] = {}

    def error(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: {text}")

    def _chunks(self, data: bytes) -> bytes:
        if len(data) < 20:
            raise self.error(f"expected a GLB of at least 20 bytes, got {len(data)}")
        _, version, total = struct.unpack_from("<III", data)
        if version != 2:
            raise self.error(f"expected GLB version 2, got {version}")
        if total > len(data):
            raise self.error(f"the header promises {total} bytes, the file has {len(data)}")
        at, text = 12, None
        while at + 8 <= total:
            length, kind = struct.unpack_from("<II", data, at)
            if length > total - at - 8:
                raise self.error(f"a chunk promises {length} bytes, {total - at - 8} are left")
            body = memoryview(data)[at + 8 : at + 8 + length]
            if kind == 0x4E4F534A and text is None:
                text = bytes(body)
            elif kind == 0x004E4942 and self.chunk is None:
                self.chunk = body
            at += 8 + length
        if text is None:
            raise self.error("expected a chunk of JSON")
        return text

    def item(self, kind: str, index: object) -> dict:
        """Entry `index` of a top-level array."""
        found = self.json.get(kind, [])
        if (
            not isinstance(found, list)
            or not isinstance(index, int)
            or isinstance(index, bool)
            or not 0 <= index < len(found)
            or not isinstance(found[index], dict)
        ):
            raise self.error(f"it names {kind}[{index}], which is not there")
        return found[index]

    def number(self, where: dict, key: str, default: int | None = None) -> int:
        value = where.get(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.error(f"expected a whole number for {key!r}, got {value!r}")
        return value

    def buffer(self, index: int) -> bytes:
        if index not in self._buffers:
            entry = self.item("buffers", index)
            uri = entry.get("uri")
            if uri is None:
                if self.chunk is None or index != 0:
                    raise self.error(f"buffers[{index}] has no data")
                found = self.chunk
            else:
                found = self.resource(uri)
            need = self.number(entry, "byteLength")
            if len(found) < need:
                raise self.error(f"buffers[{index}] promises {need} bytes, has {len(found)}")
            self._buffers[index] = found
        return self._buffers[index]

    def resource(self, uri: object) -> bytes:
        """Bytes behind a data URI or a relative path inside the file's folder."""
        if not isinstance(uri, str):
            raise self.error(f"expected a URI, got {uri!r}")
        if uri.startswith("data:"):
            head, _, body = uri.partition(",")
            try:
                if "base64" in head:
                    return base64.b64decode(body, validate=True)
                return unquote_to_bytes(body)
            except ValueError:
                raise self.error("a data URI is not legal base64") from None
        found = read_beside(self.path, uri, percent=True)
        if found is None:
            raise self.error(f"it names {uri!r}, which cannot be read")
        return found

    def view(self, index: int) -> tuple[bytes, int, int, int]:
        """Buffer, offset, length and stride (0: packed) of a buffer view."""
        entry = self.item("bufferViews", index)
        data = self.buffer(self.number(entry, "buffer"))
        offset, length = self.number(entry, "byteOffset", 0), self.number(entry, "byteLength")
        if offset + length > len(data):
            raise self.error(f"bufferViews[{index}] ends at byte {offset + length} of {len(data)}")
        return data, offset, length, self.number(entry, "byteStride", 0)

    def _packed(self, where: dict, dtype: np.dtype, width: int, count: int) -> np.ndarray:
        data, offset, length, stride = self.view(self.number(where, "bufferView"))
        inner = self.number(where, "byteOffset", 0)
        size = dtype.itemsize * width
        stride = stride or size
        if stride < size or (count and inner + (count - 1) * stride + size > length):
            raise self.error(
                f"an accessor promises {count} entries of {size} bytes, its view has {length} bytes"
            )
        if count == 0:
            return np.zeros((0, width), dtype)
        if stride == size:
            return np.frombuffer(data, dtype, count * width, offset + inner).reshape(count, width)
        raw = np.frombuffer(data, np.uint8, (count - 1) * stride + size, offset + inner)
        rows = np.lib.stride_tricks.as_strided(raw, (count, size), (stride, 1))
        return np.ascontiguousarray(rows).view(dtype).reshape(count, width)

    def accessor(self, index: object) -> np.ndarray:
        """(count, width) values, normalised integers as float32."""
        entry = self.item("accessors", index)
        dtype = _COMPONENT.get(entry.get("componentType"))
        width = _WIDTH.get(entry.get("type"))
        if dtype is None or width is None:
            raise self.error(f"accessors[{index}] has an unknown type")
        kind, count = np.dtype(dtype), self.number(entry, "count")
        if "bufferView" in entry:
            values = self._packed(entry, kind, width, count)
        else:
            limit = 1 << 26
            if count * width > limit and "sparse" not in entry:
                raise self.error(f"accessors[{index}] promises {count} entries without data")
            if count * width > limit:
                raise self.error(f"accessors[{index}] promises {count} entries, too many")
            values = np.zeros((count, width), kind)
        if "sparse" in entry:
            sparse = entry["sparse"]
            n = self.number(sparse, "count")
            index_kind = np.dtype(_COMPONENT.get(sparse["indices"].get("componentType"), "V"))
            if index_kind.kind != "u":
                raise self.error(f"accessors[{index}] has sparse indices of an unknown type")
            where = self._packed(sparse["indices"], index_kind, 1, n)[:, 0]
            if n and int(where.max()) >= count:
                raise self.error(f"accessors[{index}] has a sparse index out of range")
            values = values.copy()
            values[where] = self._packed(sparse["values"], kind, width, n)
        if entry.get("normalized") and kind.kind in "iu":
            top = np.float32(np.iinfo(kind).max)
            values = np.maximum(values.astype(np.float32) / top, -1.0).astype(np.float32)
        return values.astype(values.dtype.newbyteorder("="), copy=False)


def _triangles(mode: int, index: np.ndarray) -> np.ndarray:
    """(F, 3) of a list, strip or fan of vertex indices."""
    if mode == 4:
        return index[: len(index) // 3 * 3].reshape(-1, 3)
    n = max(0, len(index) - 2)
    k = np.arange(n)
    if mode == 5:
        swap = k % 2
        return index[np.stack([k + swap, k + 1 - swap, k + 2], 1)]
    return index[np.stack([np.zeros(n, np.int64), k + 1, k + 2], 1)]


def _index(file: _File, entry: dict, count: int) -> np.ndarray:
    """(K,) int64 vertices that a primitive names."""
    if "indices" not in entry:
        return np.arange(count)
    values = file.accessor(entry["indices"])
    if values.dtype.kind != "u" or values.shape[1] != 1:
        raise file.error("expected indices of unsigned whole numbers")
    top = int(values.max()) if len(values) else -1
    if top >= count:
        raise file.error(f"an index names vertex {top} of {count}")
    return values[:, 0].astype(np.int64)


def _vertices(file: _File, attributes: dict, names: dict, part: Part) -> None:
    vertices = file.accessor(attributes["POSITION"])
    if vertices.shape[1] != 3:
        raise file.error("expected POSITION of three components")
    part.vertices = np.array(vertices, np.float32)  # a copy: the file's memory is let go
    known = {"NORMAL": "normal", "COLOR_0": "color", "TEXCOORD_0": "uv", "TANGENT": "tangent"}
    for key, where in attributes.items():
        label = known.get(key) or names.get(key) or key.lower().lstrip("_")
        if key == "POSITION":
            continue
        values = file.accessor(where)
        if len(values) != len(vertices):
            raise file.error(f"{key} has {len(values)} entries for {len(vertices)} vertices")
        values = np.array(values[:, 0] if values.shape[1] == 1 else values)
        if key == "TEXCOORD_0" and values.shape[1:] == (2,):
            values = flipped_v(values)
        if not isinstance(label, str) or label in part.vertex_fields:
            label = key
        part.vertex_fields[label] = values.astype(bool) if names.get(key + "?") else values


def _part(file: _File, entries: list[dict], name: str) -> Part | None:
    """The part of primitives that share their vertices."""
    attributes = entries[0].get("attributes", {})
    if not isinstance(attributes, dict) or "POSITION" not in attributes:
        return None
    part = Part(name=name)
    extras = entries[0].get("extras")
    names = extras.get("names", {}) if isinstance(extras, dict) else {}
    _vertices(file, attributes, names if isinstance(names, dict) else {}, part)
    faces, labels, points = [], [], []
    for entry in entries:
        mode = entry.get("mode", 4)
        if isinstance(entry.get("extras"), dict) and entry["extras"].get("unused") is True:
            continue
        index = _index(file, entry, len(part.vertices))
        if mode in (4, 5, 6):
            faces.append(_triangles(mode, index))
            label = entry.get("material")
            if label is not None:
                file.item("materials", label)
            labels.append(np.full(len(faces[-1]), -1 if label is None else label, np.int32))
        elif mode == 0:
            points.append(index)
        elif mode == 1:
            part.lines += list(index[: len(index) // 2 * 2].reshape(-1, 2))
        elif mode in (2, 3):
            part.lines.append(np.append(index, index[:1]) if mode == 2 else index)
        else:
            raise file.error(f"a primitive has the unknown mode {mode!r}")
    if faces:
        corners = faces[0] if len(faces) == 1 else np.concatenate(faces)
        part.polygon_start = np.arange(len(corners) + 1, dtype=np.int64) * 3
        part.polygon_index = np.ascontiguousarray(corners).reshape(-1)
        label = np.concatenate(labels)
        if (label >= 0).any():
            part.face_fields["material"] = label
    part.points = np.concatenate(points) if points else part.points
    return part


def _local(file: _File, node: dict) -> np.ndarray:
    def numbers(key: str, n: int, default: list[float]) -> np.ndarray:
        values = node.get(key, default)
        if (
            not isinstance(values, list)
            or len(values) != n
            or not all(isinstance(v, (int, float)) for v in values)
        ):
            raise file.error(f"expected {n} numbers for {key!r} of a node")
        return np.array(values, np.float64)

    if "matrix" in node:
        return numbers("matrix", 16, []).reshape(4, 4).T
    x, y, z, w = numbers("rotation", 4, [0, 0, 0, 1])
    turn = np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
    matrix = np.eye(4)
    matrix[:3, :3] = turn * numbers("scale", 3, [1, 1, 1])
    matrix[:3, 3] = numbers("translation", 3, [0, 0, 0])
    return matrix


def read(data: bytes, path: Path) -> Document:
    """Reads the default scene: a part for each primitive of each node, with the node's
    transform."""
    file = _File(data, path)
    document = Document(up="y", unit="m")
    kept = {k: v for k, v in file.json["asset"].items() if k in ("copyright", "extras")}
    if kept:
        document.metadata["asset"] = kept
    for key in ("animations", "skins", "cameras"):
        if file.json.get(key):
            document.metadata[key] = len(file.json[key])
    names = read_images(file, document)
    for index, entry in enumerate(file.json.get("materials", [])):
        if not isinstance(entry, dict):
            raise file.error(f"expected materials[{index}] to be an object")
        document.materials.append(read_material(file, entry, index, names))
    nodes = file.json.get("nodes", [])
    scenes = file.json.get("scenes", [])
    if scenes:
        roots = file.item("scenes", file.json.get("scene", 0)).get("nodes", [])
    else:
        children = {c for n in nodes for c in n.get("children", [])}
        roots = [k for k in range(len(nodes)) if k not in children]
        if not nodes:
            for index in range(len(file.json.get("meshes", []))):
                _mesh_parts(file, document, index, np.eye(4), "")
    pending = [(k, np.eye(4), ()) for k in reversed(roots)]
    while pending:
        index, above, trail = pending.pop()
        node = file.item("nodes", index)
        if index in trail or len(trail) > 1000:
            raise file.error(f"nodes[{index}] is its own ancestor")
        with np.errstate(over="ignore", invalid="ignore"):
            matrix = above @ _local(file, node)
        if "mesh" in node:
            _mesh_parts(file, document, node["mesh"], matrix, str(node.get("name", "")))
        if len(document.parts) > 1_000_000:
            raise file.error("it has more than a million parts")
        below = (*trail, index)
        pending += [(k, matrix, below) for k in reversed(node.get("children", []))]
    return document


def _mesh_parts(file: _File, document: Document, index: int, matrix, name: str) -> None:
    mesh = file.item("meshes", index)
    shared: dict[str, list[dict]] = {}  # primitives of the same vertices are one part
    for entry in mesh.get("primitives", []):
        key = json.dumps(entry.get("attributes", {}), sort_keys=True)
        shared.setdefault(key, []).append(entry)
    for entries in shared.values():
        part = _part(file, entries, name or str(mesh.get("name", "")))
        if part is not None:
            part.transform = None if np.array_equal(matrix, np.eye(4)) else matrix
            document.parts.append(part)
    if sum(len(p.vertices) for p in document.parts) > MOST_VERTICES:
        raise file.error(f"its nodes repeat meshes to more than {MOST_VERTICES:,} vertices")
