"""Segmentations of the heart in NIfTI files, as contours slice by slice."""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from meshlearn.heart.data.anatomy import (
    MOST_LABELS,
    PARTS,
    canonical,
    find_parts,
    label_values,
)
from meshlearn.heart.data.contours import LABELS, POSSIBLE, USUAL, VIEWS, Contours

LV, MYO, RV = 1, 2, 3  # of `canonical`
THIN = 3  # times fewer voxels than the others has the axis of a stack, where spacing does not tell
Labels = Mapping[str, "int | Sequence[int] | None"]


class Volume(NamedTuple):
    """Labels (X, Y, Z, T) of a file, where its voxels lie, and the axis that slices lie across."""

    values: np.ndarray
    affine: np.ndarray
    axis: int


def is_segmentation(path: str | os.PathLike[str]) -> bool:
    """Whether the name ends in .nii or .nii.gz."""
    return str(path).lower().endswith((".nii", ".nii.gz"))


def load_segmentation(
    path: str | os.PathLike[str],
    *,
    labels: Labels | None = None,
    frame: int | None = None,
    spacing: Sequence[float] | None = None,
) -> Contours:
    """Reads a short-axis segmentation (NIfTI, by nibabel) as contours.

    Edges between labels become points: the LV cavity's edge, the outer edge of the LV muscle where
    it is not beside the RV, and the edge of the RV, septum where it is beside muscle, else free
    wall. Slices lie across the axis with the widest spacing.

    Args:
        labels: values of "lv", "myo" and "rv" in the file, several for a part of several, None for
            a part that is absent; what is not said is found by what surrounds what, and told.
        frame: which of several frames, counted from 0; by default the first that has an LV, told.
        spacing: of the voxels along the three axes, mm, where the file's is wrong.

    Returns:
        Contours in patient coordinates (x to the left, y to the back, z up), mm; the affine and its
        handedness are honoured.

    Raises:
        ImportError: nibabel is not installed.
        ValueError: no volume of labels, an affine that cannot be inverted or that no heart fits,
            no LV, labels that anatomy does not tell apart, or no such frame.

    Warns:
        UserWarning: labels that were found, a frame that was chosen.

    Example:
        >>> load_segmentation("patient001_frame01_gt.nii.gz", labels={"lv": 3, "myo": 2, "rv": 1})
    """
    path = Path(path)
    volume, parts = _read(path, labels, spacing)
    count = volume.values.shape[3]
    full = _frames_with(volume, parts["lv"])
    if frame is None:
        frame = full[0]
        if len(full) > 1:
            warnings.warn(
                f"{path}: it holds {count} time frames, of which frame {frame} is taken; name "
                "another frame, or fit all as a series",
                stacklevel=2,
            )
    if frame not in range(count):
        raise ValueError(
            f"{path}: there is no frame {frame}, the file has {count} (0 to {count - 1})"
        )
    if frame not in full:
        raise ValueError(
            f"{path}: frame {frame} has no LV; frames {', '.join(map(str, full))} have one"
        )
    return _contours(volume, parts, frame, path)


def segmentations_in(folder: str | os.PathLike[str]) -> list[Path]:
    """The NIfTI files of a folder in the order of the last numbers in their names, which are taken
    as frames; none of what is no folder. Where some are named as segmentations (gt, seg, label,
    mask), images may lie beside them, and only those are meant."""
    if not Path(folder).is_dir():
        return []
    found = [p for p in Path(folder).iterdir() if is_segmentation(p)]
    named = [p for p in found if re.search(r"gt|seg|label|mask", p.name, re.IGNORECASE)]
    found = named or found
    return sorted(found, key=lambda p: (frame_in(p.name), p.name))


def frame_in(name: str) -> int:
    """The last number in a file's name, -1 for none: 7 of patient001_frame07_gt.nii.gz."""
    numbers = re.findall(r"\d+", name.split(".")[0])
    return int(numbers[-1]) if numbers else -1


