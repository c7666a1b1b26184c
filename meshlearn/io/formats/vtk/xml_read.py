"""XML files of VTK: cells (.vtu), and surfaces (.vtp); data inline or appended, packed or not."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.formats.vtk import data as vtk_data
from meshlearn.io.left_behind import Loss
from meshlearn.io.xml import parse

RATIO = 1032  # what zlib expands at most
TYPES = {
    "Int8": "i1",
    "UInt8": "u1",
    "Int16": "i2",
    "UInt16": "u2",
    "Int32": "i4",
    "UInt32": "u4",
    "Int64": "i8",
    "UInt64": "u8",
    "Float32": "f4",
    "Float64": "f8",
}
_APPENDED = re.compile(rb"<AppendedData[^>]*?encoding\s*=\s*[\"'](raw|base64)[\"'][^>]*>\s*_", re.S)


class _File:
    """The tree of a file and its appended data."""

    def __init__(self, data: bytes) -> None:
        appended = _APPENDED.search(data)
        self.raw: bytes | None = None
        self.encoding = ""
        if appended is not None:  # raw bytes are no XML: cut out before it is parsed
            self.encoding = appended[1].decode()
            stop = data.rfind(b"</AppendedData>")
            stop = len(data) if stop < appended.end() else stop
            self.raw = bytes(data[appended.end() : stop])
            head = data[: appended.start()]
            data = bytes(head) + b"</VTKFile>"
        self.root = parse(data)
        if self.root.tag != "VTKFile":
            raise ValueError(f"expected a VTKFile, got {self.root.tag!r}")
        self.order = "<" if self.root.get("byte_order", "LittleEndian") == "LittleEndian" else ">"
        header = self.root.get("header_type", "UInt32")
        if header not in ("UInt32", "UInt64"):
            raise ValueError(f"expected header_type UInt32 or UInt64, got {header!r}")
        self.header = np.dtype(self.order + TYPES[header])
        packer = self.root.get("compressor")
        if packer not in (None, "", "vtkZLibDataCompressor"):
            raise ValueError(f"its data is packed by {packer}, which is not read")
        self.packed = bool(packer)

    def array(self, entry: Element) -> np.ndarray:
        """Values (N,) or (N, D) of a DataArray."""
        kind = TYPES.get(entry.get("type", ""))
        if kind is None:
            raise ValueError(f"a DataArray has the type {entry.get('type')!r}")
        form, width = entry.get("format", "ascii"), int(entry.get("NumberOfComponents") or 1)
        if not 0 < width < 1 << 20:
            raise ValueError(f"a DataArray has {width} components")
        if form == "ascii":
            words = (entry.text or "").split()
            if kind[0] == "f":
                with np.errstate(over="ignore"):  # beyond the type is infinite
                    values = np.array([float(w) for w in words], kind)
            else:
                values = np.array([int(w) for w in words], kind)
        elif form == "binary":
            body = self._inline("".join((entry.text or "").split()).encode())
            values = self._values(body, kind)
        elif form == "appended":
            values = self._values(self._appended(int(entry.get("offset", "-1"))), kind)
        else:
            raise ValueError(f"a DataArray has the format {form!r}")
        if len(values) % width:
            raise ValueError(f"{len(values)} values of a DataArray are not rows of {width}")
        return values.reshape(-1, width) if width > 1 else values

    def _values(self, body: bytes, kind: str) -> np.ndarray:
        dtype = np.dtype(self.order + kind)
        if len(body) % dtype.itemsize:
            raise ValueError(f"{len(body)} bytes of a DataArray are not of {dtype.itemsize} each")
        return np.frombuffer(body, dtype).astype(kind)

    def _inline(self, text: bytes) -> bytes:
        """Bytes behind base64: header and data may be encoded apart."""
        size = self.header.itemsize
        try:
            if not self.packed:
                body = base64.b64decode(text, validate=True)
                return self._sized(body)
            first = base64.b64decode(text[: (size + 2) // 3 * 4][:1024])
            if len(first) < size:
                raise ValueError("a DataArray ends within its header")
            blocks = int(np.frombuffer(first, self.header, 1)[0])
            if blocks > len(text):
                raise ValueError("a DataArray promises more blocks than it has bytes")
            length = (3 + blocks) * size
            cut = (length + 2) // 3 * 4
            head = base64.b64decode(text[:cut], validate=True)
            if len(head) > length:  # encoded in one
                return self._unpack(base64.b64decode(text, validate=True))
            return self._unpack(head + base64.b64decode(text[cut:], validate=True))
        except binascii.Error:
            raise ValueError("a DataArray is not legal base64") from None

    def _sized(self, body: bytes) -> bytes:
        size = self.header.itemsize
        if len(body) < size:
            raise ValueError("a DataArray ends within its header")
        length = int(np.frombuffer(body, self.header, 1)[0])
        if length > len(body) - size:
            raise ValueError(f"a DataArray promises {length} bytes, has {len(body) - size}")
        return body[size : size + length]

    def _appended(self, offset: int) -> bytes:
        if self.raw is None or not 0 <= offset <= len(self.raw):
            raise ValueError(f"a DataArray begins at {offset}, where there is no data")
        if self.encoding == "base64":
            stop = re.compile(rb"[^A-Za-z0-9+/]").search(self.raw, offset)
            end = len(self.raw) if stop is None else stop.start()
            while end < len(self.raw) and self.raw[end : end + 1] == b"=":
                end += 1
            text = self.raw[offset:]
            if not self.packed:
                size = self.header.itemsize
                first = base64.b64decode(text[: (size + 2) // 3 * 4])
                if len(first) < size:
                    raise ValueError("a DataArray ends within its header")
                length = size + int(np.frombuffer(first, self.header, 1)[0])
                if length > len(text):
                    raise ValueError("a DataArray promises more bytes than there are")
                return self._sized(base64.b64decode(text[: (length + 2) // 3 * 4]))
            return self._inline(re.match(rb"[A-Za-z0-9+/=]*", text)[0])  # type: ignore[index]
        body = self.raw[offset:]
        return self._unpack(body) if self.packed else self._sized(body)

    def _unpack(self, body: bytes) -> bytes:
        size = self.header.itemsize
        if len(body) < 3 * size:
            raise ValueError("a DataArray ends within its header")
        blocks, whole, last = (int(v) for v in np.frombuffer(body, self.header, 3))
        if blocks == 0:
            return b""
        if blocks > (len(body) - 3 * size) // size:
            raise ValueError("a DataArray promises more blocks than it has bytes")
        sizes = np.frombuffer(body, self.header, blocks, 3 * size).astype(np.int64)
        at = (3 + blocks) * size
        total = (blocks - 1) * whole + (last or whole)
        if (sizes < 0).any() or int(sizes.sum()) > len(body) - at:
            raise ValueError("a DataArray promises more bytes than it has")
        if total > RATIO * int(sizes.sum()) + 1024:
            raise ValueError("a DataArray promises more bytes than zlib can hold")
        out = []
        for k, length in enumerate(sizes.tolist()):
            most = (last or whole) if k == blocks - 1 else whole
            unpack = zlib.decompressobj()
            try:
                piece = unpack.decompress(body[at : at + length], most + 1)
            except zlib.error as error:
                raise ValueError(f"a DataArray is damaged: {error}") from None
            if len(piece) != most:
                raise ValueError("a block of a DataArray has not the size it promises")
            out.append(piece)
            at += length
        return b"".join(out)


def read(data: bytes, path: Path) -> Document:
    """Reads a .vtp or .vtu; pieces become parts."""
    try:
        file = _File(data)
        kind = file.root.get("type", "")
        grid = file.root.find(kind) if kind in ("PolyData", "UnstructuredGrid") else None
        if grid is None:
            raise ValueError(f"expected PolyData or an UnstructuredGrid, got {kind!r}")
        document = Document()
        for piece in grid.findall("Piece"):
            surface = kind == "PolyData"
            document.parts.append(_piece(file, piece, path, surface, document.left_out))
    except FileFormatError:
        raise
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    return document


def _arrays(file: _File, entry: Element | None) -> dict[str, np.ndarray]:
    found = entry.findall("DataArray") if entry is not None else []
    return {a.get("Name", f"array {k}"): file.array(a) for k, a in enumerate(found)}


def _piece(file: _File, piece: Element, path: Path, surface: bool, left_out: list[Loss]) -> Part:
    points = piece.find("Points")
    holder = points.find("DataArray") if points is not None else None
    vertices = file.array(holder) if holder is not None else np.zeros((0, 3), np.float32)
    vertices = vertices.reshape(-1, 3)
    if vertices.dtype not in (np.float32, np.float64):
        vertices = vertices.astype(np.float64)
    kinds, starts, indices, base = [], [np.zeros(1, np.int64)], [], 0
    order: tuple[str, ...]
    if surface:
        groups = {"Verts": vtk_data.POLY_VERTEX, "Lines": vtk_data.POLY_LINE}
        groups |= {"Strips": vtk_data.STRIP, "Polys": vtk_data.POLYGON}
        order = ("Verts", "Lines", "Polys", "Strips")
    else:
        groups, order = {"Cells": 0}, ("Cells",)
    for name in order:
        found = _arrays(file, piece.find(name))
        if "connectivity" not in found or "offsets" not in found:
            continue
        index, stop = found["connectivity"], found["offsets"]
        if index.dtype.kind not in "iu" or stop.dtype.kind not in "iu":
            raise ValueError(f"expected whole numbers in {name}")
        kind = found.get("types") if not surface else np.full(len(stop), groups[name])
        if kind is None or len(kind) != len(stop):
            raise ValueError("expected a type for every cell")
        kinds.append(kind.astype(np.int64))
        starts.append(stop.astype(np.int64) + base)
        base += len(index)
        indices.append(index.astype(np.int64))
    nothing = np.zeros(0, np.int64)
    cells = vtk_data.Cells(
        np.concatenate([nothing, *kinds]),
        np.concatenate(starts),
        np.concatenate([nothing, *indices]),
        _arrays(file, piece.find("CellData")),
    )
    fields = _arrays(file, piece.find("PointData"))
    for name, values in fields.items():
        if len(values) != len(vertices):
            raise ValueError(f"{len(values)} values of {name!r} for {len(vertices)} points")
    return vtk_data.to_part(path, vertices, cells, fields, left_out)
