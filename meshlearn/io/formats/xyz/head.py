"""What stands before and between the numbers of a table of points: names, signs, commas.

Names are those of CloudCompare ("//X Y Z R G B Intensity"), ParaView ("Points:0", "Points:1") and
of tables of surveyors; a table without names has positions first.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass

_LINES = 40  # that are looked at
_MARKS = (b"//", b"#", b"%", b"!")
_X = ("x", "points_0", "point_x", "pointx", "pos_x", "position_x", "px", "coord_x", "easting")
_Y = ("y", "points_1", "point_y", "pointy", "pos_y", "position_y", "py", "coord_y", "northing")
_Z = ("z", "points_2", "point_z", "pointz", "pos_z", "position_z", "pz", "coord_z", "elevation")
_COLORS = ("red", "green", "blue", "alpha")
_NAMES = {
    **dict.fromkeys(_X, "x"),
    **dict.fromkeys(_Y, "y"),
    **dict.fromkeys((*_Z, "height", "altitude"), "z"),
    **{name[0]: name for name in _COLORS},
    **{f"{name[0]}f": name for name in _COLORS},
}
for _k, _axis in enumerate("xyz"):
    for _word in ("normal_", "normal", "normals_"):
        _NAMES |= {f"{_word}{_axis}": f"n{_axis}", f"{_word}{_k}": f"n{_axis}"}


@dataclass(frozen=True)
class Head:
    """How a table of points is written.

    Attributes:
        names: of its columns, those that are known as "x", "nx", "red" …; empty where it has none.
        begin: the byte where the numbers begin.
        remark: the names stand in a remark, which may mean something else.
        separator: ";" or a tab where columns are split by it, else "" for blanks and commas.
        decimal_commas: commas stand for decimal points.
        words: of the last line before the numbers that is no remark and names no x, y and z.
    """

    names: tuple[str, ...]
    begin: int
    remark: bool = False
    separator: str = ""
    decimal_commas: bool = False
    words: tuple[str, ...] = ()


def _cells(line: bytes) -> list[str]:
    """The words of a line, by whichever sign splits it."""
    text = line.decode("utf-8", errors="replace").strip()
    bare = re.sub(r'"[^"]*"', "", text)
    for sign in (";", "\t", ","):
        if sign in bare:
            cells = next(csv.reader([text], delimiter=sign, skipinitialspace=True), [])
            return [cell.strip().strip("'") for cell in cells]
    return [cell.strip("\"'") for cell in text.split()]


def is_number(word: str) -> bool:
    """Whether a word is a number, with a decimal comma or point."""
    try:
        float(word.replace(",", ".", 1))
    except ValueError:
        return False
    return True


def _known(name: str) -> str:
    """A column's name as this package has it, else as it is."""
    plain = re.sub(r"\s*[\[(].*?[\])]\s*$", "", name.strip())  # "x [m]"
    key = re.sub(r"[\s:._-]+", "_", plain.lower()).strip("_")
    if key in ("x", "y", "z", "nx", "ny", "nz", "red", "green", "blue", "alpha"):
        return key
    return _NAMES.get(key, plain)


def known_names(cells: list[str]) -> tuple[str, ...]:
    """The names of columns; () where these words are no names, since x, y and z are not among
    them or one is twice."""
    names = tuple(_known(cell) for cell in cells)
    if not {"x", "y", "z"} <= set(names) or any(map(is_number, cells)):
        return ()
    out: list[str] = []
    for k, name in enumerate(names):
        made, number = name or f"column {k}", 2
        while made in out:
            made, number = f"{name} {number}", number + 1
        out.append(made)
    return tuple(out)


def read_head(data: bytes | bytearray) -> Head:
    """How the table in these bytes is written; lines before the first number are looked at."""
    names: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    remark = False
    rows: list[bytes] = []
    at = 0
    begin = 0
    for _ in range(_LINES):
        if at >= len(data):
            break
        end = data.find(b"\n", at)
        end = len(data) if end < 0 else end
        line = bytes(data[at:end]).strip()
        mark = next((m for m in _MARKS if line.startswith(m)), b"")
        cells = _cells(line.lstrip(mark) if mark else line)
        if rows or (cells and not mark and any(map(is_number, cells))):
            rows += [line] if cells and not mark else []
        else:
            found = known_names([c for c in cells if c] if mark else cells)
            names, remark = (found, bool(mark)) if found else (names, remark)
            words = tuple(cells) if cells and not mark and not found else words
            begin = min(end + 1, len(data))
        at = end + 1
    separator, commas = _signs([row for row in rows if len(row.split()) > 1 or b";" in row])
    return Head(names, begin, remark, separator, commas, words)


def _signs(rows: list[bytes]) -> tuple[str, bool]:
    """The sign between columns where it is ";" or a tab, and whether commas are decimal points."""
    if rows and all(b";" in row for row in rows):
        return ";", any(b"," in row for row in rows)
    tabbed = bool(rows) and all(b"\t" in row for row in rows)
    words = [word.strip(b" ,") for row in rows for word in row.split()]
    inside = [word for word in words if re.fullmatch(rb"[-+]?\d+,\d+([eE][-+]?\d+)?", word)]
    plain = [word for word in words if re.fullmatch(rb"[-+]?\d+([eE][-+]?\d+)?", word)]
    # every word is whole or has one comma inside: "1,5 2,25 0", not "1.5,2.5 3"
    commas = bool(inside) and len(inside) + len(plain) == len(words)
    return ("\t" if tabbed else ""), commas
