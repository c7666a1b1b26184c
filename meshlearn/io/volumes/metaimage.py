"""MetaImage: .mha, and .mhd with its samples in other files.

Source: https://itk.org/Wiki/ITK/MetaIO/Documentation. Where the header says how the axes lie in a
patient, its world is x left, y back, z up, and is turned to x right, y front, z up, as in NIfTI.
"""

from __future__ import annotations

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

_TYPES = {"CHAR": "i1", "UCHAR": "u1", "SHORT": "i2", "USHORT": "u2", "INT": "i4", "UINT": "u4"}
_TYPES |= {"LONG": "i4", "ULONG": "u4", "LONG_LONG": "i8", "ULONG_LONG": "u8"}
_TYPES |= {"FLOAT": "f4", "DOUBLE": "f8"}
_LIST = 1 << 24  # bytes of a list of files: as many as may be named, of 160 letters each
_UNITS = {"mm": "mm", "um": "um", "cm": "cm", "m": "m", "micron": "um"}


def read(path: Path, wanted: Wanted) -> Samples:
    """One volume of a MetaImage; of several the one that is wanted.

    Raises:
        ValueError: it is no such file, a field is missing or wrong, its samples are truncated,
            damaged, or colours; or there are several volumes and none is named.
    """
    lines, behind = header_lines(path, "elementdatafile")
    fields: dict[str, str] = {}
    for line in lines:
        key, sign, value = line.partition("=")
        if not sign and line.strip():
            raise ValueError(f"it is not a MetaImage: {line.strip()[:60]!r} is no 'name = value'")
        fields[key.strip().lower()] = value.strip()
    if fields.get("objecttype", "Image").lower() != "image":
        raise ValueError(f"expected ObjectType = Image, got {fields['objecttype']!r}")
    sizes = stated_sizes(fields, "ndims", "dimsize", also=("elementtype", "elementdatafile"))
    count = len(sizes)
    if count < 3:
        raise ValueError(f"expected a 3-D array, got shape {tuple(sizes)}")
    channels = whole(fields.get("elementnumberofchannels", "1"), "ElementNumberOfChannels", 1)[0]
    if channels != 1:
        raise ValueError(
            f"its samples have {channels} channels (colours or vectors); expected one real number "
            f"each, so extract one channel first"
        )
    frames = int(np.prod(sizes[3:], dtype=object)) if count > 3 else 1
    frame = pick_frame(frames, wanted)
    values = _data(path, fields, behind, count).read(tuple(sizes), _dtype(fields))
    values = values.reshape(*sizes[:3], -1, order="F")[..., frame]
    affine, space, remarks = _affine(fields, count)
    unit = _UNITS.get(fields.get("distanceunits", "").lower())
    return Samples(values, affine, unit, space, frames=frames, remarks=remarks)


def _true(text: str) -> bool:
    return text.strip().lower() in ("true", "1", "t", "yes")


def _dtype(fields: dict[str, str]) -> np.dtype:
    kind = fields["elementtype"].upper().removeprefix("MET_")
    if kind not in _TYPES:
        raise ValueError(
            f"its samples are of the type {fields['elementtype']!r}, which is not read"
        )
    msb = fields.get("elementbyteordermsb", fields.get("binarydatabyteordermsb", "False"))
    return np.dtype((">" if _true(msb) else "<") + _TYPES[kind])


def _data(path: Path, fields: dict[str, str], behind: int, count: int) -> Data:
    encoding = "raw"
    if _true(fields.get("compresseddata", "False")):
        encoding = "zlib"
    elif "binarydata" in fields and not _true(fields["binarydata"]):
        encoding = "text"
    skip = whole(fields.get("headersize", "0"), "HeaderSize", 1)[0]
    if skip < -1:
        raise ValueError(f"HeaderSize: expected 0 or more, or -1, got {skip}")
    name = fields["elementdatafile"]
    if name.upper() == "LOCAL":
        return Data([(path, behind)], encoding)
    if not name:
        raise ValueError("ElementDataFile: expected LOCAL or the name of a file")
    words = name.split()
    if words[0].upper() == "LIST":
        with open(path, "rb") as file:
            file.seek(behind)
            raw = file.read(_LIST + 1)
        if len(raw) > _LIST:
            raise ValueError(f"ElementDataFile: its list of files has more than {_LIST:,} bytes")
        text = raw.decode("utf-8", "replace")
        names = [line.strip() for line in text.splitlines() if line.strip()]
    elif "%" in name and len(words) >= 3:
        end = len(words) - (3 if len(words) > 3 else 2)
        span = whole(" ".join(words[end:]), "ElementDataFile")
        first, last, step = (*span, 1)[:3]
        names = numbered(" ".join(words[:end]), first, last, step)
    else:
        names = [name]
    return Data(files_named(path, names), encoding, 0, skip)


def _affine(fields: dict[str, str], count: int) -> tuple[np.ndarray, str, list[str]]:
    out = np.eye(4)
    steps = np.ones(3)
    for key in ("elementspacing", "elementsize"):
        if key in fields:
            steps = spacings(numbers(fields[key], key, count)[:3], key)
            break
    matrix = np.eye(3)
    for key in ("transformmatrix", "rotation", "orientation"):
        if key in fields:  # a row for each axis of the lattice
            matrix = numbers(fields[key], key, count * count).reshape(count, count)[:3, :3].T
            break
    out[:3, :3] = matrix * steps
    for key in ("offset", "position", "origin"):
        if key in fields:
            out[:3, 3] = numbers(fields[key], key, count)[:3]
            break
    if not re.fullmatch(r"[RLAPSI]{3}", fields.get("anatomicalorientation", "").strip().upper()):
        return out, "", []
    out[:2] *= -1
    text = "coordinates are turned from left-posterior-superior to right-anterior-superior"
    return out, "ras", [text]
