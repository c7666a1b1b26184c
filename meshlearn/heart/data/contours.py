"""Contours of the heart on magnetic resonance slices: labelled points in patient coordinates."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

LABELS = (
    "lv_endo",
    "lv_epi",
    "rv_epi",
    "rv_free",
    "rv_septum",
    "rv_insert",
    "apex",
    "mitral",
    "aortic",
    "tricuspid",
    "pulmonary",
    "rv_endo",
)
VIEWS = ("sax", "lax", "none")
_NAMES = {
    "LV_ENDOCARDIAL": "lv_endo",
    "LV_EPICARDIAL": "lv_epi",
    "RV_EPICARDIAL": "rv_epi",
    "RV_FREEWALL": "rv_free",
    "RV_SEPTUM": "rv_septum",
    "RV_ENDOCARDIAL": "rv_endo",
    "RV_INSERT": "rv_insert",
    "APEX_POINT": "apex",
    "MITRAL_VALVE": "mitral",
    "AORTA_VALVE": "aortic",
    "AORTIC_VALVE": "aortic",
    "TRICUSPID_VALVE": "tricuspid",
    "PULMONARY_VALVE": "pulmonary",
}
UNITS = {"mm": 1.0, "cm": 10.0, "m": 1000.0}
# mm across, of what can be the contours of a heart, and of what a hint of another unit goes by
POSSIBLE, USUAL = (25, 600), (40, 400)
LEAST_FOR_SIZE = 20  # points, fewer say nothing of the size
NO_TIME = -1
LEAST_SLICES = 2  # with the LV's cavity, which a time has that is a frame of its own
LARGEST = 1e7  # in the file's unit: a coordinate beyond is no measurement


@dataclass(frozen=True)
class Contours:
    """Labelled points of one heart at one time.

    Attributes:
        points: (P, 3) float64, mm, finite; patient coordinates: x to the left, y to the back, z up.
        label: (P,) int64 into `LABELS`.
        view: (P,) int64 into `VIEWS`: short axis, long axis, or none (a cloud without slices).
        slice: (P,) int64, the slice that a point was drawn on; -1 for none.
        weight: (P,) float64, positive.
        frame: number in the cardiac cycle, -1 if not known.
        source: where they came from, for messages.

    Example:
        >>> contours = meshlearn.heart.load_contours("GPFile_000.txt")
        >>> contours.of("lv_endo").points
    """

    points: Tensor
    label: Tensor
    view: Tensor
    slice: Tensor
    weight: Tensor
    frame: int = -1
    source: str = "contours"
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        n = len(self.points)
        if self.points.shape != (n, 3) or not bool(torch.isfinite(self.points).all()):
            raise ValueError("points: expected a finite (P, 3) tensor; drop other rows first")
        for name in ("label", "view", "slice", "weight"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"{name}: expected ({n},), as points, got another shape")

    def __len__(self) -> int:
        return len(self.points)

    def mask(self, *labels: str) -> Tensor:
        """(P,) bool: which points carry one of these labels."""
        which = torch.tensor([LABELS.index(name) for name in labels], dtype=torch.int64)
        return torch.isin(self.label, which)

    def take(self, keep: Tensor) -> Contours:
        """The points where `keep` (P,) bool holds."""
        parts = {n: getattr(self, n)[keep] for n in ("points", "label", "view", "slice", "weight")}
        return replace(self, **parts)

    def of(self, *labels: str) -> Contours:
        """The points with one of these labels."""
        return self.take(self.mask(*labels))

    def slices(self, view: str | None = None) -> list[int]:
        """Numbers of the slices (of one view), ascending."""
        keep = self.slice >= 0
        if view is not None:
            keep = keep & (self.view == VIEWS.index(view))
        return sorted(set(self.slice[keep].tolist()))

    def without_slices(self, numbers: Sequence[int]) -> Contours:
        """All but the points on these slices."""
        return self.take(~torch.isin(self.slice, torch.tensor(list(numbers), dtype=torch.int64)))


def from_arrays(
    points: Tensor,
    labels: Sequence[str],
    *,
    view: Sequence[str] | None = None,
    slice: Sequence[int] | None = None,
    frame: int = -1,
    source: str = "contours",
) -> Contours:
    """Contours of points (P, 3) in mm and a label for each, see `LABELS`."""
    n = len(points)
    unknown = sorted(set(labels) - set(LABELS))
    if unknown or len(labels) != n:
        what = f"unknown {unknown[0]!r}" if unknown else f"{len(labels)} for {n} points"
        raise ValueError(f"labels: expected one of {', '.join(LABELS)} a point, got {what}")
    return Contours(
        points.to(torch.float64),
        torch.tensor([LABELS.index(name) for name in labels], dtype=torch.int64),
        torch.tensor([VIEWS.index(name) for name in view or ["none"] * n], dtype=torch.int64),
        torch.tensor(list(slice) if slice is not None else [-1] * n, dtype=torch.int64),
        torch.ones(n, dtype=torch.float64),
        frame,
        source,
    )


def load_contours(
    path: str | os.PathLike[str], *, unit: str = "auto", frame: int | None = None
) -> Contours:
    """Reads a contour file or a labelled point cloud.

    A line holds x, y, z, a contour type and perhaps slice, weight and time frame, split by tabs
    (the files of biv-me), commas or spaces; a first line of names is skipped. Types are those of
    biv-me, such as SAX_LV_ENDOCARDIAL or MITRAL_VALVE, or the names in `LABELS`, with or without
    SAX_ or LAX_ before them. NIfTI files of labels go to `load_segmentation`.

    Args:
        unit: "mm", "cm", "m", or "auto": mm, held against the size of a heart.
        frame: which time frame of a file of several; by default the first, told. Frames are times
            that draw the same contour of the same slice, or have slices of their own; a slice
            that is drawn at one time belongs to all.

    Raises:
        OSError: the file cannot be read.
        ValueError: no rows, no row that can be used, no known type, a size that no heart has in
            mm (the message names the unit that fits), or no such frame.

    Warns:
        UserWarning: rows that were left out, with their number and why; a frame that was chosen.

    Example:
        >>> contours = load_contours("GPFile_000.txt")
    """
    every = _read_frames(Path(path), unit)
    numbers = [c.frame for c in every]
    if len(every) == 1 and (frame is None or frame == numbers[0]):
        return every[0]
    if frame is None:
        warnings.warn(
            f"{path}: it holds {len(every)} time frames, of which frame {numbers[0]} is taken; "
            "name another frame, or fit all as a series",
            stacklevel=2,
        )
        return every[0]
    if frame not in numbers:
        held = ", ".join(map(str, numbers))
        raise ValueError(f"{path}: there is no frame {frame} in it; it holds {held}")
    return every[numbers.index(frame)]


def _read_frames(path: Path, unit: str) -> list[Contours]:
    """The time frames of a contour file, in order; one of a file that knows of no time."""
    if unit != "auto" and unit not in UNITS:
        raise ValueError(f"unit: expected auto, {', '.join(UNITS)}, got {unit!r}")
    if path.is_dir():
        raise ValueError(f"{path}: expected a contour file, got a folder (heart series takes one)")
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path}: it is not a text file of contours") from None
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise ValueError(f"{path}: the file is empty")
    rows, bad, unknown = _rows(lines)
    if not rows:
        if unknown:
            kind = unknown.most_common(1)[0][0]
            raise ValueError(
                f"{path}: no known contour type (such as SAX_LV_ENDOCARDIAL), found {kind!r}"
            )
        why = f" (line {bad[0][0]}: {bad[0][1]})" if bad else ""
        raise ValueError(f"{path}: no line has x, y, z and a contour type{why}")
    notes = []
    if bad:
        n, why = bad[0]
        notes.append(f"{path}: {len(bad)} of {len(lines)} lines left out (line {n}: {why})")
    for kind, count in unknown.items():
        notes.append(f"{path}: {count} points of the unknown contour type {kind!r} left out")
    xyz, label, view, number, weight, time = zip(*rows, strict=True)
    made = Contours(
        torch.tensor(xyz, dtype=torch.float64),
        torch.tensor(label, dtype=torch.int64),
        torch.tensor(view, dtype=torch.int64),
        torch.tensor(number, dtype=torch.int64),
        torch.tensor(weight, dtype=torch.float64),
        _frame(path, time),
        str(path),
        tuple(notes),
    )
    for note in notes:
        warnings.warn(note, stacklevel=3)
    made = _in_mm(made, unit)
    at = torch.tensor(time, dtype=torch.int64)
    frames = time_frames(made, at)
    if not frames:
        return [made]
    always = ~torch.isin(at, torch.tensor(frames))
    return [replace(made.take((at == t) | always), frame=t) for t in frames]


def time_frames(contours: Contours, time: Tensor) -> list[int]:
    """The times (P,) of contours that are frames of their own, ascending; none where all is one.

    Two times are frames if both draw the same contour of the same slice, or if both have the LV's
    cavity on two slices or more. Files of one frame may carry another time on a single slice.
    """
    drawn: dict[int, set[tuple[int, int]]] = {}
    for t in time.unique().tolist():
        here = contours.take(time == t)
        pairs = torch.stack([here.slice, here.label], 1).unique(dim=0)
        drawn[t] = {(s, k) for s, k in pairs.tolist()}
    lv = LABELS.index("lv_endo")
    cavity = {t: {s for s, k in pairs if k == lv} for t, pairs in drawn.items()}
    return [
        t
        for t in drawn
        if any(
            other != t
            and (drawn[t] & drawn[other] or min(len(cavity[t]), len(cavity[other])) >= LEAST_SLICES)
            for other in drawn
        )
    ]


Row = tuple[list[float], int, int, int, float, int]  # x y z, label, view, slice, weight, time


def _rows(
    lines: list[tuple[int, str]],
) -> tuple[list[Row], list[tuple[int, str]], Counter[str]]:
    """Usable rows, the others with why, and unknown types."""
    rows: list[Row] = []
    bad: list[tuple[int, str]] = []
    unknown: Counter[str] = Counter()
    for n, line in lines:
        cells = line.split("\t") if "\t" in line else line.replace(",", " ").split()
        cells = [cell.strip() for cell in cells]
        if n == lines[0][0] and cells[0].lower() in ("x", "#", "# x", "#x"):
            continue
        if len(cells) < 4:
            bad.append((n, f"{len(cells)} columns, expected x, y, z and a type"))
            continue
        try:
            xyz = [float(c) for c in cells[:3]]
            number = int(float(cells[4])) if len(cells) > 4 and cells[4] else -1
            weight = float(cells[5]) if len(cells) > 5 and cells[5] else 1.0
        except (ValueError, OverflowError):
            bad.append((n, "not a number"))
            continue
        if not np.isfinite([*xyz, weight]).all() or max(map(abs, xyz)) > LARGEST:
            bad.append((n, "NaN or infinite"))
            continue
        view, name = _kind(cells[3])
        if name is None:
            unknown[cells[3]] += 1
        elif weight > 0:
            time = _time(cells[6]) if len(cells) > 6 else NO_TIME
            rows.append((xyz, LABELS.index(name), VIEWS.index(view), number, weight, time))
    return rows, bad, unknown


def _kind(text: str) -> tuple[str, str | None]:
    name = text.upper()
    view = "none"
    for head in ("SAX", "LAX"):
        if name.startswith(head + "_"):
            view, name = head.lower(), name[4:]
    if name.lower() in LABELS:
        return view, name.lower()
    return view, _NAMES.get(name)


def _time(cell: str) -> int:
    try:
        return int(float(cell))
    except (ValueError, OverflowError):
        return NO_TIME


def _frame(path: Path, times: Sequence[int]) -> int:
    """The number at the end of the file's name, else the commonest time frame."""
    digits = path.stem[len(path.stem.rstrip("0123456789")) :]
    return int(digits) if digits else Counter(times).most_common(1)[0][0]


