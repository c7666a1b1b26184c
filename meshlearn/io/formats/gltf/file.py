"""The JSON, buffers and accessors of a glTF file."""

from __future__ import annotations

import base64
import json
import re
import struct
from pathlib import Path
from urllib.parse import unquote_to_bytes

import numpy as np

from meshlearn.io.document import FileFormatError
from meshlearn.io.formats.gltf import meshopt, version1
from meshlearn.io.left_behind import Loss
from meshlearn.io.resolver import UnreadableError, read_beside

COMPONENTS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}


_MOST_EMPTY = 1 << 26  # numbers of an accessor that has none in the file
_WIDTH = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT2": 4, "MAT3": 9, "MAT4": 16}


_KNOWN_EXTENSIONS = {
    "KHR_mesh_quantization", "KHR_texture_transform", "EXT_mesh_gpu_instancing",
    "EXT_texture_webp", "EXT_texture_avif", "KHR_texture_basisu", "MSFT_texture_dds",
    "KHR_node_visibility", "KHR_draco_mesh_compression", *meshopt.NAMES,
}  # fmt: skip
# of looks, light and motion: what they add is not there, and the geometry is as without them
_NO_GEOMETRY = re.compile(
    r"(KHR|EXT|MSFT|ADOBE)_(materials?|texture|techniques?|lights?|animation|xmp|audio|packing)_.*"
    r"|KHR_materials_.*|KHR_lights|EXT_texture_.*|KHR_technique_webgl|KHR_techniques_webgl"
)


_URL_SAFE = bytes.maketrans(b"-_", b"+/")  # of the other alphabet of base64


