"""NRRD: .nrrd, and .nhdr with its samples in other files.

Source: https://teem.sourceforge.net/nrrd/format.html. A file in a space of the patient is turned to
x right, y front, z up, as in NIfTI; other spaces stay as they are.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np

from meshlearn.io.volumes.detached import (
    Data,
    files_named,
    header_lines,
    numbered,
    numbers,
    spacings,
    stated_sizes,
    whole,
)
from meshlearn.io.volumes.samples import Samples, Wanted, pick_frame

_TYPES = {"float": "f4", "double": "f8", "char": "i1", "signed char": "i1"}
for _size, _names in {
    1: ("char",),
    2: ("short", "short int"),
    4: ("int",),
    8: ("longlong", "long long", "long long int"),
}.items():
    for _name in _names:
        _TYPES |= {_name: f"i{_size}", f"signed {_name}": f"i{_size}"}
        _TYPES |= {f"unsigned {_name}": f"u{_size}", f"u{_name}": f"u{_size}"}
    _TYPES |= {f"int{8 * _size}": f"i{_size}", f"int{8 * _size}_t": f"i{_size}"}
    _TYPES |= {f"uint{8 * _size}": f"u{_size}", f"uint{8 * _size}_t": f"u{_size}"}
_ENCODINGS = {"raw": "raw", "txt": "text", "text": "text", "ascii": "text", "hex": "hex"}
_ENCODINGS |= {"gz": "gzip", "gzip": "gzip", "bz2": "bzip2", "bzip2": "bzip2"}
_SPACES = {"right-anterior-superior": (1, 1, 1), "ras": (1, 1, 1)}
_SPACES |= {"left-anterior-superior": (-1, 1, 1), "las": (-1, 1, 1)}
_SPACES |= {"left-posterior-superior": (-1, -1, 1), "lps": (-1, -1, 1)}
_PLAIN = {"scanner-xyz": 3, "3d-right-handed": 3, "3d-left-handed": 3}
_UNITS = {"mm": "mm", "millimeter": "mm", "millimeters": "mm", "millimetre": "mm", "cm": "cm"}
_UNITS |= {"m": "m", "meter": "m", "metre": "m", "um": "um", "µm": "um", "microns": "um"}
_UNITS |= {"micron": "um", "in": "in", "km": "km", "dm": "dm", "ft": "ft"}
_APART = {"list", "vector", "point", "time", "stub", "scalar", "complex", "quaternion"}
_COLOURS = {"rgb-color", "rgba-color", "hsv-color", "xyz-color", "complex", "2-vector"}
_VECTOR = re.compile(r"none|\([^()]*\)", re.IGNORECASE)


def read(path: Path, wanted: Wanted) -> Samples:
    """One volume of a NRRD file; of several the one that is wanted.

    Raises:
        ValueError: it is no such file, a field is missing or wrong, its samples are truncated,
            damaged, or colours; or there are several volumes and none is named.
    """
    lines, behind = header_lines(path, None)
    if not lines or not re.fullmatch(r"NRRD000\d", lines[0].strip()):
        raise ValueError("it is not a NRRD file (its first line is not NRRD0004 or the like)")
    fields, notes, listed = _fields(lines[1:])
    sizes = stated_sizes(fields, "dimension", "sizes", also=("type", "encoding"))
    count = len(sizes)
    axes = _axes(fields, sizes)
    frames = math.prod(sizes) // math.prod(sizes[k] for k in axes)
    frame = pick_frame(frames, wanted)
    values = _data(path, fields, listed, behind).read(tuple(sizes), _dtype(fields))
    rest = [k for k in range(count) if k not in axes]
    values = values.transpose(*axes, *rest)
    values = values.reshape(*values.shape[:3], -1, order="F")[..., frame]
    affine, space, remarks = _affine(fields, sizes, axes)
    names, unit = _labels(notes), _unit(fields)
    return Samples(values, affine, unit, space, frames=frames, names=names, remarks=remarks)


def _fields(lines: list[str]) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Fields, notes (key:=value), and the names of data files that follow the last field."""
    fields: dict[str, str] = {}
    notes: dict[str, str] = {}
    for number, line in enumerate(lines):
        if line.startswith("#") or not line.strip():
            continue
        key, sign, value = line.partition(":=")
        if sign and ": " not in key:
            notes[key.strip()] = value.strip()
            continue
        key, sign, value = line.partition(":")
        if not sign:
            raise ValueError(f"expected a field 'name: value', got {line.strip()[:60]!r}")
        key = " ".join(key.strip().lower().split())
        key = {"datafile": "data file", "centerings": "centers", "lineskip": "line skip"}.get(
            key,
            {"byteskip": "byte skip", "axismins": "axis mins", "axismaxs": "axis maxs"}.get(
                key, key
            ),
        )
        fields[key] = value.strip()
        if key == "data file" and value.split()[:1] == ["LIST"]:
            return fields, notes, [text.strip() for text in lines[number + 1 :] if text.strip()]
    return fields, notes, []


