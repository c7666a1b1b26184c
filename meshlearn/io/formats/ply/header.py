"""The header of a PLY file, see `meshlearn.io.formats.ply.read`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from meshlearn.io.document import FileFormatError

_TYPES = {
    "char": "i1",
    "uchar": "u1",
    "short": "i2",
    "ushort": "u2",
    "int": "i4",
    "uint": "u4",
    "float": "f4",
    "double": "f8",
    "int8": "i1",
    "uint8": "u1",
    "int16": "i2",
    "uint16": "u2",
    "int32": "i4",
    "uint32": "u4",
    "float32": "f4",
    "float64": "f8",
    "int64": "i8",
    "uint64": "u8",
    "longlong": "i8",
    "ulonglong": "u8",
}


@dataclass
class Property:
    name: str
    type: str
    count: str | None = None  # type of a list's length


@dataclass
class Element:
    name: str
    count: int
    properties: list[Property] = field(default_factory=list)


@dataclass
class List:
    """A list property of all rows: values (K,), start (rows + 1,)."""

    values: np.ndarray
    start: np.ndarray


Columns = dict[str, "np.ndarray | List"]


def empty(given: Property) -> np.ndarray | List:
    """A column of no rows."""
    values = np.zeros(0, given.type)
    return List(values, np.zeros(1, np.int64)) if given.count else values


def short(path: Path, element: Element) -> FileFormatError:
    """The error of a file that ends too early."""
    return FileFormatError(
        f"{path}: the header promises {element.count} of {element.name!r}, the file ends before"
    )


def _decoded(head: bytes) -> str:
    try:
        return head.decode("utf-8")
    except UnicodeDecodeError:
        return head.decode("latin-1")


_END = re.compile(rb"[\r\n][ \t]*end_header[ \t]*(?=[\r\n]|\Z)")


def read_header(data: bytes | bytearray, path: Path) -> tuple[str, list[Element], dict, int]:
    """The kind of a file, its elements, its remarks, and where its body begins; lines end with a
    line feed, a carriage return, or both.

    Elements have the names that this package writes: "vertex" for what has x, y and z, "face" for
    "faces", "polygon" and the like.
    """
    if data[:3].lower() != b"ply":
        raise FileFormatError(f"{path}: expected 'ply' as the first line of a PLY file")
    found = _END.search(data, 0, 1 << 20)
    if found is None:
        raise FileFormatError(f"{path}: expected a line 'end_header', the header does not end")
    stop, body = found.start(), found.end()
    if data[body : body + 1] == b"\r" and (
        data[body + 1 : body + 2] != b"\n" or b"\n" not in data[:stop]
    ):
        body += 1  # a carriage return is the whole end of a line
    else:
        body = data.find(b"\n", body) + 1 or len(data)
    form: str = ""
    elements: list[Element] = []
    metadata: dict = {"comments": []}
    lines = _decoded(bytes(data[:stop])).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    for line in lines[1:]:
        words = line.split()
        if not words:
            continue
        try:
            if words[0] == "format":
                form = words[1]
            elif words[0] in ("comment", "obj_info"):
                metadata["comments"].append(line.strip().partition(" ")[2].strip())
            elif words[0] == "element":
                count = int(words[2])
                if count < 0:
                    raise ValueError
                elements.append(Element(words[1], count))
            elif words[0] == "property" and words[1] == "list":
                given = Property(words[4], _TYPES[words[3]], _TYPES[words[2]])
                elements[-1].properties.append(given)
            elif words[0] == "property":
                elements[-1].properties.append(Property(words[2], _TYPES[words[1]]))
            elif not elements:  # a remark without its word, as Blender once wrote them
                metadata["comments"].append(line.strip())
            else:
                raise ValueError
        except (KeyError, IndexError, ValueError):
            raise FileFormatError(f"{path}: not a legal line of a PLY header: {line!r}") from None
    if form not in ("ascii", "binary_little_endian", "binary_big_endian"):
        raise FileFormatError(f"{path}: expected format ascii or binary_*_endian, got {form!r}")
    metadata["comments"] = [c for c in metadata["comments"] if c and c != "meshlearn"]
    if not metadata["comments"]:
        del metadata["comments"]
    _name_elements(elements)
    for element in elements:
        names = [given.name for given in element.properties]
        if len(set(names)) < len(names):
            raise FileFormatError(f"{path}: {element.name!r} has two properties of one name")
    return form, elements, metadata, body


_VERTICES = ("vertex", "vertices", "vertexes", "verts", "vert", "points", "point")
_FACES = ("face", "faces", "facet", "facets", "polygon", "polygons", "triangle", "triangles")
_OTHERS = {"edges": "edge", "tristrip": "tristrips", "polylines": "polyline"}
_COORDINATES = {"x", "y", "z"}


def _name_elements(elements: list[Element]) -> None:
    """Gives elements the names that the reader knows, where people have others for them."""
    taken = {element.name for element in elements}
    for known, choices in (("vertex", _VERTICES), ("face", _FACES)):
        if known in taken:
            continue
        for choice in choices:
            found = [e for e in elements if e.name.lower() == choice]
            if known == "vertex":
                found = [e for e in found if _COORDINATES <= _names(e)]
            if len(found) == 1:
                found[0].name = known
                break
    if not any(element.name == "vertex" for element in elements):
        with_places = [e for e in elements if _COORDINATES <= _names(e)]
        if len(with_places) == 1:
            with_places[0].name = "vertex"
    for element in elements:
        element.name = _OTHERS.get(element.name.lower(), element.name)
        if element.name == "vertex":
            names = {p.name for p in element.properties}
            for given in element.properties:  # X, Y, Z, NX, Red …
                if given.name.lower() not in names:
                    given.name = given.name.lower()


def _names(element: Element) -> set[str]:
    return {given.name.lower() for given in element.properties if not given.count}
