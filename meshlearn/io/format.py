"""What a file format is: its name, its suffixes, its reader and writer, and what its files hold.

A format is one `Format`. Those of this package end the `__init__` of their folders under
`meshlearn/io/formats/`; others come through the entry point group "meshlearn.formats" or through
`register_format`, see docs/adding_a_format.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from meshlearn.io.document import Document
from meshlearn.io.left_behind import Loss

ANY: frozenset[str] | None = None  # fields of every name
NONE: frozenset[str] = frozenset()

Bytes = bytes | bytearray | memoryview
Reader = Callable[[bytearray, Path], Document]
Writer = Callable[..., "bytes | dict[str, bytes]"]  # (document, path), and ascii=
Pieces = Callable[[Document, Path], "Mapping[str, Iterable[Bytes]]"]
Losses = Callable[[Document], "Iterable[Loss]"]
Prepare = Callable[[Document], Document]

_REFERENCE = re.compile(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*")


@dataclass(frozen=True, kw_only=True)
class Holds:
    """What a file of one format has a place for; names of fields, or ANY.

    Attributes:
        vertex, face, corner: names of fields of vertices, faces and corners.
        text: fields of text too.
        width: most components of a field; 0 for any number.
        faces: faces at all.
        polygons: faces of more than three corners.
        double: coordinates in double precision; "local": in single precision about an origin of
            each part that is in double precision, see `meshlearn.io.local_origins`.
        shared: vertices that several faces use, and those that none does.
        bare_vertices: vertices that no element uses, where they are shared.
        most_corners: of a face; larger ones are cut; 0 for any number.
        lines, points: elements of one dimension and of none.
        cells: kinds of volume elements.
        parts: more than one object, each with its name.
        names: the name of a single object.
        transforms: a placement for each part.
        groups: names of groups of faces.
        materials: by name at least.
        textures: images of materials.
        up, unit: a place to say them; a letter or word: what the format means always.
        metadata: keys, or ANY.
        element_fields: fields of lines, points and cells.
    """

    vertex: frozenset[str] | None = NONE
    face: frozenset[str] | None = NONE
    corner: frozenset[str] | None = NONE
    text: bool = False
    width: int = 0
    faces: bool = True
    polygons: bool = True
    double: bool | str = True
    shared: bool = True
    bare_vertices: bool = True
    most_corners: int = 0
    lines: bool = False
    points: bool = False
    cells: frozenset[str] | None = NONE
    parts: bool = False
    names: bool = False
    transforms: bool = False
    groups: bool = False
    materials: bool = False
    textures: bool = False
    up: bool | str = False
    unit: bool | str = False
    metadata: frozenset[str] | None = NONE
    element_fields: bool = False


# of formats that hold every document
EVERYTHING = Holds(
    vertex=ANY,
    face=ANY,
    corner=ANY,
    text=True,
    lines=True,
    points=True,
    cells=ANY,
    parts=True,
    names=True,
    transforms=True,
    groups=True,
    materials=True,
    textures=True,
    up=True,
    unit=True,
    metadata=ANY,
    element_fields=True,
)


@dataclass(frozen=True, kw_only=True)
class Format:
    """All that `meshlearn.io` knows of a file format.

    Functions are given as such, or as "package.module:function": then the module is imported when
    the first file asks for it, which keeps start-up quick.

    Attributes:
        name: as messages say it, such as "PLY".
        suffixes: extensions of its files, in lower case with their dot.
        read: (data, path) -> Document; raises `FileFormatError` for what is no legal file.
        write: (document, path) -> the file's bytes, or files by name where there are several; it
            takes ``ascii=`` too where `ascii` says so. None: the format can only be read.
        pieces: as `write`, (document, path) -> an iterable of pieces for each file, for writers
            that need not have the whole file in memory; they are the same bytes.
        holds: what a file has a place for, from which the losses of a document are told.
        text_holds: the same of its text variant, where that is something else.
        losses: (document) -> losses beyond those, where `holds` cannot say them.
        prepare: (document) -> the document as the format can have it, such as with images of other
            types, what was done noted in its `remarks`, what could not be in its `left_out`; asked
            before `losses` and `write`, and again of what it gave, which it then leaves as it is.
        text: those of the suffixes whose files are text always.
        ascii: whether `write` takes ``ascii=True`` for a text variant.
        compress: names of compressions that `write`, `pieces` and `losses` take as ``compress=``.
        tolerance: whether `read` takes ``tolerance=``, how far its triangles may be from what is
            curved in a file, in the file's unit.

    Raises:
        ValueError: a description that means nothing; it names the argument.

    Example:
        >>> Format(name="TRI", suffixes=(".tri",), read=read_tri, write=write_tri, holds=Holds())
    """

    name: str
    suffixes: tuple[str, ...]
    read: Reader | str
    write: Writer | str | None = None
    pieces: Pieces | str | None = None
    holds: Holds = Holds()
    text_holds: Holds | None = None
    losses: Losses | str | None = None
    prepare: Prepare | str | None = None
    text: tuple[str, ...] = ()
    ascii: bool = False
    compress: tuple[str, ...] = ()
    tolerance: bool = False

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ValueError(f"name: expected the name of a format, got {self.name!r}")
        for key in ("suffixes", "text"):
            value = getattr(self, key)
            good = isinstance(value, (tuple, list)) and all(
                isinstance(s, str) and s.startswith(".") and len(s) > 1 and s == s.lower()
                for s in value
            )
            if not good or (key == "suffixes" and not value):
                raise ValueError(
                    f"{key}: the format {self.name} gives {value!r}, expected a tuple of "
                    f"extensions in lower case with their dot"
                )
            object.__setattr__(self, key, tuple(value))
        for key in ("read", "write", "pieces", "losses", "prepare"):
            value = getattr(self, key)
            if value is None and key != "read":
                continue
            named = isinstance(value, str) and _REFERENCE.fullmatch(value)
            if not callable(value) and not named:
                raise ValueError(
                    f"{key}: the format {self.name} gives {value!r}, expected a function or its "
                    f"place, such as 'package.module:function'"
                )
        if not isinstance(self.holds, Holds):
            raise ValueError(f"holds: the format {self.name} gives {self.holds!r}, expected Holds")
        if not isinstance(self.text_holds, Holds | None):
            raise ValueError(
                f"text_holds: the format {self.name} gives {self.text_holds!r}, expected Holds"
            )

    def holds_as(self, *, ascii: bool = False) -> Holds:
        """What a file has a place for, or one of the text variant."""
        return self.text_holds if ascii and self.text_holds is not None else self.holds

    def function(self, key: str) -> Callable[..., Any] | None:
        """One of `read`, `write`, `pieces`, `losses`, `prepare`, imported; None if there is none.

        Raises:
            ImportError: its module cannot be imported, or has no such function.
        """
        value = getattr(self, key)
        if not isinstance(value, str):
            return value
        module, _, name = value.partition(":")
        found = getattr(import_module(module), name, None)
        if not callable(found):
            raise ImportError(f"the module {module} has no function {name!r}")
        return found
