"""What is wrong with triangles: every kind of defect, counted and listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from meshlearn.arrays.connectivity import Connectivity, first_equal
from meshlearn.arrays.precision import corner_texts

# name -> (what the indices point at, what is meant); errors first, then what may be meant so.
_ERRORS = {
    "non_finite_vertices": ("vertices", "vertices with a NaN or infinite coordinate"),
    "out_of_range_faces": ("faces", "faces with an index that is no vertex"),
    "degenerate_faces": ("faces", "faces that name a vertex twice, or without area"),
    "duplicate_faces": ("faces", "faces of the same three vertices as an earlier one"),
    "non_manifold_edges": ("edges", "edges of more than two faces"),
    "non_manifold_vertices": ("vertices", "vertices where faces are not one fan"),
    "inconsistent_edges": ("edges", "edges whose faces disagree in orientation"),
    "inside_out_components": ("components", "closed components of negative volume"),
}
_NOTES = {
    "duplicate_vertices": ("vertices", "vertices at the position of an earlier one"),
    "unreferenced_vertices": ("vertices", "vertices that no face uses"),
    "boundary_edges": ("edges", "edges of one face"),
}


@dataclass(frozen=True)
class MeshReport:
    """Facts about a mesh and its defects, as plain numbers.

    Attributes:
        facts: numbers of vertices, faces, edges, components, boundary loops; Euler number, genus
            (or None); watertight, edge_manifold, vertex_manifold, consistently_oriented; bounds of
            finite vertices (or None), area, volume (None if a vertex in use is not finite).
        defects: name -> indices, int64: tensors of a mesh, arrays of a file. Edges are rows of
            ``edges``.
        edges: (E, 2) vertices of each edge that `defects` may list.

    ``ok`` is True if nothing that is always an error is there: non-finite vertices, indices out of
    range, degenerate or duplicate faces, non-manifold edges or vertices, neighbours that disagree
    in orientation, closed components inside out. A boundary, vertices without faces and vertices at
    one position may be meant, and leave it True.

    Example:
        >>> report = ml.data.shapes.plane().check()
        >>> report.ok, report.counts["boundary_edges"], report.facts["watertight"]
        (True, 40, False)
    """

    facts: dict[str, Any]
    defects: dict[str, Any] = field(repr=False)
    edges: Any = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Name of each kind of defect -> how many there are."""
        return {name: len(index) for name, index in self.defects.items()}

    @property
    def ok(self) -> bool:
        """Nothing is there that is always an error."""
        return all(len(self.defects[name]) == 0 for name in _ERRORS)

    @property
    def errors(self) -> str:
        """The errors with their numbers, in words; empty where there is none."""
        counts = self.counts
        return ", ".join(f"{counts[k]:,} {_ERRORS[k][1]}" for k in _ERRORS if counts[k])

    @property
    def has_open_seams(self) -> bool:
        """Whether edges of one face may be seams only: vertices stand where others do."""
        counts = self.counts
        return bool(counts["boundary_edges"] and counts["duplicate_vertices"])

    def to_dict(self, *, max_indices: int | None = 100) -> dict[str, Any]:
        """Facts, and counts and indices of defects, in types that JSON has.

        Args:
            max_indices: list at most so many of each kind; None for all. Counts are complete.
        """
        defects = {}
        for name, index in self.defects.items():
            listed = index[:max_indices]
            of = {**_ERRORS, **_NOTES}[name][0]
            entry: dict[str, Any] = {"count": len(index), "of": of}
            entry["indices"] = listed.tolist()
            if of == "edges":
                entry["vertices"] = self.edges[listed].tolist()
            defects[name] = entry
        return {"ok": self.ok, **self.facts, "defects": defects}

    def __str__(self) -> str:
        rows: list[tuple[str, str]] = []
        for name, value in self.facts.items():
            rows.append((name.replace("_", " "), _text(value)))
        width = max(len(name) for name, _ in rows)
        lines = [f"{name:<{width}}  {value}" for name, value in rows]
        for title, kinds in (("errors", _ERRORS), ("notes", _NOTES)):
            found = [(name, self.defects[name]) for name in kinds if len(self.defects[name])]
            lines += ["", f"{title}: none" if not found else f"{title}:"]
            for name, index in found:
                some = ", ".join(str(i) for i in index[:5].tolist())
                more = ", …" if len(index) > 5 else ""
                lines.append(f"  {len(index):>9}  {kinds[name][1]} ({some}{more})")
        return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        corners = corner_texts(np.array(value, np.float64))
        return "  to  ".join(f"({', '.join(row)})" for row in corners)
    return str(value)


def report_of(vertices: np.ndarray, faces: np.ndarray) -> MeshReport:
    """Counts and indices of every kind of defect of vertices (V, 3) and faces (F, 3).

    Faces with an index out of range are listed and left out of everything else; vertices that are
    not finite are left out of bounds, and make area and volume None where a face uses one.
    """
    with np.errstate(all="ignore"):
        return _report(vertices, faces)


