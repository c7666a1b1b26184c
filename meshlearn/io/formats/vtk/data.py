"""Between documents and the data sets of VTK: points, cells of every kind, fields of both."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np

from meshlearn.io.capability import is_numeric
from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.elements import curved_loss, without_between
from meshlearn.io.left_behind import Loss, LossKind

# kinds of VTK: number -> corners of cells with a fixed number
VERTEX, POLY_VERTEX, LINE, POLY_LINE, TRIANGLE, STRIP, POLYGON, PIXEL, QUAD = range(1, 10)
_SOLID = {10: "tetra", 12: "hexahedron", 13: "wedge", 14: "pyramid"}
_NUMBER = {name: number for number, name in _SOLID.items()}
_CORNERS = {10: 4, 12: 8, 13: 6, 14: 5}
# curved cells: number -> the straight one through their corners, which are named first
_CURVED = {21: LINE, 35: LINE, 68: LINE, 75: LINE, 36: POLYGON}
_CURVED |= dict.fromkeys((22, 34, 69, 76), TRIANGLE) | dict.fromkeys((23, 28, 30, 70, 77), QUAD)
_CURVED |= dict.fromkeys((24, 71, 78), 10) | dict.fromkeys((25, 29, 33, 72, 79), 12)
_CURVED |= dict.fromkeys((26, 31, 32, 73, 80), 13) | dict.fromkeys((27, 37, 74, 81), 14)
_VOXEL, _VOXEL_ORDER = 11, [0, 1, 3, 2, 4, 5, 7, 6]
_OTHER = {0: "empty", 15: "pentagonal prism", 16: "hexagonal prism", 41: "convex point set"}
_OTHER |= {42: "polyhedron"}
GHOSTS = "vtkGhostType"
GHOST_BITS = 32 | 1  # cells that are hidden, and those that another piece has too
READER = "the reader of VTK"
TEXT = "reads arrays of numbers only"
_TIMES = ("time", "timevalue", "timestep", "time_value", "cycle", "step", "iteration")
_NAMES = {"normal": "Normals", "uv": "TCoords"}
_READ = {"Normals": "normal", "TCoords": "uv", "Texture Coordinates": "uv", "Texture": "uv"}
_READ |= {"normals": "normal", "RGB": "color", "RGBA": "color"}


def field_loss(domain: str, name: str, count: int, limit: str) -> Loss:
    """The loss of an array that is not read; of the domain "point", "cell" or "", the whole."""
    if not domain:
        limit = "reads arrays of points and cells only"
        return Loss(LossKind.METADATA, name=name, count=1, limit=limit, holder=READER)
    domain = "vertex" if domain == "point" else domain
    return Loss(LossKind.FIELD, domain, name, count, limit, READER)


def say_times(document: Document) -> None:
    """Turns the losses of a whole data set's time, cycle and bounds, which are numbers about the
    file and nothing of its mesh, into remarks."""
    times = [x for x in document.left_out if x.kind is LossKind.METADATA and _about(x.name)]
    document.left_out = [x for x in document.left_out if x not in times]
    for name in dict.fromkeys(x.name for x in times):
        document.remarks.append(f"the array {name!r} of the whole data set is left aside")


def _about(name: str) -> bool:
    return name.lower() in _TIMES or name.startswith("avtOriginalBounds")


def surface_of(part: Part) -> Part:
    """The same part without its cells of three dimensions."""
    return replace(part, cells={}, cell_fields={}) if part.cells or part.cell_fields else part


def cell_losses(document: Document) -> Iterator[Loss]:
    """Fields that only some kinds of faces, lines, points and cells have, where each has all."""
    for part in document.parts:
        kinds = {"face": part.num_faces, "line": len(part.lines), "point": len(part.points)}
        kinds |= {kind: len(cells) for kind, cells in part.cells.items()}
        present = [kind for kind, count in kinds.items() if count]
        fields = {"face": set(part.face_fields), "line": set(part.line_fields)}
        fields["point"] = set(part.point_fields)
        for kind in part.cells:
            fields[kind] = {k for k, v in part.cell_fields.items() if kind in v}
        for key in sorted(set().union(*fields.values())):
            missing = sum(kinds[kind] for kind in present if key not in fields[kind])
            yield Loss(LossKind.FIELD_ABSENCE, name=key, count=missing)


def surface_losses(document: Document) -> Iterator[Loss]:
    """`cell_losses` where the cells of three dimensions are left out."""
    yield from cell_losses(replace(document, parts=[surface_of(p) for p in document.parts]))


@dataclass
class Cells:
    """Cells in order: kind (N,), start (N + 1,), index (K,), fields (N, ...)."""

    kind: np.ndarray
    start: np.ndarray
    index: np.ndarray
    fields: dict[str, np.ndarray] = field(default_factory=dict)


def usual(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields by the names that documents have for them."""
    out: dict[str, np.ndarray] = {}
    for key, values in fields.items():
        label = _READ.get(key, key)
        out[key if label in out or (label in fields and label != key) else label] = values
    return out


