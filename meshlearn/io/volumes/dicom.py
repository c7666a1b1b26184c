"""DICOM: a folder of slices, or files of several frames, as one volume (by pydicom, extra `dicom`).

Source: DICOM PS3.3 C.7.6.2 (Image Plane), C.7.6.16 (functional groups), C.11.1 (Modality LUT).
Slices are put in order by their positions, never by their names or numbers. The standard's world, x
to the patient's left, y to the back, z up, is turned to x right, y front, z up, as in NIfTI;
lengths are millimetres.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from meshlearn._memory import check_memory
from meshlearn.io.numpy_files import DEFLATE
from meshlearn.io.volumes.samples import Samples, Wanted, pick_frame

MOST_FILES = 100_000  # in a folder
SAME = 0.01  # mm: slices no further apart are at one place
EVEN = 0.01  # of the usual distance: how far the distance of slices may differ from it
_UNIT = 0.01  # how far axes may be from unit length and a right angle (cosine); headers are rounded
_ALIKE = 1e-3  # of axes, and share of spacings: differences of slices of one volume, by rounding
_KINDS = 100  # sizes and orientations in one series: more are no stack of slices
_BENT = 0.1  # of the usual distance: how far slices may lie beside a straight line
_FILLED = 16  # times as many slices as there are: more would be made up than measured
_BYTES = 12  # of memory a sample: the file's pixels, these as numbers, and the volume
_SEGMENTATION = "1.2.840.10008.5.1.4.1.1.66.4"


@dataclass
class _Slice:
    """One image: where its pixels are, and where it lies (patient's coordinates, mm)."""

    file: Path
    number: int  # of the frame in the file
    series: tuple[str, str, str]  # unique name, number, description
    size: tuple[int, int]  # rows, columns
    place: np.ndarray  # (3,) centre of the first pixel
    axes: np.ndarray  # (2, 3) unit vectors along a row and along a column
    steps: tuple[float, float]  # distance of columns, of rows
    scale: tuple[float, float]  # slope, intercept
    order: tuple[float, ...]  # of images at one place


def read(path: Path, wanted: Wanted) -> Samples:
    """The volume that the slices of a folder, or the frames of one file, make up.

    Raises:
        ValueError: there are no slices or one, they are damaged, colours, or do not lie behind each
            other; or there are several series or volumes and none is named.
        ImportError: pydicom is not installed.
    """
    files = list(_files(path))
    if not files:
        raise ValueError("the folder holds no DICOM slices; expected those, or a file")
    try:
        import pydicom  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{path}: reading DICOM needs pydicom; pip install 'meshlearn[dicom]'"
        ) from error
    found = [one for file in files for one in _slices(file, alone=not path.is_dir())]
    if not found:
        raise ValueError("there is no DICOM image with a place in the patient in it")
    chosen, names = _series(found, wanted)
    chosen, remarks = _alike(chosen)
    if len(chosen) == 1:
        raise ValueError("it is one slice; give the folder of all slices")
    axes = chosen[0].axes
    normal = np.cross(axes[0], axes[1])
    stacks = _stacks(chosen, normal)
    frames = len(stacks)
    slices = stacks[pick_frame(frames, wanted)]
    values = _pixels(slices)
    places = np.array([one.place for one in slices])
    values, step, gaps = _even(values, places, normal)
    affine = np.eye(4)
    affine[:3, 0] = axes[0] * chosen[0].steps[0]
    affine[:3, 1] = axes[1] * chosen[0].steps[1]
    affine[:3, 2] = step
    affine[:3, 3] = places[0]
    affine[:2] *= -1
    remarks = [
        *remarks,
        *gaps,
        "coordinates are turned from left-posterior-superior to right-anterior-superior",
    ]
    return Samples(values, affine, "mm", "ras", frames=frames, arrays=names, remarks=remarks)


def _files(path: Path) -> Iterator[Path]:
    """The files to look into, in the order of their names."""
    if not path.is_dir():
        yield path
        return
    count = 0
    for folder, below, names in os.walk(path):
        below.sort()
        for name in sorted(names):
            count += 1
            if count > MOST_FILES:
                raise ValueError(f"it holds more than {MOST_FILES:,} files")
            file = Path(folder, name)
            try:
                with open(file, "rb") as stream:
                    magic = stream.read(132)[128:]
            except OSError:
                continue
            if magic == b"DICM" or name.lower().endswith(".dcm"):
                yield file


def _slices(file: Path, *, alone: bool) -> list[_Slice]:
    """The images of a file; none where it is no image, or says no place."""
    import pydicom

    try:
        head = pydicom.dcmread(file, stop_before_pixels=True, force=not alone)
        if str(head.get("SOPClassUID", "")) == _SEGMENTATION:
            if alone:
                raise ValueError("it is a DICOM segmentation, which is not read; give the images")
            return []
        if not head.get("Rows") or not head.get("Columns"):
            return []
        if int(head.get("SamplesPerPixel", 1) or 1) != 1:
            if alone:
                raise ValueError(
                    "its samples are colours; expected one real number each, so extract one "
                    "channel first"
                )
            return []
        return [one for one in _frames(head, file) if one is not None]
    except pydicom.errors.InvalidDicomError:
        raise ValueError(f"{file.name} is not a DICOM file") from None
    except ValueError:
        raise
    except Exception as error:  # each way to be damaged has its own
        if isinstance(error, OSError) and error.filename is not None:
            raise
        said = " ".join(str(error).split())
        raise ValueError(f"{file.name}: its header is damaged ({said[:200]})") from None


