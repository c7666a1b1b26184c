"""What is shown: one item a file, made ready for drawing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from meshlearn.mesh import Mesh
from meshlearn.viewer.material_patches import Patch


@dataclass
class Item:
    """One thing in the scene.

    Attributes:
        name: what people read; unique in a scene.
        path: where it came from, or None.
        mesh: the mesh as read, its indices those of the file; None where there is none.
        points: (P, 3) float64 positions that are drawn as points.
        normals: (P, 3) unit normals of the points, or None.
        lines: (N, 2, 3) float64 ends of line segments (contours, polylines).
        parts: (V,) which part each vertex belongs to, where the parts of a mesh share none (the
            convexes of BSP-Net, the objects of a file), or None.
        patches: what the file's materials put on the faces (`meshlearn.viewer.material_patches`).
        point_colors, line_colors: (P, 3) and (N, 3) uint8, or None for the item's own colour.
        point_size: diameter of the points in the scene, or None: by their number.
        told: what is said of a point when it is picked, by name: P texts each.
        legend: names of the colours of points and lines.
        around: it stands around the others (cameras): the first view does not try to hold it.
        hidden: not shown until asked for.
        notes: what the reader should know: vertices that are not numbers, faces not drawn.
        error: why there is nothing to show, or "".
    """

    name: str
    path: Path | None = None
    mesh: Mesh | None = None
    points: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    normals: np.ndarray | None = None
    lines: np.ndarray = field(default_factory=lambda: np.zeros((0, 2, 3)))
    point_colors: np.ndarray | None = None
    line_colors: np.ndarray | None = None
    point_size: float | None = None
    told: dict[str, list[str]] = field(default_factory=dict)
    legend: list[tuple[str, tuple[int, int, int]]] = field(default_factory=list)
    around: bool = False
    parts: np.ndarray | None = None
    patches: list[Patch] = field(default_factory=list)
    hidden: bool = False
    notes: list[str] = field(default_factory=list)
    error: str = ""

    @property
    def has_faces(self) -> bool:
        return self.mesh is not None and self.mesh.num_faces > 0

    @property
    def summary(self) -> str:
        """Counts, for people."""
        words = []
        if self.mesh is not None and self.mesh.num_faces:
            words += [f"{self.mesh.num_vertices:,} vertices", f"{self.mesh.num_faces:,} faces"]
        if len(self.points):
            words.append(f"{len(self.points):,} points")
        if len(self.lines):
            words.append(f"{len(self.lines):,} line segments")
        return ", ".join(words)

    def bounds(self) -> np.ndarray | None:
        """(2, 3) box of what is drawn, or None."""
        clouds = [self.points, self.lines.reshape(-1, 3)]
        if self.mesh is not None and self.mesh.num_faces:
            used = self.mesh.vertices[self.mesh.topology.referenced].double().numpy()
            clouds.append(used)
        both = np.concatenate(clouds)
        both = both[np.isfinite(both).all(1)]
        return np.stack([both.min(0), both.max(0)]) if len(both) else None


def drawable_faces(mesh: Mesh) -> np.ndarray:
    """(K,) int64 indices of the faces whose corners are all numbers."""
    good = torch.isfinite(mesh.vertices).all(1)
    if bool(good.all()):
        return np.arange(mesh.num_faces)
    return good[mesh.faces].all(1).nonzero().squeeze(1).numpy()


def item_of(name: str, mesh: Mesh, path: Path | None = None) -> Item:
    """The item of a mesh; one without faces is shown as points."""
    mesh = mesh.detach().to("cpu")
    item = Item(name, path, mesh)
    bad = int((~torch.isfinite(mesh.vertices)).any(1).sum())
    if bad:
        lost = mesh.num_faces - len(drawable_faces(mesh))
        item.notes.append(
            f"{bad:,} of {mesh.num_vertices:,} vertices are NaN or infinite"
            + (f"; {lost:,} faces are not drawn" if lost else "")
        )
    if not mesh.num_faces and mesh.num_vertices:
        points = mesh.vertices.double().numpy()
        item.points = points[np.isfinite(points).all(1)]
    return told_if_empty(item)


def told_if_empty(item: Item) -> Item:
    """The item, with an error where there is nothing to draw."""
    nothing = "there is nothing in it to draw (no faces, no points, no lines)"
    item.error = "" if item.summary else nothing
    return item


def unique_names(items: list[Item]) -> None:
    """Gives items of one name a number, in place: part.obj, part.obj (2)."""
    seen: dict[str, int] = {}
    for item in items:
        count = seen[item.name] = seen.get(item.name, 0) + 1
        if count > 1:
            item.name = f"{item.name} ({count})"