def _dtype(fields: dict[str, str]) -> np.dtype:
    kind = " ".join(fields["type"].lower().split())
    if kind not in _TYPES:
        raise ValueError(f"its samples are of the type {fields['type']!r}, which is not read")
    label = _TYPES[kind]
    order = fields.get("endian", "").lower()
    if not order:
        if int(label[1:]) > 1 and _ENCODINGS.get(fields["encoding"].lower()) != "text":
            raise ValueError(
                f"its header has no field 'endian', which samples of the type {fields['type']!r} "
                f"need; add 'endian: little' or 'endian: big', as the program wrote them"
            )
        order = "little"
    if order not in ("little", "big"):
        raise ValueError(f"endian: expected little or big, got {order!r}")
    return np.dtype(("<" if order == "little" else ">") + label)


def _data(path: Path, fields: dict[str, str], listed: list[str], behind: int) -> Data:
    encoding = _ENCODINGS.get(fields["encoding"].lower())
    if encoding is None:
        raise ValueError(f"its encoding {fields['encoding']!r} is not read")
    lines = whole(fields.get("line skip", "0"), "line skip", 1)[0]
    skip = whole(fields.get("byte skip", "0"), "byte skip", 1)[0]
    if lines < 0 or skip < -1:
        raise ValueError(f"expected lines and bytes to leave out, got {lines} and {skip}")
    name = fields.get("data file")
    if name is None:
        return Data([(path, behind)], encoding, lines, skip)
    if name.split()[:1] == ["LIST"]:
        names = listed
    else:
        words = name.split()
        numbered_ = "%" in name and len(words) >= 4
        if numbered_:
            first, last, step = whole(" ".join(words[1:4]), "data file", 3)
            names = numbered(words[0], first, last, step)
        else:
            names = [name]
    return Data(files_named(path, names), encoding, lines, skip)


def _directions(fields: dict[str, str], count: int) -> list[np.ndarray | None] | None:
    """A vector for each axis, None for axes that are none of space; None without the field."""
    text = fields.get("space directions")
    if text is None:
        return None
    found = _VECTOR.findall(text)
    if len(found) != count:
        raise ValueError(f"space directions: expected {count} vectors, got {text[:80]!r}")
    out: list[np.ndarray | None] = []
    for vector in found:
        if vector.lower() == "none":
            out.append(None)
            continue
        values = numbers(vector[1:-1].replace(",", " "), "space directions")
        if np.isnan(values).all():  # as "none" is sometimes written
            out.append(None)
            continue
        if not np.isfinite(values).all():
            raise ValueError(f"space directions: expected finite numbers, got {vector}")
        # a fourth component is time
        out.append(values[:3] if len(values) < 4 or values[:3].any() else None)
    return out