def _frames(head: Any, file: Path) -> Iterator[_Slice | None]:
    count = int(head.get("NumberOfFrames", 1) or 1)
    shared = _first(head, "SharedFunctionalGroupsSequence")
    each = head.get("PerFrameFunctionalGroupsSequence") or []
    if len(each) not in (0, count) or not 0 < count < MOST_FILES:
        raise ValueError(f"{file.name}: it says {count} frames, and places of {len(each)}")
    offsets = head.get("GridFrameOffsetVector")  # of doses
    if count > 1 and not each and (offsets is None or len(offsets) != count):
        return
    for number in range(count):
        groups = [g for g in (each[number] if each else None, shared) if g is not None]
        one = _frame(head, groups, file, number)
        if one is not None and not each and offsets is not None and len(offsets) == count:
            along = np.cross(one.axes[0], one.axes[1])
            one.place = one.place + along * (float(offsets[number]) - float(offsets[0]))
        yield one


def _first(holder: Any, name: str) -> Any:
    """The first item of a sequence; None where there is none."""
    items = holder.get(name) if holder is not None else None
    return items[0] if items else None


def _frame(head: Any, groups: list[Any], file: Path, number: int) -> _Slice | None:
    def said(sequence: str, name: str) -> Any:
        for group in groups:
            item = _first(group, sequence)
            if item is not None and item.get(name) is not None:
                return item.get(name)
        return head.get(name)

    place = said("PlanePositionSequence", "ImagePositionPatient")
    turn = said("PlaneOrientationSequence", "ImageOrientationPatient")
    steps = said("PixelMeasuresSequence", "PixelSpacing")
    if not place or not turn or not steps:
        return None
    numbers = np.array([*map(float, place), *map(float, turn), *map(float, steps)])
    if len(numbers) != 11 or not np.isfinite(numbers).all() or (numbers[9:] <= 0).any():
        raise ValueError(f"{file.name}: its place or its spacing is damaged: {numbers.tolist()}")
    axes = numbers[3:9].reshape(2, 3)
    lengths = np.linalg.norm(axes, axis=1)
    if (np.abs(lengths - 1) > _UNIT).any() or abs(axes[0] @ axes[1]) > _UNIT:
        raise ValueError(f"{file.name}: its orientation is none: {numbers[3:9].tolist()}")
    slope = said("PixelValueTransformationSequence", "RescaleSlope")
    shift = said("PixelValueTransformationSequence", "RescaleIntercept")
    dose = head.get("DoseGridScaling")
    scale = (float(dose or 1) if slope is None else float(slope), float(shift or 0))
    order = [
        said("FrameContentSequence", "TemporalPositionIndex"),
        *(head.get(k) for k in ("TemporalPositionIdentifier", "TriggerTime", "EchoTime")),
        *(head.get(k) for k in ("DiffusionBValue", "AcquisitionNumber", "InstanceNumber")),
    ]
    series = tuple(
        str(head.get(k, "") or "")
        for k in ("SeriesInstanceUID", "SeriesNumber", "SeriesDescription")
    )
    return _Slice(
        file,
        number,
        series,  # type: ignore[arg-type]
        (int(head.Rows), int(head.Columns)),
        numbers[:3],
        axes / lengths[:, None],
        (float(numbers[10]), float(numbers[9])),
        scale,
        (*(float(v) if v is not None else 0.0 for v in order), float(number)),
    )


def _series(found: list[_Slice], wanted: Wanted) -> tuple[list[_Slice], list[str]]:
    """The slices of the series that is wanted, and what all series are called."""
    series: dict[str, list[_Slice]] = {}
    for one in found:
        series.setdefault(one.series[0], []).append(one)
    names = [
        f"{s[0].series[1] or '-'} {s[0].series[2]!r} ({len(s)} images)" for s in series.values()
    ]
    if wanted.key is not None:
        key = wanted.key.casefold()
        fits = [s for s in series.values() if key in (t.casefold() for t in s[0].series)]
        if len(fits) != 1:
            raise ValueError(
                f"{len(fits) or 'no'} series of the number or name {wanted.key!r}; it holds "
                f"{', '.join(names[:8])}"
            )
        return fits[0], names
    if len(series) > 1 and not wanted.any:
        raise ValueError(
            f"it holds {len(series)} series: {', '.join(names[:8])}; name one by key, its number"
        )
    return max(series.values(), key=len), names


