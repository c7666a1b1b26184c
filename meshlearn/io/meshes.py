"""Meshes in files: `load` and `save`, and what lies between a `Mesh` and a `Document`."""

from __future__ import annotations

import logging
import os
import warnings
from typing import IO

import numpy as np
import torch

from meshlearn.arrays.precision import box_of, common_box, fallen_together, is_far, rounding
from meshlearn.io.document import (
    CornerField,
    Document,
    FileFormatError,
    Material,
    Part,
    placed_vertices,
)
from meshlearn.io.files import load_document, said_as, save_document
from meshlearn.io.image_names import standing_alone, standing_together
from meshlearn.io.left_behind import LossKind, LossReport, report_of
from meshlearn.io.surface import one_surface
from meshlearn.mesh import CornerAttribute, Mesh

__all__ = ["from_mesh", "load", "save", "to_mesh"]

_log = logging.getLogger(__name__)
# losses that are no matter of digits or of how a format shares vertices
_WARNED = {
    LossKind.FIELD,
    LossKind.FIELD_SHAPE,
    LossKind.ALPHA,
    LossKind.MATERIALS,
    LossKind.MATERIAL_VALUES,
    LossKind.MATERIAL_PROPERTY,
    LossKind.TEXTURES,
}
_KINDS: dict[torch.dtype | None, type[np.floating]] = {
    torch.float32: np.float32,
    torch.float64: np.float64,
}
_TOLD = 1e-5  # of a mesh's size: what float32 may move vertices by before a warning


