"""PCD of the Point Cloud Library: points with fields, as text, binary or compressed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np

from meshlearn.io.color_space import BYTES_SAID, meant_as_bytes
from meshlearn.io.document import Document, FileFormatError, Part
from meshlearn.io.offset import take_offset
from meshlearn.io.text import read_block, said_of_bytes, said_of_rest

_KINDS = {"F": "f", "I": "i", "U": "u"}
STILL = [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]  # the viewpoint of a file that has none
COMPONENTS = {"normal": ("normal_x", "normal_y", "normal_z")}


def read(data: bytes, path: Path) -> Document:
    """Reads a PCD; packed colours (rgb, rgba) become bytes."""
    head, at = _header(data, path)
    remarks: list[str] = []
    columns = _columns(data, path, head, at, remarks)
    missing = [k for k in "xyz" if k not in columns or columns[k].ndim > 1]
    if missing:
        raise FileFormatError(f"{path}: expected fields x, y and z, {missing[0]!r} is not there")
    xyz = np.stack([columns.pop(k) for k in "xyz"], axis=1)
    if xyz.dtype not in (np.float32, np.float64):
        xyz = xyz.astype(np.float64)
    part = Part(vertices=xyz, points=np.arange(len(xyz)))
    for key, names in COMPONENTS.items():
        if all(n in columns and columns[n].ndim == 1 for n in names):
            part.vertex_fields[key] = np.stack([columns.pop(n) for n in names], axis=1)
    for key in ("rgb", "rgba"):
        packed = columns.get(key)
        if packed is not None and packed.ndim == 1 and packed.dtype.itemsize == 4:
            bits = np.ascontiguousarray(packed).view(np.uint32)
            shifts = (16, 8, 0) if key == "rgb" else (16, 8, 0, 24)
            part.vertex_fields["color"] = np.stack(
                [(bits >> s & 255).astype(np.uint8) for s in shifts], axis=1
            )
            del columns[key]
    for names in (("r", "g", "b"), ("red", "green", "blue")):
        found = [columns.get(name) for name in names]
        if "color" not in part.vertex_fields and all(c is not None and c.ndim == 1 for c in found):
            part.vertex_fields["color"] = np.stack([columns.pop(n) for n in names], axis=1)
    colors = part.vertex_fields.get("color")
    if colors is not None and (made := meant_as_bytes(colors)) is not colors:
        part.vertex_fields["color"] = made
        remarks.append(BYTES_SAID)
    part.vertex_fields |= columns
    document = Document([part], remarks=remarks)
    _take_view(document, head)
    take_offset(document, data)
    return document


def _take_view(document: Document, head: dict[str, list[str]]) -> None:
    """Takes where the sensor stood ("viewpoint": a place and a quaternion w, x, y, z; points stay
    as they are), and of a grid of points the number of its rows."""
    words = head.get("VIEWPOINT", [])
    try:
        view = [float(word) for word in words]
        rows = int(head["HEIGHT"][0]) if head.get("HEIGHT") else 1
    except ValueError:
        document.remarks.append(f"its VIEWPOINT {' '.join(words)[:60]!r} is none of numbers")
        return
    if view and view != STILL:
        document.metadata["viewpoint"] = view
    if rows > 1:
        document.metadata["rows of points"] = rows


def _header(data: bytes, path: Path) -> tuple[dict[str, list[str]], int]:
    head: dict[str, list[str]] = {}
    at = 0
    while "DATA" not in head:
        eol = data.find(b"\n", at)
        if eol < 0 or at > 1 << 16:
            raise FileFormatError(f"{path}: expected a line 'DATA' at the end of a PCD header")
        words = bytes(data[at:eol]).decode("utf-8", errors="replace").split("#")[0].split()
        at = eol + 1
        if words:
            head[words[0].upper()] = words[1:]
    for key in ("FIELDS", "SIZE", "TYPE"):
        if not head.get(key):
            raise FileFormatError(f"{path}: expected a line {key!r} in a PCD header")
    head.setdefault("COUNT", ["1"] * len(head["FIELDS"]))
    return head, at


def _columns(
    data: bytes, path: Path, head: dict[str, list[str]], at: int, remarks: list[str]
) -> dict:
    """The fields by their names.

    Args:
        remarks: gets a sentence on what stands behind the last point.
    """
    names = head["FIELDS"]
    try:
        counts = [int(c) for c in head["COUNT"]]
        kinds = [
            np.dtype(f"<{_KINDS[t]}{int(s)}")
            for t, s in zip(head["TYPE"], head["SIZE"], strict=True)
        ]
        points = int((head.get("POINTS") or head["WIDTH"])[0])
        if len(names) != len(kinds) or len(counts) != len(kinds) or min(counts) < 1:
            raise ValueError
        if (
            points < 0
            or max(counts) > 4096
            or len(set(names) - {"_"}) < len([n for n in names if n != "_"])
        ):
            raise ValueError
        if "HEIGHT" in head and int(head["HEIGHT"][0]) * int(head["WIDTH"][0]) != points:
            raise ValueError
    except (KeyError, ValueError, IndexError, TypeError):
        raise FileFormatError(f"{path}: the lines of a PCD header do not fit each other") from None
    form = (head["DATA"] or [""])[0].lower()
    row = sum(k.itemsize * c for k, c in zip(kinds, counts, strict=True))
    if form == "ascii":
        if points * 2 > len(data) - at + 1:
            raise FileFormatError(
                f"{path}: the header promises {points} points, the file ends before"
            )
        try:
            block = read_block(data, at, points)
            table = block.table(sum(counts))
        except ValueError as error:
            raise FileFormatError(f"{path}: behind the header, {error}") from None
        if table is None:
            raise FileFormatError(f"{path}: expected {sum(counts)} numbers on every line")
        remarks += said_of_rest(data, block.end)
        first = np.cumsum([0, *counts])
        cut = [table[:, first[k] : first[k + 1]] for k in range(len(names))]
        with np.errstate(over="ignore", invalid="ignore"):
            found = [c.astype(k) for c, k in zip(cut, kinds, strict=True)]
        if any(k.kind in "iu" and k.itemsize == 8 for k in kinds):  # more digits than a double has
            rows = [r.split() for r in bytes(data[at:]).splitlines() if r.strip()][:points]
            for k, kind in enumerate(kinds):
                if kind.kind in "iu" and kind.itemsize == 8:
                    words = [
                        [int(float(w)) if b"." in w else int(w) for w in r[first[k] : first[k + 1]]]
                        for r in rows
                    ]
                    found[k] = np.array(words, kind).reshape(points, counts[k])
    elif form == "binary":
        if points * row > len(data) - at:
            raise FileFormatError(
                f"{path}: the header promises {points} points, the file ends before"
            )
        layout = np.dtype(
            [(f"p{k}", d, (c,)) for k, (d, c) in enumerate(zip(kinds, counts, strict=True))]
        )
        packed = np.frombuffer(data, layout, points, at)
        found = [np.ascontiguousarray(packed[f"p{k}"]) for k in range(len(names))]
        remarks += said_of_bytes(data, at + points * row)
    elif form == "binary_compressed":
        found = _compressed(data, path, at, points, kinds, counts)
        remarks += said_of_bytes(data, at + 8 + struct.unpack_from("<I", data, at)[0])
    else:
        raise FileFormatError(
            f"{path}: expected DATA ascii, binary or binary_compressed, got {form!r}"
        )
    return {
        name: values[:, 0] if values.shape[1] == 1 else values
        for name, values in zip(names, found, strict=True)
        if name != "_"
    }


def _compressed(data: bytes, path: Path, at: int, points: int, kinds, counts) -> list[np.ndarray]:
    if len(data) - at < 8:
        raise FileFormatError(f"{path}: the file ends within its header")
    packed, whole = struct.unpack_from("<II", data, at)
    row = sum(k.itemsize * c for k, c in zip(kinds, counts, strict=True))
    if packed > len(data) - at - 8 or whole < points * row or whole > 300 * packed + 1024:
        raise FileFormatError(f"{path}: the sizes of its compressed data cannot be true")
    body = _lzf(bytes(data[at + 8 : at + 8 + packed]), whole, path)
    found, offset = [], 0
    for kind, count in zip(kinds, counts, strict=True):  # field after field
        found.append(
            np.frombuffer(body, kind, points * count, offset).reshape(points, count).copy()
        )
        offset += points * count * kind.itemsize
    return found


def _lzf(data: bytes, size: int, path: Path) -> bytes:
    """Expands LZF data to exactly `size` bytes."""
    out = bytearray()
    at = 0
    try:
        while at < len(data):
            control = data[at]
            at += 1
            if control < 32:
                out += data[at : at + control + 1]
                at += control + 1
            else:
                length = control >> 5
                if length == 7:
                    length += data[at]
                    at += 1
                start = len(out) - ((control & 31) << 8) - data[at] - 1
                at += 1
                length += 2
                if start < 0:
                    raise IndexError
                if start + length <= len(out):
                    out += out[start : start + length]
                else:  # it overlaps what it makes
                    piece = bytes(out[start:])
                    out += (piece * (length // len(piece) + 1))[:length]
            if len(out) > size:
                raise IndexError
    except IndexError:
        raise FileFormatError(f"{path}: its compressed data is damaged") from None
    if len(out) != size:
        raise FileFormatError(f"{path}: its compressed data is damaged")
    return bytes(out)
