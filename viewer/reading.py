"""From a file to an item; a file that cannot be read says why."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np

from meshlearn.io import to_mesh
from meshlearn.io.files import load_document
from meshlearn.io.points import PointCloud, is_points, load_points
from meshlearn.io.registry import knows
from meshlearn.mesh import Mesh
from meshlearn.viewer.cameras import are_cameras, from_cameras
from meshlearn.viewer.contours import are_contours, from_contours
from meshlearn.viewer.items import Item, item_of, told_if_empty
from meshlearn.viewer.material_patches import patches_of


def read_item(path: str | os.PathLike[str]) -> Item:
    """Reads a mesh or point cloud; never raises for a bad file: ``error`` then says what is wrong.

    Args:
        path: any format that `meshlearn.load` reads, points (.xyz .txt .csv .pts .npy .npz),
            contours of a heart (.txt .csv), or cameras (transforms.json, a COLMAP model, or a
            folder that holds one).
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
    if not path.exists():
        raise ValueError("there is no such file")
    if path.is_dir() and not are_cameras(path):
        raise ValueError("it is a folder, but neither of a run, nor of a heart, nor of cameras")
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        if are_cameras(path):
            item = from_cameras(path)
        elif are_contours(path):
            item = from_contours(path)
        elif not knows(path.suffix) and is_points(path):
            item = _from_cloud(path, load_points(path))
        else:
            item = _from_document(path)
    item.notes += [str(w.message).removeprefix(f"{path}: ") for w in told]
    return told_if_empty(item)


def _from_cloud(path: Path, cloud: PointCloud) -> Item:
    normals = None if cloud.normals is None else cloud.normals.double().numpy()
    return Item(path.name, path, points=cloud.points.double().numpy(), normals=normals)


def _from_document(path: Path) -> Item:
    document = load_document(path)
    mesh = to_mesh(document, dtype=None)
    item = item_of(path.name, mesh, path)
    item.patches = patches_of(mesh)
    counts = [len(part.vertices) for part in document.parts]
    item.parts = parts_of(mesh, np.repeat(np.arange(len(counts)), counts))
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
