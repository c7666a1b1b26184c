"""Convexes in files: polygons with a group and a colour for each, and constructive solid text."""

from __future__ import annotations

import colorsys
import os
from pathlib import Path

import torch
from torch import Tensor

from meshlearn.convex.halfspaces import Convexes
from meshlearn.io.document import Document, Material, Part
from meshlearn.io.files import save_document, write_file
from meshlearn.io.left_behind import LossReport


def convex_colors(count: int) -> Tensor:
    """(count, 3) float32 in [0, 1]: a colour for each convex, neighbours in number far apart."""
    rows = []
    for i in range(count):
        hue = (0.08 + i * 0.6180339887498949) % 1.0
        rows.append(colorsys.hsv_to_rgb(hue, 0.62 - 0.2 * (i // 3 % 2), 0.95 - 0.22 * (i // 2 % 2)))
    return torch.tensor(rows, dtype=torch.float32).view(-1, 3)


def convex_document(convexes: Convexes, *, colors: Tensor | None = None) -> Document:
    """A document of convex polygons, one group and one material a convex that is not empty.

    Faces carry "group", "material", "convex", "plane" and "color" (uint8), of which each format
    keeps what it can.

    Args:
        colors: (C, 3) in [0, 1]; default: `convex_colors`.
    """
    count = len(convexes)
    colors = convex_colors(count) if colors is None else colors.detach().cpu().float()
    if colors.shape != (count, 3):
        raise ValueError(f"colors: expected shape ({count}, 3), got {tuple(colors.shape)}")
    used = torch.nonzero(~convexes.empty.cpu())[:, 0]
    rank = torch.full((count,), -1, dtype=torch.int32)
    rank[used] = torch.arange(len(used), dtype=torch.int32)
    owner = convexes.face_convex.cpu()
    names = [f"convex_{i}" for i in used.tolist()]
    label = rank[owner].numpy()
    part = Part(
        name="convexes",
        vertices=convexes.vertices.detach().cpu().numpy(),
        polygon_start=convexes.start.cpu().numpy(),
        polygon_index=convexes.index.cpu().numpy(),
        face_fields={
            "group": label,
            "material": label,
            "convex": owner.int().numpy(),
            "plane": convexes.face_plane.int().cpu().numpy(),
            "color": (colors[owner] * 255).round().to(torch.uint8).numpy(),
        },
        groups=names,
    )
    materials = [
        Material(name, {"base_color": [*colors[i].tolist(), 1.0]})
        for name, i in zip(names, used.tolist(), strict=True)
    ]
    return Document([part], materials)


def save_convexes(
    convexes: Convexes,
    path: str | os.PathLike[str],
    *,
    colors: Tensor | None = None,
    overwrite: bool = True,
) -> LossReport | None:
    """Writes convexes: polygons in any mesh format, or OpenSCAD text (.scad). Whole or not at all.

    An OBJ has a group and a material (in its .mtl) for each convex, a PLY a colour and the number
    of the convex on each face.

    Returns:
        What the format could not hold; None for OpenSCAD.

    Example:
        >>> save_convexes(intersect_halfspaces(planes, bounds=box), "chair.obj")
    """
    path = Path(path)
    if path.suffix.lower() == ".scad":
        if path.exists() and not overwrite:
            raise ValueError(f"{path}: it exists; give overwrite=True to replace it")
        write_file(path, csg_text(convexes).encode())
        return None
    return save_document(convex_document(convexes, colors=colors), path, overwrite=overwrite)


def csg_text(convexes: Convexes) -> str:
    """The union of convexes as an OpenSCAD program: one `polyhedron` a convex.

    OpenSCAD wants faces clockwise seen from outside; they are turned for it.
    """
    lines = ["// convexes of meshlearn", "union() {"]
    for i in range(len(convexes)):
        mesh = convexes[i]
        if not mesh.num_polygons:
            continue
        points = ", ".join(
            "[" + ", ".join(f"{v:.9g}" for v in row) + "]"
            for row in mesh.vertices.detach().double().tolist()
        )
        faces = ", ".join(str(loop[::-1]) for loop in mesh.polygons)
        lines.append(f"  polyhedron(points = [{points}], faces = [{faces}]);  // convex {i}")
    return "\n".join([*lines, "}", ""])
