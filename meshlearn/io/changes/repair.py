"""Changes of a document that mend: merging vertices, and the steps of `repair`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from meshlearn.arrays.connectivity import first_equal, labels_of
from meshlearn.arrays.report import report_of, triangle_areas
from meshlearn.io.changes.operations import (
    Changed,
    as_corner_field,
    keep_corners,
    keep_faces,
    keep_vertices,
    renumbered,
    take_corners,
    triangulate,
    used_vertices,
)
from meshlearn.io.document import Document, Part
from meshlearn.io.surface import one_surface

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh

STEPS = (
    "faces of vertices that are not finite are removed",
    "vertices at one position are merged",
    "repeated corners and faces without area are removed",
    "faces of the same vertices as an earlier one are removed",
    "neighbours are oriented alike, closed components outward",
    "vertices that nothing uses are removed",
)


def _bare(part: Part) -> Mesh:
    """A mesh of a part's triangulated polygons."""
    from meshlearn.io.meshes import tensor_of
    from meshlearn.mesh import Mesh

    flat = triangulate(Document([part])).document.parts[0]
    vertices = flat.vertices
    if vertices.dtype not in (np.float32, np.float64):
        vertices = vertices.astype(np.float64)
    return Mesh(tensor_of(vertices), tensor_of(flat.polygon_index.reshape(-1, 3)))


def _owner(part: Part) -> np.ndarray:
    """Polygon of each triangle that `_bare` gives."""
    return np.repeat(np.arange(part.num_faces), np.maximum(part.sizes - 2, 0))


def _same(a: np.ndarray, b: np.ndarray) -> bool:
    return np.array_equal(a, b, equal_nan=a.dtype.kind == "f")


def merge(document: Document, tol: float = 0.0) -> Changed:
    """Vertices at one position become one, within each part; polygons stay polygons.

    A vertex field whose values differ where vertices meet (a seam of texture coordinates, a sharp
    edge of normals) becomes a field of corners, so that nothing is lost. Faces that collapse are
    removed.

    Args:
        tol: 0 merges equal positions, above: vertices at most so far apart, and chains of such.

    Raises:
        ValueError: a tolerance that is negative or not finite.
    """
    gone = removed = 0
    seams: dict[str, None] = {}

    def change(part: Part) -> Part:
        nonlocal gone, removed
        reach = tol
        if part.transform is not None and tol > 0:
            matrix = np.asarray(part.transform, np.float64)[:3, :3]
            reach = tol / max(float(np.linalg.norm(matrix, 2)), 1e-300)
        new, count = _merged(part.vertices.astype(np.float64), reach)
        if count == len(part.vertices):
            return part
        first = np.full(count, len(new))
        np.minimum.at(first, new, np.arange(len(new)))
        gone += len(part.vertices) - len(first)
        old = part.polygon_index
        corner_fields = dict(part.corner_fields)
        vertex_fields = {}
        for name, values in part.vertex_fields.items():
            apart = not _same(values, values[first][new])
            if apart and name not in corner_fields and values.dtype.kind in "fiub" and len(old):
                corner_fields[name] = as_corner_field(values, old)
                seams[name] = None
            else:
                vertex_fields[name] = values[first]
        made = renumbered(
            part,
            new,
            vertices=part.vertices[first],
            vertex_fields=vertex_fields,
            corner_fields=corner_fields,
        )
        made.lines = [_without_repeats(line) for line in made.lines]
        before = _previous(part)
        collapsed = (made.polygon_index[before] == made.polygon_index) & (old[before] != old)
        faces = made.num_faces
        if collapsed.any():
            made = keep_corners(made, ~collapsed, fewest=3)
        removed += faces - made.num_faces
        return made

    if not (isinstance(tol, (int, float)) and np.isfinite(tol) and tol >= 0):
        raise ValueError(f"merge: expected a finite distance of at least 0, got {tol!r}")
    changed = replace(document, parts=[change(part) for part in document.parts])
    done = [f"{gone:,} vertices merged"] if gone else []
    done += [f"{removed:,} collapsed faces removed"] if removed else []
    done += [f"{', '.join(seams)} kept by corner"] if seams else []
    return Changed(changed, ", ".join(done))


def _merged(points: np.ndarray, tol: float) -> tuple[np.ndarray, int]:
    """(V,) new number of each vertex, in the order of the first at its place, and how many."""
    if tol == 0:
        return labels_of(first_equal(points))
    import torch

    from meshlearn.io.meshes import tensor_of
    from meshlearn.mesh import Mesh

    edit = Mesh(tensor_of(points), torch.zeros(0, 3, dtype=torch.int64)).merge_vertices(tol)
    return edit.vertex_map.numpy(), edit.mesh.num_vertices


