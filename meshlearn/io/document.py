"""What a file holds, whole: parts, ragged polygons, attributes by domain, materials.

A `Document` keeps numbers as the file has them (float32 or float64), polygons of any size and
attributes with their own index, so that reading and writing lose nothing that both formats know.
The learning `Mesh` is made from it by `meshlearn.io.to_mesh`.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from meshlearn.arrays.precision import box_of, is_far
from meshlearn.io.left_behind import Loss
from meshlearn.io.looks import Looks, Texture


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
    "mtl" or "gltf". `looks` is what another format can say of it too.

    Two materials of a document may have one name: a material is its place in the list.

    `images` are those that it names, encoded, where it stands alone as in `Mesh.materials`; the
    materials of a document share `Document.images` instead, and have none.
    """

    name: str
    values: dict = field(default_factory=dict)
    looks: Looks | None = None
    images: dict[str, bytes] = field(default_factory=dict)

    @property
    def appearance(self) -> Looks:
        """`looks`, else what "base_color" and "base_texture" say."""
        if self.looks is not None:
            return self.looks
        color, image = self.values.get("base_color"), self.values.get("base_texture")
        found = Looks(base_texture=None if image is None else Texture(str(image)))
        if color is not None:
            red, green, blue, alpha = (*map(float, color), 1.0)[:4]
            found.base_color, found.alpha = (red, green, blue), alpha
            found.alpha_mode = "BLEND" if alpha < 1 else None
        return found


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
        """(F,) corners of each polygon, not to be written to."""
        kept: tuple[np.ndarray, np.ndarray] | None = self.__dict__.get("_kept_sizes")
        if kept is None or kept[0] is not self.polygon_start:
            kept = self.polygon_start, np.diff(self.polygon_start)
            kept[1].flags.writeable = False
            self.__dict__["_kept_sizes"] = kept
        return kept[1]

    def with_vertices(self, vertices: np.ndarray) -> Part:
        """The same part with other vertices; what is known of its polygons is known of it too."""
        made = replace(self, vertices=vertices)
        if "_kept_sizes" in self.__dict__:
            made.__dict__["_kept_sizes"] = self.__dict__["_kept_sizes"]
        return made

    @classmethod
    def triangles(cls, vertices: np.ndarray, faces: np.ndarray, **more) -> Part:
        """A part of triangles (F, 3)."""
        made = cls(vertices=vertices, **more)
        made.take_triangles(faces)
        return made

    def take_triangles(self, faces: np.ndarray) -> None:
        """Makes triangles (F, 3) the part's polygons."""
        faces = np.ascontiguousarray(faces, dtype=np.int64).reshape(-1, 3)
        start = np.arange(0, 3 * len(faces) + 1, 3, dtype=np.int64)
        self.polygon_start, self.polygon_index = start, faces.reshape(-1)
        self.__dict__["_kept_sizes"] = start, np.broadcast_to(np.int64(3), len(faces))


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
        left_out: what the reader could not take from its file, such as an image that is not there;
            a loss of every conversion.
        remarks: sentences on what the reader understood otherwise than it is written, such as
            decimal commas; no loss, told to the user.
    """

    parts: list[Part] = field(default_factory=list)
    materials: list[Material] = field(default_factory=list)
    metadata: dict = field(default_factory=dict)
    images: dict[str, bytes] = field(default_factory=dict)
    up: str | None = None
    unit: str | None = None
    left_out: list[Loss] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


def as_table(values: np.ndarray) -> np.ndarray:
    """(R, D) of values (R, ...), also where R is 0."""
    return values.reshape(len(values), int(np.prod(values.shape[1:], dtype=np.int64)))


def check_start(
    path: Path, name: str, start: np.ndarray, size: int, *, steps: np.ndarray | None = None
) -> None:
    """Raises FileFormatError where offsets do not divide so many indices; `steps` are their
    differences, where they are known."""
    good = len(start) >= 1 and start[0] == 0 and start[-1] == size
    if not good or (np.diff(start) if steps is None else steps).min(initial=0) < 0:
        raise FileFormatError(f"{path}: {name!r} does not divide {size} indices")


def check_part(path: Path, part: Part) -> None:
    """Raises FileFormatError where arrays have shapes that do not belong together."""
    v = part.vertices
    if v.ndim != 2 or v.shape[1] != 3 or v.dtype.kind not in "fiu":
        raise FileFormatError(f"{path}: expected vertices (V, 3) of numbers, got {v.shape}")
    if v.dtype not in (np.float32, np.float64):
        part.vertices = v.astype(np.float64)
    steps = part.sizes if len(part.polygon_start) else None
    size = len(part.polygon_index)
    check_start(path, "polygon_start", part.polygon_start, size, steps=steps)
    counts = {"vertex": len(v), "face": part.num_faces}
    counts |= {"line": len(part.lines), "point": len(part.points)}
    for domain, count in counts.items():
        for key, values in getattr(part, f"{domain}_fields").items():
            if values.ndim == 0 or len(values) != count:
                raise FileFormatError(
                    f"{path}: expected {count} rows of {domain} field {key!r}, got {values.shape}"
                )
    for key, corners in part.corner_fields.items():
        if corners.values.ndim == 0 or len(corners.index) != len(part.polygon_index):
            raise FileFormatError(f"{path}: corner field {key!r} has not an index a corner")
    for kind, cells in part.cells.items():
        if cells.ndim != 2 or cells.dtype.kind not in "iu":
            raise FileFormatError(f"{path}: expected cells {kind!r} of shape (N, corners)")
    for key, kinds in part.cell_fields.items():
        for kind, values in kinds.items():
            if values.ndim == 0 or kind not in part.cells or len(values) != len(part.cells[kind]):
                raise FileFormatError(f"{path}: cell field {key!r} does not fit its cells")
    if part.transform is not None:
        matrix = part.transform
        if matrix.shape != (4, 4) or matrix.dtype.kind not in "fiu":
            raise FileFormatError(f"{path}: expected a transform (4, 4), got {matrix.shape}")


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


def placed_vertices(part: Part, vertices: np.ndarray) -> tuple[np.ndarray, bool]:
    """Vertices where the part's transform puts them, and whether it mirrors.

    They keep their dtype, but float32 ones that are put far from the origin become float64: else
    all parts of a site would lose what a file keeps by placing each.
    """
    if part.transform is None:
        return vertices, False
    matrix = np.asarray(part.transform, dtype=np.float64)
    with np.errstate(over="ignore", invalid="ignore"):
        moved = vertices.astype(np.float64) @ matrix[:3, :3].T + matrix[:3, 3]
        mirrors = bool(np.linalg.det(matrix[:3, :3]) < 0)
        if vertices.dtype == np.float32 and is_far(box_of(moved)):
            return moved, mirrors
        return moved.astype(vertices.dtype), mirrors
