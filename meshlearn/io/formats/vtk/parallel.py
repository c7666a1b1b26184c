"""VTK's files that name others: parallel data sets (.pvtu, .pvtp, .pvti, .pvtr, .pvts) and blocks
(.vtm)."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element

from meshlearn.io.document import Document, FileFormatError
from meshlearn.io.formats.vtk import read as legacy
from meshlearn.io.formats.vtk import xml_lattice, xml_read
from meshlearn.io.formats.vtk.data import say_times
from meshlearn.io.formats.vtk.lattice import Lattice, skin
from meshlearn.io.resolver import leave_out, read_beside
from meshlearn.io.xml import parse

MOST_PIECES = 10_000
DEPTH = 16  # of files that name others
_GRIDS = {f"P{kind}" for kind in xml_lattice.KINDS}
_READERS = {".vtu": xml_read.read, ".vtp": xml_read.read, ".vtk": legacy.read}
_READERS |= dict.fromkeys((".vti", ".vtr", ".vts"), xml_lattice.read)
_SUFFIXES = (".pvtu", ".pvtp", ".pvti", ".pvtr", ".pvts", ".vtm", ".vtmb")


def read(data: bytes, path: Path) -> Document:
    """The pieces of a parallel file or the blocks of a .vtm as parts; what is not there is told."""
    return _read(data, path, 0)


def _root(data: bytes, path: Path) -> Element:
    try:
        root = parse(data)
    except ValueError as error:
        raise FileFormatError(f"{path}: {error}") from None
    if root.tag != "VTKFile":
        raise FileFormatError(f"{path}: expected a VTKFile, got {root.tag!r}")
    return root


def _read(data: bytes, path: Path, depth: int) -> Document:
    root = _root(data, path)
    kind = root.get("type", "")
    document = Document()
    if kind == "vtkMultiBlockDataSet":
        entry = root.find(kind)
        for name, file in _blocks(entry) if entry is not None else []:
            _take(document, path, file, name, depth)
    elif kind in _GRIDS:
        for lattice in lattices(data, path, document):
            document.parts.append(skin(path, lattice, document.left_out))
        say_times(document)
    elif kind in ("PUnstructuredGrid", "PPolyData"):
        for file in _pieces(root, path):
            _take(document, path, file, "", depth)
    else:
        raise FileFormatError(
            f"{path}: expected a parallel data set or a vtkMultiBlockDataSet, got {kind!r}"
        )
    if not document.parts:
        raise FileFormatError(f"{path}: none of the files that it names can be read")
    return document


def lattices(data: bytes, path: Path, document: Document) -> list[Lattice]:
    """The lattices of a parallel file, joined where they make up a whole.

    Args:
        document: takes the names of files that are not there.
    """
    root = _root(data, path)
    if root.get("type", "") not in _GRIDS:
        raise FileFormatError(f"{path}: expected a grid, got {root.get('type')!r}")
    found = []
    for file in _pieces(root, path):
        content = read_beside(path, file, percent=True)
        if content is None:
            leave_out(document, file)
            continue
        found += xml_lattice.pieces(content, path.parent / file, document.left_out)
    return xml_lattice.joined(path, found)


def _pieces(root: Element, path: Path) -> list[str]:
    entry = root.find(root.get("type", ""))
    found = [p.get("Source", "") for p in entry.findall("Piece")] if entry is not None else []
    if len(found) > MOST_PIECES:
        raise FileFormatError(f"{path}: it names {len(found):,} files, more than {MOST_PIECES:,}")
    return [name for name in found if name]


def _blocks(entry: Element, name: str = "") -> list[tuple[str, str]]:
    """The files of a tree of blocks, each with the names on the way to it."""
    out = []
    for child in entry:
        label = "/".join(filter(None, (name, child.get("name", ""))))
        if child.tag == "DataSet" and child.get("file"):
            out.append((label, child.get("file", "")))
        elif child.tag in ("Block", "Piece"):
            out += _blocks(child, label)
    return out


def _take(document: Document, path: Path, file: str, name: str, depth: int) -> None:
    """Takes the parts of a named file; one that cannot be read is told."""
    if len(document.parts) >= MOST_PIECES:
        raise FileFormatError(f"{path}: it has more than {MOST_PIECES:,} parts")
    content = read_beside(path, file, percent=True)
    if content is None:
        leave_out(document, file)
        return
    target = path.parent / file.replace("\\", "/")
    suffix = target.suffix.lower()
    if suffix in _SUFFIXES:
        if depth >= DEPTH:
            raise FileFormatError(f"{path}: files name each other more than {DEPTH} deep")
        found = _read(content, target, depth + 1)
    elif suffix in _READERS:
        found = _READERS[suffix](content, target)
    else:
        raise FileFormatError(f"{path}: it names {file!r}, which is no file of VTK")
    for part in found.parts:
        part.name = "/".join(filter(None, (name, part.name)))
    document.parts += found.parts
    document.left_out += found.left_out
    document.remarks += found.remarks