class File:
    """A glTF file: its JSON, and what that says of bytes."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.path = path
        self.chunk: bytes | memoryview | None = None
        if data[:4] == b"glTF":
            text = self._chunks(data)
        else:
            text = data
        try:
            self.json = json.loads(text.decode("utf-8-sig"))
        except (UnicodeDecodeError, ValueError, RecursionError):
            raise self.error("expected the JSON of a glTF file") from None
        self.left_out: list[Loss] = []
        self.linear_colors = True  # those of vertices; version 1 says nothing of it
        if isinstance(self.json, dict) and version1.is_old(self.json):
            self.linear_colors = False
            try:
                self.json, self.left_out = version1.upgraded(self.json)
            except (ValueError, AttributeError, TypeError) as error:
                raise self.error(f"not a legal file of glTF 1.0: {error}") from None
        if not isinstance(self.json, dict) or not isinstance(self.json.get("asset"), dict):
            raise self.error("expected a glTF object with 'asset'")
        version = str(self.json["asset"].get("version", ""))
        if not version.startswith("2"):
            raise self.error(f"expected glTF version 2, or 1 with objects by name, got {version!r}")
        required = self.json.get("extensionsRequired", [])
        if not isinstance(required, list) or not all(isinstance(x, str) for x in required):
            raise self.error("expected a list of names for 'extensionsRequired'")
        needed = sorted(set(required) - _KNOWN_EXTENSIONS)
        self.without = [name for name in needed if _NO_GEOMETRY.fullmatch(name)]
        beyond = [name for name in needed if name not in self.without]
        if beyond:
            raise self.error(
                f"it requires the extension {beyond[0]}, which is not read; write it without that"
            )
        self._buffers: dict[int, bytes | memoryview] = {}
        self._unpacked: dict[int, bytes] = {}

    def error(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: {text}")

    def unreadable(self, text: str) -> UnreadableError:
        return UnreadableError(f"{self.path}: {text}")

    def _chunks(self, data: bytes) -> bytes:
        if len(data) < 20:
            raise self.error(f"expected a GLB of at least 20 bytes, got {len(data)}")
        _, version, total = struct.unpack_from("<III", data)
        if version not in (1, 2):
            raise self.error(f"expected GLB version 1 or 2, got {version}")
        if total > len(data):
            raise self.error(f"the header promises {total} bytes, the file has {len(data)}")
        if version == 1:  # KHR_binary_glTF: JSON of so many bytes, and the rest
            length, kind = struct.unpack_from("<II", data, 12)
            if kind != 0 or length > total - 20:
                raise self.error(f"its JSON promises {length} bytes, {total - 20} are left")
            self.chunk = memoryview(data)[20 + length : total]
            return bytes(data[20 : 20 + length])
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

    def buffer(self, index: int) -> bytes | memoryview:
        if index not in self._buffers:
            entry = self.item("buffers", index)
            uri = entry.get("uri")
            found: bytes | memoryview
            if uri is None:
                if self.chunk is None or (index != 0 and not entry.get("body")):
                    raise self.unreadable(f"buffers[{index}] has no data")
                found = self.chunk
            else:
                found = self.resource(uri)
            need = self.number(entry, "byteLength")
            if len(found) < need:
                raise self.unreadable(f"buffers[{index}] promises {need} bytes, has {len(found)}")
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
                    text = b"".join(unquote_to_bytes(body).split()).translate(_URL_SAFE)
                    text = text.rstrip(b"=")
                    return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
                return unquote_to_bytes(body)
            except ValueError:
                raise self.unreadable("a data URI is not legal base64") from None
        found = read_beside(self.path, uri, percent=True)
        if found is None:
            raise self.unreadable(f"it names {uri!r}, which cannot be read")
        return found

    def view(self, index: int) -> tuple[bytes | memoryview, int, int, int]:
        """Buffer, offset, length and stride (0: packed) of a buffer view."""
        entry = self.item("bufferViews", index)
        stride = self.number(entry, "byteStride", 0)
        extensions = entry.get("extensions")
        for name in meshopt.NAMES:
            said = extensions.get(name) if isinstance(extensions, dict) else None
            if isinstance(said, dict):
                if index not in self._unpacked:
                    self._unpacked[index] = self._decoded(said, index)
                found = self._unpacked[index]
                return found, 0, len(found), stride
        data = self.buffer(self.number(entry, "buffer"))
        offset, length = self.number(entry, "byteOffset", 0), self.number(entry, "byteLength")
        if offset + length > len(data):
            raise self.error(f"bufferViews[{index}] ends at byte {offset + length} of {len(data)}")
        return data, offset, length, stride

    def _decoded(self, said: dict, index: int) -> bytes:
        """The bytes of a view that is compressed."""
        data = self.buffer(self.number(said, "buffer"))
        offset, length = self.number(said, "byteOffset", 0), self.number(said, "byteLength")
        if offset + length > len(data):
            raise self.error(f"bufferViews[{index}] ends at byte {offset + length} of {len(data)}")
        try:
            return meshopt.decoded(
                bytes(data[offset : offset + length]),
                mode=str(said.get("mode")),
                filter=str(said.get("filter", "NONE")),
                count=self.number(said, "count"),
                stride=self.number(said, "byteStride"),
            )
        except ValueError as error:
            raise self.error(f"bufferViews[{index}] cannot be decoded: {error}") from None

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
        dtype = COMPONENTS.get(entry.get("componentType", -1))
        width = _WIDTH.get(entry.get("type", ""))
        if dtype is None or width is None:
            raise self.error(f"accessors[{index}] has an unknown type")
        kind, count = np.dtype(dtype), self.number(entry, "count")
        if "bufferView" in entry:
            values = self._packed(entry, kind, width, count)
        else:
            if count * width > _MOST_EMPTY and "sparse" not in entry:
                raise self.error(f"accessors[{index}] promises {count} entries without data")
            if count * width > _MOST_EMPTY:
                raise self.error(f"accessors[{index}] promises {count} entries, too many")
            values = np.zeros((count, width), kind)
        if "sparse" in entry:
            sparse = entry["sparse"]
            n = self.number(sparse, "count")
            index_kind = np.dtype(COMPONENTS.get(sparse["indices"].get("componentType"), "V"))
            if index_kind.kind != "u":
                raise self.error(f"accessors[{index}] has sparse indices of an unknown type")
            where = self._packed(sparse["indices"], index_kind, 1, n)[:, 0]
            if n and int(where.max()) >= count:
                raise self.error(f"accessors[{index}] has a sparse index out of range")
            values = values.copy()
            values[where] = self._packed(sparse["values"], kind, width, n)
        return self.normalised(entry, values)

    def normalised(self, entry: dict, values: np.ndarray) -> np.ndarray:
        """Values of an accessor as the numbers that they mean: whole ones as fractions of their
        largest where it says so."""
        if entry.get("normalized") and values.dtype.kind in "iu":
            top = np.float32(np.iinfo(values.dtype).max)
            values = np.maximum(values.astype(np.float32) / top, -1.0).astype(np.float32)
        return values.astype(values.dtype.newbyteorder("="), copy=False)