def _alike(slices: list[_Slice]) -> tuple[list[_Slice], list[str]]:
    """The slices of one size and orientation: the most that there are."""
    groups: list[list[_Slice]] = []
    for one in slices:
        for group in groups:
            first = group[0]
            same = first.size == one.size and np.allclose(first.axes, one.axes, atol=_ALIKE)
            if same and np.allclose(first.steps, one.steps, rtol=_ALIKE):
                group.append(one)
                break
        else:
            groups.append([one])
            if len(groups) > _KINDS:
                raise ValueError(f"its images are of more than {_KINDS} sizes and orientations")
    best = max(groups, key=len)
    rest = len(slices) - len(best)
    text = f"{rest} images of another size, spacing or orientation are left out"
    return best, [text] if rest else []


def _stacks(slices: list[_Slice], normal: np.ndarray) -> list[list[_Slice]]:
    """Slices along the normal; several at each place are several stacks, in the order of time."""
    along = np.array([one.place @ normal for one in slices])
    ordered = sorted(zip(along.tolist(), range(len(slices)), strict=True))
    places: list[list[_Slice]] = []
    last = -np.inf
    for distance, k in ordered:
        if distance - last > SAME:
            places.append([])
            last = distance
        places[-1].append(slices[k])
    if len(places) == 1:
        raise ValueError(f"its {len(slices)} images lie at one place; a volume needs two or more")
    counts = {len(p) for p in places}
    if len(counts) > 1:
        usual = max(counts, key=lambda n: sum(len(p) == n for p in places))
        odd = next(p for p in places if len(p) != usual)
        raise ValueError(
            f"most places have {usual} images, but that of {odd[0].file.name} has {len(odd)}; "
            f"leave the others out of the folder"
        )
    for place in places:
        place.sort(key=lambda one: one.order)
    return [[place[k] for place in places] for k in range(counts.pop())]


def _pixels(slices: list[_Slice]) -> np.ndarray:
    """(columns, rows, slices), in the file's units: whole numbers where these are."""
    import pydicom

    rows, columns = slices[0].size
    shape = (columns, rows, len(slices))
    check_memory(_BYTES * rows * columns * len(slices), "cpu", f"a volume of shape {shape}")
    whole = all(s.scale[0] == 1 and s.scale[1].is_integer() for s in slices)
    out = np.empty(shape, np.int32 if whole else np.float32)
    name, pixels = None, np.zeros(0)
    for k, one in enumerate(slices):
        if one.file != name:
            size = one.file.stat().st_size
            if rows * columns > size * DEFLATE:
                raise ValueError(
                    f"{one.file.name}: {rows} × {columns} samples cannot be in {size:,} bytes"
                )
            try:
                pixels = pydicom.dcmread(one.file, force=True).pixel_array
            except Exception as error:  # each way to pack pixels has its own
                said = " ".join(str(error).split())
                raise ValueError(
                    f"{one.file.name}: its pixels cannot be read ({said[:300]})"
                ) from None
            name = one.file
        image = pixels[one.number] if pixels.ndim == 3 else pixels
        if image.shape != (rows, columns):
            raise ValueError(f"{one.file.name}: expected {rows} × {columns}, got {image.shape}")
        if image.dtype.kind == "f" and whole:
            out, whole = out.astype(np.float32), False
        scaled = image.T if one.scale == (1, 0) else image.T * one.scale[0] + one.scale[1]
        out[:, :, k] = scaled
    return out


def _even(
    values: np.ndarray, places: np.ndarray, normal: np.ndarray
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """Values on slices at even distances, the step from one to the next, and what was filled in."""
    along = places @ normal
    gaps = np.diff(along)
    step = places[-1] - places[0]
    usual = float(np.median(gaps))
    odd = np.nonzero(np.abs(gaps - usual) > EVEN * usual)[0]
    line = places[0] + np.outer((along - along[0]) / (along[-1] - along[0]), step)
    off = float(np.linalg.norm(places - line, axis=1).max())
    if off > max(_BENT * usual, SAME):
        raise ValueError(f"its slices do not lie behind each other: one is {off:.2f} mm off")
    if not len(odd):
        return values, step / (len(places) - 1), []
    count = round((along[-1] - along[0]) / usual) + 1
    if count > _FILLED * len(places):
        raise ValueError(
            f"its slices are {gaps.min():.4g} to {gaps.max():.4g} mm apart; too uneven to fill in"
        )
    count = max(count, 2)
    at = np.interp(np.linspace(along[0], along[-1], count), along, np.arange(len(along)))
    low = np.minimum(at.astype(np.int64), len(along) - 2)
    part = (at - low).astype(np.float32)
    check_memory(_BYTES * values[:, :, 0].size * count, "cpu", f"a volume of {count} slices")
    filled = values[:, :, low] * (1 - part) + values[:, :, low + 1] * part
    largest = int(gaps.argmax())
    text = (
        f"{len(odd)} of {len(gaps)} distances of slices differ from the usual {usual:.4g} mm (the "
        f"largest, behind slice {largest}, is {gaps[largest]:.4g} mm); filled in linearly"
    )
    return filled.astype(np.float32), step / (count - 1), [text]
