"""Writing STL files, see `meshlearn.io.formats.stl.read`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import torch

from meshlearn._compiled import HAS_COMPILED, call, threads
from meshlearn.io.document import Document, Part, to_mesh
from meshlearn.io.formats.stl.read import FACET, HEAD
from meshlearn.io.text import rows_text
from meshlearn.mesh import Mesh

_FACETS = 1 << 15  # of a piece


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
    head = name.encode()[:80].decode("utf-8", errors="ignore").encode() or HEAD
    head = b" " + head[:79] if head[:5].lower() == b"solid" else head
    extra = mesh.face_attributes.get("attribute")
    return {path.name: _table(head, mesh, None if extra is None else extra.numpy())}


def _solid(part: Part) -> Iterator[bytes]:
    mesh = to_mesh(Document([part]), dtype=None)
    name = " ".join(part.name.split())
    yield f"solid {name}\n".encode()
    for first in range(0, mesh.num_faces, _FACETS):
        faces = mesh.faces[first : first + _FACETS]
        table = np.frombuffer(_pack(mesh.vertices, faces), FACET)
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
            np.frombuffer(packed, FACET)["extra"] = extra[rows]
        yield packed


def _pack(vertices: torch.Tensor, faces: torch.Tensor) -> memoryview:
    """Rows of the table of a binary file."""
    if HAS_COMPILED:
        points, index = vertices.contiguous().numpy(), faces.contiguous().numpy()
        return call(f"stl_pack_{points.dtype.name}", threads(), points, index, kinds="b")[0].data
    corners = vertices.numpy()[faces.numpy()].astype(np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        table = np.zeros(len(corners), FACET)
        table["corners"] = corners
        normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        length = np.linalg.norm(normal, axis=1, keepdims=True)
        good = (length > 0) & np.isfinite(length)
        table["normal"] = np.divide(normal, length, out=np.zeros_like(normal), where=good)
    return memoryview(bytearray(table.tobytes()))