def _in_mm(contours: Contours, unit: str) -> Contours:
    if unit != "auto":
        return replace(contours, points=contours.points * UNITS[unit])
    size = float((contours.points.quantile(0.98, 0) - contours.points.quantile(0.02, 0)).norm())
    if len(contours) >= LEAST_FOR_SIZE and size and not POSSIBLE[0] < size < POSSIBLE[1]:
        least, most = USUAL
        fits = [name for name, factor in UNITS.items() if least < size * factor < most]
        hint = f"; in {fits[0]} they would fit: give the unit {fits[0]!r}" if fits else ""
        raise ValueError(
            f"{contours.source}: the contours span {size:.3g}, expected {least} to {most} mm{hint}"
        )
    return contours


def load_contour_series(
    path: str | os.PathLike[str], *, unit: str = "auto", pattern: str = "*.txt"
) -> list[Contours]:
    """The frames of a heart, in order: the contour files of a folder, one a frame (other files are
    passed over), or one file that holds all.

    Raises:
        ValueError: no folder or contour file, no contour file in a folder, or one of several frames
            among others.
    """
    path = Path(path)
    if path.is_file():
        return _read_frames(path, unit)
    if not path.is_dir():
        raise ValueError(f"{path}: expected a folder with one contour file a frame, or a file")
    found = []
    for name in sorted(path.glob(pattern)):
        with open(name, encoding="utf-8-sig", errors="replace") as file:
            head = file.read(4096).upper()
        if any(key in head for key in ("LV_", "RV_", "_VALVE")) or name.stat().st_size == 0:
            frames = _read_frames(name, unit)
            found.append(frames)
            if len(found) > 1 and max(map(len, found)) > 1:
                raise ValueError(
                    f"{name}: a folder has one file a frame, or one file with all frames, and this "
                    "one holds both; give a file of several frames by itself"
                )
    if not found:
        raise ValueError(f"{path}: no contour file ({pattern}) in it")
    series = [c for frames in found for c in frames]
    numbers = [c.frame for c in series]
    if len(set(numbers)) != len(numbers):
        series = [replace(c, frame=i) for i, c in enumerate(series)]
    return sorted(series, key=lambda c: c.frame)


def save_contours(contours: Contours, path: str | os.PathLike[str]) -> Path:
    """Writes a contour file that `load_contours` reads, tab separated, in mm."""
    from meshlearn._files import write_file

    names = {short: long for long, short in reversed(_NAMES.items())}
    lines = ["x\ty\tz\tcontour type\tframeID\tweight\ttime frame"]
    frame = max(contours.frame, 0)
    for i, (x, y, z) in enumerate(contours.points.tolist()):
        name = names[LABELS[int(contours.label[i])]]
        view = VIEWS[int(contours.view[i])].upper()
        if view != "NONE" and name.startswith(("LV_", "RV_E", "RV_F", "RV_S")):
            name = f"{view}_{name}"
        rest = f"{int(contours.slice[i])}\t{float(contours.weight[i])}\t{frame}"
        lines.append(f"{x:.5f}\t{y:.5f}\t{z:.5f}\t{name}\t{rest}")
    write_file(Path(path), ("\n".join(lines) + "\n").encode())
    return Path(path)
