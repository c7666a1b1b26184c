"""NIfTI-1 and NIfTI-2: .nii, .nii.gz, and pairs of .hdr and .img.

Source: https://nifti.nimh.nih.gov/nifti-1 (nifti1.h) and https://nifti.nimh.nih.gov/nifti-2; the
world is that of the standard, x to the patient's right, y to the front, z up.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from meshlearn.io.volumes.samples import Samples, Wanted, pick_frame, scaled
from meshlearn.io.volumes.stream import is_gzip, native, opened

# (name, type, byte) of what is used of the headers
_FIRST = [("dim", "8i2", 40), ("datatype", "i2", 70), ("pixdim", "8f4", 76)]
_FIRST += [("offset", "f4", 108), ("slope", "f4", 112), ("shift", "f4", 116), ("units", "u1", 123)]
_FIRST += [("qform", "i2", 252), ("sform", "i2", 254), ("quaternion", "3f4", 256)]
_FIRST += [("place", "3f4", 268), ("rows", "(3,4)f4", 280), ("magic", "S4", 344)]
_SECOND = [("magic", "S8", 4), ("datatype", "i2", 12), ("dim", "8i8", 16), ("pixdim", "8f8", 104)]
_SECOND += [("offset", "i8", 168), ("slope", "f8", 176), ("shift", "f8", 184)]
_SECOND += [("qform", "i4", 344), ("sform", "i4", 348), ("quaternion", "3f8", 352)]
_SECOND += [("place", "3f8", 376), ("rows", "(3,4)f8", 400), ("units", "i4", 500)]
_KINDS = {2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8", 256: "i1", 512: "u2", 768: "u4"}
_KINDS |= {1024: "i8", 1280: "u8"}
_COLOURS = {128: "RGB", 2304: "RGBA", 32: "complex", 1792: "complex", 2048: "complex"}
_UNITS = {1: "m", 2: "mm", 3: "um"}


def _header(raw: bytes) -> tuple[np.void, str]:
    """The fields of a header, and the order of its bytes.

    Raises:
        ValueError: it is none.
    """
    for order in "<>":
        size = int(np.frombuffer(raw, order + "i4", 1)[0])
        if size not in (348, 540):
            continue
        fields = _FIRST if size == 348 else _SECOND
        if len(raw) < size:
            raise ValueError("the file ends within its header; it is truncated")
        names, kinds, at = zip(*fields, strict=True)
        layout = {"names": names, "formats": kinds, "offsets": at, "itemsize": size}
        dtype = np.dtype(layout).newbyteorder(order)  # type: ignore[call-overload]
        head = np.frombuffer(raw, dtype, 1)[0]
        magic = bytes(head["magic"])[:3]
        if magic in (b"n+1", b"n+2", b"ni1", b"ni2"):
            return head, order
        raise ValueError(
            "it is an Analyze file, which does not say where right and left are; convert it to "
            "NIfTI with a program that knows"
        )
    raise ValueError("it is not a NIfTI file (its header's size is neither 348 nor 540)")


def read(path: Path, wanted: Wanted) -> Samples:
    """One volume of a NIfTI file; of several (time, components) the one that is wanted.

    Raises:
        ValueError: it is no such file, a field is wrong, its samples are truncated, damaged, or
            colours; its other file is missing; or there are several volumes and none is named.
    """
    name = path.name.lower()
    if name.endswith(".img") or name.endswith(".img.gz"):
        path = _partner(path, ".hdr")
    with opened(path, "gzip" if is_gzip(path) else "") as source:
        raw = source.take(4, "its header")
        size = 540 if 540 in (int.from_bytes(raw, "little"), int.from_bytes(raw, "big")) else 348
        raw += source.take(size - 4, "its header")
        head, order = _header(bytes(raw))
        shape, frames, dtype = _layout(head, order)
        frame = pick_frame(frames, wanted)
        single = bytes(head["magic"])[1:2] == b"+"
        offset = float(head["offset"])
        if not math.isfinite(offset) or offset < 0:
            raise ValueError(f"its data begins at byte {offset}, which cannot be")
        begin = int(offset) or (size + 4 if single else 0)
        if single and begin < size:
            raise ValueError(f"its data begins at byte {begin}, within the header")
        if single:
            source.room -= begin
            source.skip(begin - size)
            values = source.array(shape, dtype, frames=frames, frame=frame)
        else:
            values = _beside(path, begin, shape, dtype, frames, frame)
    values = scaled(native(values), *_scale(head))
    affine, remarks = _affine(head)
    unit = _UNITS.get(int(head["units"]) & 7)
    return Samples(values, affine, unit, "ras", frames=frames, remarks=remarks)


def _layout(head: np.void, order: str) -> tuple[tuple[int, int, int], int, np.dtype]:
    sizes = [int(n) for n in head["dim"]]
    if not 1 <= sizes[0] <= 7:
        raise ValueError(f"expected 1 to 7 axes, the header has {sizes[0]}")
    sizes = sizes[1 : sizes[0] + 1]
    if min(sizes) < 1:
        raise ValueError(f"the header gives an axis of {min(sizes)} samples")
    if len(sizes) < 3:
        raise ValueError(f"expected a 3-D array, got shape {tuple(sizes)}")
    kind = int(head["datatype"])
    if kind in _COLOURS:
        raise ValueError(
            f"its samples are colours (RGB) or complex numbers ({_COLOURS[kind]}); expected one "
            f"real number each, so extract one channel first"
        )
    if kind not in _KINDS:
        raise ValueError(f"its samples are of the NIfTI type {kind}, which is not read")
    shape = (sizes[0], sizes[1], sizes[2])
    return shape, math.prod(sizes[3:]), np.dtype(order + _KINDS[kind])


def _scale(head: np.void) -> tuple[float, float]:
    slope, shift = float(head["slope"]), float(head["shift"])
    if slope == 0 or not math.isfinite(slope):
        return 1.0, 0.0
    return slope, shift if math.isfinite(shift) else 0.0


def _affine(head: np.void) -> tuple[np.ndarray, list[str]]:
    """Index to world, by the first that the file has: its affine, its rotation, its spacing."""
    out = np.eye(4)
    if head["sform"] > 0:
        out[:3] = head["rows"]
        return out, []
    steps = np.abs(head["pixdim"][1:4].astype(np.float64))
    if head["qform"] > 0:
        out[:3, :3] = _rotation(head["quaternion"].astype(np.float64)) * steps
        if head["pixdim"][0] < 0:
            out[:3, 2] *= -1
        out[:3, 3] = head["place"]
        return out, []
    out[:3, :3] = np.diag(steps)
    text = "the file does not say where its samples lie (sform and qform are 0); by spacing alone"
    return out, [text]


def _rotation(bcd: np.ndarray) -> np.ndarray:
    """(3, 3) of the last three numbers of a unit quaternion."""
    square = float(bcd @ bcd)
    if not math.isfinite(square) or square > 1.01:
        raise ValueError(f"expected a quaternion of length 1, got {bcd.tolist()}")
    if square > 1:
        bcd = bcd / math.sqrt(square)
    b, c, d = bcd.tolist()
    a = math.sqrt(max(0.0, 1 - square))
    return np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )


def _partner(path: Path, suffix: str) -> Path:
    """The other file of a pair, .hdr or .img, packed or not."""
    stem = path.name[:-3] if path.name.lower().endswith(".gz") else path.name
    stem = stem[:-4]
    for end in (suffix, suffix + ".gz", suffix.upper()):
        if (path.parent / (stem + end)).is_file():
            return path.parent / (stem + end)
    raise ValueError(f"its other file {stem + suffix} is not beside it")


def _beside(
    path: Path, begin: int, shape: tuple[int, ...], dtype: np.dtype, frames: int, frame: int
) -> np.ndarray:
    data = _partner(path, ".img")
    with opened(data, "gzip" if is_gzip(data) else "") as source:
        source.skip(begin)
        source.room -= begin
        return source.array(shape, dtype, frames=frames, frame=frame)
