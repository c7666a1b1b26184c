"""From names on a command line to what a page shows."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from meshlearn.mesh import Mesh
from viewer.fields import Field, read_field
from viewer.items import Item, read_item, unique_names
from viewer.runs import Run, is_run
from viewer.series import Series, is_series


def gather(
    paths: Sequence[Path], *, field: str = "", most_faces: int | None = None
) -> tuple[list[Item], Run | None, str, dict[str, dict[str, Field]]]:
    """Items, the run folder, the name of the field to show, and fields read from a file.

    Args:
        paths: files, and at most one run folder.
        field: a name, or a .npy file with one number a vertex or face of the first mesh.
        most_faces: meshes with more are simplified, which their notes tell.

    Raises:
        ValueError: two run folders, or a field file that does not fit.
    """
    folders = [path for path in paths if is_run(path) or is_series(path)]
    if len(folders) > 1:
        raise ValueError(f"FILE: expected one run folder, got {len(folders)}: {folders[1]}")
    items = [read_item(path) for path in paths if path not in folders]
    unique_names(items)
    extra: dict[str, dict[str, Field]] = {}
    if field.endswith(".npy"):
        first = next((item for item in items if item.mesh is not None and not item.error), None)
        if first is None:
            raise ValueError(f"--field: {field} is for a mesh, but none could be read")
        found = read_field(field, first.mesh, first.name)
        extra, field = {first.name: {found.name: found}}, found.name
    if most_faces is not None:
        for item in items:
            thin(item, most_faces)
    run = None
    if folders:
        run = Series(folders[0]) if is_series(folders[0]) else Run(folders[0])
        if isinstance(run, Series) and not field:
            field = "wall_thickness"
    return items, run, field, extra


def thin(item: Item, most_faces: int) -> None:
    """Simplifies a mesh with more faces than that by clustering vertices in a grid, in place."""
    if not item.has_faces or item.mesh.num_faces <= most_faces:
        return
    mesh, before = item.mesh, item.mesh.num_faces
    good = torch.isfinite(mesh.vertices).all(1)
    faces = mesh.faces[good[mesh.faces].all(1)]
    points = mesh.vertices.double().nan_to_num()
    low, high = points[good].amin(0), points[good].amax(0)
    # faces of a surface go with the square of the grid: start near, then coarser until it fits
    cells = max(2.0, 1.2 * most_faces**0.5)
    while True:
        width = float((high - low).amax()) / cells
        cell = ((points - low) / max(width, 1e-300)).long()
        count = int(cells) + 2
        key = (cell[:, 0] * count + cell[:, 1]) * count + cell[:, 2]
        _, label = torch.unique(key, return_inverse=True)
        kept = label[faces]
        whole = (kept != kept.roll(1, 1)).all(1)
        kept = torch.unique(kept[whole], dim=0)
        if len(kept) <= most_faces or cells <= 2:
            break
        cells *= 0.8
    number = int(label.max()) + 1
    weight = torch.bincount(label, minlength=number)[:, None]
    middle = torch.zeros(number, 3, dtype=torch.float64)
    for axis in range(3):
        middle[:, axis] = torch.bincount(label, points[:, axis], number)
    item.patches, item.parts = [], None
    item.mesh = Mesh((middle / weight).to(mesh.dtype), kept)
    item.notes.append(f"simplified from {before:,} to {len(kept):,} faces to be shown")
