"""STL, binary and ascii: a soup of triangles; nothing is merged.

Ascii files are read as people have them: keywords in letters of any case, lines that end in any
way or not at all, several solids, no "endsolid". Binary ones by their size, where the count in
their header does not fit it.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from meshlearn._compiled import HAS_COMPILED, as_bytes, call, threads
from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.encoding import (
    COMMAS_SAID,
    as_utf8,
    decoded_name,
    with_line_feeds,
    with_plain_infinities,
)
from meshlearn.io.formats.stl.colors import colors_of, plain_head
from meshlearn.io.text import said_of_bytes

HEAD = b"meshlearn"  # of a file whose part has no name
UNKNOWN = (0, 0x7FFFFFFF, 0xFFFFFFFF)  # counts of writers that did not know it, or went back for it
FACET = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("extra", "<u2")])

_BEGIN = re.compile(rb"\s*(solid|facet\s+normal)\b", re.IGNORECASE)
_LOOKED = 1 << 16  # bytes of a text that may be its name
# three words of which one has a comma inside: "vertex 1,5 0 0", not "vertex 1, 2, 3"
_DECIMAL_COMMA = re.compile(
    rb"vertex[ \t]+(?=[^\r\n]*\d,\d)[-+.,\deE]*[\deE.][ \t]+[-+.,\deE]*[\deE.][ \t]+"
    rb"[-+.,\deE]*[\deE.][ \t]*[\r\n]",
    re.IGNORECASE,
)
# where a line should begin, in files that are one line
_STATEMENT = re.compile(
    rb"\s+(?=(?:facet\s+normal|outer\s+loop|endloop|endfacet|endsolid)\b|vertex\s+[-+.\dni])",
    re.IGNORECASE,
)
_NEXT_SOLID = re.compile(rb"^(endsolid.*?)[ \t]+(?=solid\b)", re.IGNORECASE | re.MULTILINE)


def read(data: bytes | bytearray, path: Path) -> Document:
    """Reads an STL; told by its size, since binary files too may begin with "solid"."""
    size = len(data)
    count = int(np.frombuffer(data, "<u4", 1, 80)[0]) if size >= 84 else 0
    if size >= 84 and size == 84 + 50 * count:
        return _binary(data, [(0, count)])
    text = _text(data, path)
    if text is not None:
        return _ascii(text, path)
    if size < 84:
        raise FileFormatError(
            f"{path}: expected an STL file of at least 84 bytes or 'solid' in front, got "
            f"{size} bytes"
        )
    bare = (size - 80) // 50
    if size == 80 + 50 * bare and _fits(np.frombuffer(data, FACET, bare, 80)):
        document = _binary(data, [(-4, bare)])
        document.remarks.append(f"there is no number of triangles in the header, {bare} are read")
        return document
    solids, end = _solids(data)
    if len(solids) > 1:
        document = _binary(data, solids)
        document.remarks.append(f"{len(solids)} files one behind the other are as many parts")
        document.remarks += said_of_bytes(data, end)
        return document
    held, rest = divmod(size - 84, 50)
    if held and (count in UNKNOWN or (count < held and not rest)):
        document = _binary(data, [(0, held)])
        more = f"; {rest} bytes behind them, no whole one, are left out" if rest else ""
        document.remarks.append(f"the header promises {count} triangles, {held} are read{more}")
        return document
    if count <= held:
        document = _binary(data, [(0, count)])
        document.remarks += said_of_bytes(data, end)
        return document
    raise FileFormatError(
        f"{path}: the header promises {count} triangles ({84 + 50 * count} bytes), the file has "
        f"{size} bytes"
    )


def _text(data: bytes | bytearray, path: Path) -> bytes | bytearray | None:
    """The text of an ascii file; None where it is binary."""
    if b"\0" in data[:64]:
        try:
            data = as_utf8(data)
        except ValueError as error:
            raise FileFormatError(f"{path}: {error}") from None
    elif data[:3] == b"\xef\xbb\xbf":
        data = data[3:]
    return data if _BEGIN.match(data[:4096]) and b"\0" not in data[:_LOOKED] else None


def _fits(table: np.ndarray) -> bool:
    """Whether rows are triangles with their normals, and not anything else."""
    with np.errstate(all="ignore"):
        a, b, c = np.moveaxis(table["corners"].astype(np.float64), 1, 0)
        normal = np.cross(b - a, c - a)
        length = np.linalg.norm(normal, axis=1) * np.linalg.norm(table["normal"], axis=1)
        alike = (normal * table["normal"]).sum(1) > 0.9 * length
    return bool(len(table) and np.isfinite(table["corners"]).all() and alike.mean() > 0.9)


def _solids(data: bytes | bytearray) -> tuple[list[tuple[int, int]], int]:
    """Where each of several files begins that stand one behind the other, with its number of
    triangles, and the byte behind the last; the first as its header has it."""
    found: list[tuple[int, int]] = []
    at = 0
    while len(data) - at >= 84:
        count = int(np.frombuffer(data, "<u4", 1, at + 80)[0])
        end = at + 84 + 50 * count
        if end > len(data) or (found and not _fits(np.frombuffer(data, FACET, count, at + 84))):
            break
        found.append((at, count))
        at = end
    return found, at


def _binary(data: bytes | bytearray, solids: list[tuple[int, int]]) -> Document:
    """A part for each solid: where its header begins, and its number of triangles."""
    document = Document()
    for at, count in solids:
        table = np.frombuffer(data, FACET, count, at + 84)
        corners = np.ascontiguousarray(table["corners"], dtype=np.float32).reshape(-1, 3)
        part = Part.triangles(corners, np.arange(3 * count))
        said = bytes(data[max(at, 0) : max(at, 0) + 80])
        head = plain_head(said)
        part.name = "" if head == HEAD else decoded_name(head)
        extra = np.ascontiguousarray(table["extra"])
        colors, remark = colors_of(said, extra)
        if colors is not None:
            part.face_fields["color"] = colors
            document.remarks += [remark] if remark not in document.remarks else []
        elif extra.any():
            part.face_fields["attribute"] = extra.astype(np.int32)
        document.parts.append(part)
    return document


def _ascii(data: bytes | bytearray, path: Path) -> Document:
    data = with_line_feeds(data)
    remarks = []
    if b"," in data and _DECIMAL_COMMA.search(data):
        data = re.sub(rb"(?<=\d),(?=\d)", b".", data)
        remarks = [COMMAS_SAID]
    try:
        corners, solids = _corners(data)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    if b"endsolid" not in data[-512:].lower() and b"endsolid" not in data.lower():
        remarks.append("'endsolid' is not at the end: the file may have been longer")
    document = Document(remarks=remarks)
    begins = [s[0] for s in solids] or [0]
    for (first, name), last in zip(
        solids or [(0, "")], [*begins[1:], len(corners) // 3], strict=True
    ):
        piece = corners[3 * first : 3 * last]
        document.parts.append(Part.triangles(piece, np.arange(len(piece)), name=name))
    return document


def _corners(data: bytes | bytearray) -> tuple[np.ndarray, list[tuple[int, str]]]:
    """Corners (3 F, 3), and the first triangle and the name of each solid."""
    parse = _native if HAS_COMPILED else _plain
    try:
        found = parse(data)
        if len(found[0]) or b"vertex" not in data.lower():
            return found
        error = ValueError("expected lines that begin with 'facet' and 'vertex'")
    except ValueError as first:
        error = first
    other = with_plain_infinities(data)
    lines = _STATEMENT.sub(b"\n", data if other is None else other)
    lines = _NEXT_SOLID.sub(rb"\1\n", lines)
    if bytes(lines) == bytes(data):
        raise error
    try:
        found = parse(lines)
    except ValueError:
        raise error from None
    if not len(found[0]):
        raise error
    return found


def _native(data: bytes | bytearray) -> tuple[np.ndarray, list[tuple[int, str]]]:
    corners, solids = call("stl_parse", threads(), as_bytes(data), kinds="di")
    named = [
        (int(first), decoded_name(data[offset : offset + length]))
        for first, offset, length in solids.reshape(-1, 3).tolist()
    ]
    return corners.reshape(-1, 3), named


def _plain(data: bytes | bytearray) -> tuple[np.ndarray, list[tuple[int, str]]]:
    corners: list[list[float]] = []
    solids: list[tuple[int, str]] = []
    facets = 0
    for number, line in enumerate(bytes(data).split(b"\n"), 1):
        words = line.replace(b",", b" ").split()
        if not words:
            continue
        word = words[0].lower()
        if word == b"vertex":
            try:
                x = [float(w) for w in words[1:4]]
            except ValueError:
                x = []
            if len(x) != 3:
                raise ValueError(f"line {number}: expected the 3 coordinates of a vertex")
            corners.append(x)
        elif word == b"facet":
            facets += 1
        elif word == b"solid":
            name = decoded_name(line.strip()[5:].strip())
            solids.append((facets, name))
    if len(corners) != 3 * facets:
        raise ValueError(
            f"expected 3 vertices a facet, got {len(corners)} vertices in {facets} facets"
        )
    return np.array(corners, np.float64).reshape(-1, 3), solids
