"""Triangles as KHR_draco_mesh_compression has them, by DracoPy (extra "draco"): about a tenth of
their size, with coordinates rounded and vertices and faces in another order."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from meshlearn.io.document import Document
from meshlearn.io.formats.gltf import draco
from meshlearn.io.formats.gltf.buffer import INDICES, Buffer, said_of
from meshlearn.io.left_behind import Loss, LossKind

BITS = 16  # of a coordinate, over the size of a part: a step is 1/65535 of it
_BITS_OF_UV = 14  # a quarter of a texel of an image of 4096
_BITS_OF_NORMALS = 12  # in octahedral form: about 0.05 degrees
_LEVEL = 7  # of 10; the highest is half as fast for some percent
_POSITION, _NORMAL, _COLOR, _UV = 0, 1, 2, 3  # kinds of attributes that Draco knows
_GENERIC = 100  # number of the first attribute of another kind


def losses(document: Document) -> Iterator[Loss]:
    """What compression loses."""
    holder = "Draco"
    for part in document.parts:
        if not part.num_faces:
            continue
        limit = f"rounds to {BITS} bits over the size of a part, and normals to {_BITS_OF_NORMALS}"
        yield Loss(LossKind.OTHER, "", "digits of coordinates", len(part.vertices), limit, holder)
        limit = "orders vertices and faces for size"
        yield Loss(LossKind.FACE_ORDER, "", "", part.num_faces, limit, holder)
        uses = np.bincount(part.polygon_index, minlength=len(part.vertices))
        limit = "has no vertices without a triangle"
        unused = 0 if part.lines or len(part.points) else int((uses == 0).sum())
        yield Loss(LossKind.UNUSED_VERTICES, "", "", unused, limit, holder)
        if (part.sizes == 3).all():
            a, b, c = part.polygon_index.reshape(-1, 3).T
            flat = int(((a == b) | (b == c) | (c == a)).sum())
            limit = "has no faces that name a vertex twice"
            yield Loss(LossKind.FACES, "", "", flat, limit, holder)


def primitive(
    writer: Buffer, columns: dict[str, np.ndarray], faces: np.ndarray, names: dict
) -> dict:
    """The primitive of triangles (F, 3) with attributes by their names in the file; plain where all
    triangles name a vertex twice, of which Draco has none."""
    a, b, c = faces.T
    good = faces[(a != b) & (b != c) & (c != a)]
    used, corner = np.unique(good.reshape(-1), return_inverse=True)
    extras = {"extras": {"names": names}} if names else {}
    if not len(good):
        attributes = {k: writer.add_attribute(k, v) for k, v in columns.items()}
        place = writer.add(faces.reshape(-1).astype(np.uint32), INDICES)
        return {"attributes": attributes, "indices": place, **extras}
    rows = {key: np.ascontiguousarray(values[used]) for key, values in columns.items()}
    data, numbers = _encoded(rows, corner.reshape(-1, 3).astype(np.uint32))
    mesh = draco.library().decode(data)
    held = {found["unique_id"]: found["data"] for found in mesh.attributes}
    attributes = {}
    for key, number in numbers.items():
        values = np.asarray(held[number]).astype(rows[key].dtype)
        values = values.reshape(len(values), -1) if rows[key].ndim == 2 else values.reshape(-1)
        attributes[key] = writer.add_decoded(values, said_of(key, values))
    count = np.zeros(np.asarray(mesh.faces).size, np.uint32)
    said = {"bufferView": writer.view(data), "attributes": numbers}
    return {
        "attributes": attributes,
        "indices": writer.add_decoded(count, {}),
        "extensions": {draco.NAME: said},
        **extras,
    }


def _encoded(rows: dict[str, np.ndarray], faces: np.ndarray) -> tuple[bytes, dict[str, int]]:
    """The data, and the number in it of each attribute."""
    library = draco.library()
    known: dict[str, tuple[str, int]] = {"NORMAL": ("normals", _NORMAL)}
    known["TEXCOORD_0"] = ("tex_coord", _UV)
    if "COLOR_0" in rows and rows["COLOR_0"].dtype == np.uint8:
        known["COLOR_0"] = ("colors", _COLOR)
    options: dict = {}
    generic: dict[int, np.ndarray] = {}
    numbers: dict[str, int] = {}
    for key, values in rows.items():
        if key == "POSITION":
            continue
        if key in known:
            name = known[key][0]
            options[name] = values if name == "colors" else values.astype(np.float64)
            continue
        if values.dtype.kind == "i":  # which the library does not take
            values = rows[key] = values.astype(np.float32)
        numbers[key] = _GENERIC + len(generic)
        generic[numbers[key]] = values.reshape(len(values), -1)
    data = library.encode(
        rows["POSITION"],
        faces,
        quantization_bits=BITS,
        compression_level=_LEVEL,
        tex_coord_quantization_bits=_BITS_OF_UV,
        normal_quantization_bits=_BITS_OF_NORMALS,
        generic_attributes=generic or None,
        **options,
    )
    found = library.decode(data).attributes
    kinds = {entry["attribute_type"]: entry["unique_id"] for entry in found}
    numbers["POSITION"] = kinds[_POSITION]
    numbers |= {key: kinds[kind] for key, (_, kind) in known.items() if key in rows}
    return data, numbers
