"""STEP and IGES by an extra (cascadio): OpenCASCADE meshes their shapes, names and colours kept.

Coordinates are in the file's own unit; faces of a shape share the vertices of their borders, so
that a solid is closed, and each corner has the normal of its surface.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from meshlearn.io.changes.placement import METRES
from meshlearn.io.document import CornerField, Document, FileFormatError, Part
from meshlearn.io.formats.cad.child import mesh_of, need_library
from meshlearn.io.formats.cad.unit import iges_unit, step_unit
from meshlearn.io.formats.gltf.read import read as read_gltf


def read(data: bytes, path: Path, *, tolerance: float | None = None) -> Document:
    """A part for each shape.

    Args:
        tolerance: how far triangles may be from a surface, in the file's unit; default: a
            thousandth of the size of each edge and face.

    Raises:
        FileFormatError: it is no such file, or there is no shape in it.
        ImportError: cascadio is not installed.
        ValueError: a tolerance that is not positive.
    """
    if tolerance is not None and not (math.isfinite(tolerance) and tolerance > 0):
        raise FileFormatError(f"tolerance: expected a length above 0, got {tolerance:g}")
    need_library()
    data = bytes(data)
    if data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"ISO-10303-21"):
        kind = "step"
    elif data[72:73] in (b"S", b"B", b"C"):
        kind = "iges"
    else:
        raise FileFormatError(
            f"{path}: expected STEP, which begins with ISO-10303-21, or IGES, whose first line has "
            f"an S in its 73rd column"
        )
    said = step_unit(data) if kind == "step" else iges_unit(data)
    unit = said or "mm"
    length = METRES[unit]
    try:
        found = mesh_of(data, kind, None if tolerance is None else tolerance * length * 1000)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    if not found:
        raise FileFormatError(f"{path}: there is no shape in it that can be meshed")
    document = read_gltf(found, path)
    document.up, document.unit = None, unit
    document.metadata.clear()
    if said is None:
        document.remarks.append("the file says no unit of length that is known; taken as mm")
    # what comes is in metres of a STEP file, in millimetres of an IGES file
    factor = 1 / length if kind == "step" else METRES["mm"] / length
    document.parts = [_welded(part, factor) for part in document.parts]
    return document


def _welded(part: Part, factor: float) -> Part:
    """The part in another unit, equal vertices one, normals at corners."""
    found = part.vertices.astype(np.float64)
    if part.transform is not None:
        matrix = part.transform.astype(np.float64).copy()
        matrix[:3, 3] *= factor
        part.transform = matrix
    places, index = np.unique(found, axis=0, return_inverse=True)
    old = part.polygon_index
    for name, values in part.vertex_fields.items():
        part.corner_fields[name] = CornerField(values, old)
    part.vertex_fields = {}
    part.vertices = (places * factor).astype(part.vertices.dtype)
    part.polygon_index = index.reshape(-1)[old].astype(np.int64)
    return part
