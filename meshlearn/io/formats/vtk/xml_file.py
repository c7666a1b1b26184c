"""The frame of VTK's XML files: their tree, and arrays inline or appended, packed or not."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Container, Iterable
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.formats.vtk.data import TEXT, field_loss
from meshlearn.io.formats.vtk.packing import PACKERS, unpacked
from meshlearn.io.left_behind import Loss
from meshlearn.io.xml import parse

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
_DOMAINS = {"PointData": "point", "CellData": "cell"}
Bytes = bytes | memoryview
_APPENDED = re.compile(rb"<AppendedData[^>]*?encoding\s*=\s*[\"'](raw|base64)[\"'][^>]*>\s*_", re.S)


class XmlFile:
    """The tree of a file and its appended data.

    Attributes:
        left_out: the arrays that are not read.
    """

    def __init__(self, data: bytes) -> None:
        appended = _APPENDED.search(data)
        self.raw: memoryview | None = None
        self.encoding = ""
        if appended is not None:  # raw bytes are no XML: cut out before it is parsed
            self.encoding = appended[1].decode()
            stop = data.rfind(b"</AppendedData>")
            stop = len(data) if stop < appended.end() else stop
            self.raw = memoryview(data)[appended.end() : stop]
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
        if packer and packer not in PACKERS:
            raise ValueError(f"its data is packed by {packer}, which is not read")
        self.packed = packer or ""
        self.left_out: list[Loss] = []

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

    def _values(self, body: Bytes, kind: str) -> np.ndarray:
        dtype = np.dtype(self.order + kind)
        if len(body) % dtype.itemsize:
            raise ValueError(f"{len(body)} bytes of a DataArray are not of {dtype.itemsize} each")
        return np.frombuffer(body, dtype).astype(kind)

    def _inline(self, text: Bytes) -> Bytes:
        """Bytes behind base64 that may go on behind them; header and data may be encoded apart."""
        size = self.header.itemsize
        try:
            if not self.packed:
                length = size + self._first(text)
                if length > len(text):
                    raise ValueError(f"a DataArray promises {length - size} bytes, has {len(text)}")
                return self._sized(base64.b64decode(text[: _digits(length)], validate=True))
            blocks = self._first(text)
            if blocks > len(text):
                raise ValueError("a DataArray promises more blocks than it has bytes")
            length = (3 + blocks) * size
            cut = _digits(length)
            head = base64.b64decode(text[:cut], validate=True)[:length]
            if len(head) < length:
                raise ValueError("a DataArray ends within its header")
            packed = sum(int(n) for n in np.frombuffer(head, self.header)[3:])
            if packed > len(text):
                raise ValueError("a DataArray promises more bytes than it has")
            if length % 3 and bytes(text[cut - 1 : cut]) != b"=":  # encoded in one
                whole = base64.b64decode(text[: _digits(length + packed)], validate=True)
                return self._unpack(whole)
            return self._unpack(
                head + base64.b64decode(text[cut : cut + _digits(packed)], validate=True)
            )
        except binascii.Error:
            raise ValueError("a DataArray is not legal base64") from None

    def _first(self, text: Bytes) -> int:
        """The first number of a header in base64."""
        size = self.header.itemsize
        first = base64.b64decode(text[: _digits(size)])
        if len(first) < size:
            raise ValueError("a DataArray ends within its header")
        return int(np.frombuffer(first, self.header, 1)[0])

    def _sized(self, body: Bytes) -> Bytes:
        size = self.header.itemsize
        if len(body) < size:
            raise ValueError("a DataArray ends within its header")
        length = int(np.frombuffer(body, self.header, 1)[0])
        if length > len(body) - size:
            raise ValueError(f"a DataArray promises {length} bytes, has {len(body) - size}")
        return body[size : size + length]

    def _appended(self, offset: int) -> Bytes:
        if self.raw is None or not 0 <= offset <= len(self.raw):
            raise ValueError(f"a DataArray begins at {offset}, where there is no data")
        if self.encoding == "base64":
            return self._inline(self.raw[offset:])
        body = self.raw[offset:]
        return self._unpack(body) if self.packed else self._sized(body)

    def _unpack(self, body: Bytes) -> bytes:
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
        if (sizes < 0).any() or int(sizes.sum()) > len(body) - at:
            raise ValueError("a DataArray promises more bytes than it has")
        pieces = []
        for length in sizes.tolist():
            pieces.append(bytes(body[at : at + length]))
            at += length
        most = [whole] * (blocks - 1) + [last or whole]
        return unpacked(self.packed, pieces, most)

    def arrays(self, entry: Element | None) -> dict[str, np.ndarray]:
        """The arrays below an element, by their names; those of text are left out, and told."""
        if entry is not None:
            domain = _DOMAINS.get(entry.tag, "")
            for other in entry.findall("Array"):
                count = int(other.get("NumberOfTuples") or 1)
                loss = field_loss(domain, other.get("Name", "array"), count, TEXT)
                self.left_out.append(loss)
        found: Iterable[Element] = entry.findall("DataArray") if entry is not None else []
        return {a.get("Name", f"array {k}"): self.array(a) for k, a in enumerate(found)}

    def leave_whole(self, grid: Element, read: Container[str] = ()) -> None:
        """Tells of the arrays of a whole data set, but for those with these names."""
        holder = grid.find("FieldData")
        for entry in holder if holder is not None else ():
            name = entry.get("Name", "array")
            if entry.tag in ("DataArray", "Array") and name not in read:
                self.left_out.append(field_loss("", name, 1, ""))


def _digits(count: int) -> int:
    """How many digits base64 has for so many bytes."""
    return (count + 2) // 3 * 4
