"""Changes of a document that mend: merging vertices, and the steps of `repair`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import NamedTuple

import numpy as np

from meshlearn.arrays.connectivity import first_equal, labels_of
from meshlearn.arrays.mending import Polygons, mend
from meshlearn.arrays.mending import first_of_same as first_of_same_polygons
from meshlearn.arrays.report import report_of
from meshlearn.io.changes.operations import (
    Changed,
    as_corner_field,
    keep_corners,
    keep_faces,
    keep_vertices,
    renumbered,
    used_vertices,
)
from meshlearn.io.document import Document, Part
from meshlearn.io.surface import one_surface

STEPS = (
    "faces of vertices that are not finite are removed",
    "vertices at one position are merged",
    "edges of flat triangles are turned, and faces without area removed",
    "faces of the same vertices as an earlier one are removed",
    "neighbours are oriented alike, closed components outward",
    "edges of more than two faces and vertices of several fans are taken apart",
    "surfaces that cannot be oriented are cut open along an edge",
    "vertices that nothing uses are removed",
)


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


class Repaired(NamedTuple):
    """A repaired document, and what was done to it.

    Attributes:
        document: the new document.
        steps: (what, how many), in the order in which they were done.
        left: a sentence on the errors that `check` still finds and what mends them, or nothing.
    """

    document: Document
    steps: tuple[tuple[str, int], ...]
    left: str

    @property
    def done(self) -> str:
        """All of it in words."""
        words = [f"{count:,} {what}" if count else what for what, count in self.steps]
        if self.left:
            words = words or ["nothing of what this mends"]
        return "; ".join([*words, *([f"left: {self.left}"] if self.left else [])])


def repair(document: Document) -> Changed:
    """The steps of `STEPS` in this order; holes are not filled, and nothing else is touched. What
    errors are left is said."""
    made = repaired(document)
    return Changed(made.document, made.done or "nothing to repair")


def repaired(document: Document, *, crossings: bool = False) -> Repaired:
    """As `repair`, with the steps by number.

    Args:
        crossings: cut faces that cross others of their part, too, as `meshlearn.geometry.repair`
            does; a part where there are some becomes triangles.
    """
    steps: list[tuple[str, int]] = []
    bad = 0
    parts = []
    for part in document.parts:
        finite = np.isfinite(part.vertices).all(1)
        owner = np.repeat(np.arange(part.num_faces), part.sizes)
        faces = np.ones(part.num_faces, bool)
        faces[owner[~finite[part.polygon_index]]] = False
        bad += int((~faces).sum())
        parts.append(keep_faces(part, faces) if not faces.all() else part)
    if bad:
        steps.append(("faces of vertices that are not finite removed", bad))
    merged = merge(replace(document, parts=parts))
    if merged.done:
        steps.append((merged.done, 0))
    total: Counter[str] = Counter()
    parts = []
    for part in merged.document.parts:
        part, counts = mended(part)
        total.update(counts)
        parts.append(part)
    still = 0
    if crossings:
        for number, part in enumerate(parts):
            parts[number], counts, left = uncrossed(part)
            total.update(counts)
            still += left
    steps += [(_WORDS[name], total[name]) for name in _WORDS if total[name]]
    made = replace(merged.document, parts=parts)
    words = left_in(made)
    if crossings and not still and len(parts) > 1:
        apart = _crossing_faces(made)
        if apart:
            both = (
                f"{apart:,} faces that cross those of other parts; meshlearn boolean joins solids"
            )
            words = "; ".join(filter(None, (words, both)))
    if still:
        both = f"{still:,} faces that cross others; meshlearn wrap makes one surface that does not"
        words = "; ".join(filter(None, (words, both)))
    return Repaired(made, tuple(steps), words)


_WORDS = {
    "cut": "polygons cut into triangles, which are mended one by one",
    "edges_turned": "flat triangles made good by turning an edge",
    "flat": "faces without area removed",
    "repeated": "repeated faces removed",
    "edges": "edges of more than two faces taken apart",
    "vertices": "vertices doubled, a copy for each fan of faces",
    "seams": "edges cut open where faces cannot be oriented alike",
    "crossing": "faces that crossed others cut along them",
    "inner": "parts of them removed from within a closed surface",
    "turned": "faces turned",
    "unused": "unused vertices removed",
}


def left_in(document: Document) -> str:
    """What `check` still finds wrong in a repaired document, and which verb mends it."""
    surface = one_surface(document)
    left = report_of(surface.vertices, surface.polygon_index.reshape(-1, 3)).errors
    return f"{left}; meshlearn wrap makes one closed surface in its place" if left else ""


def mended(part: Part) -> tuple[Part, dict[str, int]]:
    """The part with what `meshlearn.arrays.mending.mend` does, and without vertices that nothing
    uses; how much each step did."""
    made, counts = mend(Polygons.of(part.vertices, part.polygon_start, part.polygon_index))
    done = asdict(counts)
    if any(done.values()):
        part = regathered(part, made)
    used = used_vertices(part)
    if not used.all():
        part = keep_vertices(part, used)
    return part, {**done, "unused": int((~used).sum())}


def _crossing_faces(document: Document) -> int:
    from meshlearn.geometry.intersections import self_intersections
    from meshlearn.io.meshes import to_mesh

    return int((self_intersections(to_mesh(document, dtype=None)) >= 0).sum())


def uncrossed(part: Part) -> tuple[Part, dict[str, int], int]:
    """The part without faces that cross others, how much each step did, and how many still do.

    Parts with lines, points or volume elements, whose vertices have to stay, are left alone.
    """
    from meshlearn.geometry.repairing import repair as repair_mesh
    from meshlearn.io.meshes import from_mesh, to_mesh

    if not part.num_faces:
        return part, {}, 0
    alone = Document([replace(part, transform=None)])
    mesh, crossing = to_mesh(alone, dtype=None), _crossing_faces(alone)
    texts = any(v.dtype.kind not in "fiub" for v in part.vertex_fields.values())
    if not crossing or part.lines or len(part.points) or part.cells or texts:
        return part, {}, crossing
    made = repair_mesh(mesh)
    if "crossing" not in made.counts:
        return part, {}, made.left
    new = from_mesh(made.mesh).parts[0]
    owner = np.repeat(np.arange(part.num_faces), np.maximum(part.sizes - 2, 0))
    face = owner[made.face_index.numpy()]
    part = replace(
        part,
        vertices=new.vertices,
        polygon_start=new.polygon_start,
        polygon_index=new.polygon_index,
        vertex_fields=new.vertex_fields,
        face_fields={k: v[face] for k, v in part.face_fields.items()},
        corner_fields=new.corner_fields,
    )
    skipped = ("merged", "unused", "turned", "not_finite")
    return part, {k: v for k, v in made.counts.items() if k not in skipped}, made.left


def regathered(part: Part, made: Polygons) -> Part:
    """The part as `made` of its polygons, fields along; the first vertices are the part's own."""
    return replace(
        part,
        vertices=made.vertices,
        polygon_start=made.start,
        polygon_index=made.index,
        vertex_fields={k: v[made.vertex] for k, v in part.vertex_fields.items()},
        face_fields={k: v[made.face] for k, v in part.face_fields.items()},
        corner_fields={
            k: replace(f, index=f.index[made.corner]) for k, f in part.corner_fields.items()
        },
    )


def first_of_same(part: Part) -> np.ndarray:
    """(F,) bool: polygons of a set of vertices that no earlier one has."""
    return first_of_same_polygons(part.polygon_start, part.polygon_index)
