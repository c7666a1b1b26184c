"""The body of an ascii PLY file, see `meshlearn.io.formats.ply.read`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from meshlearn.io.document import FileFormatError
from meshlearn.io.formats.ply.header import Columns, Element, List, Property, empty, short
from meshlearn.io.text import read_block, read_polygons, rows_of, said_of_left, said_of_rest

_COMMENT = re.compile(rb"^[ \t]*(?:comment|obj_info)(?!\S)[^\n]*(?:\n|\Z)", re.MULTILINE)


def without_comments(data: bytes | bytearray, at: int) -> bytearray | None:
    """The text whose lines of comments behind byte `at`, which the format has in headers only, are
    gone; None where there are none."""
    if all(data.find(word, at) < 0 for word in (b"comment", b"obj_info")):
        return None
    body, count = _COMMENT.subn(b"", bytes(data[at:]))
    return bytearray(bytes(data[:at]) + body) if count else None


def read_ascii(
    data: bytes | bytearray, path: Path, elements: list[Element], at: int, remarks: list[str]
) -> Iterator[tuple[Element, Columns]]:
    """Elements with their columns; straight into arrays where a line is a row, as it should be.

    Args:
        remarks: gets a sentence on lines that no element has.
    """
    for number, element in enumerate(elements):
        if not element.properties or element.count == 0:
            yield element, {p.name: empty(p) for p in element.properties}
            continue
        if element.count * 2 > len(data) + 2:
            raise short(path, element)
        found = _straight(data, element, at)
        if found is None:
            yield from _rest(data, path, elements[number:], at, remarks)
            return
        columns, at = found
        yield element, columns
    remarks += said_of_rest(data, at)


def _straight(data: bytes | bytearray, element: Element, at: int) -> tuple[Columns, int] | None:
    """Columns of an element of numbers, or of one list in front of numbers; None if not so."""
    given = element.properties
    lists = [p for p in given if p.count]
    columns: Columns = {}
    try:
        if not lists:
            block = read_block(data, at, element.count)
            names = given
        elif len(lists) == 1 and given[0].count and np.dtype(given[0].type).kind in "iu":
            start, index, block = read_polygons(data, at, element.count)
            info = np.iinfo(given[0].type)
            if len(index) and (index.min() < info.min or index.max() > info.max):
                return None
            columns[given[0].name] = List(index, start)
            names = given[1:]
        else:
            return None
    except ValueError:
        return None
    table = block.table(len(names)) if names else np.zeros((element.count, 0))
    if table is None:
        return None
    kinds = {p.type for p in names}
    if len(kinds) == 1:  # one cast for all
        table = _cast(table, next(iter(kinds)))
    for k, p in enumerate(names):
        columns[p.name] = _cast(table[:, k], p.type)
    return columns, block.end


def _rest(
    data: bytes | bytearray, path: Path, elements: list[Element], at: int, remarks: list[str]
):
    """Elements of an ascii body: a line each, as the format says, or at least one after another."""
    try:
        values, lengths = rows_of(memoryview(data)[at:])
    except ValueError as error:
        raise FileFormatError(f"{path}: in the body, {error}") from None
    by_lines = []
    row, ends = 0, np.concatenate([[0], np.cumsum(lengths)])
    for element in elements:
        if element.properties and element.count > len(lengths) - row:
            break
        rows = element.count if element.properties else 0
        columns = _by_lines(values, ends[row : row + rows + 1], element.properties)
        if columns is None:
            break
        by_lines.append((element, columns))
        row += rows
    if len(by_lines) == len(elements):
        yield from by_lines
        remarks += said_of_left(len(lengths) - row, "lines")
        return
    cursor = 0
    for element in elements:
        if not element.properties:
            yield element, {}
            continue
        if element.count * len(element.properties) > len(values) - cursor:
            raise short(path, element)
        columns, cursor = _ascii_mixed(values, path, element, cursor)
        yield element, columns
    remarks += said_of_left(len(values) - cursor, "numbers")


def _by_lines(values: np.ndarray, ends: np.ndarray, properties: list[Property]):
    """Columns where row r is values[ends[r]:ends[r + 1]], numbers behind it left out; None if
    not."""
    cursor, stop = ends[:-1].copy(), ends[1:]
    columns: Columns = {}
    for given in properties:
        if (cursor >= stop).any():
            return None
        first = values[cursor]
        cursor = cursor + 1
        if not given.count:
            columns[given.name] = _cast(first, given.type)
            continue
        if not ((first >= 0) & (first <= stop - cursor) & (first == np.round(first))).all():
            return None
        count = first.astype(np.int64)
        start = np.concatenate([[0], np.cumsum(count)]).astype(np.int64)
        item = np.arange(start[-1]) - np.repeat(start[:-1], count)
        found = values[np.repeat(cursor, count) + item]
        columns[given.name] = List(_cast(found, given.type), start)
        cursor = cursor + count
    return columns


def _cast(values: np.ndarray, kind: str) -> np.ndarray:
    native = np.dtype(kind)
    if native.kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(native)
    info = np.iinfo(native)
    if not np.isfinite(values).all():
        raise ValueError(f"expected whole numbers of a property of type {native.name}")
    return np.clip(values, info.min, info.max).astype(native)


def _ascii_mixed(values: np.ndarray, path: Path, element: Element, cursor: int):
    found: dict[str, list] = {p.name: [] for p in element.properties}
    counts: dict[str, list[int]] = {p.name: [] for p in element.properties}
    for _ in range(element.count):
        for given in element.properties:
            n = 1
            if given.count:
                if cursor >= len(values) or not 0 <= values[cursor] <= len(values) - cursor - 1:
                    raise short(path, element)
                n = int(values[cursor])
                if n != values[cursor]:
                    raise FileFormatError(
                        f"{path}: a list of {element.name!r} has length {values[cursor]:g}"
                    )
                cursor += 1
            if cursor + n > len(values):
                raise short(path, element)
            found[given.name].append(values[cursor : cursor + n])
            counts[given.name].append(n)
            cursor += n
    columns: Columns = {}
    for given in element.properties:
        joined = np.concatenate([*found[given.name], np.zeros(0)])
        start = np.concatenate([[0], np.cumsum(counts[given.name])]).astype(np.int64)
        cast = _cast(joined, given.type)
        columns[given.name] = List(cast, start) if given.count else cast
    return columns, cursor