def _previous(part: Part) -> np.ndarray:
    """Position of the corner before each corner of its polygon."""
    before = np.arange(len(part.polygon_index)) - 1
    filled = part.sizes > 0
    before[part.polygon_start[:-1][filled]] = part.polygon_start[1:][filled] - 1
    return before


def _without_repeats(line: np.ndarray) -> np.ndarray:
    keep = np.ones(len(line), bool)
    keep[1:] = line[1:] != line[:-1]
    kept = line[keep]
    return kept if len(kept) > 1 else line[:2]


def repair(document: Document) -> Changed:
    """The steps of `STEPS` in this order; holes are not filled, and nothing else is touched. What
    errors are left is said."""
    done: list[str] = []

    def count(text: str, number: int) -> None:
        if number:
            done.append(f"{number:,} {text}")

    bad = 0
    parts = []
    for part in document.parts:
        finite = np.isfinite(part.vertices).all(1)
        owner = np.repeat(np.arange(part.num_faces), part.sizes)
        faces = np.ones(part.num_faces, bool)
        faces[owner[~finite[part.polygon_index]]] = False
        bad += int((~faces).sum())
        parts.append(keep_faces(part, faces) if not faces.all() else part)
    count("faces of vertices that are not finite removed", bad)
    merged = merge(replace(document, parts=parts))
    if merged.done:
        done.append(merged.done)
    numbers = np.zeros(4, np.int64)
    parts = []
    for part in merged.document.parts:
        part, changed = _mend(part)
        numbers += changed
        parts.append(part)
    texts = ("faces without area removed", "repeated faces removed", "faces turned")
    for text, number in zip((*texts, "unused vertices removed"), numbers.tolist(), strict=True):
        count(text, number)
    made = replace(merged.document, parts=parts)
    surface = one_surface(made)
    left = report_of(surface.vertices, surface.polygon_index.reshape(-1, 3)).errors
    if left:
        done = done or ["nothing of what this mends"]
        done.append(f"left: {left}; meshlearn reconstruct makes a manifold surface in its place")
    return Changed(made, "; ".join(done) or "nothing to repair")


def _mend(part: Part) -> tuple[Part, np.ndarray]:
    """The part without flat and repeated faces, oriented; how many were flat, repeated, turned,
    and how many vertices nothing used."""
    faces = part.num_faces
    index = part.polygon_index
    part = keep_corners(part, index[_previous(part)] != index, fewest=3)
    part = keep_faces(part, part.sizes >= 3)
    flat_part = triangulate(Document([part])).document.parts[0]
    areas = triangle_areas(flat_part.vertices[flat_part.polygon_index.reshape(-1, 3)])
    area = np.bincount(_owner(part), areas, minlength=part.num_faces)
    part = keep_faces(part, area > 0)
    flat = faces - part.num_faces
    first = first_of_same(part)
    repeated = int((~first).sum())
    part = keep_faces(part, first)
    mesh = _bare(part)
    oriented = mesh.orient(outward=False).mesh
    import torch

    turned = (oriented.faces != mesh.faces).any(1)
    inside_out = oriented.check().defects["inside_out_components"]
    turned ^= torch.isin(oriented.topology.components().labels, inside_out)
    turn = np.zeros(part.num_faces, bool)
    turn[_owner(part)[turned.numpy()]] = True
    if turn.any():
        corner = np.arange(len(part.polygon_index))
        begin = np.repeat(part.polygon_start[:-1], part.sizes)
        size = np.repeat(part.sizes, part.sizes)
        back = begin + (size - (corner - begin)) % size  # the first corner stays the first
        corner = np.where(np.repeat(turn, part.sizes), back, corner)
        part = take_corners(part, corner, part.polygon_start, np.arange(part.num_faces))
    used = used_vertices(part)
    if not used.all():
        part = keep_vertices(part, used)
    return part, np.array([flat, repeated, int(turn.sum()), int((~used).sum())])


def first_of_same(part: Part) -> np.ndarray:
    """(F,) bool: polygons of a set of vertices that no earlier one has."""
    first = np.ones(part.num_faces, bool)
    for size in np.unique(part.sizes).tolist():
        rows = np.nonzero(part.sizes == size)[0]
        corners = part.polygon_start[rows][:, None] + np.arange(size)
        key = np.sort(part.polygon_index[corners], axis=1)
        first[rows] = False
        first[rows[np.unique(key, axis=0, return_index=True)[1]]] = True
    return first
