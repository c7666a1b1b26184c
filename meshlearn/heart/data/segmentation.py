"""Segmentations of the heart in NIfTI files, as contours slice by slice."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from meshlearn.heart.data.contours import LABELS, VIEWS, Contours

DEFAULT = {"lv": 1, "myo": 2, "rv": 3}


def is_segmentation(path: str | os.PathLike[str]) -> bool:
    """Whether the name ends in .nii or .nii.gz."""
    return str(path).lower().endswith((".nii", ".nii.gz"))


def load_segmentation(
    path: str | os.PathLike[str], *, labels: Mapping[str, int] | None = None
) -> Contours:
    """Reads a short-axis segmentation (NIfTI, by nibabel) as contours.

    Edges between labels become points: the LV cavity's edge, the outer edge of the LV muscle where
    it is not beside the RV, and the edge of the RV, septum where it is beside muscle, else free
    wall. Slices lie across the axis with the widest spacing.

    Args:
        labels: values of "lv", "myo" and "rv" in the file; default 1, 2, 3.

    Returns:
        Contours in patient coordinates (x to the left, y to the back, z up), mm; the affine and its
        handedness are honoured.

    Raises:
        ImportError: nibabel is not installed.
        ValueError: not a 3-D volume of labels, an affine that cannot be inverted, or no LV in it.
    """
    try:
        import nibabel
    except ImportError:
        raise ImportError("NIfTI files need nibabel: pip install meshlearn[nifti]") from None
    path, wanted = Path(path), {**DEFAULT, **(labels or {})}
    if set(wanted) != set(DEFAULT):
        raise ValueError(f"labels: expected lv, myo and rv, got {', '.join(sorted(wanted))}")
    try:
        image: Any = nibabel.load(str(path))
        values = np.asanyarray(image.dataobj)
    except (nibabel.filebasedimages.ImageFileError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a NIfTI file that can be read ({error})") from None
    while values.ndim > 3 and values.shape[-1] == 1:
        values = values[..., 0]
    if values.ndim != 3:
        raise ValueError(f"{path}: expected a 3-D volume of labels, got shape {values.shape}")
    affine = np.asarray(image.affine, dtype=np.float64)
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise ValueError(f"{path}: the affine cannot be inverted; mend the header")
    values = np.rint(values).astype(np.int64)
    if not (values == wanted["lv"]).any():
        found = ", ".join(map(str, np.unique(values)[:10]))
        raise ValueError(f"{path}: no voxel is {wanted['lv']} (the LV), the labels are {found}")
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    axis = int(spacing.argmax())
    stack = np.moveaxis(values, axis, 0)
    rows: list[tuple[np.ndarray, str, int]] = []
    for number, plane in enumerate(stack):
        for name, at in _edges(plane, wanted):
            index = np.insert(at, axis, number, axis=1)
            rows.append((index, name, number))
    index = np.concatenate([r[0] for r in rows])
    world = index @ affine[:3, :3].T + affine[:3, 3]
    world[:, :2] *= -1  # NIfTI has x to the right and y to the front
    count = [len(r[0]) for r in rows]
    return Contours(
        torch.from_numpy(world),
        torch.tensor(np.repeat([LABELS.index(r[1]) for r in rows], count)),
        torch.full((len(world),), VIEWS.index("sax")),
        torch.tensor(np.repeat([r[2] for r in rows], count)),
        torch.ones(len(world), dtype=torch.float64),
        source=str(path),
    )


def _edges(plane: np.ndarray, labels: Mapping[str, int]) -> list[tuple[str, np.ndarray]]:
    """Midpoints (P, 2), in pixels, of the pixel sides between regions of one slice."""
    padded = np.pad(plane, 1)
    found: dict[str, list[np.ndarray]] = {}
    for axis in (0, 1):
        low = padded[:-1] if axis == 0 else padded[:, :-1]
        high = padded[1:] if axis == 0 else padded[:, 1:]
        for a, b in ((low, high), (high, low)):
            inside_lv = a == labels["lv"]
            inside_wall = inside_lv | (a == labels["myo"])
            muscle, rv = b == labels["myo"], b == labels["rv"]
            other = ~(muscle | (b == labels["lv"]))
            sides = {
                "lv_endo": inside_lv & (b != labels["lv"]),
                "lv_epi": inside_wall & other & ~rv,
                "rv_septum": (a == labels["rv"]) & (muscle | (b == labels["lv"])),
                "rv_free": (a == labels["rv"]) & other & ~rv,
            }
            for name, mask in sides.items():
                at = np.argwhere(mask).astype(np.float64) - 1
                at[:, axis] += 0.5
                found.setdefault(name, []).append(at)
    return [(n, np.concatenate(p)) for n, p in found.items() if sum(map(len, p))]
