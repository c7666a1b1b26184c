"""STL, binary and ascii: a soup of triangles; nothing is merged."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from meshlearn._native import HAS_NATIVE
from meshlearn.io.capability import NONE, Holds, losses_of
from meshlearn.io.document import Document, FileFormatError, Part, to_mesh
from meshlearn.io.left_behind import Loss
from meshlearn.io.text import as_bytes, call, rows_text
from meshlearn.mesh import Mesh

SUFFIXES = (".stl",)
_HEAD = b"meshlearn"  # of a file whose part has no name
_FACETS = 1 << 15  # of a piece
HOLDS = Holds(
    "STL",
    face=frozenset({"attribute"}),
    cells=NONE,
    polygons=False,
    double=False,
    shared=False,
    names=True,
)
_FACET = np.dtype([("normal", "<f4", (3,)), ("corners", "<f4", (3, 3)), ("extra", "<u2")])


def read(data: bytes, path: Path) -> Document:
    """Reads an STL; told by its size, since binary files too may begin with "solid"."""
    if len(data) >= 84:
        count = int(np.frombuffer(data, "<u4", 1, 80)[0])
        if len(data) == 84 + 50 * count or (
            not data.lstrip()[:5].lower() == b"solid" and len(data) >= 84 + 50 * count
        ):
            return _binary(data, count)
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
    table = np.frombuffer(data, _FACET, count, 84)
    corners = np.ascontiguousarray(table["corners"], dtype=np.float32).reshape(-1, 3)
    part = Part.triangles(corners, np.arange(3 * count))
    head = bytes(data[:80]).split(b"\0")[0].strip()
    part.name = "" if head == _HEAD else head.decode("utf-8", errors="replace")
    if table["extra"].any():
        part.face_fields["attribute"] = table["extra"].astype(np.int32)
    return Document([part])


def _ascii(data: bytes, path: Path) -> Document:
    if b"endsolid" not in data[-512:].lower():
        raise FileFormatError(f"{path}: expected 'endsolid' at the end of an ascii STL file")
    if re.search(rb"\b(FACET|VERTEX|SOLID)\b", data[:4096]):
        data = data.lower()
    try:
        corners, solids = _native(data) if HAS_NATIVE else _plain(data)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    document = Document()
    begins = [s[0] for s in solids] or [0]
    for (first, name), last in zip(
        solids or [(0, "")], [*begins[1:], len(corners) // 3], strict=True
    ):
        piece = corners[3 * first : 3 * last]
        document.parts.append(Part.triangles(piece, np.arange(len(piece)), name=name))
    return document


def _native(data: bytes):
    corners, solids = (t.numpy() for t in call("stl_parse", as_bytes(data)))
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


def losses(document: Document) -> list[str | Loss]:
    """What an STL file cannot hold of this document."""
    return losses_of(document, HOLDS)


def write(document: Document, path: Path, *, ascii: bool = False) -> bytes:
    """An STL file, binary unless `ascii`; polygons are triangulated."""
    return b"".join(pieces(document, path, ascii=ascii)[path.name])


def pieces(
    document: Document, path: Path, *, ascii: bool = False
) -> dict[str, Iterable[bytes | memoryview]]:
    """The file of `write` in pieces."""
    if ascii:
        return {path.name: itertools.chain.from_iterable(map(_solid, document.parts or [Part()]))}
    mesh = to_mesh(document, dtype=None)
    name = " ".join(document.parts[0].name.split()) if len(document.parts) == 1 else ""
    head = name.encode()[:80].decode("utf-8", errors="ignore").encode() or _HEAD
    head = b" " + head[:79] if head[:5].lower() == b"solid" else head
    extra = mesh.face_attributes.get("attribute")
    return {path.name: _table(head, mesh, None if extra is None else extra.numpy())}


def _solid(part: Part) -> Iterator[bytes]:
    mesh = to_mesh(Document([part]), dtype=None)
    name = " ".join(part.name.split())
    yield f"solid {name}\n".encode()
    for first in range(0, mesh.num_faces, _FACETS):
        faces = mesh.faces[first : first + _FACETS]
        table = np.frombuffer(_pack(mesh.vertices, faces), _FACET)
        corners = mesh.vertices.numpy().astype(np.float32)[faces.numpy().reshape(-1)]
        normals = b"".join(rows_text(np.ascontiguousarray(table["normal"]))).splitlines()
        points = b"".join(rows_text(corners)).splitlines()
        for k, normal in enumerate(normals):
            a, b, c = points[3 * k : 3 * k + 3]
            yield (
                b"facet normal %b\nouter loop\nvertex %b\nvertex %b\nvertex %b\n"
                b"endloop\nendfacet\n" % (normal, a, b, c)
            )
    yield f"endsolid {name}\n".encode()


def _table(head: bytes, mesh: Mesh, extra: np.ndarray | None) -> Iterator[bytes | memoryview]:
    yield head.ljust(80, b"\0") + np.uint32(mesh.num_faces).tobytes()
    for first in range(0, mesh.num_faces, _FACETS):
        rows = slice(first, first + _FACETS)
        packed = _pack(mesh.vertices, mesh.faces[rows])
        if extra is not None:
            np.frombuffer(packed, _FACET)["extra"] = extra[rows]
        yield packed


def _pack(vertices: torch.Tensor, faces: torch.Tensor) -> memoryview | bytearray:
    """Rows of the table of a binary file."""
    if HAS_NATIVE:
        return call("stl_pack", vertices.contiguous(), faces.contiguous()).numpy().data
    corners = vertices.numpy()[faces.numpy()].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        table = np.zeros(len(corners), _FACET)
        table["corners"] = corners
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        good = (length > 0) & np.isfinite(length)
        table["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=good)
    return bytearray(table.tobytes())
