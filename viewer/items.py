"""What is shown: one item a file, made ready for drawing; a file that cannot be read says why."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from meshlearn.io.document import to_mesh
from meshlearn.io.points import PointCloud, is_points, load_points
from meshlearn.io.registry import load_document, readable_suffixes
from meshlearn.mesh import Mesh
from viewer.skin import Patch, patches_of


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
        patches: what the file's materials put on the faces, see `viewer.skin`.
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
        if self.has_faces:
            words += [f"{self.mesh.num_vertices:,} vertices", f"{self.mesh.num_faces:,} faces"]
        if len(self.points):
            words.append(f"{len(self.points):,} points")
        if len(self.lines):
            words.append(f"{len(self.lines):,} line segments")
        return ", ".join(words)

    def bounds(self) -> np.ndarray | None:
        """(2, 3) box of what is drawn, or None."""
        clouds = [self.points, self.lines.reshape(-1, 3)]
        if self.has_faces:
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
    return _told_if_empty(item)


def _told_if_empty(item: Item) -> Item:
    nothing = "there is nothing in it to draw (no faces, no points, no lines)"
    item.error = "" if item.summary else nothing
    return item


def read_item(path: str | os.PathLike[str]) -> Item:
    """Reads a mesh or point cloud; never raises for a bad file: ``error`` then says what is wrong.

    Args:
        path: any format that `meshlearn.load` reads, or a point cloud (.xyz .txt .csv .pts .npy
            .npz).
    """
    path = Path(path)
    try:
        return _read(path)
    except (ValueError, OSError, MemoryError, RuntimeError) as error:
        text = " ".join(str(error).split()) or type(error).__name__
        if isinstance(error, FileNotFoundError):
            text = "there is no such file"
        elif isinstance(error, OSError) and error.strerror:
            text = error.strerror[:1].lower() + error.strerror[1:]
        return Item(path.name, path, error=text.removeprefix(f"{path}: "))


def _read(path: Path) -> Item:
    if path.is_dir():
        raise ValueError("it is a folder, but not one of a run (history.json is not in it)")
    if not path.exists():
        raise ValueError("there is no such file")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if path.suffix.lower() not in readable_suffixes() and is_points(path):
            item = _from_cloud(path, load_points(path))
        else:
            item = _from_document(path)
    item.notes += [str(w.message).removeprefix(f"{path}: ") for w in told]
    return _told_if_empty(item)


def _from_cloud(path: Path, cloud: PointCloud) -> Item:
    normals = None if cloud.normals is None else cloud.normals.double().numpy()
    return Item(path.name, path, points=cloud.points.double().numpy(), normals=normals)


def _from_document(path: Path) -> Item:
    document = load_document(path)
    item = item_of(path.name, to_mesh(document, dtype=None), path)
    item.patches = patches_of(document, item.mesh)
    counts = [len(part.vertices) for part in document.parts]
    item.parts = parts_of(item.mesh, np.repeat(np.arange(len(counts)), counts))
    segments = [
        part.vertices[np.stack([line[:-1], line[1:]], 1)]
        for part in document.parts
        for line in part.lines
        if len(line) > 1
    ]
    if segments:
        lines = np.concatenate(segments).astype(np.float64)
        item.lines = lines[np.isfinite(lines).all((1, 2))]
        if not item.has_faces:
            item.points = np.zeros((0, 3))
    return item


def parts_of(mesh: Mesh, objects: np.ndarray) -> np.ndarray | None:
    """(V,) numbers of the parts that a mesh can be taken apart into, from 0, or None.

    By the face attribute "convex" or "group" where no two of its labels share a vertex, else by
    `objects` (V,), the objects of the file.
    """
    corner = mesh.faces.numpy()
    for name in ("convex", "group"):
        label = mesh.face_attributes.get(name)
        if label is None or label.dim() != 1 or not len(corner):
            continue
        value = np.repeat(label.double().numpy(), 3)
        low = np.full(mesh.num_vertices, np.inf)
        high = -low
        np.minimum.at(low, corner.reshape(-1), value)
        np.maximum.at(high, corner.reshape(-1), value)
        used = np.isfinite(low)
        if (low[used] == high[used]).all():
            objects = np.where(used, low, low[used].min())
            break
    known, number = np.unique(objects, return_inverse=True)
    return number if len(known) > 1 else None


def unique_names(items: list[Item]) -> None:
    """Gives items of one name a number, in place: part.obj, part.obj (2)."""
    seen: dict[str, int] = {}
    for item in items:
        count = seen[item.name] = seen.get(item.name, 0) + 1
        if count > 1:
            item.name = f"{item.name} ({count})"
