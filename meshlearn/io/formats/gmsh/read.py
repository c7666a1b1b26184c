"""Gmsh .msh of versions 2.2, 4.0 and 4.1, text and binary; written as 2.2."""

from __future__ import annotations

import re
import struct
from pathlib import Path
from typing import Literal

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.elements import curved_loss, from_faces
from meshlearn.io.formats.gmsh.write import KINDS
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.text import read_block, whole

# curved elements by number: nodes, and the straight kind through their corners, named first
CURVED = {
    **{8: (3, 1), 26: (4, 1), 27: (5, 1), 28: (6, 1)},
    **{9: (6, 2), 20: (9, 2), 21: (10, 2), 22: (12, 2), 23: (15, 2), 24: (15, 2), 25: (21, 2)},
    **{10: (9, 3), 16: (8, 3), 36: (16, 3), 37: (25, 3), 38: (36, 3), 39: (12, 3)},
    **{11: (10, 4), 29: (20, 4), 30: (35, 4), 31: (56, 4)},
    **{12: (27, 5), 17: (20, 5), 92: (64, 5), 93: (125, 5)},
    **{13: (18, 6), 18: (15, 6)},
    **{14: (14, 7), 19: (13, 7)},
    # of higher orders: an element of order n has its nodes in a lattice of n steps
    **{61 + k: (6 + k, 1) for k in range(1, 6)},
    **{41 + k: ((6 + k) * (7 + k) // 2, 2) for k in range(1, 6)},
    **{51 + k: (15 + 3 * k, 2) for k in range(1, 6)},
    **{46 + k: ((6 + k) ** 2, 3) for k in range(1, 6)},
    **{40: (16, 3), 41: (20, 3), **{56 + k: (20 + 4 * k, 3) for k in range(1, 6)}},
    **{70 + k: ((6 + k) * (7 + k) * (8 + k) // 6, 4) for k in range(1, 6)},
    **{32: (22, 4), 33: (28, 4)},
    **{93 + k: ((5 + k) ** 3, 5) for k in range(1, 6)},
    **{90: (40, 6), 91: (75, 6), 106: (126, 6), 107: (196, 6), 108: (288, 6)},
    **{109: (405, 6), 110: (550, 6)},
    **{115 + n: ((n + 1) * (n + 2) * (2 * n + 3) // 6, 7) for n in range(3, 10)},
}
_SILENT = ("Comments", "Comment", "PartitionedEntities", "Parametrizations")  # no part of a mesh
_OTHER = {34: "polygon", 35: "polyhedron"}


class _Cursor:
    """Numbers of a file, text or binary, one after another."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0
        self.binary = False
        self.order: Literal["<", ">"] = "<"
        self.words: list[bytes] = []

    def error(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: {text}")

    def take(self, kind: str, count: int) -> np.ndarray:
        """The next `count` numbers of a binary file."""
        native = np.dtype(kind)
        if count < 0 or count * native.itemsize > len(self.data) - self.at:
            raise self.error(
                f"it promises {count} numbers, {len(self.data) - self.at} bytes are left"
            )
        found = np.frombuffer(self.data, native.newbyteorder(self.order), count, self.at)
        self.at += count * native.itemsize
        return found.astype(native)

    def line(self) -> str:
        eol = self.data.find(b"\n", self.at)
        eol = len(self.data) if eol < 0 else eol
        text = bytes(self.data[self.at : eol]).decode("utf-8", errors="replace").strip()
        self.at = eol + 1
        return text


def read(data: bytes, path: Path) -> Document:
    """Reads a .msh; curved elements become straight, physical tags become the field "ref"."""
    cursor = _Cursor(data, path)
    start = re.search(rb"^\s*\$MeshFormat[ \t]*\r?\n", data)
    if start is None:
        raise FileFormatError(f"{path}: expected $MeshFormat as the first line")
    cursor.at = start.end()
    words = cursor.line().split()
    try:
        version, form, _ = float(words[0]), int(words[1]), int(words[2])
    except (ValueError, IndexError):
        raise FileFormatError(
            f"{path}: expected version, type and size behind $MeshFormat"
        ) from None
    if not (2 <= version < 3 or 4 <= version < 5):
        raise FileFormatError(f"{path}: version {version:g} is not read; 2.2, 4.0 and 4.1 are")
    if form == 1:
        cursor.binary = True
        one = bytes(data[cursor.at : cursor.at + 4])
        cursor.order = ">" if one == struct.pack(">i", 1) else "<"
        cursor.at += 4
    kind = _Two if version < 3 else _FourZero if version < 4.1 else _Four
    reader = kind(cursor)
    while (
        mark := re.compile(rb"^\s*\$([A-Za-z]+)[ \t]*\r?\n", re.M).search(data, cursor.at)
    ) is not None:
        cursor.at = mark.end()
        name = mark[1].decode()
        if name.startswith("End"):
            continue
        try:
            reader.section(name)
        except (IndexError, ValueError, struct.error) as error:
            if isinstance(error, FileFormatError):
                raise
            raise FileFormatError(f"{path}: its section ${name} is damaged ({error})") from None
        stop = data.find(b"$End" + mark[1], cursor.at)
        if stop < 0:
            raise FileFormatError(f"{path}: its section ${name} does not end")
        cursor.at = stop
    return reader.document()


class _Reader:
    """What both versions have in common."""

    def __init__(self, cursor: _Cursor) -> None:
        self.cursor = cursor
        self.tags = np.zeros(0, np.int64)  # of nodes
        self.xyz = np.zeros((0, 3))
        self.elements: list[tuple[int, np.ndarray, np.ndarray, np.ndarray]] = []
        self.node_data: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.element_data: dict[str, tuple[np.ndarray, np.ndarray]] = {}
        self.names: dict[str, str] = {}
        self.left: list[str] = []  # sections that are not read

    def section(self, name: str) -> None:
        if name == "Nodes":
            self.nodes()
        elif name == "Elements":
            self.read_elements()
        elif name == "Entities":
            self.entities()
        elif name == "PhysicalNames":
            for _ in range(min(int(self.cursor.line()), len(self.cursor.data))):
                words = self.cursor.line().split(None, 2)
                self.names[f"{words[0]} {words[1]}"] = words[2].strip('"')
        elif name in ("NodeData", "ElementData"):
            self.data(self.node_data if name == "NodeData" else self.element_data)
        elif name not in _SILENT:
            self.left.append(name)

    def entities(self) -> None:
        """Only version 4 has them."""

    def nodes(self) -> None:
        raise NotImplementedError

    def read_elements(self) -> None:
        raise NotImplementedError

    def text_table(self, rows: int, width: int) -> np.ndarray:
        """(rows, width) numbers of the next lines of text."""
        if rows * width * 2 > len(self.cursor.data) - self.cursor.at + 1:
            raise self.cursor.error(f"it promises {rows} lines, the file ends before")
        block = read_block(self.cursor.data, self.cursor.at, rows)
        table = block.table(width)
        if table is None or len(block.values) != rows * width:
            raise self.cursor.error(f"expected {width} numbers on each of {rows} lines")
        self.cursor.at = block.end
        return table

    def data(self, table: dict[str, tuple[np.ndarray, np.ndarray]]) -> None:
        cursor = self.cursor
        strings = [cursor.line().strip('"') for _ in range(min(int(cursor.line()), 1000))]
        for _ in range(min(int(cursor.line()), 1000)):
            cursor.line()
        sizes = [int(cursor.line()) for _ in range(min(int(cursor.line()), 1000))]
        width, rows = sizes[1], sizes[2]
        if not 0 < width <= 1 << 16:
            raise cursor.error(f"a field has {width} components")
        if cursor.binary:
            if rows < 0 or rows * (4 + 8 * width) > len(cursor.data) - cursor.at:
                raise cursor.error(f"it promises {rows} rows, the file ends before")
            layout = np.dtype([("t", cursor.order + "i4"), ("v", cursor.order + "f8", (width,))])
            found = np.frombuffer(cursor.data, layout, rows, cursor.at)
            cursor.at += rows * layout.itemsize
            tags, values = found["t"].astype(np.int64), found["v"].astype(np.float64)
        else:
            both = self.text_table(rows, 1 + width)
            tags, values = whole(both[:, 0]), both[:, 1:]
        table[strings[0] if strings else "data"] = (tags, values)

    def document(self) -> Document:
        dropped = self._straighten()
        part = Part(vertices=self.xyz)
        order = np.argsort(self.tags, kind="stable")
        ranked = self.tags[order]
        if len(ranked) and (np.diff(ranked) == 0).any():
            raise self.cursor.error("two nodes have one number")

        def places(tags: np.ndarray) -> np.ndarray:
            if not tags.size:
                return tags.astype(np.int64)
            at = np.searchsorted(ranked, tags)
            if not len(ranked) or (ranked[np.minimum(at, len(ranked) - 1)] != tags).any():
                raise self.cursor.error("an element names a node that is not there")
            return order[at]

        grouped: dict[str, list[tuple[np.ndarray, np.ndarray, np.ndarray]]] = {}
        for kind, tags, corners, refs in self.elements:
            grouped.setdefault(KINDS[kind][1], []).append((tags, places(corners), refs))
        merged = {
            name: tuple(np.concatenate(column) for column in zip(*found, strict=True))
            for name, found in grouped.items()
        }
        faces = [merged[k] for k in ("triangle", "quad") if k in merged]
        from_faces(part, [f[1] for f in faces])
        owners: dict[str, np.ndarray] = {}
        if faces:
            owners["face"] = np.concatenate([f[0] for f in faces])
            refs = np.concatenate([f[2] for f in faces])
            if refs.any():
                part.face_fields["ref"] = refs
        if "line" in merged:
            part.lines = list(merged["line"][1])
            owners["line"] = merged["line"][0]
            if merged["line"][2].any():
                part.line_fields["ref"] = merged["line"][2]
        if "point" in merged:
            part.points = merged["point"][1].reshape(-1)
            owners["point"] = merged["point"][0]
        for name in ("tetra", "hexahedron", "wedge", "pyramid"):
            if name in merged:
                part.cells[name] = merged[name][1]
                owners[name] = merged[name][0]
                if merged[name][2].any():
                    part.cell_fields.setdefault("ref", {})[name] = merged[name][2]
        for key, (tags, values) in self.node_data.items():
            part.vertex_fields[key] = _spread(self.tags, tags, values)
        for key, (tags, values) in self.element_data.items():
            for owner, mine in owners.items():
                if not np.isin(mine, tags).any():
                    continue
                found = _spread(mine, tags, values)
                if owner in ("face", "line", "point"):
                    getattr(part, f"{owner}_fields")[key] = found
                else:
                    part.cell_fields.setdefault(key, {})[owner] = found
        metadata = {"physical": self.names} if self.names else {}
        document = Document([part], metadata=metadata)
        if dropped:
            document.left_out.append(curved_loss(dropped, "Gmsh"))
        for name in self.left:
            limit, holder = "leaves it out", "the reader of Gmsh"
            document.left_out.append(
                Loss(LossKind.OTHER, name=f"the section ${name}", limit=limit, holder=holder)
            )
        return document

    def _straighten(self) -> int:
        """Makes curved elements straight; nodes that only they named between corners are dropped.

        Returns:
            How many nodes were dropped.
        """
        every, kept, straight = [], [], []
        for number, tags, nodes, refs in self.elements:
            every.append(nodes.reshape(-1))
            if number in CURVED:
                number = CURVED[number][1]
                nodes = nodes[:, : KINDS[number][0]]
            kept.append(nodes.reshape(-1))
            straight.append((number, tags, nodes, refs))
        self.elements = straight
        if sum(map(len, every)) == sum(map(len, kept)):
            return 0
        between = np.setdiff1d(np.concatenate(every), np.concatenate(kept))
        stay = ~np.isin(self.tags, between)
        self.tags, self.xyz = self.tags[stay], self.xyz[stay]
        return int((~stay).sum())


def _spread(mine: np.ndarray, tags: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values by tag as rows in the order of `mine`; NaN where there is none."""
    out = np.full((len(mine), values.shape[1]), np.nan)
    order = np.argsort(tags, kind="stable")
    if len(tags):
        at = np.minimum(np.searchsorted(tags[order], mine), len(tags) - 1)
        has = tags[order][at] == mine
        out[has] = values[order[at[has]]]
    return out[:, 0] if values.shape[1] == 1 else out


def _kind(cursor: _Cursor, number: int) -> int:
    """Nodes of an element of this kind."""
    if number in CURVED:
        return CURVED[number][0]
    if number not in KINDS:
        label = _OTHER.get(number, f"kind {number}")
        raise cursor.error(f"elements of the kind {label!r} are not read")
    return KINDS[number][0]


class _Two(_Reader):
    """Version 2.2."""

    def nodes(self) -> None:
        cursor = self.cursor
        count = int(cursor.line())
        if cursor.binary:
            if count < 0 or count * 28 > len(cursor.data) - cursor.at:
                raise cursor.error(f"it promises {count} nodes, the file ends before")
            layout = np.dtype([("t", cursor.order + "i4"), ("x", cursor.order + "f8", (3,))])
            found = np.frombuffer(cursor.data, layout, count, cursor.at)
            cursor.at += count * layout.itemsize
            self.tags, self.xyz = found["t"].astype(np.int64), found["x"].astype(np.float64)
        else:
            table = self.text_table(count, 4)
            self.tags, self.xyz = whole(table[:, 0]), table[:, 1:].copy()

    def read_elements(self) -> None:
        cursor = self.cursor
        count = int(cursor.line())
        if not 0 <= count * 6 <= len(cursor.data) - cursor.at + 8:
            raise cursor.error(f"it promises {count} elements, the file ends before")
        if cursor.binary:
            done = 0
            while done < count:
                number, rows, tags = (int(v) for v in cursor.take("i4", 3))
                corners = _kind(cursor, number)
                if rows < 1 or not 0 <= tags < 1 << 16:
                    raise cursor.error("a block of elements is empty")
                table = cursor.take("i4", rows * (1 + tags + corners)).reshape(rows, -1)
                self._keep(number, table.astype(np.int64), tags)
                done += rows
            return
        block = read_block(cursor.data, cursor.at, count)
        cursor.at = block.end
        first = np.concatenate([[0], np.cumsum(block.lengths)])[:-1].astype(np.int64)
        if count and block.lengths.min() < 4:
            raise cursor.error("an element has fewer than four numbers")
        values = block.values
        if not (np.abs(values) < 2**53).all():
            raise cursor.error("expected whole numbers of elements")
        kinds, counts = values[first + 1].astype(np.int64), values[first + 2].astype(np.int64)
        pair = kinds << 20 | np.clip(counts, 0, 1 << 19)
        _, where = np.unique(pair, return_index=True)
        for k in np.sort(where):  # kinds in the order in which they come
            chosen = np.nonzero(pair == pair[k])[0]
            number, n = int(kinds[k]), int(counts[k])
            width = 3 + n + _kind(cursor, number)
            if n < 0 or (block.lengths[chosen] < width).any():
                raise cursor.error("an element has fewer numbers than its kind asks for")
            table = values[first[chosen][:, None] + np.arange(width)].astype(np.int64)
            self._keep(number, np.concatenate([table[:, :1], table[:, 3:]], axis=1), n)

    def _keep(self, number: int, table: np.ndarray, tags: int) -> None:
        refs = table[:, 1] if tags else np.zeros(len(table), np.int64)
        self.elements.append((number, table[:, 0], table[:, 1 + tags :], refs))


class _Four(_Reader):
    """Version 4.1."""

    BOX_OF_POINTS = 3  # numbers of a point's bounding box

    def __init__(self, cursor: _Cursor) -> None:
        super().__init__(cursor)
        self.physical: dict[tuple[int, int], int] = {}

    def _sizes(self, count: int, kind: str = "u8") -> list[int]:
        if self.cursor.binary:
            return [int(v) for v in self.cursor.take(kind, count)]
        return [int(float(w)) for w in self.cursor.line().split()[:count]]

    def entities(self) -> None:
        counts = self._sizes(4)
        for dimension, count in enumerate(counts):
            box = self.BOX_OF_POINTS if dimension == 0 else 6
            for _ in range(count):
                if self.cursor.binary:
                    tag = int(self.cursor.take("i4", 1)[0])
                    self.cursor.take("f8", box)
                    found = self.cursor.take("i4", int(self.cursor.take("u8", 1)[0])).tolist()
                    if dimension:
                        self.cursor.take("i4", int(self.cursor.take("u8", 1)[0]))
                else:
                    words = self.cursor.line().split()
                    tag, n = int(words[0]), int(words[1 + box])
                    found = [int(w) for w in words[2 + box : 2 + box + n]]
                if found:
                    self.physical[dimension, tag] = found[0]

    def nodes(self) -> None:
        blocks, total, *_ = self._sizes(4)
        if total * 12 > len(self.cursor.data) * 6 or blocks > len(self.cursor.data):
            raise self.cursor.error(f"it promises {total} nodes, the file ends before")
        tags, places = [], []
        for _ in range(blocks):
            if self.cursor.binary:
                dimension, _, parametric = (int(v) for v in self.cursor.take("i4", 3))
                width = _width(self.cursor, dimension, parametric)
                count = int(self.cursor.take("u8", 1)[0])
                tags.append(self.cursor.take("u8", count).astype(np.int64))
                table = self.cursor.take("f8", width * count).reshape(-1, width)
            else:
                dimension, _, parametric, count = self._sizes(4)
                width = _width(self.cursor, dimension, parametric)
                tags.append(whole(self.text_table(count, 1)[:, 0]))
                table = self.text_table(count, width)
            places.append(table[:, :3].copy() if width > 3 else table)
        self.tags = np.concatenate([np.zeros(0, np.int64), *tags])
        self.xyz = np.concatenate([np.zeros((0, 3)), *places])
        if len(self.tags) != total:
            raise self.cursor.error(f"it promises {total} nodes, its blocks have {len(self.tags)}")

    def read_elements(self) -> None:
        blocks, total, *_ = self._sizes(4)
        if blocks > len(self.cursor.data):
            raise self.cursor.error(f"it promises {blocks} blocks, the file ends before")
        seen = 0
        for _ in range(blocks):
            if self.cursor.binary:
                dimension, entity, number = (int(v) for v in self.cursor.take("i4", 3))
                count = int(self.cursor.take("u8", 1)[0])
                width = 1 + _kind(self.cursor, number)
                table = self.cursor.take("u8", count * width).reshape(count, width)
            else:
                dimension, entity, number, count = self._sizes(4)
                table = self.text_table(count, 1 + _kind(self.cursor, number))
            table = whole(table)
            ref = self.physical.get((dimension, entity), 0)
            refs = np.full(len(table), ref, np.int64)
            self.elements.append((number, table[:, 0], table[:, 1:], refs))
            seen += count
        if seen != total:
            raise self.cursor.error(f"it promises {total} elements, its blocks have {seen}")


def _width(cursor: _Cursor, dimension: int, parametric: int) -> int:
    """Numbers of each node of a block: its place, and where it is parametric, its parameters on an
    entity of so many dimensions, which are left aside."""
    if not 0 <= dimension <= 3:
        raise cursor.error(f"a block of nodes is of {dimension} dimensions")
    return 3 + (dimension if parametric else 0)


class _FourZero(_Four):
    """Version 4.0: nodes beside their tags, in blocks whose heads are in another order."""

    BOX_OF_POINTS = 6

    def _block(self) -> list[int]:
        """Tag, dimension, a third number and the count of a block."""
        if not self.cursor.binary:
            return self._sizes(4)
        return [*(int(v) for v in self.cursor.take("i4", 3)), int(self.cursor.take("u8", 1)[0])]

    def nodes(self) -> None:
        cursor = self.cursor
        blocks, total, *_ = self._sizes(2)
        if blocks > len(cursor.data):
            raise cursor.error(f"it promises {blocks} blocks, the file ends before")
        tags, places = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
        for _ in range(blocks):
            _, dimension, parametric, count = self._block()
            width = _width(cursor, dimension, parametric)
            if cursor.binary:
                if count * (4 + 8 * width) > len(cursor.data) - cursor.at:
                    raise cursor.error(f"it promises {count} nodes, the file ends before")
                row = (cursor.order + "f8", (width,))
                layout = np.dtype([("t", cursor.order + "i4"), ("x", *row)])
                found = np.frombuffer(cursor.data, layout, count, cursor.at)
                cursor.at += count * layout.itemsize
                tags.append(found["t"].astype(np.int64))
                places.append(found["x"][:, :3].astype(np.float64))
            else:
                table = self.text_table(count, 1 + width)
                tags.append(whole(table[:, 0]))
                places.append(table[:, 1:4].copy())
        self.tags, self.xyz = np.concatenate(tags), np.concatenate(places)
        if len(self.tags) != total:
            raise cursor.error(f"it promises {total} nodes, its blocks have {len(self.tags)}")

    def read_elements(self) -> None:
        blocks, total, *_ = self._sizes(2)
        if blocks > len(self.cursor.data):
            raise self.cursor.error(f"it promises {blocks} blocks, the file ends before")
        seen = 0
        for _ in range(blocks):
            entity, dimension, number, count = self._block()
            width = 1 + _kind(self.cursor, number)
            if self.cursor.binary:
                table = self.cursor.take("i4", count * width).reshape(count, width)
            else:
                table = self.text_table(count, width)
            table = whole(table)
            refs = np.full(len(table), self.physical.get((dimension, entity), 0), np.int64)
            self.elements.append((number, table[:, 0], table[:, 1:], refs))
            seen += count
        if seen != total:
            raise self.cursor.error(f"it promises {total} elements, its blocks have {seen}")