def tensor_of(array: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
    """An array as a tensor, over the same memory where torch can have that."""
    array = np.ascontiguousarray(array)
    if not array.dtype.isnative:
        array = array.astype(array.dtype.newbyteorder("="))
    if array.dtype in (np.uint16, np.uint32, np.uint64):  # torch has little use for these
        array = array.astype(np.int64)
    odd = any(stride % array.itemsize for stride in array.strides)  # a column of one packed row
    if odd or not array.flags.writeable:
        array = array.copy()
    tensor = torch.from_numpy(array)
    return tensor.to(dtype) if dtype is not None else tensor


def to_mesh(document: Document, *, dtype: torch.dtype | None = torch.float32) -> Mesh:
    """The learning mesh of a document: parts joined in order, polygons triangulated.

    Nothing is merged, reordered or dropped; attributes that all parts have are kept, and what the
    parts look like (see `one_surface`): `Mesh.materials` are the document's, each with the images
    that it names.

    Args:
        dtype: of vertices and float attributes; None keeps the file's.
    """
    part = one_surface(document, None if _lies_far(document) else _KINDS.get(dtype))

    def floats(values: np.ndarray) -> torch.Tensor:
        return tensor_of(values, dtype if values.dtype.kind == "f" else None)

    mesh = Mesh(
        tensor_of(part.vertices, dtype),
        tensor_of(part.polygon_index.reshape(-1, 3)),
        vertex_attributes={
            name: floats(_colors(name, values)) for name, values in part.vertex_fields.items()
        },
        face_attributes={
            name: tensor_of(_colors(name, values), torch.int64 if name == "material" else None)
            for name, values in part.face_fields.items()
        },
        corner_attributes={
            name: CornerAttribute(
                tensor_of(_colors(name, corners.values), dtype),
                tensor_of(corners.index).view(-1, 3),
            )
            for name, corners in part.corner_fields.items()
        },
    )
    if "material" in mesh.face_attributes:
        mesh.materials = tuple(standing_alone(document))
    return mesh


def _colors(name: str, values: np.ndarray) -> np.ndarray:
    """Values of a field; colours of 16 bits or more as fractions, since torch widens their type."""
    if name != "color" or values.dtype not in (np.uint16, np.uint32):
        return values
    return (values / np.iinfo(values.dtype).max).astype(np.float32)


def _lies_far(document: Document) -> bool:
    """Whether polygons have to be cut before their vertices are rounded."""
    if all((part.sizes == 3).all() for part in document.parts):
        return False
    boxes = [box_of(placed_vertices(part, part.vertices)[0]) for part in document.parts]
    return is_far(common_box(boxes))


def _warn_of_rounding(document: Document, path: str | os.PathLike[str]) -> None:
    """Warns where float32 moves vertices by what can be seen, or puts some on others."""
    largest, together = 0.0, 0
    for part in document.parts:
        vertices, _ = placed_vertices(part, part.vertices)
        if vertices.dtype != np.float64:
            continue
        if is_far(box_of(vertices)):
            found = rounding(vertices)
            largest, together = max(largest, found.largest), together + found.together
        elif part.num_faces:  # of points nothing becomes flat
            together += fallen_together(vertices)
    if not largest and not together:
        return
    box = common_box(box_of(placed_vertices(p, p.vertices)[0]) for p in document.parts)
    if box is None or (largest <= _TOLD * float((box[1] - box[0]).max()) and not together):
        return
    largest = max([largest, *(rounding(p.vertices).largest for p in document.parts)])
    total = sum(len(part.vertices) for part in document.parts)
    fall = f", and {together:,} of {total:,} fall on others" if together else ""
    unit = f" {document.unit}" if document.unit else ""
    warnings.warn(
        f"{path}: float32 moves vertices by up to {largest:.2g}{unit}{fall}; read it with "
        "dtype=None to keep its doubles, or centre it by meshlearn convert --center",
        stacklevel=3,
    )


def from_mesh(mesh: Mesh, name: str = "") -> Document:
    """A document of one part that holds a mesh with its attributes, materials and their images."""
    plain = mesh.detach().to("cpu")

    def fields(attributes: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
        return {key: value.numpy() for key, value in attributes.items()}

    part = Part.triangles(
        plain.vertices.numpy(),
        plain.faces.numpy(),
        name=name,
        vertex_fields=fields(plain.vertex_attributes),
        face_fields=fields(plain.face_attributes),
    )
    for key, corner in plain.corner_attributes.items():
        part.corner_fields[key] = CornerField(
            corner.values.numpy(), corner.index.reshape(-1).numpy()
        )
    materials = [m if isinstance(m, Material) else Material(str(m)) for m in mesh.materials]
    materials, images = standing_together(materials)
    return Document([part], materials, images=images)


def load(
    path: str | os.PathLike[str] | IO[bytes],
    *,
    dtype: torch.dtype | None = torch.float32,
    nan: str = "keep",
    format: str | None = None,
) -> Mesh:
    """Reads a mesh by its extension: OBJ, PLY, STL, OFF, glTF, 3MF, VTK, MEDIT, Gmsh, COLLADA and
    others (`readable_suffixes`).

    Polygons are triangulated, several parts joined; nothing is merged, reordered or dropped. Fields
    of the file become attributes: "color", "normal", "uv" and others by their name; texture
    coordinates and normals of an OBJ are corner attributes with their own index. Materials with
    their textures are `Mesh.materials`, which the face attribute "material" indexes. A file that
    is named and not there, such as an image, is warned of.

    Args:
        path: a file's name, with gzip around the file or a zip archive of one mesh too; or a file
            object that is open for reading bytes.
        dtype: of vertices and float attributes; None keeps what the file has (text: float64, also
            single precision that a file places far from the origin).
        nan: "keep" vertices that are NaN or infinite, with a warning in the log, or "refuse" them.
        format: an extension such as "ply", where the name does not say it.

    Raises:
        FileFormatError: a ValueError of one sentence; see `load_document`.

    Warns:
        UserWarning: float32 moves vertices by more than 1e-5 of the mesh's size, or puts some on
            others: by how much, in the file's unit, and how many.

    Example:
        >>> mesh = meshlearn.load("part.obj")
    """
    if nan not in ("keep", "refuse"):
        raise ValueError(f"nan: expected 'keep' or 'refuse', got {nan!r}")
    document = load_document(path, format=format)
    path = said_as(path)
    odd = [p for p in document.parts if not np.isfinite(p.vertices).all()]
    bad = sum(int((~np.isfinite(p.vertices)).any(axis=1).sum()) for p in odd)
    if bad:
        total = sum(len(p.vertices) for p in document.parts)
        text = f"{path}: {bad} of {total} vertices are NaN or infinite"
        if nan == "refuse":
            raise FileFormatError(f"{text}; read it with nan='keep' or mend the file")
        _log.warning("%s; they are kept", text)
    if dtype == torch.float32:
        _warn_of_rounding(document, path)
    if document.left_out:
        report = report_of(document.left_out, "the reader")
        warnings.warn(f"{path}: not read: {report.listed}", stacklevel=2)
    return to_mesh(document, dtype=dtype)


def save(
    mesh: Mesh,
    path: str | os.PathLike[str] | IO[bytes],
    *,
    overwrite: bool = True,
    format: str | None = None,
) -> LossReport:
    """Writes a mesh with its attributes, materials and textures; the format follows the extension.
    Whole or not at all.

    Attributes, materials and textures that the format cannot hold are warned of, once.

    Args:
        path: a file's name, with ".gz" behind it for gzip around it; or a file object that is open
            for writing bytes.
        overwrite: replace an existing file.
        format: an extension such as "ply", where the name does not say it.

    Returns:
        What the format could not hold, digits and shared vertices too.

    Raises:
        ValueError: not a Mesh; FileFormatError as `save_document`.

    Example:
        >>> meshlearn.save(mesh, "out.glb")
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    report = save_document(from_mesh(mesh), path, overwrite=overwrite, format=format)
    tell_losses(report, path)
    return report


def tell_losses(report: LossReport, path: str | os.PathLike[str] | IO[bytes]) -> None:
    """Warns once of attributes, materials and textures that a format could not hold."""
    told = LossReport(tuple(loss for loss in report.items if loss.kind in _WARNED))
    if told:
        warnings.warn(f"{said_as(path)}: {told}", stacklevel=3)
