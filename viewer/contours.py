"""Contours of a heart: points in the colours of their labels, joined along each slice."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from meshlearn.heart.data.contours import LABELS, Contours, load_contours
from meshlearn.viewer.items import Item

_COLORS = {
    "lv_endo": (214, 60, 60),
    "lv_epi": (60, 140, 80),
    "rv_epi": (70, 170, 160),
    "rv_free": (60, 110, 210),
    "rv_septum": (150, 90, 200),
    "rv_endo": (60, 110, 210),
}
_OTHER = (230, 170, 30)  # landmarks: inserts, apex, valves
GAP = 4.0  # in terms of the usual distance of neighbours; points farther apart are not joined


def are_contours(path: Path) -> bool:
    """Whether a text file names contour types."""
    if path.suffix.lower() not in (".txt", ".csv") or not path.is_file():
        return False
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        head = file.read(4096).upper()
    return any(name in head for name in ("LV_ENDO", "LV_EPI", "RV_", "_VALVE"))


def from_contours(path: Path) -> Item:
    """The contours of a file, see `load_contours`.

    Raises:
        ValueError: no row that can be used.
    """
    return of_contours(path.name, load_contours(path), path)


def of_contours(name: str, contours: Contours, path: Path | None = None) -> Item:
    """Contours as an item: mm, in patient coordinates."""
    points = contours.points.double().numpy()
    label, part = contours.label.numpy(), contours.slice.numpy()
    table = np.array([_COLORS.get(name, _OTHER) for name in LABELS], np.uint8)
    joined = joins(points, label, part)
    joined = joined[np.array([name in _COLORS for name in LABELS])[label[joined[:, 0]]]]
    there = [LABELS[k] for k in np.unique(label)]
    return Item(
        name,
        path,
        points=points,
        lines=points[joined],
        point_colors=table[label],
        line_colors=table[label[joined[:, 0]]],
        point_size=0.008,
        told={
            "contour": [LABELS[k] for k in label],
            "slice": [str(k) if k >= 0 else "–" for k in part],
        },
        legend=[(name, _COLORS.get(name, _OTHER)) for name in there],
    )


def joins(points: np.ndarray, label: np.ndarray, part: np.ndarray) -> np.ndarray:
    """(N, 2) pairs of points that follow one another, near, on one slice and with one label."""
    start = np.nonzero((label[1:] == label[:-1]) & (part[1:] == part[:-1]) & (part[1:] >= 0))[0]
    pairs = np.stack([start, start + 1], 1)
    length = np.linalg.norm(points[pairs[:, 1]] - points[pairs[:, 0]], axis=1)
    usual = np.median(length) if len(length) else 0.0
    return pairs[length <= GAP * usual]