def vtk_names(fields: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Fields of numbers by the names that VTK has for them."""
    return {_NAMES.get(k, k): plain(v) for k, v in fields.items() if is_numeric(v)}


def plain(values: np.ndarray) -> np.ndarray:
    """Values in a type that VTK has."""
    if values.dtype == bool:
        return values.astype(np.uint8)
    if values.dtype == np.float16:
        return values.astype(np.float32)
    return values


def _kinds(kind: np.ndarray) -> set[int]:
    """The kinds of cells that there are."""
    if len(kind) and 0 <= int(kind.min()) and int(kind.max()) < 1 << 10:
        return set(np.flatnonzero(np.bincount(kind)).tolist())
    return set(np.unique(kind).tolist())


def _rows(kind: np.ndarray, there: set[int], *wanted: int) -> np.ndarray:
    """(K,) the cells of some kinds, of all those that are there."""
    if there <= {*wanted}:
        return np.arange(len(kind))
    if there.isdisjoint(wanted):
        return np.zeros(0, np.int64)
    return np.nonzero(np.isin(kind, wanted))[0]


def _straight(path, cells: Cells) -> Cells:
    """The cells with straight ones for curved ones, and hexahedra for voxels."""
    if _kinds(cells.kind).isdisjoint({*_CURVED, _VOXEL}):
        return cells
    kind, start = cells.kind.copy(), cells.start
    sizes = np.diff(start)
    keep = sizes.copy()
    for number, straight in _CURVED.items():
        rows = np.nonzero(cells.kind == number)[0]
        if not len(rows):
            continue
        corners = _CORNERS.get(straight) or {LINE: 2, TRIANGLE: 3, QUAD: 4}.get(straight)
        keep[rows] = corners if corners else sizes[rows] // 2
        if (sizes[rows] < keep[rows]).any():
            raise FileFormatError(f"{path}: a curved cell has fewer nodes than corners")
        kind[rows] = straight
    index = cells.index
    if (keep < sizes).any():
        at = np.arange(len(index)) - np.repeat(start[:-1], sizes)
        index = index[at < np.repeat(keep, sizes)]
        start = np.concatenate([[0], np.cumsum(keep)]).astype(np.int64)
    voxels = np.nonzero(kind == _VOXEL)[0]
    if len(voxels):
        if (keep[voxels] != 8).any():
            raise FileFormatError(f"{path}: a voxel has not 8 corners")
        at = start[:-1][voxels][:, None]
        index = index.copy()
        index[at + np.arange(8)] = index[at + np.array(_VOXEL_ORDER)]
        kind[voxels] = _NUMBER["hexahedron"]
    return Cells(kind, start, index, cells.fields)


def _without_ghosts(cells: Cells) -> Cells:
    """The cells that are not another piece's, and not hidden."""
    ghosts = cells.fields.get(GHOSTS)
    if ghosts is None or ghosts.dtype.kind not in "iu" or ghosts.shape != cells.kind.shape:
        return cells
    keep = (ghosts & GHOST_BITS) == 0
    fields = {k: v[keep] for k, v in cells.fields.items() if k != GHOSTS and len(v) == len(keep)}
    if len(fields) < len(cells.fields) - 1:
        return cells
    sizes = np.diff(cells.start)
    start = np.concatenate([[0], np.cumsum(sizes[keep])]).astype(np.int64)
    return Cells(cells.kind[keep], start, cells.index[np.repeat(keep, sizes)], fields)


def _check_cells(path, cells: Cells) -> None:
    start, sizes = cells.start, np.diff(cells.start)
    if len(start) != len(cells.kind) + 1 or start[0] != 0 or (sizes < 0).any():
        raise FileFormatError(f"{path}: the offsets of its cells do not fit their corners")
    if start[-1] != len(cells.index):
        raise FileFormatError(f"{path}: the offsets of its cells do not fit their corners")


def to_part(
    path,
    vertices: np.ndarray,
    cells: Cells,
    vertex_fields: dict,
    left_out: list[Loss] | None = None,
) -> Part:
    """A part of VTK's cells; curved ones become straight, without the nodes between corners.

    Args:
        left_out: takes the losses.

    Raises:
        FileFormatError: cells that cannot be.
    """
    _check_cells(path, cells)
    cells = _without_ghosts(cells)
    whole, cells = cells.index, _straight(path, cells)
    if len(whole) > len(cells.index):
        inside = (whole >= 0) & (whole < len(vertices))
        every = whole[inside]
        inside = (cells.index >= 0) & (cells.index < len(vertices))
        if not inside.all():
            raise FileFormatError(f"{path}: a cell names a point that is not there")
        keep = without_between(len(vertices), every, cells.index)
        dropped = len(keep) - int(keep.sum())
        cells.index = (np.cumsum(keep) - 1)[cells.index]
        vertices = vertices[keep]
        vertex_fields = {k: v[keep] for k, v in vertex_fields.items()}
        if left_out is not None:
            left_out.append(curved_loss(dropped, "VTK"))
    part = Part(vertices=vertices, vertex_fields=usual(vertex_fields))
    kind, start, index = cells.kind, cells.start, cells.index
    sizes = np.diff(start)
    for name, values in {**cells.fields}.items():
        if len(values) != len(kind):
            raise FileFormatError(f"{path}: {len(values)} values of {name!r} for {len(kind)} cells")
    there = _kinds(kind)
    known = {*range(1, 10), *_SOLID}
    if not there <= known:
        number = int(kind[~np.isin(kind, [*known])][0])
        label = _OTHER.get(number, f"kind {number}")
        raise FileFormatError(f"{path}: cells of the kind {label!r} are not read")
    faces, corners = [], []

    def take(rows: np.ndarray) -> np.ndarray:
        size = sizes[rows]
        at = np.repeat(start[:-1][rows] - (np.cumsum(size) - size), size) + np.arange(size.sum())
        return index[at]

    flat = _rows(kind, there, TRIANGLE, POLYGON, PIXEL, QUAD, STRIP)
    if PIXEL in there or STRIP in there:
        for row in flat.tolist():
            run = index[start[row] : start[row + 1]]
            for polygon in _polygons(int(kind[row]), run):
                faces.append(row)
                corners.append(polygon)
        owner = np.array(faces, np.int64)
        part.polygon_start = np.cumsum([0, *(len(c) for c in corners)]).astype(np.int64)
        part.polygon_index = np.concatenate([*corners, np.zeros(0, np.int64)]).astype(np.int64)
    else:
        owner = flat
        part.polygon_start = np.concatenate([[0], np.cumsum(sizes[flat])]).astype(np.int64)
        part.polygon_index = take(flat).astype(np.int64)
    lines = _rows(kind, there, LINE, POLY_LINE)
    part.lines = [index[start[r] : start[r + 1]].astype(np.int64) for r in lines.tolist()]
    points = _rows(kind, there, VERTEX, POLY_VERTEX)
    part.points = take(points).astype(np.int64)
    point_owner = np.repeat(points, sizes[points])
    fields = usual(cells.fields)
    part.face_fields = {k: v[owner] for k, v in fields.items()} if len(owner) else {}
    part.line_fields = {k: v[lines] for k, v in fields.items()} if len(lines) else {}
    part.point_fields = {k: v[point_owner] for k, v in fields.items()} if len(points) else {}
    for number, name in _SOLID.items():
        rows = np.nonzero(kind == number)[0]
        if not len(rows):
            continue
        if (sizes[rows] != _CORNERS[number]).any():
            raise FileFormatError(f"{path}: a {name} has not {_CORNERS[number]} corners")
        part.cells[name] = take(rows).reshape(len(rows), -1).astype(np.int64)
        for key, values in fields.items():
            part.cell_fields.setdefault(key, {})[name] = values[rows]
    return part


def _polygons(kind: int, run: np.ndarray) -> list[np.ndarray]:
    if kind == STRIP:
        return [
            run[[k, k + 1, k + 2] if k % 2 == 0 else [k + 1, k, k + 2]] for k in range(len(run) - 2)
        ]
    if kind == PIXEL and len(run) == 4:
        return [run[[0, 1, 3, 2]]]
    return [run]


def from_part(part: Part) -> Cells:
    """Cells of a part: points, lines, polygons, solids, with the fields that any of them has."""
    groups: list[tuple[np.ndarray, np.ndarray, np.ndarray, dict]] = []
    if len(part.points):
        ones = np.ones(len(part.points), np.int64)
        groups.append((ones * VERTEX, ones, part.points, part.point_fields))
    if part.lines:
        sizes = np.array([len(line) for line in part.lines], np.int64)
        kind = np.where(sizes == 2, LINE, POLY_LINE)
        groups.append((kind, sizes, np.concatenate(part.lines), part.line_fields))
    if part.num_faces:
        sizes = part.sizes
        kind = np.where(sizes == 3, TRIANGLE, np.where(sizes == 4, QUAD, POLYGON))
        groups.append((kind, sizes, part.polygon_index, part.face_fields))
    for name, cells in part.cells.items():
        if name in _NUMBER and len(cells):
            fields = {k: v[name] for k, v in part.cell_fields.items() if name in v}
            kind = np.full(len(cells), _NUMBER[name])
            groups.append((kind, np.full(len(cells), cells.shape[1]), cells.reshape(-1), fields))
    nothing = np.zeros(0, np.int64)
    kind = np.concatenate([nothing, *(g[0] for g in groups)]).astype(np.int64)
    sizes = np.concatenate([nothing, *(g[1] for g in groups)]).astype(np.int64)
    index = np.concatenate([nothing, *(g[2] for g in groups)]).astype(np.int64)
    out = Cells(kind, np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64), index)
    for key in dict.fromkeys(k for g in groups for k in g[3]):
        first = next(g[3][key] for g in groups if key in g[3])
        columns = []
        for group in groups:
            values = group[3].get(key)
            if values is None or values.shape[1:] != first.shape[1:]:
                gap = np.nan if first.dtype.kind == "f" else 0
                values = np.full((len(group[0]), *first.shape[1:]), gap, first.dtype)
            columns.append(values)
        if is_numeric(first):
            out.fields[key] = np.concatenate(columns)
    return out
