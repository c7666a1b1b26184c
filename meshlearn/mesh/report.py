"""What is wrong with a mesh: every kind of defect, counted and listed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from meshlearn._segment import stable_sum
from meshlearn.mesh import measure
from meshlearn.mesh.repair import (
    component_volumes,
    degenerate_faces,
    duplicate_faces,
    same_position,
)
from meshlearn.mesh.topology import Topology

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
        defects: name -> indices (tensor int64). Edges are rows of ``edges``.
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
    defects: dict[str, Tensor] = field(repr=False)
    edges: Tensor = field(repr=False)

    @property
    def counts(self) -> dict[str, int]:
        """Name of each kind of defect -> how many there are."""
        return {name: int(index.numel()) for name, index in self.defects.items()}

    @property
    def ok(self) -> bool:
        """Nothing is there that is always an error."""
        return all(self.defects[name].numel() == 0 for name in _ERRORS)

    def to_dict(self, *, max_indices: int | None = 100) -> dict[str, Any]:
        """Facts, and counts and indices of defects, in types that JSON has.

        Args:
            max_indices: list at most so many of each kind; None for all. Counts are complete.
        """
        defects = {}
        for name, index in self.defects.items():
            listed = index[:max_indices]
            of = {**_ERRORS, **_NOTES}[name][0]
            entry: dict[str, Any] = {"count": int(index.numel()), "of": of}
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
            found = [(name, self.defects[name]) for name in kinds if self.defects[name].numel()]
            lines += ["", f"{title}: none" if not found else f"{title}:"]
            for name, index in found:
                some = ", ".join(str(i) for i in index[:5].tolist())
                more = ", …" if index.numel() > 5 else ""
                lines.append(f"  {index.numel():>9}  {kinds[name][1]} ({some}{more})")
        return "\n".join(lines)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list):
        return "  to  ".join("(" + ", ".join(f"{x:.6g}" for x in row) + ")" for row in value)
    return str(value)


def check(vertices: Tensor, topology: Topology) -> MeshReport:
    """Counts and indices of every kind of defect, as `Mesh.check` says."""
    with torch.no_grad():
        return _check(vertices.detach(), topology)


def _check(vertices: Tensor, topology: Topology) -> MeshReport:
    faces, num_vertices = topology.faces, topology.num_vertices
    valid = ((faces >= 0) & (faces < num_vertices)).all(1)
    out_of_range = (~valid).nonzero().squeeze(1)
    kept = valid.nonzero().squeeze(1)
    if out_of_range.numel():
        topology = Topology(faces[kept], num_vertices)

    areas = measure.face_areas(vertices, topology)
    finite = vertices.isfinite().all(1)
    own = torch.arange(num_vertices, device=vertices.device)
    components = topology.components()
    unusable = bool((~finite & topology.referenced).any())
    defects = {
        "non_finite_vertices": (~finite).nonzero().squeeze(1),
        "out_of_range_faces": out_of_range,
        "degenerate_faces": kept[degenerate_faces(topology, areas)],
        "duplicate_faces": kept[duplicate_faces(topology)],
        "non_manifold_edges": topology.non_manifold_edges,
        "non_manifold_vertices": topology.non_manifold_vertices,
        "inconsistent_edges": topology.inconsistent_edges,
        "inside_out_components": _inside_out(vertices, topology),
        "duplicate_vertices": (same_position(vertices) != own).nonzero().squeeze(1),
        "unreferenced_vertices": (~topology.referenced).nonzero().squeeze(1),
        "boundary_edges": topology.boundary_edges,
    }
    inside = vertices[finite]
    facts = {
        "vertices": num_vertices,
        "faces": len(faces),
        "edges": topology.num_edges,
        "components": components.count,
        "boundary_loops": len(topology.boundary_loops()),
        "euler_number": topology.euler_number,
        "genus": topology.genus,
        "watertight": topology.is_watertight and not out_of_range.numel(),
        "edge_manifold": topology.is_edge_manifold,
        "vertex_manifold": topology.is_vertex_manifold,
        "consistently_oriented": topology.is_consistently_oriented,
        "bounds": [inside.amin(0).tolist(), inside.amax(0).tolist()] if inside.numel() else None,
        "area": None if unusable else float(stable_sum(areas)),
        "volume": None if unusable else float(measure.volume(vertices, topology)),
    }
    return MeshReport(facts, defects, topology.edges)


def _inside_out(vertices: Tensor, topology: Topology) -> Tensor:
    """Closed, consistently oriented components of negative volume that no other one may hold.

    A cavity is a component of negative volume too: one whose box lies in the box of a component of
    positive volume is taken as meant.
    """
    volume, closed = component_volumes(vertices, topology)
    negative = (closed & (volume < 0)).nonzero().squeeze(1)
    positive = (closed & (volume > 0)).nonzero().squeeze(1)
    if not negative.numel() or not positive.numel():
        return negative
    labels, count = topology.components()
    corners = vertices[topology.faces]
    low = corners.new_full((count, 3), float("inf"))
    high = corners.new_full((count, 3), float("-inf"))
    index = labels[:, None].expand(-1, 3)
    low = low.scatter_reduce(0, index, corners.amin(1), "amin")
    high = high.scatter_reduce(0, index, corners.amax(1), "amax")
    lone = [
        i
        for i in negative.tolist()
        if not bool(((low[positive] <= low[i]) & (high[positive] >= high[i])).all(1).any())
    ]
    return negative.new_tensor(lone)
