"""Points as lines of numbers (.xyz, .pts, .txt, .csv, .asc): by the names of their columns, else
positions, then normals or colours."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from meshlearn.io.columns import fields_of
from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.encoding import COMMAS_SAID, plain_text, refuse_grouped
from meshlearn.io.formats.xyz.head import Head, is_number, read_head
from meshlearn.io.offset import take_offset
from meshlearn.io.text import rows_of

Columns = Sequence[np.ndarray] | np.ndarray

_COMMENT = re.compile(rb"^[ \t]*(//|%|!).*$", re.MULTILINE)


def read(data: bytes | bytearray, path: Path) -> Document:
    """Reads lines of as many numbers each; one number alone in front is a count."""
    try:
        data = plain_text(data)
        head = read_head(data)
        refuse_grouped(data, head.begin)
        columns, names = _columns(data, head, path)
    except ValueError as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: {error}") from None
    part = named(columns, names) if names else unnamed(np.asarray(columns), path)
    document = Document([part])
    if not names and path.suffix.lower() != ".pts" and np.asarray(columns).shape[1:] == (7,):
        if {"color", "value"} <= part.vertex_fields.keys():
            first = np.array_equal(np.asarray(columns)[:, 3], part.vertex_fields["value"])
            order = "a value, then a colour" if first else "a colour, then a value"
            document.remarks.append(
                f"the columns have no names; behind x, y and z they were read as {order}"
            )
    if not names and len(head.words) == np.asarray(columns).shape[1]:
        listed = ", ".join(head.words)[:80]
        document.remarks.append(
            f"its head names no x, y and z ({listed}); the first three columns are the positions"
        )
    take_offset(document, data)
    if head.decimal_commas:
        document.remarks.append(COMMAS_SAID)
    return document


def _columns(data: bytes | bytearray, head: Head, path: Path) -> tuple[Columns, tuple[str, ...]]:
    """The columns of a table, numbers or text, and their names; a table (R, D) without names."""
    body = memoryview(data)[head.begin :]
    signs = (b",,", b";;", b"\t\t", b'"') if head.names else ()
    sparse = any(sign in data for sign in signs)
    if head.separator == ";" or head.decimal_commas:
        text = bytes(body)
        text = text.replace(b",", b".") if head.decimal_commas else text
        body = memoryview(text.replace(b";", b"\t"))
    if not (head.names and sparse):
        try:
            return _with_names(_numbers(body, head, path), head)
        except FileFormatError:
            if not head.names:
                raise
        except ValueError:
            cleaned = _COMMENT.sub(b"", bytes(body))
            if cleaned != bytes(body):
                return _with_names(_numbers(memoryview(cleaned), head, path), head)
            if not head.names:
                raise
    return _cells(bytes(body), head, path)


def _with_names(table: np.ndarray, head: Head) -> tuple[Columns, tuple[str, ...]]:
    """The columns of a table, or itself where it has no names; "# x y z" before six numbers says
    nothing."""
    if not head.names or table.shape[1] != len(head.names):
        return table, ()
    return list(table.T), head.names


def _numbers(body: memoryview, head: Head, path: Path) -> np.ndarray:
    """A table (R, D) of numbers alone."""
    values, lengths = rows_of(body)
    if len(lengths) > 1 and lengths[0] == 1 and lengths[1] >= 3:
        if values[0] != len(lengths) - 1:
            raise FileFormatError(
                f"{path}: it promises {values[0]:g} points, it has {len(lengths) - 1}"
            )
        values, lengths = values[1:], lengths[1:]
    if len(lengths) == 0 and head.words and not head.names:
        raise FileFormatError(
            f"{path}: expected lines of three numbers or more, got words: "
            f"{' '.join(head.words)[:60]!r}"
        )
    if len(lengths) == 0 and (head.begin or b"#" in bytes(body)):
        return np.zeros((0, max(3, len(head.names))))
    if len(lengths) == 0 or lengths[0] < 3:
        raise FileFormatError(f"{path}: expected lines of three numbers or more")
    if (lengths != lengths[0]).any():
        row = int(np.nonzero(lengths != lengths[0])[0][0])
        raise FileFormatError(
            f"{path}: point {row} has {lengths[row]} numbers, the first has {lengths[0]}"
        )
    if head.names and not head.remark and lengths[0] != len(head.names):
        raise FileFormatError(
            f"{path}: point 0 has {lengths[0]} numbers, its head names {len(head.names)} columns"
        )
    return values.reshape(len(lengths), -1)


def _cells(body: bytes, head: Head, path: Path) -> tuple[Columns, tuple[str, ...]]:
    """The columns of a table that holds words, quotes or empty cells too; no number is NaN."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    first = next((line for line in text.split("\n") if line.strip()), "")
    tabbed = head.separator or "\t" in first
    lines = io.StringIO(text, newline="")
    if tabbed or "," in first:
        rows = list(csv.reader(lines, delimiter="\t" if tabbed else ",", skipinitialspace=True))
    else:
        rows = [line.split() for line in lines]
    rows = [[cell.strip() for cell in row] for row in rows]
    rows = [row for row in rows if any(row) and not row[0].startswith(("#", "//"))]
    if len(rows) > 1 and len(rows[0]) == 1 and is_number(rows[0][0]):
        rows = rows[1:]  # their number
    width = len(head.names)
    for number, row in enumerate(rows):
        if len(row) == width + 1 and not row[-1]:
            row.pop()  # a sign behind the last column
        if len(row) != width:
            raise FileFormatError(
                f"{path}: point {number} has {len(row)} columns, its head names {width}"
            )
    columns, names = [], []
    for k, name in enumerate(head.names):
        column = [row[k] for row in rows]
        if not any(column):
            if name in ("x", "y", "z"):
                raise FileFormatError(f"{path}: the column {name!r} is empty")
            continue
        if all(not cell or is_number(cell) for cell in column):
            columns.append(np.array([float(cell) if cell else np.nan for cell in column]))
        elif name in ("x", "y", "z"):
            odd = next(n for n, cell in enumerate(column) if cell and not is_number(cell))
            raise FileFormatError(
                f"{path}: point {odd} has {column[odd][:40]!r} as {name}, expected a number"
            )
        else:
            columns.append(np.array(column))
        names.append(name)
    return columns, tuple(names)


