"""STL, binary and ascii: a soup of triangles; nothing is merged."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from meshlearn._compiled import HAS_COMPILED, as_bytes, call, threads
from meshlearn.io.document import Document, FileFormatError, Part

HEAD = b"meshlearn"  # of a file whose part has no name
FACET = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("extra", "<u2")])

# three words of which one has a comma inside: "vertex 1,5 0 0", not "vertex 1, 2, 3"
_DECIMAL_COMMA = re.compile(
    rb"vertex[ \t]+(?=[^\r\n]*\d,\d)[-+.,\deE]*[\deE.][ \t]+[-+.,\deE]*[\deE.][ \t]+"
    rb"[-+.,\deE]*[\deE.][ \t]*[\r\n]",
    re.IGNORECASE,
)


def read(data: bytes, path: Path) -> Document:
    """Reads an STL; told by its size, since binary files too may begin with "solid"."""
    if len(data) >= 84:
        count = int(np.frombuffer(data, "<u4", 1, 80)[0])
        if len(data) == 84 + 50 * count or (
            not data.lstrip()[:5].lower() == b"solid" and len(data) >= 84 + 50 * count
        ):
            held, rest = divmod(len(data) - 84, 50)
            if rest or held == count:
                return _binary(data, count)
            document = _binary(data, held)
            document.remarks.append(f"the header promises {count} triangles, {held} are read")
            return document
    if data.lstrip()[:5].lower() == b"solid" and b"\0" not in data[:4096]:
        return _ascii(data, path)
    if len(data) < 84:
        raise FileFormatError(
            f"{path}: expected an STL file of at least 84 bytes or 'solid' in front, got "
            f"{len(data)} bytes"
        )
    raise FileFormatError(
        f"{path}: the header promises {count} triangles ({84 + 50 * count} bytes), the file has "
        f"{len(data)} bytes"
    )


def _binary(data: bytes, count: int) -> Document:
    table = np.frombuffer(data, FACET, count, 84)
    corners = np.ascontiguousarray(table["corners"], dtype=np.float32).reshape(-1, 3)
    part = Part.triangles(corners, np.arange(3 * count))
    head = bytes(data[:80]).split(b"\0")[0].strip()
    part.name = "" if head == HEAD else head.decode("utf-8", errors="replace")
    if table["extra"].any():
        part.face_fields["attribute"] = table["extra"].astype(np.int32)
    return Document([part])


def _ascii(data: bytes, path: Path) -> Document:
    if b"endsolid" not in data[-512:].lower():
        raise FileFormatError(f"{path}: expected 'endsolid' at the end of an ascii STL file")
    if re.search(rb"\b(FACET|VERTEX|SOLID)\b", data[:4096]):
        data = data.lower()
    remarks = []
    if b"," in data and _DECIMAL_COMMA.search(data):
        data = re.sub(rb"(?<=\d),(?=\d)", b".", data)
        remarks = ["commas were read as decimal points"]
    try:
        corners, solids = _native(data) if HAS_COMPILED else _plain(data)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    document = Document(remarks=remarks)
    begins = [s[0] for s in solids] or [0]
    for (first, name), last in zip(
        solids or [(0, "")], [*begins[1:], len(corners) // 3], strict=True
    ):
        piece = corners[3 * first : 3 * last]
        document.parts.append(Part.triangles(piece, np.arange(len(piece)), name=name))
    return document


def _native(data: bytes):
    corners, solids = call("stl_parse", threads(), as_bytes(data), kinds="di")
    named = [
        (int(first), data[offset : offset + length].decode("utf-8", errors="replace"))
        for first, offset, length in solids.reshape(-1, 3).tolist()
    ]
    return corners.reshape(-1, 3), named


def _plain(data: bytes):
    corners: list[list[float]] = []
    solids: list[tuple[int, str]] = []
    facets = 0
    for number, line in enumerate(bytes(data).split(b"\n"), 1):
        words = line.split()
        if not words:
            continue
        if words[0] == b"vertex":
            try:
                x = [float(w) for w in words[1:4]]
            except ValueError:
                x = []
            if len(x) != 3:
                raise ValueError(f"line {number}: expected the 3 coordinates of a vertex")
            corners.append(x)
        elif words[0] == b"facet":
            facets += 1
        elif words[0].startswith(b"solid"):
            name = line.strip()[5:].strip().decode("utf-8", errors="replace")
            solids.append((facets, name))
    if len(corners) != 3 * facets:
        raise ValueError(
            f"expected 3 vertices a facet, got {len(corners)} vertices in {facets} facets"
        )
    return np.array(corners, np.float64).reshape(-1, 3), solids