def load_segmentation_series(
    path: str | os.PathLike[str],
    *,
    labels: Labels | None = None,
    spacing: Sequence[float] | None = None,
) -> list[Contours]:
    """All frames of a segmentation over time: a NIfTI file of four dimensions, or a folder with a
    file a frame, of which the first tells the labels of all. See `load_segmentation`.

    Warns:
        UserWarning: frames without an LV, which are passed over.

    Raises:
        ValueError: see `load_segmentation`; a folder without a NIfTI file, or with a file of
            several frames among others.
    """
    path = Path(path)
    if path.is_dir():
        return _series_of_files(path, labels, spacing)
    volume, parts = _read(path, labels, spacing)
    full, count = _frames_with(volume, parts["lv"]), volume.values.shape[3]
    if len(full) < count:
        warnings.warn(
            f"{path}: {count - len(full)} of {count} frames have no LV and are passed over",
            stacklevel=2,
        )
    return [_contours(volume, parts, frame, path) for frame in full]


def _series_of_files(
    folder: Path, labels: Labels | None, spacing: Sequence[float] | None
) -> list[Contours]:
    files = segmentations_in(folder)
    if not files:
        raise ValueError(f"{folder}: no NIfTI file (.nii, .nii.gz) in it")
    numbers = [frame_in(p.name) for p in files]
    if len(set(numbers)) < len(numbers) or min(numbers) < 0:
        numbers = list(range(len(files)))
    found: list[Contours] = []
    parts: dict[str, tuple[int, ...]] = {}
    for number, path in zip(numbers, files, strict=True):
        volume, parts = (_volume(path, spacing), parts) if parts else _read(path, labels, spacing)
        if volume.values.shape[3] > 1:
            raise ValueError(
                f"{path}: it holds {volume.values.shape[3]} frames by itself; give this file "
                "rather than its folder, or one file a frame"
            )
        if _frames_with(volume, parts["lv"]):
            found.append(replace(_contours(volume, parts, 0, path), frame=number))
        else:
            warnings.warn(f"{path}: it has no LV and is passed over", stacklevel=3)
    return found


def _read(
    path: Path, labels: Labels | None, spacing: Sequence[float] | None
) -> tuple[Volume, dict[str, tuple[int, ...]]]:
    told = label_values(labels or {})
    volume = _volume(path, spacing)
    frames = [np.moveaxis(volume.values[..., t], volume.axis, 0) for t in range(_depth(volume))]
    parts, note = find_parts(np.concatenate(frames), told, str(path))
    if note:
        warnings.warn(note, stacklevel=4)
    return volume, parts


def _depth(volume: Volume) -> int:
    return volume.values.shape[3]


def _frames_with(volume: Volume, lv: Sequence[int]) -> list[int]:
    seen = np.isin(volume.values, lv).any(axis=(0, 1, 2))
    return np.flatnonzero(seen).tolist()


