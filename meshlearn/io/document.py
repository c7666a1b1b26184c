"""What a file holds, whole: parts, ragged polygons, attributes by domain, materials.

A `Document` keeps numbers as the file has them (float32 or float64), polygons of any size and
attributes with their own index, so that reading and writing lose nothing that both formats know.
The learning `Mesh` is made from it by `to_mesh`.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch

from meshlearn.mesh import CornerAttribute, Mesh, PolygonMesh


class FileFormatError(ValueError):
    """A file that cannot be read or written, in one sentence: path, what was expected, what
    came."""


@dataclass
class CornerField:
    """Values that corners of polygons name: values (K, D), index (corners,) int64, -1 for none."""

    values: np.ndarray
    index: np.ndarray


@dataclass
class Material:
    """A surface material, between the words of two formats: each has them in its `material.py`.

    `values` holds "base_color" (red, green, blue, alpha) and "base_texture" (a key of the
    document's images) where they are known, and by the name of its format all that a file says:
    "mtl" or "gltf".
    """

    name: str
    values: dict = field(default_factory=dict)


def _no_polygons() -> np.ndarray:
    return np.zeros(1, np.int64)


@dataclass
class Part:
    """One object of a file.

    Polygon p has the corners ``polygon_index[polygon_start[p]:polygon_start[p + 1]]``.
    """

    name: str = ""
    vertices: np.ndarray = field(default_factory=lambda: np.zeros((0, 3), np.float32))
    polygon_start: np.ndarray = field(default_factory=_no_polygons)  # (F + 1,) int64
    polygon_index: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))  # (C,)
    vertex_fields: dict[str, np.ndarray] = field(default_factory=dict)  # (V, ...)
    face_fields: dict[str, np.ndarray] = field(default_factory=dict)  # (F, ...)
    corner_fields: dict[str, CornerField] = field(default_factory=dict)
    lines: list[np.ndarray] = field(default_factory=list)  # vertex indices of each polyline
    points: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    groups: list[str] = field(default_factory=list)  # face_fields["group"] indexes these
    transform: np.ndarray | None = None  # (4, 4), applied to column vectors
    cells: dict[str, np.ndarray] = field(default_factory=dict)  # "tetra": (N, 4) and the like
    cell_fields: dict[str, dict[str, np.ndarray]] = field(default_factory=dict)  # name: kind: (N,)
    line_fields: dict[str, np.ndarray] = field(default_factory=dict)  # a row for each line
    point_fields: dict[str, np.ndarray] = field(default_factory=dict)  # a row for each point

    @property
    def num_faces(self) -> int:
        return len(self.polygon_start) - 1

    @property
    def sizes(self) -> np.ndarray:
        """(F,) corners of each polygon."""
        return np.diff(self.polygon_start)

    @classmethod
    def triangles(cls, vertices: np.ndarray, faces: np.ndarray, **more) -> Part:
        """A part of triangles (F, 3)."""
        faces = np.ascontiguousarray(faces, dtype=np.int64).reshape(-1, 3)
        start = np.arange(0, 3 * len(faces) + 1, 3, dtype=np.int64)
        return cls(vertices=vertices, polygon_start=start, polygon_index=faces.reshape(-1), **more)


@dataclass
class Document:
    """A file's content.

    Attributes:
        parts: objects, each with its place.
        materials: face_fields["material"] indexes these.
        metadata: whatever else the file says, by name.
        images: textures by their file's name, encoded as they were (PNG, JPEG); those beside a file
            are read by `resolver.take_image`. Their coordinates are the field "uv" of corners or
            vertices, v counted from an image's bottom.
        up: the axis that points up, "x", "y" or "z", where the file says so.
        unit: of length, "mm", "m", "in" ..., where the file says so.
    """

    parts: list[Part] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)
    metadata: dict = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    up: str | None = None
    unit: str | None = None


def as_table(values: np.ndarray) -> np.ndarray:
    """(R, D) of values (R, ...), also where R is 0."""
    return values.reshape(len(values), int(np.prod(values.shape[1:], dtype=np.int64)))


def check_polygons(part: Part, path: str) -> None:
    """Raises FileFormatError for an index that names no vertex or no value."""
    index, count = part.polygon_index, len(part.vertices)
    if len(index) and (index.min() < 0 or index.max() >= count):
        corner = int(np.nonzero((index < 0) | (index >= count))[0][0])
        face = int(np.searchsorted(part.polygon_start, corner, side="right")) - 1
        raise FileFormatError(
            f"{path}: face {face} names vertex {index[corner]}, expected 0 to {count - 1} "
            f"({count} vertices, counted from 0)"
        )
    for kind, cells in part.cells.items():
        if cells.size and (cells.min() < 0 or cells.max() >= count):
            raise FileFormatError(
                f"{path}: a {kind} names a vertex that is not there, expected 0 to {count - 1}"
            )
    for kind, items in (("line", part.lines), ("point", [part.points])):
        for found in items[:1] if len(items) == 1 else [np.concatenate(items)] if items else []:
            if len(found) and (found.min() < 0 or found.max() >= count):
                raise FileFormatError(f"{path}: a {kind} names a vertex that is not there")
    for name, corners in part.corner_fields.items():
        bad = np.nonzero((corners.index < -1) | (corners.index >= len(corners.values)))[0]
        if len(bad):
            raise FileFormatError(
                f"{path}: corner {bad[0]} names {name} {corners.index[bad[0]]}, expected 0 to "
                f"{len(corners.values) - 1}"
            )


def _tensor(array: np.ndarray, dtype: torch.dtype | None = None) -> torch.Tensor:
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


def _place(part: Part, vertices: np.ndarray) -> tuple[np.ndarray, bool]:
    """Vertices where the part's transform puts them, and whether it mirrors."""
    if part.transform is None:
        return vertices, False
    matrix = np.asarray(part.transform, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        return moved.astype(vertices.dtype), bool(np.linalg.det(matrix[:3, :3]) < 0)


def _part_mesh(part: Part, dtype: torch.dtype | None) -> Mesh:
    vertices, mirrored = _place(part, part.vertices)
    if vertices.dtype not in (np.float32, np.float64):
        vertices = vertices.astype(np.float64)
    points = _tensor(vertices, dtype)
    sizes = part.sizes
    polygon = corner = None
    if len(sizes) == 0 or (sizes == 3).all():
        faces = _tensor(part.polygon_index.reshape(-1, 3))
    else:
        polygons = PolygonMesh(points, (_tensor(part.polygon_start), _tensor(part.polygon_index)))
        cut = polygons.triangulation()
        faces, polygon, corner = cut.mesh.faces, cut.face_map, cut.corner_map
    if mirrored:
        faces = faces.flip(1)
        corner = None if corner is None else corner.flip(1)
    face_attributes = {}
    for name, values in part.face_fields.items():
        if values.dtype.kind in "fiub":
            tensor = _tensor(values, torch.int64 if name == "material" else None)
            face_attributes[name] = tensor if polygon is None else tensor[polygon]
    corner_attributes = {}
    for name, field_ in part.corner_fields.items():
        index = _tensor(field_.index)
        if len(index) and int(index.min()) < 0:
            continue  # some corners have none: kept by the document only
        if corner is None:
            index = index.view(-1, 3)
            index = index.flip(1) if mirrored else index
        else:
            index = index[corner]
        values = field_.values
        width = int(np.prod(values.shape[1:], dtype=np.int64))  # one number a corner is (K, 1)
        values = values.reshape(len(values), width)
        corner_attributes[name] = CornerAttribute(_tensor(values, dtype), index)
    vertex_attributes = {
        name: _tensor(values, dtype if values.dtype.kind == "f" else None)
        for name, values in part.vertex_fields.items()
        if values.dtype.kind in "fiub"
    }
    return Mesh(
        points,
        faces,
        vertex_attributes=vertex_attributes,
        face_attributes=face_attributes,
        corner_attributes=corner_attributes,
    )


def _keep_common(meshes: list[Mesh]) -> None:
    """Takes away attributes that not all meshes have, or not as rows of the same kind."""

    def kind(values: torch.Tensor | CornerAttribute) -> tuple:
        values = values.values if isinstance(values, CornerAttribute) else values
        return values.shape[1:], values.is_floating_point()

    for domain in ("vertex_attributes", "face_attributes", "corner_attributes"):
        tables = [getattr(mesh, domain) for mesh in meshes]
        for name in {name for table in tables for name in table}:
            kinds = {kind(table[name]) if name in table else None for table in tables}
            if len(kinds) > 1:
                for table in tables:
                    table.pop(name, None)


def to_mesh(document: Document, *, dtype: torch.dtype | None = torch.float32) -> Mesh:
    """The learning mesh of a document: parts joined in order, polygons triangulated.

    Nothing is merged, reordered or dropped; attributes that all parts have are kept.

    Args:
        dtype: of vertices and float attributes; None keeps the file's.
    """
    from meshlearn.mesh import cat

    if not document.parts:
        none = torch.zeros(0, 3, dtype=dtype or torch.float32)
        return Mesh(none, torch.zeros(0, 3, dtype=torch.int64))
    meshes = [_part_mesh(part, dtype) for part in document.parts]
    _keep_common(meshes)
    wide = max((m.dtype for m in meshes), key=lambda d: d.itemsize)
    mesh = meshes[0] if len(meshes) == 1 else cat([m.to(wide) for m in meshes]).mesh
    if "material" in mesh.face_attributes:
        mesh.materials = tuple(document.materials)
    return mesh


def from_mesh(mesh: Mesh, name: str = "") -> Document:
    """A document of one part that holds a mesh with its attributes."""
    plain = mesh.detach().to("cpu")

    def fields(attributes: dict) -> dict[str, np.ndarray]:
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
    return Document([part], materials)