def _as_bytes(values: np.ndarray) -> bool:
    """Whether numbers are colours from 0 to 255."""
    whole = len(values) and (values == np.round(values)).all() and values.min() >= 0
    return bool(whole and 1 < values.max() <= 255)


def named(columns: Columns, names: tuple[str, ...]) -> Part:
    """Points of columns with names."""
    table = dict(zip(names, columns, strict=True))
    vertices = np.stack([table.pop(axis) for axis in "xyz"], axis=1)
    part = Part(vertices=vertices, points=np.arange(len(vertices)))
    part.vertex_fields = fields_of(table, set())
    color = part.vertex_fields.get("color")
    if color is not None and _as_bytes(color):
        part.vertex_fields["color"] = color.astype(np.uint8)
    elif color is not None and len(color) and (color == np.round(color)).all():
        if 255 < color.max() <= 65535 and color.min() >= 0:
            part.vertex_fields["color"] = color.astype(np.uint16)
    return part


def unnamed(table: np.ndarray, path: Path) -> Part:
    """Points of a table (R, D) whose meaning is told from its numbers."""
    part = Part(vertices=table[:, :3].copy(), points=np.arange(len(table)))
    rest = table[:, 3:]
    if rest.shape[1] == 4 and len(rest):
        colour = rest[:, 1:]  # x y z intensity r g b
        pts = path.suffix.lower() == ".pts" and colour.min() >= 0 and colour.max() <= 255
        if pts:
            bytewise = (colour == np.round(colour)).all()
            part.vertex_fields["color"] = colour.astype(np.uint8) if bytewise else colour.copy()
            rest = rest[:, :1]
        elif not _as_bytes(rest[:, :3]) and _as_bytes(colour):
            rest = np.concatenate([colour, rest[:, :1]], axis=1)
    while rest.shape[1] >= 3 and len(rest):
        three = rest[:, :3]
        with np.errstate(all="ignore"):
            unit = (np.abs(np.linalg.norm(three, axis=1) - 1) < 0.1).all()
        if unit and "normal" not in part.vertex_fields:
            part.vertex_fields["normal"] = three.copy()
        elif "color" not in part.vertex_fields:
            bytewise = _as_bytes(three)
            part.vertex_fields["color"] = three.astype(np.uint8) if bytewise else three.copy()
        else:
            break
        rest = rest[:, 3:]
    if rest.shape[1]:
        part.vertex_fields["value"] = np.ascontiguousarray(
            rest[:, 0] if rest.shape[1] == 1 else rest
        )
    return part
