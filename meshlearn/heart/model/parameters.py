"""The numbers of a heart: parameter functions with their physiological mean and spread.

A heart is a vector θ; θ = 0 is an average adult heart, and each entry counts in spreads of a
population, so |θ|² is a prior and θ ~ N(0, 1) a sample. Means and spreads are chosen by hand; that
the average heart has the volumes and the mass of an adult's is held by tests/heart/test_model.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from meshlearn.heart.model.constants import LENGTH, LENGTH_SPREAD, RADIUS, RADIUS_SPREAD, T_END


@dataclass(frozen=True)
class Entry:
    """One parameter function: its coefficients, what they are at θ = 0, and their spread."""

    name: str
    shape: tuple[int, ...]
    mean: tuple[float, ...] | float
    spread: tuple[float, ...] | float
    meaning: str

    @property
    def size(self) -> int:
        return math.prod(self.shape)


_LOG = math.log
_WALL = (0.25, 0.12, 0.12, 0.1, 0.1)  # spreads of the harmonics of the wall's logarithm

ENTRIES = (
    Entry("length", (), _LOG(LENGTH), LENGTH_SPREAD, "log of the LV cavity's length, mm"),
    Entry("r1", (6,), _LOG(RADIUS), RADIUS_SPREAD, "log of the LV radius to the RV over t, mm"),
    Entry("r2", (6,), _LOG(RADIUS), RADIUS_SPREAD, "log of the LV radius across over t, mm"),
    Entry("mod", (4, 3), 0.0, 0.06, "log of the LV radius, harmonics sin 2v, cos 3v, sin 3v"),
    Entry("power", (), 0.0, 0.5, "ε₂ = 1 + 0.3 tanh"),
    Entry("bend_x", (6,), 0.0, 3.0, "offset of the axis towards the RV over t, mm; its mean is 0"),
    Entry("bend_y", (6,), 0.0, 3.0, "offset of the axis to the front over t, mm; its mean is 0"),
    Entry("twist", (4,), 0.0, 0.15, "rotation about the axis over t, radians; 0 at the base"),
    Entry(
        "wall",
        (5, 5),
        tuple(v for first in (1.7, 2.1, 2.2, 2.2, 2.1) for v in (first, 0.0, 0.0, 0.0, 0.0)),
        _WALL * 5,
        "log of the LV wall over t, mm; harmonics 1, cos v, sin v, cos 2v, sin 2v",
    ),
    Entry(
        "top",
        (5,),
        (1.0, 0, 0, 0, 0),
        (0.06, 0.05, 0.05, 0.02, 0.02),
        "t of the LV's base, harmonics of the column",
    ),
    Entry("front", (4,), 0.9, 0.25, "angle of the anterior insertion over t, radians"),
    Entry("back", (4,), 0.9, 0.25, "angle of the inferior insertion over t, radians"),
    Entry("bulge", (5,), (3.5, 3.5, 3.55, 3.3, 2.4), 0.25, "log of the RV's depth over its height"),
    Entry("skew", (4, 3), 0.0, 0.2, "log of that depth, cos πs, cos 2πs, cos 3πs over the height"),
    Entry("rv_power", (), 0.0, 0.5, "power of the RV's profile, 0.9 + 0.4 tanh"),
    Entry("rv_apex", (2,), (0.10, 0.16), 0.04, "t of the RV's apex, and its rise to the sides"),
    Entry(
        "rv_top",
        (6,),
        (0.98, -0.1, 0.02, 0.03, 0.0, 0.0),
        (0.08, 0.08, 0.04, 0.04, 0.03, 0.02),
        "t of the RV's base, cosines of s",
    ),
    Entry("rv_wall", (2,), (_LOG(4.0), 0.0), (0.25, 0.15), "log of the RV wall, mm; over height"),
    Entry("fan", (), 0.0, 0.5, "how the RV leans over its insertions, 0.35 + 0.3 tanh radians"),
    Entry("lid", (2,), (4.0, 0.0), 3.0, "dome of the LV's and the RV's base, mm"),
)
_STARTS = {}
_at = 0
for _entry in ENTRIES:
    _STARTS[_entry.name] = _at
    _at += _entry.size
SIZE = _at


def _flat(value: tuple[float, ...] | float, size: int) -> list[float]:
    return list(value) if isinstance(value, tuple) else [value] * size


_MEAN = torch.tensor([v for e in ENTRIES for v in _flat(e.mean, e.size)], dtype=torch.float64)
_SPREAD = torch.tensor([v for e in ENTRIES for v in _flat(e.spread, e.size)], dtype=torch.float64)


def named(theta: Tensor) -> dict[str, Tensor]:
    """Coefficients by name, (B, *shape) each, of θ (B, `SIZE`); see `ENTRIES` for units."""
    values = _MEAN.to(theta) + _SPREAD.to(theta) * theta
    return {
        e.name: values[:, _STARTS[e.name] : _STARTS[e.name] + e.size].reshape(-1, *e.shape)
        for e in ENTRIES
    }


def index_of(name: str) -> slice:
    """Where the coefficients of a name lie in θ."""
    entry = next(e for e in ENTRIES if e.name == name)
    return slice(_STARTS[name], _STARTS[name] + entry.size)


def spline_basis(t: Tensor, n: int, end: float = T_END) -> Tensor:
    """Values (B, K, n) of n uniform cubic B-splines over [0, end] at t (B, K)."""
    step = end / (n - 3)
    knots = torch.arange(-1, n - 1, dtype=t.dtype, device=t.device)
    x = (t.clamp(0, end)[..., None] / step - knots).abs()
    near = 2 / 3 - x * x * (1 - x / 2)
    rest = (2 - x).clamp(min=0)
    return torch.where(x < 1, near, rest * rest * rest / 6)


def spline(coefficients: Tensor, t: Tensor, end: float = T_END) -> Tensor:
    """The spline of coefficients (B, N, *more) at t (B, K), (B, K, *more)."""
    flat = coefficients.reshape(*coefficients.shape[:2], -1)
    values = spline_basis(t, coefficients.shape[1], end) @ flat
    return values.reshape(*t.shape, *coefficients.shape[2:])


def roughness(theta: Tensor) -> Tensor:
    """Mean squared second difference of all splines, in spreads (0-d), mean over hearts (B, N)."""
    return ((theta @ roughness_matrix(theta)) * theta).sum(1).mean()


@lru_cache(maxsize=4)
def _roughness(dtype: torch.dtype) -> Tensor:
    rows = []
    for e in ENTRIES:
        if not e.shape or e.shape[0] < 4 or e.name in ("top", "rv_top"):
            continue
        width = e.size // e.shape[0]
        for knot in range(e.shape[0] - 2):
            for k in range(width):
                row = torch.zeros(SIZE, dtype=torch.float64)
                first = _STARTS[e.name] + knot * width + k
                row[[first, first + width, first + 2 * width]] = torch.tensor(
                    [1.0, -2.0, 1.0], dtype=torch.float64
                )
                rows.append(row)
    table = torch.stack(rows)
    return (table.T @ table / len(rows)).to(dtype)


def roughness_matrix(like: Tensor) -> Tensor:
    """The quadratic form (N, N) of `roughness`."""
    return _roughness(like.dtype).to(like.device)
