"""XML files of VTK: cells (.vtu), and surfaces (.vtp); data inline or appended, packed or not."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.formats.vtk import data as vtk_data
from meshlearn.io.formats.vtk.xml_file import XmlFile
from meshlearn.io.left_behind import Loss
from meshlearn.io.offset import KEY, as_offset


def read(data: bytes, path: Path) -> Document:
    """Reads a .vtp or .vtu; pieces become parts."""
    try:
        file = XmlFile(data)
        kind = file.root.get("type", "")
        grid = file.root.find(kind) if kind in ("PolyData", "UnstructuredGrid") else None
        if grid is None:
            raise ValueError(f"expected PolyData or an UnstructuredGrid, got {kind!r}")
        document = Document()
        told = grid.find(f"FieldData/DataArray[@Name='{KEY}']")
        offset = None if told is None else as_offset((told.text or "").split())
        if offset is not None:
            document.metadata[KEY] = list(offset)
        for piece in grid.findall("Piece"):
            surface = kind == "PolyData"
            document.parts.append(_piece(file, piece, path, surface, document.left_out))
        file.leave_whole(grid, () if offset is None else (KEY,))
        document.left_out += file.left_out
        vtk_data.say_times(document)
    except FileFormatError:
        raise
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    return document


def _piece(file: XmlFile, piece: Element, path: Path, surface: bool, left_out: list[Loss]) -> Part:
    points = piece.find("Points")
    holder = points.find("DataArray") if points is not None else None
    vertices = file.array(holder) if holder is not None else np.zeros((0, 3), np.float32)
    vertices = vertices.reshape(-1, 3)
    if vertices.dtype not in (np.float32, np.float64):
        vertices = vertices.astype(np.float64)
    kinds, starts, indices, base = [], [np.zeros(1, np.int64)], [], 0
    order: tuple[str, ...]
    if surface:
        groups = {"Verts": vtk_data.POLY_VERTEX, "Lines": vtk_data.POLY_LINE}
        groups |= {"Strips": vtk_data.STRIP, "Polys": vtk_data.POLYGON}
        order = ("Verts", "Lines", "Polys", "Strips")
    else:
        groups, order = {"Cells": 0}, ("Cells",)
    for name in order:
        found = file.arrays(piece.find(name))
        if "connectivity" not in found or "offsets" not in found:
            continue
        index, stop = found["connectivity"], found["offsets"]
        if index.dtype.kind not in "iu" or stop.dtype.kind not in "iu":
            raise ValueError(f"expected whole numbers in {name}")
        kind = found.get("types") if not surface else np.full(len(stop), groups[name])
        if kind is None or len(kind) != len(stop):
            raise ValueError("expected a type for every cell")
        kinds.append(kind.astype(np.int64))
        starts.append(stop.astype(np.int64) + base)
        base += len(index)
        indices.append(index.astype(np.int64))
    nothing = np.zeros(0, np.int64)
    cells = vtk_data.Cells(
        np.concatenate([nothing, *kinds]),
        np.concatenate(starts),
        np.concatenate([nothing, *indices]),
        file.arrays(piece.find("CellData")),
    )
    fields = file.arrays(piece.find("PointData"))
    for name, values in fields.items():
        if len(values) != len(vertices):
            raise ValueError(f"{len(values)} values of {name!r} for {len(vertices)} points")
    return vtk_data.to_part(path, vertices, cells, fields, left_out)
