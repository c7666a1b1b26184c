"""A volume as its file has it: samples, their place in the world, and what a reader was asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

MOST_LABELS = 128  # whole numbers of more values than that are taken for measurements
_COUNTED = 1 << 20  # values in a range up to this are counted in a table
_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
SPACES = ("ras", "lps")


@dataclass(frozen=True)
class Wanted:
    """Which volume of a file.

    Attributes:
        key: the name of an array, or of a series; None: the only one.
        frame: which of several volumes of one shape, from 0; None: there must be one only.
        any: take the first where there are several and none is named.
    """

    key: str | None = None
    frame: int | None = None
    any: bool = False


@dataclass
class Samples:
    """Samples on a lattice.

    Attributes:
        values: (X, Y, Z), numbers of the file's type, scaled where the file says so.
        affine: (4, 4) float64, takes an index (i, j, k, 1) to a position.
        unit: of length, as `Document.unit`; None where the file does not say one.
        space: "ras" or "lps" where x, y and z are a patient's right, front and top (or left, back
            and top); "" where the file does not say such a thing.
        points: (X, Y, Z, 3) float64, the positions, where no affine says them.
        frames: how many volumes of this shape the file holds.
        arrays: names of arrays that the file holds.
        names: of labels, where the file has them.
        remarks: sentences on what the reader understood otherwise than it is written.
    """

    values: np.ndarray
    affine: np.ndarray
    unit: str | None = None
    space: str = ""
    points: np.ndarray | None = None
    frames: int = 1
    arrays: Sequence[str] = ()
    names: dict[int, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


def no_key(key: str | None) -> None:
    """Of a file whose one array has no name.

    Raises:
        ValueError: a name is given.
    """
    if key is not None:
        raise ValueError(
            f"key: expected none, as the one array of such a file has no name, got {key!r}; leave "
            f"it out"
        )


def pick_frame(frames: int, wanted: Wanted) -> int:
    """The number of the frame that is wanted.

    Raises:
        ValueError: there are several and none is named, or there is none of that number.
    """
    if wanted.frame is None:
        if frames > 1 and not wanted.any:
            raise ValueError(
                f"it holds {frames} volumes; choose one of 0 to {frames - 1} by frame "
                f"(on the command line --frame N)"
            )
        return 0
    if not 0 <= wanted.frame < frames:
        some = f"it holds {frames} volumes, 0 to {frames - 1}" if frames > 1 else "it holds one"
        raise ValueError(f"there is no frame {wanted.frame}; {some}")
    return wanted.frame


def scaled(values: np.ndarray, slope: float, shift: float) -> np.ndarray:
    """values * slope + shift, float32, or float64 where values need it; for 1 and 0 as they are."""
    if slope == 1 and shift == 0:
        return values
    wide = values.dtype.kind == "f" and values.dtype.itemsize > 4
    wide |= values.dtype.kind in "iu" and values.dtype.itemsize > 2
    out = np.empty(values.shape, np.float64 if wide else np.float32)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(len(values)):  # a slice at a time: float64 of it only
            out[k] = values[k].astype(np.float64) * slope + shift
    return out


def in_space(samples: Samples, space: str) -> np.ndarray:
    """(4, 4): what turns the world of samples into "ras" or "lps".

    Raises:
        ValueError: another word, or the file says nothing of a patient.
    """
    if space not in SPACES:
        raise ValueError(f"space: expected one of {', '.join(SPACES)}, got {space!r}")
    if not samples.space:
        raise ValueError(
            f"space: expected a file that says where a patient's right is, this one does not; "
            f"leave {space} out"
        )
    return np.eye(4) if space == samples.space else _TO_LPS


def bounds_of(samples: Samples) -> np.ndarray:
    """(2, 3) float64: the box, along the world's axes, around all samples."""
    if samples.points is not None:
        points = samples.points.reshape(-1, 3)
    else:
        last = np.array(samples.values.shape) - 1
        corners = np.stack(np.meshgrid(*([0, n] for n in last), indexing="ij"), -1).reshape(-1, 3)
        points = corners @ samples.affine[:3, :3].T + samples.affine[:3, 3]
    return np.stack([points.min(0), points.max(0)])


def labels_of(values: np.ndarray, most: int = MOST_LABELS) -> dict[int, int] | None:
    """Whole numbers in a volume with how often each is there; None for measurements: numbers that
    are not whole, or of more than `most` values."""
    if values.dtype == bool:
        values = values.view(np.uint8)
    if values.dtype.kind == "f":
        if not np.isfinite(values).all() or float(np.abs(values).max(initial=0)) > 2**53:
            return None
        whole = values.astype(np.int64)
        if not (whole == values).all():
            return None
        values = whole
    if not values.size:
        return {}
    low, high = int(values.min()), int(values.max())
    if high - low < _COUNTED:
        counts = np.zeros(high - low + 1, np.int64)
        for piece in values:
            counts += np.bincount((piece.reshape(-1).astype(np.int64) - low), minlength=len(counts))
        found = np.nonzero(counts)[0]
        if len(found) > most:
            return None
        return {low + int(k): int(counts[k]) for k in found}
    table: dict[int, int] = {}
    for piece in values:
        for value, count in zip(*np.unique(piece, return_counts=True), strict=True):
            table[int(value)] = table.get(int(value), 0) + int(count)
        if len(table) > most:
            return None
    return dict(sorted(table.items()))


def checked(samples: Samples, path: Path) -> Samples:
    """The samples, where they are a volume.

    Raises:
        ValueError: they are not, in one sentence that names the file.
    """
    values = samples.values
    if values.ndim != 3:
        raise ValueError(f"{path}: expected a 3-D array, got shape {values.shape}")
    if min(values.shape) < 2:
        raise ValueError(f"{path}: expected at least 2 samples along each axis, got {values.shape}")
    if values.dtype.kind not in "fiub":
        raise ValueError(f"{path}: expected real numbers, got dtype {values.dtype}")
    linear = samples.affine[:3, :3]
    if not np.isfinite(samples.affine).all():
        raise ValueError(f"{path}: its place in the world is not finite: {linear.tolist()}")
    if samples.points is None and not abs(np.linalg.det(linear)) > 1e-300:
        raise ValueError(
            f"{path}: its axes do not span a space, or a spacing is 0: {linear.tolist()}"
        )
    return samples