def _volume(path: Path, spacing: Sequence[float] | None) -> Volume:
    try:
        import nibabel
    except ImportError:
        raise ImportError("NIfTI files need nibabel: pip install meshlearn[nifti]") from None
    try:
        image: Any = nibabel.load(str(path))
        values = np.asanyarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a NIfTI file that can be read ({error})") from None
    shape = values.shape
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim == 3:
        values = values[..., None]
    if values.ndim != 4 or not values.size or values.dtype.names:
        raise ValueError(f"{path}: expected a 3-D volume of labels, or frames of one, got {shape}")
    affine = np.array(image.affine, dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ValueError(f"{path}: the affine cannot be inverted; mend the header")
    size = np.linalg.norm(affine[:3, :3], axis=0)
    if spacing is not None:
        wanted = np.asarray(spacing, dtype=np.float64)
        if wanted.shape != (3,) or not np.isfinite(wanted).all() or wanted.min() <= 0:
            raise ValueError(f"spacing: expected three lengths in mm, got {list(spacing)}")
        affine[:3, :3] *= wanted / size
        size = wanted
    axis = int(size.argmax())
    if size.max() < 1.01 * size.min():  # spacing does not tell: the axis with the fewest voxels
        counts = np.array(values.shape[:3])
        axis = int(counts.argmin())
        others = np.delete(counts, axis).min()
        if spacing is None and counts[axis] * THIN < others:
            raise ValueError(
                f"{path}: by its affine the {counts[axis]} slices lie {size[axis]:.3g} mm apart, "
                "as far as the pixels, so it is a placeholder; give the spacing of the voxels, "
                "such as 1.4,1.4,8"
            )
    return Volume(_as_labels(values, path), affine, axis)


def _as_labels(values: np.ndarray, path: Path) -> np.ndarray:
    """Whole numbers (X, Y, Z, T), few different ones; not probabilities, channels or grey."""
    if not np.isfinite(values).all():
        raise ValueError(f"{path}: some voxels are NaN or infinite; labels are whole numbers")
    whole = np.rint(values)
    if np.abs(values - whole).max() > 1e-3:
        raise ValueError(
            f"{path}: voxels have values between {values.min():.4g} and {values.max():.4g} that "
            "are no whole numbers, so it is no file of labels; take the label of each voxel first"
        )
    levels = np.unique(whole)
    if len(levels) > MOST_LABELS:
        raise ValueError(
            f"{path}: {len(levels)} different values are those of an image, not of labels; give "
            "the segmentation"
        )
    if whole.shape[3] > 1 and len(levels) == 2 and whole.sum(3).max() <= levels[1]:
        raise ValueError(
            f"{path}: its {whole.shape[3]} volumes never overlap and hold {levels[0]:g} and "
            f"{levels[1]:g}, so they are one channel a label and not frames; take the label of "
            "each voxel first"
        )
    return whole.astype(np.int64)


def _contours(
    volume: Volume, parts: Mapping[str, tuple[int, ...]], frame: int, path: Path
) -> Contours:
    values, affine, axis = volume
    stack = canonical(np.moveaxis(values[..., frame], axis, 0), {n: parts[n] for n in PARTS})
    rows: list[tuple[np.ndarray, str, int]] = []
    for number, plane in enumerate(stack):
        for name, at in _edges(plane):
            index = np.insert(at, axis, number, axis=1)
            rows.append((index, name, number))
    index = np.concatenate([r[0] for r in rows])
    world = index @ affine[:3, :3].T + affine[:3, 3]
    world[:, :2] *= -1  # NIfTI has x to the right and y to the front
    size = float(np.linalg.norm(np.ptp(world, axis=0)))
    if not POSSIBLE[0] < size < POSSIBLE[1]:
        voxel = " × ".join(f"{s:.3g}" for s in np.linalg.norm(affine[:3, :3], axis=0))
        raise ValueError(
            f"{path}: the heart spans {size:.3g} mm by voxels of {voxel} mm, expected {USUAL[0]} "
            f"to {USUAL[1]} mm; mend the affine, or give the spacing of the voxels in mm"
        )
    count = [len(r[0]) for r in rows]
    made = Contours(
        torch.from_numpy(world),
        torch.tensor(np.repeat([LABELS.index(r[1]) for r in rows], count)),
        torch.full((len(world),), VIEWS.index("sax")),
        torch.tensor(np.repeat([r[2] for r in rows], count)),
        torch.ones(len(world), dtype=torch.float64),
        source=str(path),
    )
    return made if values.shape[3] == 1 else replace(made, frame=frame)


def _edges(plane: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Midpoints (P, 2), in pixels, of the pixel sides between regions of one slice."""
    padded = np.pad(plane, 1)
    found: dict[str, list[np.ndarray]] = {}
    for axis in (0, 1):
        low = padded[:-1] if axis == 0 else padded[:, :-1]
        high = padded[1:] if axis == 0 else padded[:, 1:]
        for a, b in ((low, high), (high, low)):
            inside_lv = a == LV
            inside_wall = inside_lv | (a == MYO)
            muscle, rv = b == MYO, b == RV
            other = ~(muscle | (b == LV))
            sides = {
                "lv_endo": inside_lv & (b != LV),
                "lv_epi": inside_wall & other & ~rv,
                "rv_septum": (a == RV) & (muscle | (b == LV)),
                "rv_free": (a == RV) & other & ~rv,
            }
            for name, mask in sides.items():
                at = np.argwhere(mask).astype(np.float64) - 1
                at[:, axis] += 0.5
                found.setdefault(name, []).append(at)
    return [(n, np.concatenate(p)) for n, p in found.items() if sum(map(len, p))]
