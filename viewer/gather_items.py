"""From names on a command line to what a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from meshlearn.mesh import Mesh
from meshlearn.viewer.coarse import clustered
from meshlearn.viewer.fields import Field, read_field
from meshlearn.viewer.items import Item, drawable_faces, unique_names
from meshlearn.viewer.reading import read_item
from meshlearn.viewer.runs import Run, is_run
from meshlearn.viewer.series import THICKNESS, Series, heart_of, is_heart, is_series

MANY = 5_000_000  # faces


def gather(
    paths: Sequence[Path], *, field: str = "", most_faces: int | None = None
) -> tuple[list[Item], Run | None, str, dict[str, dict[str, Field]]]:
    """Items, the run folder, the name of the field to show, and fields read from a file.

    Args:
        paths: files, folders of cameras or of one heart, and at most one run folder.
        field: a name, or a .npy file with one number a vertex or face of the first mesh.
        most_faces: meshes with more are simplified, which their notes tell.

    Raises:
        ValueError: two run folders, or a field file that does not fit.
    """
    folders = [path for path in paths if is_run(path) or is_series(path)]
    if len(folders) > 1:
        raise ValueError(f"FILE: expected one run folder, got {len(folders)}: {folders[1]}")
    rest = [path for path in paths if path not in folders]
    items = [heart_of(path) if is_heart(path) else read_item(path) for path in rest]
    if not field and rest and is_heart(rest[0]):
        field = THICKNESS
    unique_names(items)
    extra: dict[str, dict[str, Field]] = {}
    if field.endswith(".npy"):
        readable = [item for item in items if not item.error]
        meshes = [(item.name, item.mesh) for item in readable if item.mesh is not None]
        if not meshes:
            raise ValueError(f"--field: {field} is for a mesh, but none could be read")
        name, mesh = meshes[0]
        found = read_field(field, mesh, name)
        extra, field = {name: {found.name: found}}, found.name
    for item in items:
        if most_faces is not None:
            thin(item, most_faces)
        elif item.mesh is not None and item.mesh.num_faces > MANY:
            item.notes.append(
                f"{item.mesh.num_faces:,} faces take a browser long; --decimate 1000000 simplifies"
            )
    run = None
    if folders:
        run = Series(folders[0]) if is_series(folders[0]) else Run(folders[0])
        if isinstance(run, Series) and not field:
            field = THICKNESS
    return items, run, field, extra


def thin(item: Item, most_faces: int) -> None:
    """Simplifies a mesh with more faces than that by clustering vertices in a grid, in place."""
    mesh = item.mesh
    if mesh is None or mesh.num_faces <= most_faces:
        return
    before = mesh.num_faces
    vertices, faces = mesh.vertices.numpy(), mesh.faces.numpy()[drawable_faces(mesh)]
    # faces of a surface go with the square of the grid: start near, then coarser until it fits
    cells = max(2.0, 1.2 * most_faces**0.5)
    while True:
        points, kept, _, _ = clustered(vertices, faces, int(cells))
        if len(kept) <= most_faces or cells <= 2:
            break
        cells *= max(0.5, min(0.9, 0.95 * (most_faces / len(kept)) ** 0.5))
    item.patches, item.parts = [], None
    item.mesh = Mesh(torch.from_numpy(points).to(mesh.dtype), torch.from_numpy(kept))
    item.notes.append(f"simplified from {before:,} to {len(kept):,} faces to be shown")