def _report(vertices: np.ndarray, faces: np.ndarray) -> MeshReport:
    valid = ((faces >= 0) & (faces < len(vertices))).all(1)
    out_of_range = np.nonzero(~valid)[0]
    kept = np.nonzero(valid)[0]
    sound = faces[kept] if len(out_of_range) else faces
    topology = Connectivity(sound, len(vertices))
    corners = vertices[sound]
    areas = triangle_areas(corners)
    finite = np.isfinite(vertices).all(1)
    a, b, c = sound.T
    collapsed = (a == b) | (b == c) | (c == a) | (areas == 0)
    repeated = first_equal(np.sort(sound, axis=1)) != np.arange(len(sound))
    unusable = bool((~finite & topology.referenced).any())
    defects = {
        "non_finite_vertices": np.nonzero(~finite)[0],
        "out_of_range_faces": out_of_range,
        "degenerate_faces": kept[collapsed],
        "duplicate_faces": kept[repeated],
        "non_manifold_edges": topology.non_manifold_edges,
        "non_manifold_vertices": topology.non_manifold_vertices,
        "inconsistent_edges": topology.inconsistent_edges,
        "inside_out_components": _inside_out(corners, topology),
        "duplicate_vertices": np.nonzero(first_equal(vertices) != np.arange(len(vertices)))[0],
        "unreferenced_vertices": np.nonzero(~topology.referenced)[0],
        "boundary_edges": topology.boundary_edges,
    }
    inside = vertices if finite.all() else vertices[finite]
    facts: dict[str, Any] = {
        "vertices": len(vertices),
        "faces": len(faces),
        "edges": len(topology.table.edges),
        "components": topology.components[1],
        "boundary_loops": topology.boundary_loops,
        "euler_number": topology.euler_number,
        "genus": topology.genus,
        "watertight": topology.is_watertight and not len(out_of_range),
        "edge_manifold": topology.is_edge_manifold,
        "vertex_manifold": topology.is_vertex_manifold,
        "consistently_oriented": topology.is_consistently_oriented,
        "bounds": [inside.min(0).tolist(), inside.max(0).tolist()] if len(inside) else None,
        "area": None if unusable else float(areas.sum(dtype=np.float64)),
        "volume": None if unusable else signed_volume(corners),
    }
    return MeshReport(facts, defects, topology.table.edges)


def cross(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(N, 3) cross products, each product rounded on its own, so that a vector and its multiple
    give zero on every processor."""
    (ax, ay, az), (bx, by, bz) = a.T, b.T
    return np.stack([ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx], 1)


def triangle_areas(corners: np.ndarray) -> np.ndarray:
    """(F,) areas of triangles (F, 3, 3), in their dtype, without overflow on the way."""
    with np.errstate(all="ignore"):
        return _areas(corners)


def _areas(corners: np.ndarray) -> np.ndarray:
    u, v = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    scale = np.maximum(np.abs(u).max(1, initial=0), np.abs(v).max(1, initial=0))
    scale = np.where(scale == 0, scale.dtype.type(1), scale)
    normal = cross(u / scale[:, None], v / scale[:, None])
    largest = np.abs(normal).max(1, initial=0)
    unit = normal / np.where(largest == 0, largest.dtype.type(1), largest)[:, None]
    length = np.sqrt((unit * unit).sum(1)) * largest
    return scale.dtype.type(0.5) * length * (scale * scale)


def signed_volume(corners: np.ndarray) -> float:
    """Volume by the divergence theorem, about the centre of the bounding box."""
    if not len(corners):
        return 0.0
    corners = corners.astype(np.float64)
    flat = corners.reshape(-1, 3)
    a, b, c = np.moveaxis(corners - (0.5 * flat.min(0) + 0.5 * flat.max(0)), 1, 0)
    return float((a * cross(b, c)).sum()) / 6


def _inside_out(corners: np.ndarray, topology: Connectivity) -> np.ndarray:
    """Closed, consistently oriented components of negative volume that no other one may hold.

    A cavity is a component of negative volume too: one whose box lies in the box of a component of
    positive volume is taken as meant.
    """
    labels, count = topology.components
    table = topology.table
    bad = topology.edge_face_counts != 2
    bad[topology.inconsistent_edges] = True
    closed = np.ones(count, bool)
    closed[labels[table.order[table.start[:-1]][bad] // 3]] = False
    if not closed.any():
        return np.zeros(0, np.int64)
    wide = corners.astype(np.float64)
    first = np.zeros(count, np.int64)
    first[labels[::-1]] = np.arange(len(labels))[::-1]
    a, b, c = np.moveaxis(wide - wide[first, 0][labels][:, None], 1, 0)  # about a point near by
    volume = np.bincount(labels, (a * cross(b, c)).sum(1) / 6, minlength=count)
    negative = np.nonzero(closed & (volume < 0))[0]
    positive = np.nonzero(closed & (volume > 0))[0]
    if not len(negative) or not len(positive):
        return negative
    low = np.full((count, 3), np.inf)
    high = np.full((count, 3), -np.inf)
    np.minimum.at(low, labels, wide.min(1))
    np.maximum.at(high, labels, wide.max(1))
    held = [
        bool(((low[positive] <= low[i]) & (high[positive] >= high[i])).all(1).any())
        for i in negative
    ]
    return negative[~np.array(held)]
