"""The buffer of a glTF file that is written: pieces, views and accessors, plain or compressed."""

from __future__ import annotations

import numpy as np

from meshlearn.io.formats.gltf import draco, meshopt_write
from meshlearn.io.formats.gltf.meshopt import NAMES

VERTICES, INDICES = 34962, 34963  # what a view is for
CODES = {"f4": 5126, "u4": 5125, "u2": 5123, "i2": 5122, "u1": 5121, "i1": 5120}
MESHOPT = NAMES[0]  # the one that most programs read


def entry_of(values: np.ndarray) -> dict:
    """What an accessor says of values (N,) or (N, D)."""
    width = values.shape[1] if values.ndim == 2 else 1
    return {
        "componentType": CODES[values.dtype.str[1:]],
        "count": len(values),
        "type": "SCALAR" if width == 1 else f"VEC{width}",
    }


class Buffer:
    """The buffer of a file, in pieces, with its views and accessors.

    Args:
        compress: None, "meshopt" or "draco".
    """

    def __init__(self, compress: str | None = None) -> None:
        self.compress = compress
        self.pieces: list[bytes | memoryview] = []
        self.size = 0
        self.unpacked = 0  # bytes of what is compressed by meshopt, before that
        self.views: list[dict] = []
        self.accessors: list[dict] = []
        self.extensions: set[str] = set()  # that a program has to have

    def _place(self, data: bytes | memoryview) -> dict:
        size = len(data)
        place = {"buffer": 0, "byteOffset": self.size, "byteLength": size}
        self.pieces.append(data)
        self.pieces.append(b"\0" * (-size % 4))
        self.size += size + -size % 4
        return place

    def view(self, data: bytes | memoryview, **more: int) -> int:
        """Takes bytes; the index of their view."""
        self.views.append({**self._place(data), **more})
        return len(self.views) - 1

    def add(self, values: np.ndarray, target: int, *, triangles: bool = False) -> int:
        """Takes values (N,) or (N, D); the index of their accessor.

        Args:
            target: VERTICES or INDICES.
            triangles: the indices are those of triangles, whose first corners do not matter.
        """
        values = np.ascontiguousarray(values)
        size = values.dtype.itemsize * (values.shape[1] if values.ndim == 2 else 1)
        rows, more = values, {}
        if size % 4 and target == VERTICES:  # attributes begin at multiples of four bytes
            padded = np.zeros((len(values), (size + 3) // 4 * 4), np.uint8)
            padded[:, :size] = values.view(np.uint8).reshape(len(values), size)
            rows, more = padded, {"byteStride": padded.shape[1]}
        data = rows.reshape(-1).view(np.uint8).data if rows.size else b""
        place = None
        if self.compress == "meshopt" and rows.size:
            place = self._packed(rows, target, triangles, {"target": target, **more})
        if place is None:
            place = self.view(data, target=target, **more)
        self.accessors.append({"bufferView": place, **entry_of(values)})
        return len(self.accessors) - 1

    def _packed(self, rows: np.ndarray, target: int, triangles: bool, more: dict) -> int | None:
        """The index of a compressed view; None where it would be no smaller."""
        count, size = len(rows), rows.nbytes
        if target == VERTICES:
            mode = "ATTRIBUTES"
            data = meshopt_write.attributes(rows.view(np.uint8).reshape(count, -1))
        elif triangles:
            mode, data = "TRIANGLES", meshopt_write.triangles(rows.reshape(-1, 3))
        else:
            mode, data = "INDICES", meshopt_write.indices(rows)
        if len(data) >= size:
            return None
        said = {**self._place(data), "byteStride": size // count, "count": count, "mode": mode}
        view = {"buffer": 1, "byteOffset": self.unpacked, "byteLength": size, **more}
        self.unpacked += size + -size % 4
        self.views.append({**view, "extensions": {MESHOPT: said}})
        self.extensions.add(MESHOPT)
        return len(self.views) - 1

    def add_attribute(self, label: str, values: np.ndarray) -> int:
        """Takes an attribute of vertices by its name in the file; the index of its accessor."""
        place = self.add(values, VERTICES)
        self.accessors[place] |= said_of(label, values)
        return place

    def add_decoded(self, values: np.ndarray, more: dict) -> int:
        """An accessor of values that are in Draco data; its index."""
        self.accessors.append({**entry_of(values), **more})
        self.extensions.add(draco.NAME)
        return len(self.accessors) - 1

    def buffers(self) -> list[dict]:
        """The file's buffers: this one, and the one that what is compressed would take."""
        out: list[dict] = [{"byteLength": self.size}]
        if self.unpacked:
            fallback = {"extensions": {MESHOPT: {"fallback": True}}}
            out.append({"byteLength": self.unpacked, **fallback})
        return out


def said_of(label: str, values: np.ndarray) -> dict:
    """What an accessor says of an attribute beside its type: bounds of places, and that colours of
    whole numbers are fractions."""
    if label == "POSITION" and len(values):
        bounds = (values.min(0), values.max(0))
        return dict(zip(("min", "max"), ([float(v) for v in b] for b in bounds), strict=True))
    if label == "COLOR_0" and values.dtype.kind == "u":
        return {"normalized": True}
    return {}
