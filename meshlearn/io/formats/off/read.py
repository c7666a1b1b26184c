"""OFF, COFF, NOFF, STOFF and their combinations: polygons, colours, normals. Text, and binary files
as they are read."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from meshlearn.io.color_space import meant_as_bytes
from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.encoding import COMMAS_SAID, as_utf8, with_decimal_points, with_line_feeds
from meshlearn.io.formats.off.binary import read_body
from meshlearn.io.text import (
    read_block,
    read_polygons,
    rows_of,
    said_of_bytes,
    said_of_rest,
)

_HEAD = re.compile(rb"\s*(?:#[^\n]*\n\s*)*(ST)?(C)?(N)?(4)?(n)?OFF([ \t]+BINARY)?(?![A-Za-z])")
_COUNT = re.compile(rb"(?:\s|#[^\n]*\n)*([+-]?\d+)(?=[\s#]|\Z)")


def read(data: bytes | bytearray, path: Path) -> Document:
    """Reads an OFF; the counts may stand on the first line, comments anywhere."""
    data = as_utf8(data)
    head = _HEAD.match(data)
    if b"\r" in data[:256] and b"\n" not in data[:256] and (head is None or not head[6]):
        data = with_line_feeds(data)
        head = _HEAD.match(data)
    if head is None:
        raise FileFormatError(f"{path}: expected 'OFF' (or COFF, NOFF …) as the first word")
    if head[4] or head[5]:
        raise FileFormatError(f"{path}: expected points of three dimensions, got 4OFF or nOFF")
    flags = (head[1] is not None, head[2] is not None, head[3] is not None)
    if head[6]:
        part, end = _binary(data, path, head.end(), flags)
        return Document([part], remarks=said_of_bytes(data, end))
    at, counts = head.end(), []
    for _ in range(2):
        found = _COUNT.match(data, at)
        if found is None or len(found[1]) > 18:
            raise FileFormatError(f"{path}: expected the numbers of vertices, faces and edges")
        counts.append(int(found[1]))
        at = found.end()
    nv, nf = counts
    if nv < 0 or nf < 0:
        raise FileFormatError(f"{path}: expected counts of 0 or more, got {nv} and {nf}")
    if (nv + nf) * 2 > len(data):
        raise FileFormatError(
            f"{path}: the header promises {nv} vertices and {nf} faces, the file has "
            f"{len(data)} bytes"
        )
    line = data.find(b"\n", at)
    line = len(data) if line < 0 else line + 1
    try:
        points = with_decimal_points(data, line)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    data, remarks = (data, []) if points is None else (points, [COMMAS_SAID])
    try:
        part, end = _by_lines(data, path, line, nv, nf, flags)
        return Document([part], remarks=[*remarks, *said_of_rest(data, end)])
    except ValueError as error:
        loose = _in_a_row(data, at, nv, nf, flags)
        if loose is not None:
            return Document([loose], remarks=remarks)
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(
            f"{path}: the header promises {nv} vertices and {nf} faces; behind it, {error}"
        ) from None


def _binary(
    data: bytes | bytearray, path: Path, at: int, flags: tuple[bool, bool, bool]
) -> tuple[Part, int]:
    """The part of a binary file, and the byte behind it."""
    textured, coloured, normals = flags
    body = read_body(data, path, at, 3 + 3 * normals + 4 * coloured + 2 * textured)
    part = _vertices(body.table, flags)
    part.polygon_start, part.polygon_index = body.start, body.index
    _face_colours(part, body.colours, body.lengths)
    return part, body.end


def _by_lines(
    data: bytes | bytearray, path: Path, at: int, nv: int, nf: int, flags
) -> tuple[Part, int]:
    """A vertex and a face a line, as nearly all files have them, and the byte behind them."""
    rows = read_block(data, at, nv)
    if nv and int(rows.lengths.min()) < 3:
        raise FileFormatError(
            f"{path}: vertex {int(rows.lengths.argmin())} has fewer than 3 numbers"
        )
    width = int(rows.lengths.min()) if nv else 3
    table = rows.table(width)
    assert table is not None
    part = _vertices(table, flags)
    try:
        part.polygon_start, part.polygon_index, extra = read_polygons(data, rows.end, nf)
        _face_colours(part, extra.values, extra.lengths)
        end = extra.end
    except ValueError:
        faces = read_block(data, rows.end, nf)
        first = np.concatenate([[0], np.cumsum(faces.lengths)])[:-1].astype(np.int64)
        _faces(part, path, faces.values, first, faces.lengths)
        end = faces.end
    return part, end


def _vertices(table: np.ndarray, flags: tuple[bool, bool, bool]) -> Part:
    """A part of rows (V, W) with what `flags` (ST, C, N) say stands behind the coordinates."""
    textured, coloured, normals = flags
    width, at = table.shape[1], 3
    part = Part(vertices=np.ascontiguousarray(table[:, :3]))
    if normals and width >= at + 3:
        part.vertex_fields["normal"] = table[:, at : at + 3].copy()
        at += 3
    if (coloured or not (textured or normals)) and width >= at + 3:
        n = 4 if width >= at + 4 + 2 * textured else 3
        part.vertex_fields["color"] = _colours(table[:, at : at + n])
        at += n
    if textured and width >= at + 2:
        part.vertex_fields["uv"] = table[:, at : at + 2].copy()
    return part


def _in_a_row(data: bytes | bytearray, at: int, nv: int, nf: int, flags) -> Part | None:
    """The same without regard to lines, and without colours of faces; None where that fails."""
    try:
        values = rows_of(memoryview(data)[at:])[0][1:]  # behind the number of edges
    except ValueError:
        return None
    width = 3 + 3 * flags[2] + 4 * flags[1] + 2 * flags[0]
    cursor = nv * width
    if cursor + nf > len(values) or (nf and nv == 0):
        return None
    sizes, index = [], []
    for _ in range(nf):
        n = values[cursor] if cursor < len(values) else -1
        if not (0 <= n <= len(values) - cursor - 1 and n == int(n)):
            return None
        index.append(values[cursor + 1 : cursor + 1 + int(n)])
        sizes.append(int(n))
        cursor += 1 + int(n)
    if cursor != len(values):
        return None
    corners = np.concatenate([*index, np.zeros(0)])
    if not ((corners >= 0) & (corners < nv) & (corners == np.round(corners))).all():
        return None
    part = _vertices(values[: nv * width].reshape(nv, width), flags)
    part.polygon_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    part.polygon_index = corners.astype(np.int64)
    return part


def _face_colours(part: Part, values: np.ndarray, lengths: np.ndarray) -> None:
    """Colours of faces; those of faces that have none are NaN."""
    if len(values) == 0:
        return
    width = int(lengths.max())
    if width == 1 and len(values) == len(lengths):
        whole = np.isfinite(values).all() and np.abs(values).max() < 2**53
        part.face_fields["color_index"] = values.astype(np.int64) if whole else values
    elif width in (3, 4):
        first = np.concatenate([[0], np.cumsum(lengths)[:-1]])
        colour = np.full((len(lengths), width), np.nan)
        for k in range(width):
            has = lengths > max(k, 2)
            colour[has, k] = values[first[has] + k]
        if width == 4:
            top = 255.0 if np.nanmax(colour) > 1 else 1.0
            colour[(lengths == 3), 3] = top
        part.face_fields["color"] = _colours(colour)


def _colours(values: np.ndarray) -> np.ndarray:
    """Colours as the file means them: whole numbers up to 255 as bytes, beside which opacities may
    be fractions, else as they are."""
    found = meant_as_bytes(values)
    if found is not values:
        return found
    if len(values) and values.max() > 1 and (values == np.round(values)).all():
        return np.clip(values, 0, 255).astype(np.uint8)
    return np.ascontiguousarray(values)


def _faces(part: Part, path: Path, values, first, lengths) -> None:
    if len(first) == 0:
        return
    sizes = values[first]
    if not ((sizes >= 0) & (sizes == np.round(sizes)) & (sizes < lengths)).all():
        good = (sizes >= 0) & (sizes == np.round(sizes)) & (sizes < lengths)
        face = int(np.nonzero(~good)[0][0])
        raise FileFormatError(
            f"{path}: face {face} promises {sizes[face]:g} corners, its line has "
            f"{lengths[face] - 1} numbers behind"
        )
    sizes = sizes.astype(np.int64)
    part.polygon_start = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    item = np.arange(part.polygon_start[-1]) - np.repeat(part.polygon_start[:-1], sizes)
    index = values[np.repeat(first, sizes) + 1 + item]
    if not (np.abs(index) < 2**53).all():
        raise FileFormatError(f"{path}: a face names a vertex that is no number")
    part.polygon_index = index.astype(np.int64)
    extra = lengths - 1 - sizes
    where = np.arange(int(extra.sum())) - np.repeat(np.cumsum(extra) - extra, extra)
    _face_colours(part, values[np.repeat(first + 1 + sizes, extra) + where], extra)
