"""Short-axis segmentations of hearts of which every voxel is known, without the model."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest


class Phantom(NamedTuple):
    """Labels (X, Y, Z), LV 1, muscle 2, RV 3; affine; volumes as the voxels, mL, and mass, g."""

    labels: np.ndarray
    affine: np.ndarray
    lv_ml: float
    rv_ml: float
    mass_g: float


def heart(
    *,
    base: float = 80.0,
    radius: float = 26.0,
    widest: float = 62.0,
    wall: float = 9.0,
    rv: float = 34.0,
    thick: float = 8.0,
    pixel: float = 1.5,
    size: int = 110,
) -> Phantom:
    """An LV whose radius grows from the apex to `widest` mm above it and stays so up to `base`, a
    muscle of `wall` mm around it, and the crescent of an RV that reaches `rv` mm beside it; slices
    `thick` mm apart, base last."""
    count = int((base + wall) / thick)
    heights = base - thick * (np.arange(count)[::-1] + 0.5)
    x, y = np.meshgrid(*(pixel * (np.arange(size) - c * size) for c in (0.45, 0.5)), indexing="ij")
    far = np.hypot(x, y)

    def profile(h: float, outer: float) -> float:
        share = min((h + outer) / (widest + outer), 1.0)
        return (radius + outer) * max(1 - (1 - share) ** 2, 0.0) ** 0.5 if share > 0 else 0.0

    planes = []
    for h in heights:
        inner, outer = profile(h, 0.0), profile(h, wall)
        plane = np.where(far < inner, 1, np.where(far < outer, 2, 0))
        reach = (h - 0.12 * base) / (0.88 * base)
        if rv and reach > 0:
            bulge = np.hypot((x - 0.45 * rv) / (outer + 0.5 * rv * reach**0.5), y / (outer + 2))
            plane[(bulge < 1) & (plane == 0) & (x > 0)] = 3
        planes.append(plane)
    labels = np.stack(planes, 2).astype(np.int16)
    affine = np.diag([-pixel, -pixel, thick, 1.0])
    affine[:3, 3] = (80, 90, -40)
    voxel = pixel * pixel * thick / 1000
    sizes = [float((labels == k).sum()) * voxel for k in (1, 2, 3)]
    return Phantom(labels, affine, sizes[0], sizes[2], 1.05 * sizes[1])


def renamed(labels: np.ndarray, lv: int, myo: int, rv: int) -> np.ndarray:
    made = np.zeros_like(labels)
    for old, new in ((1, lv), (2, myo), (3, rv)):
        made[labels == old] = new
    return made


def write(path: Path, labels: np.ndarray, affine: np.ndarray) -> Path:
    nibabel = pytest.importorskip("nibabel")
    nibabel.save(nibabel.Nifti1Image(labels, affine), str(path))
    return path
