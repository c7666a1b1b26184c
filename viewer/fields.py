"""Scalar fields on vertices or faces: what a mesh has, their colours, legend and histogram."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cached_property, partial
from html import escape
from pathlib import Path

import numpy as np
import torch

from meshlearn.mesh import Mesh
from meshlearn.metrics import triangle_shapes

NOT_A_NUMBER = (150, 150, 150)
# Stops of each map, evenly spaced; between them colours are mixed.
COLORMAPS = {
    "viridis": "440154 472d7b 3b528b 2c728e 21918c 28ae80 5ec962 addc30 fde725",
    "magma": "000004 221150 5f187f 982d80 d3436e f8765c febb81 fcfdbf",
    "cool-warm": "3b4cc0 6f92f3 aac7fd dddddd f7b89c e7745b b40426",
    "gray": "1a1a1a f2f2f2",
}
LABELS = "labels"  # whole numbers by colours far apart, the same number the same colour everywhere
# Fields of hearts that only their left ventricle has, and what stands there elsewhere.
_LEFT_ONLY = {"aha_segment": 0.0, "wall_thickness": np.nan}
_OWN = {"color", "normal", "uv", "material", "group"}


class Field:
    """A number on each vertex or face.

    Args:
        name: what people read.
        domain: "vertex" or "face".
        values: (V,) or (F,) float64, NaN where there is none; or what gives them when first asked.
        none: what it means that there is none.
    """

    def __init__(
        self,
        name: str,
        domain: str,
        values: np.ndarray | Callable[[], np.ndarray],
        *,
        none: str = "not a number",
    ) -> None:
        self.name, self.domain, self._values, self.none = name, domain, values, none

    @cached_property
    def values(self) -> np.ndarray:
        """(V,) or (F,) float64."""
        return self._values() if callable(self._values) else self._values

    def missing(self) -> np.ndarray:
        """(V,) or (F,) bool: where there is none."""
        return ~np.isfinite(self.values)

    def is_labels(self) -> bool:
        """Whether they are few whole numbers: segments, groups, parts."""
        values = self.values[np.isfinite(self.values)]
        if not len(values) or (values != np.round(values)).any():
            return False
        return 1 < len(np.unique(values[:: max(1, len(values) // 20_000)])) <= 64

    def range(self) -> tuple[float, float]:
        """Smallest and largest finite value; (0, 1) without any."""
        finite = self.values[np.isfinite(self.values)]
        return (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 1.0)


def fields_of(mesh: Mesh) -> dict[str, Field]:
    """Fields of a mesh: its attributes (of a vector its length), then position and angles."""
    found: dict[str, Field] = {}
    for domain, attributes in (("vertex", mesh.vertex_attributes), ("face", mesh.face_attributes)):
        for name, value in attributes.items():
            if value.dim() > 2 or (name in _OWN and value.dim() == 2 and value.shape[1] > 1):
                continue
            label = name if name not in found else f"{name} (faces)"
            left = _LEFT_ONLY.get(name)
            found[label] = Field(
                label,
                domain,
                partial(_numbers, value, left),
                none="not a number" if left is None else "off the left ventricle",
            )
    for axis, name in enumerate("xyz"):
        found.setdefault(name, Field(name, "vertex", partial(_numbers, mesh.vertices[:, axis])))
    if mesh.num_faces and bool(torch.isfinite(mesh.vertices).all()):
        found.setdefault(
            "smallest angle",
            Field("smallest angle", "face", lambda: triangle_shapes(mesh)["min_angle"].numpy()),
        )
    return found


def _numbers(value: torch.Tensor, none: float | None = None) -> np.ndarray:
    """(N,) float64 of an attribute (N,) or (N, C), of a vector its length; NaN for `none`."""
    numbers = value.double().numpy()
    if none is not None:
        numbers = np.where(numbers == none, np.nan, numbers)
    if numbers.ndim == 1:
        return numbers
    return numbers[:, 0] if numbers.shape[1] == 1 else np.linalg.norm(numbers, axis=1)


def read_field(path: str | os.PathLike[str], mesh: Mesh, of: str) -> Field:
    """A field from a .npy file, one number a vertex or a face.

    Raises:
        ValueError: not such a file, or of another length than the mesh's vertices and faces.
    """
    path = Path(path)
    try:
        values = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: expected a field as .npy ({error})") from None
    if values.dtype.kind not in "fiub" or values.ndim != 1:
        raise ValueError(f"{path}: expected real numbers of shape (N,), got {values.shape}")
    for domain, count in (("vertex", mesh.num_vertices), ("face", mesh.num_faces)):
        if len(values) == count:
            return Field(path.stem, domain, values.astype(np.float64))
    raise ValueError(
        f"{path}: it has {len(values):,} values, but {of} has {mesh.num_vertices:,} vertices and "
        f"{mesh.num_faces:,} faces; give one a vertex or one a face"
    )


def table_of(colormap: str) -> np.ndarray:
    """(256, 3) uint8 of a map in `COLORMAPS`, or of `LABELS`."""
    if colormap == LABELS:
        turn = np.arange(256) * 0.618034 % 1
        pastel, bright = (np.arange(256) // 7 % 3) * 0.12, 0.95 - (np.arange(256) // 3 % 3) * 0.14
        away = np.abs((turn[:, None] + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1
        mixed = pastel[:, None] + (1 - pastel[:, None]) * away.clip(0, 1)
        return (255 * bright[:, None] * (0.25 + 0.75 * mixed)).round().astype(np.uint8)
    stops = np.array(
        [[int(s[k : k + 2], 16) for k in (0, 2, 4)] for s in COLORMAPS[colormap].split()]
    )
    at = np.linspace(0, 1, len(stops))
    fine = np.linspace(0, 1, 256)
    return (
        np.stack([np.interp(fine, at, stops[:, k]) for k in range(3)], 1).round().astype(np.uint8)
    )


def colors_of(values: np.ndarray, low: float, high: float, colormap: str) -> np.ndarray:
    """(N, 3) uint8; values beyond the range take its ends, those that are no number grey."""
    span = high - low
    share = (values - low) / span if span > 0 else np.full(len(values), 0.5)
    good = np.isfinite(values)
    index = (np.where(good, share, 0).clip(0, 1) * 255).round().astype(int)
    if colormap == LABELS:
        index = np.where(good, values, 0).round().astype(np.int64) % 256
    return np.where(good[:, None], table_of(colormap)[index], np.array(NOT_A_NUMBER, np.uint8))


def legend(field: Field, low: float, high: float, colormap: str, *, of: str = "") -> str:
    """Histogram over a bar of the colours with its numbers, as HTML."""
    finite = field.values[np.isfinite(field.values)]
    bins = 48
    counts = np.zeros(bins, int)
    if len(finite) and high > low:
        counts = np.histogram(finite.clip(low, high), bins, (low, high))[0]
    tallest = max(1, int(counts.max()))
    table = table_of(colormap)
    bars = "".join(
        f"<rect x='{k * 5}' y='{50 - 50 * c / tallest:.1f}' width='5' "
        f"height='{50 * c / tallest:.1f}' fill='rgb{tuple(int(v) for v in color)}'/>"
        for k, (c, color) in enumerate(
            zip(counts, table[np.linspace(0, 255, bins).astype(int)], strict=True)
        )
    )
    steps = " ".join(
        f"<stop offset='{k / 16}' stop-color='rgb{tuple(int(v) for v in table[k * 255 // 16])}'/>"
        for k in range(17)
    )
    numbers = "".join(f"<span>{value:.4g}</span>" for value in (low, (low + high) / 2, high))
    missing = len(field.values) - len(finite)
    rest = f"; {missing:,} {field.none} (grey)" if missing else ""
    mean = f"mean {finite.mean():.4g}" if len(finite) else "no numbers"
    words = f"{len(field.values):,} {'vertices' if field.domain == 'vertex' else 'faces'}, {mean}"
    return (
        f"<div class='ml-legend' style='padding:0 1em 0.4em 1em;font-size:0.8em'>"
        f"<b>{escape(field.name)}</b> {escape(of)}"
        f"<svg viewBox='0 0 240 62' style='width:100%;display:block' role='img' "
        f"aria-label='histogram of {escape(field.name, quote=True)}'>"
        f"<defs><linearGradient id='ml-ramp'>{steps}</linearGradient></defs>{bars}"
        f"<rect y='52' width='240' height='10' fill='url(#ml-ramp)'/></svg>"
        f"<div style='display:flex;justify-content:space-between'>{numbers}</div>"
        f"<div style='opacity:0.75'>{words}{rest}</div></div>"
    )
