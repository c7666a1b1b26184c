"""VTK legacy files: surfaces, cells and lattices, ascii and binary, with fields."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import numpy as np

from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.formats.vtk import data as vtk_data
from meshlearn.io.formats.vtk.data import READER, TEXT, field_loss
from meshlearn.io.formats.vtk.lattice import Lattice, check, skin
from meshlearn.io.left_behind import Loss, LossKind
from meshlearn.io.offset import take_offset

_TYPES = {
    "unsigned_char": "u1",
    "char": "i1",
    "signed_char": "i1",
    "unsigned_short": "u2",
    "short": "i2",
    "unsigned_int": "u4",
    "int": "i4",
    "unsigned_long": "u8",
    "long": "i8",
    "vtktypeint64": "i8",
    "vtktypeuint64": "u8",
    "vtkidtype": "i8",
    "float": "f4",
    "double": "f8",
}
_ORDER = (2, 4, 7, 6)  # in which data of cells counts: vertices, lines, polygons, strips
_LATTICES = ("STRUCTURED_POINTS", "STRUCTURED_GRID", "RECTILINEAR_GRID")
_COORDINATES = ("X_COORDINATES", "Y_COORDINATES", "Z_COORDINATES")
_SHAPE = ("DIMENSIONS", "ORIGIN", "SPACING", "ASPECT_RATIO", *_COORDINATES)
_KINDS = {"VERTICES": 2, "LINES": 4, "POLYGONS": 7, "TRIANGLE_STRIPS": 6}


class _Cursor:
    """Lines, words and arrays of a file, one after another."""

    def __init__(self, data: bytes, path: Path) -> None:
        self.data, self.path, self.at = data, path, 0
        self.ascii = True

    def error(self, text: str) -> FileFormatError:
        return FileFormatError(f"{self.path}: {text}")

    def line(self) -> list[str] | None:
        """Words of the next line that has some; None at the end."""
        while self.at < len(self.data):
            eol = self.data.find(b"\n", self.at)
            eol = len(self.data) if eol < 0 else eol
            words = bytes(self.data[self.at : min(eol, self.at + 4096)]).decode("latin-1").split()
            self.at = eol + 1
            if words:
                return words
        return None

    def array(self, count: int, kind: str) -> np.ndarray:
        """The next `count` numbers."""
        label = kind.lower()
        if label not in _TYPES:
            raise self.error(f"it has numbers of the type {kind!r}, which are not read")
        native = np.dtype(_TYPES[label])
        left = len(self.data) - self.at
        if count < 0 or count * (2 if self.ascii else native.itemsize) > left + 1:
            raise self.error(f"the header promises {count} numbers, {max(left, 0)} bytes are left")
        if not self.ascii:
            stop = self.at + count * native.itemsize
            found = np.frombuffer(self.data, native.newbyteorder(">"), count, self.at)
            self.at = stop
            return found.astype(native)
        return self._words(count, native)

    def _words(self, count: int, native: np.dtype) -> np.ndarray:
        out, have = [], 0
        while have < count:
            size = min(max((count - have) * 24, 256), 1 << 22)
            stop = min(self.at + size, len(self.data))
            while stop < len(self.data) and self.data[stop : stop + 1] not in b" \t\r\n":
                stop += 1
            words = bytes(self.data[self.at : stop]).split()
            if not words:
                raise self.error(f"expected {count} numbers, found {have}")
            if len(words) > count - have:  # the position behind the last one that is wanted
                words = words[: count - have]
                for word in words:
                    self.at = self.data.index(word, self.at) + len(word)
            else:
                self.at = stop
            try:
                read = float if native.kind == "f" else int
                with np.errstate(over="ignore"):
                    out.append(np.array([read(w) for w in words], native))
            except (ValueError, OverflowError):
                raise self.error("expected a number among the values") from None
            have += len(words)
        return np.concatenate([*out, np.zeros(0, native)])


def read(data: bytes, path: Path) -> Document:
    """Reads a .vtk of versions 1 to 5; of a lattice, its outer skin."""
    document = Document()
    take_offset(document, data)
    with _sentences(path):
        reader = _Reader(*_opened(data, path))
        reader.sections()
        document.left_out += reader.left_out
        if reader.kind in _LATTICES:
            document.parts.append(skin(path, reader.lattice(), document.left_out))
        else:
            document.parts.append(reader.part(document.left_out))
    vtk_data.say_times(document)
    return document


def read_lattice(data: bytes, path: Path) -> Lattice:
    """The lattice of a .vtk file.

    Raises:
        FileFormatError: it holds none.
    """
    with _sentences(path):
        reader = _Reader(*_opened(data, path))
        if reader.kind not in _LATTICES:
            raise reader.cursor.error(f"expected samples on a grid, got a {reader.kind}")
        reader.sections()
        return check(path, reader.lattice())


@contextmanager
def _sentences(path: Path) -> Iterator[None]:
    """What is wrong inside becomes a FileFormatError."""
    try:
        yield
    except (IndexError, ValueError) as error:
        if isinstance(error, FileFormatError):
            raise
        raise FileFormatError(f"{path}: a line of its header is damaged ({error})") from None


def _opened(data: bytes, path: Path) -> tuple[_Cursor, float, str]:
    """The file behind its head, its version, and the kind of its data set."""
    cursor = _Cursor(data, path)
    head = cursor.line()
    if head is None or [w.lower() for w in head[:3]] != ["#", "vtk", "datafile"]:
        raise FileFormatError(f"{path}: expected '# vtk DataFile Version' as the first line")
    version = float(head[-1]) if head[-1].replace(".", "", 1).isdigit() else 3.0
    eol = data.find(b"\n", cursor.at)  # the title may be an empty line
    cursor.at = len(data) if eol < 0 else eol + 1
    form = cursor.line()
    if form is None or form[0].upper() not in ("ASCII", "BINARY"):
        raise FileFormatError(f"{path}: expected ASCII or BINARY on the third line")
    cursor.ascii = form[0].upper() == "ASCII"
    kind = cursor.line()
    if kind is None or kind[0].upper() != "DATASET" or len(kind) < 2:
        raise FileFormatError(f"{path}: expected a line DATASET")
    if kind[1].upper() not in ("POLYDATA", "UNSTRUCTURED_GRID", *_LATTICES):
        known = ", ".join(("POLYDATA", "UNSTRUCTURED_GRID", *_LATTICES))
        raise FileFormatError(f"{path}: a data set {kind[1]} is not read; {known} are")
    return cursor, version, kind[1].upper()


class _Reader:
    """Collects the sections of a file."""

    def __init__(self, cursor: _Cursor, version: float, kind: str) -> None:
        self.cursor, self.version, self.kind = cursor, version, kind
        self.size = (0, 0, 0)
        self.origin, self.steps = np.zeros(3), np.ones(3)
        self.axes: list[np.ndarray] = [np.zeros(0)] * 3
        self.vertices = np.zeros((0, 3), np.float32)
        self.groups: list[tuple[int, np.ndarray, np.ndarray]] = []
        self.types: np.ndarray | None = None
        self.fields: dict[str, dict[str, np.ndarray]] = {"point": {}, "cell": {}}
        self.where, self.rows = "", 0
        self.left_out: list[Loss] = []

    def sections(self) -> None:
        """Reads the file to its end."""
        while (words := self.cursor.line()) is not None:
            self.section(words[0].upper(), words)

    def lattice(self) -> Lattice:
        """The lattice that was read."""
        fields = (self.fields["point"], self.fields["cell"])
        if self.kind == "STRUCTURED_GRID":
            return Lattice(self.size, None, None, self.vertices, *fields)
        if self.kind == "RECTILINEAR_GRID":
            x, y, z = self.axes
            return Lattice(self.size, None, (x, y, z), None, *fields)
        affine = np.diag([*self.steps, 1.0])
        affine[:3, 3] = self.origin
        return Lattice(self.size, affine, None, None, *fields)

    def part(self, left_out: list[Loss]) -> Part:
        """The surface or the cells that were read."""
        kinds, starts, indices, base = [], [np.zeros(1, np.int64)], [], 0
        order = {kind: k for k, kind in enumerate(_ORDER)}  # of VTK's cells, whatever the file's
        for kind, start, index in sorted(self.groups, key=lambda group: order.get(group[0], 0)):
            rows = len(start) - 1
            kinds.append(np.full(rows, kind) if kind else self._types(rows))
            starts.append(start[1:] + base)
            base += len(index)
            indices.append(index)
        nothing = np.zeros(0, np.int64)
        cells = vtk_data.Cells(
            np.concatenate([nothing, *kinds]),
            np.concatenate(starts),
            np.concatenate([nothing, *indices]),
            self.fields["cell"],
        )
        path, fields = self.cursor.path, self.fields["point"]
        return vtk_data.to_part(path, self.vertices, cells, fields, left_out)

    def _types(self, rows: int) -> np.ndarray:
        if self.types is None or len(self.types) != rows:
            raise self.cursor.error("expected a type for every cell")
        return self.types

    def section(self, name: str, words: list[str]) -> None:
        cursor = self.cursor
        if self.where and (name in _KINDS or name in ("POINTS", "CELLS", "CELL_TYPES")):
            raise cursor.error(f"expected no more {name} behind the data of points or cells")
        if name == "POINTS":
            found = cursor.array(3 * int(words[1]), words[2]).reshape(-1, 3)
            wide = found.dtype not in (np.float32, np.float64)
            self.vertices = found.astype(np.float64) if wide else found
        elif name in _KINDS or name == "CELLS":
            self._cells(_KINDS.get(name, 0), int(words[1]), int(words[2]))
        elif name == "CELL_TYPES":
            self.types = cursor.array(int(words[1]), "int").astype(np.int64)
        elif self.kind in _LATTICES and name in _SHAPE:
            self._shape(name, words)
        elif name in ("POINT_DATA", "CELL_DATA"):
            self.where, self.rows = name[:5].lower().rstrip("_"), int(words[1])
            wanted = self._points() if self.where == "point" else self._count()
            if self.rows != wanted:
                raise cursor.error(f"{name} promises {self.rows} rows, there are {wanted}")
        elif name == "METADATA":
            self._skip_metadata()
        elif name == "FIELD":
            self._field(int(words[2]))
        elif self.where:
            self._attribute(name, words)
        else:
            raise cursor.error(f"expected a section of VTK, got {' '.join(words)[:40]!r}")

    def _skip_metadata(self) -> None:
        while self.cursor.at < len(self.cursor.data):  # up to an empty line
            eol = self.cursor.data.find(b"\n", self.cursor.at)
            eol = len(self.cursor.data) if eol < 0 else eol
            line = bytes(self.cursor.data[self.cursor.at : eol]).strip()
            self.cursor.at = eol + 1
            if not line:
                return

    def _shape(self, name: str, words: list[str]) -> None:
        """What says where the points of a lattice are."""
        if name == "DIMENSIONS":
            sizes = [int(word) for word in words[1:4]]
            if len(sizes) != 3 or min(sizes) < 1:
                raise self.cursor.error(f"expected three positive DIMENSIONS, got {sizes}")
            self.size = (sizes[0], sizes[1], sizes[2])
        elif name in ("ORIGIN", "SPACING", "ASPECT_RATIO"):
            found = np.array([float(word) for word in words[1:4]])
            if len(found) != 3 or not np.isfinite(found).all():
                raise self.cursor.error(f"{name}: expected three numbers, got {words[1:4]}")
            if name == "ORIGIN":
                self.origin = found
            else:
                self.steps = found
        else:
            self.axes["XYZ".index(name[0])] = self.cursor.array(int(words[1]), words[2])

    def _points(self) -> int:
        if self.kind in _LATTICES:
            return self.size[0] * self.size[1] * self.size[2]
        return len(self.vertices)

    def _count(self) -> int:
        if self.kind in _LATTICES:
            x, y, z = (max(n - 1, 1) for n in self.size)
            return x * y * z
        return sum(len(start) - 1 for _, start, _ in self.groups)

    def _cells(self, kind: int, rows: int, size: int) -> None:
        cursor = self.cursor
        if self.version >= 5:
            words = cursor.line()
            if words is None or words[0].upper() != "OFFSETS":
                raise cursor.error("expected OFFSETS of cells")
            start = cursor.array(rows, words[1]).astype(np.int64)
            words = cursor.line()
            if words is None or words[0].upper() != "CONNECTIVITY":
                raise cursor.error("expected CONNECTIVITY of cells")
            index = cursor.array(size, words[1]).astype(np.int64)
            start = start if rows else np.zeros(1, np.int64)
        else:
            flat = cursor.array(size, "int").astype(np.int64)
            start, index = _split(cursor, flat, rows)
        if start[0] != 0 or start[-1] != len(index) or (np.diff(start) < 0).any():
            raise cursor.error("the offsets of its cells do not fit their corners")
        self.groups.append((kind, start, index))

    def _field(self, count: int) -> None:
        for _ in range(count):
            words = self.cursor.line()
            while words is not None and words[0].upper() == "METADATA":
                self._skip_metadata()
                words = self.cursor.line()
            if words is None:
                raise self.cursor.error("the file ends within its fields")
            name, width, rows = unquote(words[0]), int(words[1]), int(words[2])
            if words[3].lower() == "string":
                for _ in range(min(width * rows, len(self.cursor.data))):
                    self.cursor.line()
                self._leave(name, rows, TEXT)
                continue
            values = self.cursor.array(width * rows, words[3])
            if self.where and rows == self.rows and width:
                self._keep(name, values, width)
            elif width:
                self._leave(name, rows, f"reads one for each of {self.rows} {self.where}s")

    def _leave(self, name: str, rows: int, limit: str) -> None:
        """Tells of an array that is not read."""
        self.left_out.append(field_loss(self.where, name, rows, limit))

    def _keep(self, name: str, values: np.ndarray, width: int) -> None:
        table = values.reshape(self.rows, width) if width > 1 else values
        self.fields[self.where][name] = table

    def _width(self, name: str, word: str) -> int:
        """The components of an attribute's rows."""
        if (width := int(word)) < 1:
            raise self.cursor.error(f"{name} has rows of {width} numbers; expected 1 or more")
        return width

    def _attribute(self, name: str, words: list[str]) -> None:
        cursor, rows = self.cursor, self.rows
        if name == "SCALARS":
            width = self._width(name, words[3]) if len(words) > 3 else 1
            at = cursor.at
            following = cursor.line()
            if following is None or following[0].upper() != "LOOKUP_TABLE":
                cursor.at = at
            self._keep(unquote(words[1]), cursor.array(rows * width, words[2]), width)
        elif name in ("VECTORS", "NORMALS", "TENSORS"):
            width = 9 if name == "TENSORS" else 3
            label = "Normals" if name == "NORMALS" else unquote(words[1])
            self._keep(label, cursor.array(rows * width, words[2]), width)
        elif name == "TEXTURE_COORDINATES":
            width = self._width(name, words[2])
            self._keep("TCoords", cursor.array(rows * width, words[3]), width)
        elif name == "COLOR_SCALARS":
            width = self._width(name, words[2])
            values = cursor.array(rows * width, "float" if cursor.ascii else "unsigned_char")
            if width in (3, 4) and "RGB" not in self.fields[self.where]:
                words[1] = "RGB"  # colours, whatever they are called
            self._keep(unquote(words[1]), values, width)
        elif name == "LOOKUP_TABLE":
            rows = int(words[2])
            cursor.array(4 * rows, "float" if cursor.ascii else "unsigned_char")
            name = f"lookup table {unquote(words[1])!r}"
            self.left_out.append(Loss(LossKind.OTHER, name=name, count=rows, holder=READER))
        elif name in ("GLOBAL_IDS", "PEDIGREE_IDS"):
            self._keep(unquote(words[1]), cursor.array(rows, words[2]), 1)
        else:
            raise cursor.error(f"expected a section of VTK, got {' '.join(words)[:40]!r}")


def _split(cursor: _Cursor, flat: np.ndarray, rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Start and index of cells listed as n a b c …"""
    if rows == 0:
        return np.zeros(1, np.int64), np.zeros(0, np.int64)
    if (
        len(flat) % rows == 0
        and len(flat) >= rows
        and (flat[:: len(flat) // rows] == len(flat) // rows - 1).all()
    ):
        table = flat.reshape(rows, -1)
        return np.arange(rows + 1) * (table.shape[1] - 1), table[:, 1:].reshape(-1)
    values, at, first = flat.tolist(), 0, []
    for _ in range(rows):
        if at >= len(values) or values[at] < 0 or at + values[at] >= len(values):
            raise cursor.error("a cell promises more corners than there are")
        first.append(at)
        at += values[at] + 1
    heads = np.array(first, np.int64)
    keep = np.ones(at, bool)
    keep[heads] = False
    start = np.concatenate([[0], np.cumsum(flat[heads])]).astype(np.int64)
    return start, flat[:at][keep]