def _axes(fields: dict[str, str], sizes: list[int]) -> list[int]:
    """The three axes of space, the fastest first.

    Raises:
        ValueError: there are not three, or samples are colours.
    """
    kinds = fields.get("kinds", "").lower().split()
    for kind in kinds:
        if kind in _COLOURS:
            raise ValueError(
                f"its samples are of the kind {kind}; expected one real number each, so extract "
                f"one channel first"
            )
    directions = _directions(fields, len(sizes))
    if directions is not None:
        axes = [k for k, vector in enumerate(directions) if vector is not None]
    elif len(kinds) == len(sizes):
        axes = [
            k
            for k, kind in enumerate(kinds)
            if kind not in _APART
            and not re.fullmatch(r"\d+-(vector|color|normal)|.*-gradient|.*matrix", kind)
        ]
    else:
        axes = list(range(min(3, len(sizes))))
    if len(axes) > 3:
        axes = axes[:3]
    if len(axes) < 3:
        raise ValueError(
            f"expected a 3-D array, got {len(axes)} axes of space of the sizes {sizes}"
        )
    return axes


def _affine(
    fields: dict[str, str], sizes: list[int], axes: list[int]
) -> tuple[np.ndarray, str, list[str]]:
    """Index to world, the space that this is, and remarks."""
    out = np.eye(4)
    directions = _directions(fields, len(sizes))
    if directions is None:
        _along_axes(fields, sizes, axes, out)
    else:
        for column, axis in enumerate(axes):
            vector = directions[axis]
            if vector is None or len(vector) != 3:
                raise ValueError("space directions: expected vectors of three numbers")
            out[:3, column] = vector
    if "space origin" in fields:
        place = fields["space origin"].strip().strip("()").replace(",", " ")
        found = numbers(place, "space origin")[:3]
        if len(found) == 3 and np.isfinite(found).all():
            out[:3, 3] = found
        elif len(found) != 3 or not np.isnan(found).all():
            raise ValueError(f"space origin: expected three finite numbers, got {place!r}")
    space = fields.get("space", "").lower()
    space = space.removesuffix("-time")
    space = {"rast": "ras", "last": "las", "lpst": "lps"}.get(space, space)
    if space not in _SPACES:
        return out, "", []
    signs = _SPACES[space]
    out[:3] = np.array(signs)[:, None] * out[:3]
    remarks = []
    if signs != (1, 1, 1):
        remarks = [f"coordinates are turned from {fields['space']} to right-anterior-superior"]
    return out, "ras", remarks


def _along_axes(fields: dict[str, str], sizes: list[int], axes: list[int], out: np.ndarray) -> None:
    """Spacing and first sample of a file that has no space."""
    given = {
        key: numbers(fields[key], key, len(sizes))
        for key in ("spacings", "axis mins", "axis maxs")
        if key in fields
    }
    centers = fields.get("centers", "").lower().split()
    for column, axis in enumerate(axes):
        cell = len(centers) == len(sizes) and centers[axis] == "cell"
        low = given["axis mins"][axis] if "axis mins" in given else math.nan
        high = given["axis maxs"][axis] if "axis maxs" in given else math.nan
        step = given["spacings"][axis] if "spacings" in given else math.nan
        if math.isnan(step) and not (math.isnan(low) or math.isnan(high)):
            step = (high - low) / max(sizes[axis] - (0 if cell else 1), 1)
        if math.isnan(step):
            if "spacings" in given:
                raise ValueError(f"spacings: expected positive numbers, got {fields['spacings']!r}")
            step = 1.0
        out[column, column] = spacings(np.array([step]), "spacings")[0]
        if not math.isnan(low):
            out[column, 3] = low + (step / 2 if cell else 0)


def _unit(fields: dict[str, str]) -> str | None:
    text = fields.get("space units") or fields.get("units") or ""
    found = {_UNITS.get(word) for word in re.findall(r'"([^"]*)"', text) if word}
    return found.pop() if len(found) == 1 else None


def _labels(notes: dict[str, str]) -> dict[int, str]:
    """Names of labels, as segmentations of 3D Slicer have them."""
    out = {}
    for key, value in notes.items():
        found = re.fullmatch(r"Segment(\d+)_LabelValue", key)
        name = notes.get(f"Segment{found[1]}_Name") if found else None
        if name and re.fullmatch(r"-?\d{1,18}", value):
            out[int(value)] = name
    return out
