"""Labels of a volume: what is of one label, as a field that is negative inside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from meshlearn.io.volumes.samples import MOST_LABELS, Samples, labels_of

MOST_PARTS = 4096  # labels of which all meshes are made


def all_labels(samples: Samples) -> list[int]:
    """The labels that a volume has, without 0, the background.

    Raises:
        ValueError: its values are no labels, or it has none.
    """
    found = labels_of(samples.values, most=MOST_PARTS)
    if found is None:
        raise ValueError(
            f"label: expected a volume of labels, whole numbers of at most {MOST_PARTS:,} values; "
            f"this one holds measurements, whose surface is taken at a level"
        )
    labels = [label for label in found if label != 0]
    if not labels:
        raise ValueError("label: there is no label in the volume, all its values are 0")
    return labels


def label_field(samples: Samples, label: int) -> Samples:
    """Samples -0.5 where a volume has the label and 0.5 elsewhere, around the label only, so that
    its surface at level 0 is closed.

    Returns:
        float32 samples of the label's box and one more on each side of it. Those beyond a curved
        grid lie where the grid's outermost step leads once more.

    Raises:
        ValueError: the volume does not have the label.
    """
    inside = samples.values == label
    if not inside.any():
        there = labels_of(samples.values, most=MOST_LABELS)
        said = "it holds measurements" if there is None else f"it has {_listed(list(there))}"
        raise ValueError(f"label: there is no sample of the label {label}; {said}")
    spans = []
    for axis in range(3):
        rows = np.nonzero(inside.any(axis=tuple(k for k in range(3) if k != axis)))[0]
        spans.append((int(rows[0]), int(rows[-1]) + 1))
    cut = inside[tuple(slice(low, high) for low, high in spans)]
    values = np.where(np.pad(cut, 1), np.float32(-0.5), np.float32(0.5))
    affine = samples.affine.copy()
    first = np.array([low - 1 for low, _ in spans])
    affine[:3, 3] += affine[:3, :3] @ first
    points = samples.points
    if points is not None:
        points = _widened(points)[tuple(slice(low, high + 2) for low, high in spans)]
    return replace(samples, values=values, affine=affine, points=points)


def _widened(points: np.ndarray) -> np.ndarray:
    """Positions (X, Y, Z, 3) of a lattice as (X + 2, Y + 2, Z + 2, 3): p(-1) = 2 p(0) - p(1)."""
    return np.pad(points, ((1, 1),) * 3 + ((0, 0),), mode="reflect", reflect_type="odd")


def name_of(samples: Samples, label: int) -> str:
    """What a label is called: by the file, or by its number."""
    return samples.names.get(label, f"label {label}")


def _listed(labels: list[int]) -> str:
    shown = ", ".join(map(str, labels[:12]))
    return shown + (f" and {len(labels) - 12} more" if len(labels) > 12 else "")
