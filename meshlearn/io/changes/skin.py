"""The outer skin of volume cells: the faces that one cell alone has, as polygons of a surface."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from meshlearn.io.document import Document, Part
from meshlearn.io.format import Holds
from meshlearn.io.left_behind import Loss, LossKind

# the sides of each kind of cell, corners in VTK's order, counterclockwise seen from outside
SIDES: dict[str, list[list[int]]] = {
    "tetra": [[0, 2, 1], [0, 1, 3], [1, 2, 3], [2, 0, 3]],
    "pyramid": [[0, 3, 2, 1], [0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]],
    "wedge": [[0, 1, 2], [3, 5, 4], [0, 3, 4, 1], [1, 4, 5, 2], [2, 5, 3, 0]],
    "hexahedron": [
        [0, 3, 2, 1],
        [4, 5, 6, 7],
        [0, 1, 5, 4],
        [1, 2, 6, 5],
        [2, 3, 7, 6],
        [3, 0, 4, 7],
    ],
}


def with_skins(document: Document, holds: Holds, holder: str) -> Document:
    """The document for a format that has faces and none of its cells: where a part has cells and no
    face, their outer skin, and the cells among what is left out."""
    if not holds.faces or not any(part.cells for part in document.parts):
        return document
    parts, left_out = [], list(document.left_out)
    for part in document.parts:
        held = holds.cells is None or any(kind in holds.cells for kind in part.cells)
        if held or part.num_faces or not part.cells:
            parts.append(part)
            continue
        limit = "has no such cells; their outer skin is written"
        for kind, index in part.cells.items():
            left_out.append(Loss(LossKind.CELLS, "", kind, len(index), limit, holder))
        for key in part.cell_fields.keys() - _shared_fields(part):
            count = sum(map(len, part.cell_fields[key].values()))
            left_out.append(Loss(LossKind.FIELD, "cell", key, count, "has no cells", holder))
        parts.append(outer_skin(part))
    return replace(document, parts=parts, left_out=left_out)


def with_surface(part: Part) -> Part:
    """The part; of one with cells and no face, its outer skin."""
    return outer_skin(part) if part.cells and not part.num_faces else part


def outer_skin(part: Part) -> Part:
    """The part with polygons instead of its cells: those sides that no two of them share.

    Sides face away from their cell, whichever way round the file counts its corners. Vertices go
    that only cells named; fields of all cells become fields of faces, each side with its cell's
    values.
    """
    sides, owners, found = [], [], 0
    for kind, cells in part.cells.items():
        turned = _inside_out(part.vertices, kind, cells)
        for side in SIDES[kind]:
            corners = cells[:, side]
            corners = np.where(turned[:, None], corners[:, ::-1], corners)
            if len(side) == 3:
                corners = np.concatenate([corners, np.full((len(cells), 1), -1)], axis=1)
            sides.append(corners)
            owners.append(found + np.arange(len(cells)))
        found += len(cells)
    every, owner = _plain(np.concatenate(sides)), np.concatenate(owners)
    real = every[:, 2] >= 0
    every, owner = every[real], owner[real]
    alone = np.nonzero(_alone(every))[0]
    alone = alone[np.argsort(owner[alone], kind="stable")]
    every, owner = every[alone], owner[alone]
    fields = {
        key: np.concatenate([part.cell_fields[key][kind] for kind in part.cells])[owner]
        for key in sorted(_shared_fields(part))
    }
    skin = replace(
        part,
        polygon_start=np.concatenate([[0], np.cumsum((every >= 0).sum(1))]).astype(np.int64),
        polygon_index=np.ascontiguousarray(every[every >= 0], np.int64),
        face_fields=fields,
        corner_fields={},
        cells={},
        cell_fields={},
    )
    return _without_inner(skin, part)


def _shared_fields(part: Part) -> set[str]:
    """Names of the fields that each kind of cells has, with rows of one shape."""
    kinds = set(part.cells)
    return {
        key
        for key, table in part.cell_fields.items()
        if kinds <= set(table) and len({table[kind].shape[1:] for kind in kinds}) == 1
    }


def _inside_out(vertices: np.ndarray, kind: str, cells: np.ndarray) -> np.ndarray:
    """(N,) which cells have their corners the other way round: the sides make a negative volume."""
    corners = vertices[cells].astype(np.float64)  # (N, K, 3)
    with np.errstate(invalid="ignore", over="ignore"):
        corners = corners - corners.mean(1, keepdims=True)
        volume = np.zeros(len(cells))
        for side in SIDES[kind]:
            for b, c in itertools.pairwise(side[1:]):
                cross = np.cross(corners[:, b], corners[:, c])
                volume += (corners[:, side[0]] * cross).sum(1)
        return volume < 0


def _plain(sides: np.ndarray) -> np.ndarray:
    """Sides (N, 4) whose repeated corners are said once, -1 behind; of a collapsed cell a
    quadrilateral is a triangle, or has fewer than three corners and is no side."""
    out = sides.copy()
    for k in range(1, 4):
        same = (sides[:, k] == sides[:, :k].T).any(0)
        out[same, k] = -1
    order = np.argsort(out < 0, axis=1, kind="stable")
    return np.take_along_axis(out, order, 1)


def _alone(sides: np.ndarray) -> np.ndarray:
    """(N,) which sides have corners that no other has, in whichever order."""
    key = np.sort(sides, axis=1)
    order = np.lexsort(key.T)
    same = (key[order[1:]] == key[order[:-1]]).all(1)
    shared = np.zeros(len(sides), bool)
    shared[order[1:]] |= same
    shared[order[:-1]] |= same
    return ~shared


def _without_inner(skin: Part, before: Part) -> Part:
    """The skin without the vertices that only cells name."""
    inner = np.zeros(len(skin.vertices), bool)
    for index in before.cells.values():
        inner[index] = True
    for index in (skin.polygon_index, skin.points, *skin.lines):
        inner[index] = False
    new = np.cumsum(~inner) - 1
    return replace(
        skin,
        vertices=skin.vertices[~inner],
        vertex_fields={key: values[~inner] for key, values in skin.vertex_fields.items()},
        polygon_index=new[skin.polygon_index],
        lines=[new[line] for line in skin.lines],
        points=new[skin.points],
    )
