"""What stands before and between the numbers of a table of points: names, signs, commas.

Names are those of CloudCompare ("//X Y Z R G B Intensity"), ParaView ("Points:0", "Points:1") and
of tables of surveyors; a table without names has positions first. A column that is called x, red …
itself is that, whatever others are called that could be it too.
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
_HEIGHTS = ("height", "altitude")  # what else may be z
_AXES = ("x", "y", "z")
_NORMALS = ("nx", "ny", "nz")
_COLORS = ("red", "green", "blue", "alpha")
_OF_NORMALS = tuple(
    tuple(f"{word}{axis}" for axis in axes)
    for word in ("normal_", "normal", "normals_")
    for axes in ("xyz", "012")
)
_OF_COLORS = (("r", "g", "b", "a"), ("rf", "gf", "bf", "af"))


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


def _meant(keys: list[str]) -> dict[str, str]:
    """What columns mean that are called otherwise, by their names in small letters; no two mean the
    same, and none means what another is called."""
    out: dict[str, str] = {}
    families = [*zip(_X, _Y, _Z, strict=True)]
    whole = next((f for f in families if set(f) <= set(keys)), ())
    for k, axis in enumerate(_AXES):
        others = [f[k] for f in families] + [*(_HEIGHTS if axis == "z" else ())]
        found = [key for key in keys if key in others]
        if axis not in keys and found:
            out[whole[k] if whole else found[0]] = axis
    for k, axis in enumerate(_NORMALS):
        found = [key for key in keys if any(key == f[k] for f in _OF_NORMALS)]
        if axis not in keys and found:
            out[found[0]] = axis
    for family in _OF_COLORS:  # one letter alone may be anything
        if set(family[:3]) <= set(keys) and not set(_COLORS) & {*keys, *out.values()}:
            out |= {a: b for a, b in zip(family, _COLORS, strict=True) if a in keys}
    return out


def known_names(cells: list[str]) -> tuple[str, ...]:
    """The names of columns as this package has them, else as they are, one that is there already
    with a number; () where these words are no names, since x, y and z are not among them."""
    plain = [re.sub(r"\s*[\[(].*?[\])]\s*$", "", cell.strip()) for cell in cells]  # "x [m]"
    keys = [re.sub(r"[\s:._-]+", "_", name.lower()).strip("_") for name in plain]
    meant = _meant(keys) | {name: name for name in (*_AXES, *_NORMALS, *_COLORS)}
    names = tuple(meant.get(key, name) for key, name in zip(keys, plain, strict=True))
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
