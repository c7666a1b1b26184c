"""Lenses: where a point before a camera falls in its image, by the models of COLMAP.

A model takes the direction (x, y, 1) before the camera (x right, y down, z forward) to (x', y'),
and a pixel is u = fx x' + cx, v = fy y' + cy, with (0, 0) at the top left corner of the image, so
that the centre of its first pixel is at (0.5, 0.5). With r² = x² + y²:

- *pinhole*: x' = x.
- *radial and tangential* (Brown 1966; SIMPLE_RADIAL, RADIAL, OPENCV, FULL_OPENCV):
  x' = x (1 + k1 r² + k2 r⁴ + k3 r⁶) / (1 + k4 r² + k5 r⁴ + k6 r⁶) + 2 p1 x y + p2 (r² + 2 x²),
  y' the same with x and y, and p1 and p2, exchanged.
- *fisheye* (Kannala and Brandt 2006; OPENCV_FISHEYE, RADIAL_FISHEYE, …): with θ = atan r,
  x' = x/r θ (1 + k1 θ² + k2 θ⁴ + k3 θ⁶ + k4 θ⁸); THIN_PRISM_FISHEYE bends the point x/r θ by the
  radial, tangential and thin-prism terms of Weng 1992.
- *field of view* (Devernay and Faugeras 2001; FOV): r' = atan(2 r tan(ω/2)) / ω.
- *division* (Fitzgibbon 2001; DIVISION): r = r' / (1 + k r'²).
- *extended unified* (Khomutenko 2016; EUCM): x' = x / (α √(β r² + 1) + 1 - α).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np

WIDEST = math.tan(math.radians(60.0))  # of a straightened image, on each side of the axis
_RAYS, _RINGS = 32, 384  # where a lens is looked at for a fold
_ROUNDS, _GRID = 4, 65  # searches for what a lens sees, and samples a side of each
_STRIP = (33, 385)  # samples across and along a side of it, in the last search
_SHARE = 385  # samples a side, where pixels are counted
_GROWTH = 1.5  # most extent of a straightened image on each side of the axis, in image sizes

_MOST = 1 << 20  # pixels of a side
_FAR = 1e6  # most focal length and centre, in sides of the image

Array = np.ndarray
Bend = Callable[[Array, Array, Sequence[float]], tuple[Array, Array]]


def _even(t: Array, coefficients: Sequence[float]) -> Array:
    """1 + c0 t + c1 t² + …"""
    out = np.zeros_like(t)
    for c in reversed(coefficients):
        out = (out + c) * t
    return 1 + out


def _tangential(x: Array, y: Array, p1: float, p2: float) -> tuple[Array, Array]:
    r2 = x * x + y * y
    return 2 * p1 * x * y + p2 * (r2 + 2 * x * x), 2 * p2 * x * y + p1 * (r2 + 2 * y * y)


def _straight(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    return x, y


def _brown(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    """k1 k2 p1 p2 k3 k4 k5 k6, as many as there are."""
    k1, k2, p1, p2, k3, k4, k5, k6 = (*k, *[0.0] * (8 - len(k)))
    r2 = x * x + y * y
    factor = _even(r2, (k1, k2, k3)) / _even(r2, (k4, k5, k6))
    dx, dy = _tangential(x, y, p1, p2)
    return x * factor + dx, y * factor + dy


def _radial(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    factor = _even(x * x + y * y, k)
    return x * factor, y * factor


def _equidistant(x: Array, y: Array) -> tuple[Array, Array]:
    r = np.hypot(x, y)
    scale = np.where(r > 1e-9, np.arctan(r) / np.maximum(r, 1e-9), 1.0)
    return x * scale, y * scale


def _fisheye(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    return _radial(*_equidistant(x, y), k)


def _thin_prism(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    k1, k2, p1, p2, k3, k4, sx, sy = k
    x, y = _equidistant(x, y)
    r2 = x * x + y * y
    factor = _even(r2, (k1, k2, k3, k4))
    dx, dy = _tangential(x, y, p1, p2)
    return x * factor + dx + sx * r2, y * factor + dy + sy * r2


def _rad_tan_prism(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    """The radial part first; tangential and prism terms of the point that it gives."""
    p0, p1, s0, s1, s2, s3 = k[6:]
    x, y = _radial(*_equidistant(x, y), k[:6])
    r2 = x * x + y * y
    dx, dy = _tangential(x, y, p1, p0)
    return x + dx + (s0 + s1 * r2) * r2, y + dy + (s2 + s3 * r2) * r2


def _field_of_view(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    (omega,) = k
    if abs(omega) < 1e-6:
        return x, y
    r = np.maximum(np.hypot(x, y), 1e-9)
    scale = np.arctan(2 * r * math.tan(omega / 2)) / (omega * r)
    return x * scale, y * scale


def _division(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    with np.errstate(invalid="ignore"):  # beyond the reach of the model: NaN
        scale = 2 / (1 + np.sqrt(1 - 4 * k[0] * (x * x + y * y)))
    return x * scale, y * scale


def _unified(x: Array, y: Array, k: Sequence[float]) -> tuple[Array, Array]:
    alpha, beta = k
    with np.errstate(invalid="ignore"):
        scale = 1 / (alpha * np.sqrt(beta * (x * x + y * y) + 1) + 1 - alpha)
    return x * scale, y * scale


class Model(NamedTuple):
    """A camera model: the names of its parameters (f or fx, fy, then cx, cy), and how it bends."""

    parameters: tuple[str, ...]
    bend: Bend
    fisheye: bool = False  # bends where all its coefficients are 0, too

    @property
    def coefficients(self) -> tuple[str, ...]:
        """The names of those behind the centre."""
        return self.parameters[self.parameters.index("cy") + 1 :]


def _model(names: str, bend: Bend, fisheye: bool = False) -> Model:
    return Model(tuple(names.split()), bend, fisheye)


# the order is that of COLMAP's model numbers
MODELS = {
    "SIMPLE_PINHOLE": _model("f cx cy", _straight),
    "PINHOLE": _model("fx fy cx cy", _straight),
    "SIMPLE_RADIAL": _model("f cx cy k1", _radial),
    "RADIAL": _model("f cx cy k1 k2", _radial),
    "OPENCV": _model("fx fy cx cy k1 k2 p1 p2", _brown),
    "OPENCV_FISHEYE": _model("fx fy cx cy k1 k2 k3 k4", _fisheye, True),
    "FULL_OPENCV": _model("fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6", _brown),
    "FOV": _model("fx fy cx cy omega", _field_of_view),
    "SIMPLE_RADIAL_FISHEYE": _model("f cx cy k1", _fisheye, True),
    "RADIAL_FISHEYE": _model("f cx cy k1 k2", _fisheye, True),
    "THIN_PRISM_FISHEYE": _model("fx fy cx cy k1 k2 p1 p2 k3 k4 sx1 sy1", _thin_prism, True),
    "RAD_TAN_THIN_PRISM_FISHEYE": _model(
        "fx fy cx cy k0 k1 k2 k3 k4 k5 p0 p1 s0 s1 s2 s3", _rad_tan_prism, True
    ),
    "SIMPLE_DIVISION": _model("f cx cy k", _division),
    "DIVISION": _model("fx fy cx cy k", _division),
    "SIMPLE_FISHEYE": _model("f cx cy", _fisheye, True),
    "FISHEYE": _model("fx fy cx cy", _fisheye, True),
    "EUCM": _model("fx fy cx cy alpha beta", _unified),
}


@lru_cache(maxsize=1024)
def _reach(lens: Lens) -> float:
    r = np.geomspace(1e-3, math.sqrt(2) * WIDEST, _RINGS)[:, None]
    turn = np.arange(_RAYS) * (2 * math.pi / _RAYS)
    x, y = r * np.cos(turn), r * np.sin(turn)
    step = 1e-5 * r
    with np.errstate(all="ignore"):
        along = np.array(lens.bent(x + step, y)) - np.array(lens.bent(x - step, y))
        across = np.array(lens.bent(x, y + step)) - np.array(lens.bent(x, y - step))
        area = (along[0] * across[1] - along[1] * across[0]) / (4 * step * step)
        bad = ~(area > 1e-6).all(1)  # NaN, too
    return float(r[max(int(bad.argmax()) - 1, 0), 0]) if bad.any() else float(r[-1, 0])


@dataclass(frozen=True)
class Lens:
    """The inside of a camera.

    Attributes:
        model: one of `MODELS`.
        focal: (fx, fy) in pixels; with `size` None and `relative` in image widths.
        centre: (cx, cy) in pixels from the top left corner; None for the middle of the image.
        size: (height, width) in pixels that they are given for; None where that is not said.
        coefficients: those of the model behind the centre.
        relative: `focal` is in image widths (`camera_angle_x` without a size).
    """

    model: str
    focal: tuple[float, float]
    centre: tuple[float, float] | None = None
    size: tuple[int, int] | None = None
    coefficients: tuple[float, ...] = ()
    relative: bool = False

    @property
    def straight(self) -> bool:
        """Whether it is a pinhole: nothing bends."""
        model = MODELS[self.model]
        if model.fisheye:
            return False
        if self.model == "EUCM":
            return self.coefficients[0] == 0
        return not any(self.coefficients)

    @property
    def middle(self) -> tuple[float, float]:
        """(cx, cy) in pixels."""
        if self.centre is not None:
            return self.centre
        h, w = self.known_size
        return w / 2, h / 2

    @property
    def known_size(self) -> tuple[int, int]:
        """(height, width).

        Raises:
            ValueError: it is not known.
        """
        if self.size is None:
            raise ValueError("lens: its size is not known; take it from an image by of_size")
        return self.size

    def bent(self, x: Array, y: Array) -> tuple[Array, Array]:
        """(x', y') of directions (x, y, 1); NaN where the model has none.

        Args:
            x, y: float64 of one shape: tangents of the angles to the axis, x right, y down.

        Returns:
            two float64 arrays of that shape, in focal lengths from the centre.
        """
        return MODELS[self.model].bend(x, y, self.coefficients)

    def pixels(self, x: Array, y: Array) -> tuple[Array, Array]:
        """(u, v) of directions (x, y, 1), as `bent` takes them: two float64 arrays of their shape,
        pixels from the top left corner of an image of its `size`; NaN where the model has none.

        Raises:
            ValueError: neither a centre nor a size is known.
        """
        x, y = self.bent(x, y)
        return self.focal[0] * x + self.middle[0], self.focal[1] * y + self.middle[1]

    def of_size(self, size: tuple[int, int]) -> Lens:
        """The same lens for an image (height, width) that is larger or smaller."""
        h, w = size
        if self.size is None:
            factor = w if self.relative else 1
            focal = (self.focal[0] * factor, self.focal[1] * factor)
            return replace(self, focal=focal, size=size, relative=False)
        sy, sx = h / self.size[0], w / self.size[1]
        centre = None if self.centre is None else (self.centre[0] * sx, self.centre[1] * sy)
        return replace(
            self, focal=(self.focal[0] * sx, self.focal[1] * sy), centre=centre, size=size
        )

    def halved(self) -> Lens:
        """For the image at half the size, an odd last row and column left out."""
        h, w = self.known_size
        (fx, fy), (cx, cy) = self.focal, self.middle
        return replace(self, focal=(fx / 2, fy / 2), centre=(cx / 2, cy / 2), size=(h // 2, w // 2))

    def reach(self) -> float:
        """The largest r = tan of the angle to the axis up to which no two directions fall on one
        pixel, at most that of a straightened image's corner."""
        return _reach(self)

    def sees(self, x: Array, y: Array, reach: float) -> Array:
        """Which directions (x, y, 1) fall into the image: bool, of the shape of `x` and `y`, which
        are as `bent` takes them.

        Args:
            reach: the largest r = hypot(x, y) that counts, the tangent of the angle to the axis;
                beyond `reach()` the model folds over, and what falls into the image there is not
                seen.

        Raises:
            ValueError: the size is not known.
        """
        h, w = self.known_size
        with np.errstate(all="ignore"):
            u, v = self.pixels(x, y)
            return (u >= 0) & (u <= w) & (v >= 0) & (v <= h) & (np.hypot(x, y) <= reach)


@lru_cache(maxsize=1024)
def straightened(lens: Lens) -> Lens:
    """The pinhole whose image shows what a lens sees, as large as the lens shows it in the middle.

    It sees all that the lens does, up to 60° on each side of the axis (and not beyond the angle
    where the model folds over), and somewhat more: pixels that the lens does not see.

    Raises:
        ValueError: nothing is seen without a fold.
    """
    (fx, fy), (h, w) = lens.focal, lens.known_size
    reach = lens.reach()
    right, down = min(WIDEST, _GROWTH * w / fx), min(WIDEST, _GROWTH * h / fy)
    box = np.array([[-right, -down], [right, down]])
    for _ in range(_ROUNDS):
        x, y = np.meshgrid(*(np.linspace(box[0, a], box[1, a], _GRID) for a in (0, 1)))
        seen = lens.sees(x, y, reach)
        if not seen.any():
            raise ValueError(
                f"lens: {lens.model} with {text_of(lens)} shows nothing without folding over "
                "itself; check its focal length, centre and coefficients"
            )
        step = (box[1] - box[0]) / (_GRID - 1)
        found = np.array([[x[seen].min(), y[seen].min()], [x[seen].max(), y[seen].max()]])
        box = np.stack([np.maximum(box[0], found[0] - step), np.minimum(box[1], found[1] + step)])
    box = _trimmed(lens, box, step, reach)
    low = np.floor(box[0] * (fx, fy)).astype(int)
    high = np.ceil(box[1] * (fx, fy)).astype(int)
    width, height = (int(n) for n in high - low)
    return Lens("PINHOLE", lens.focal, (float(-low[0]), float(-low[1])), (height, width))


def _trimmed(lens: Lens, box: Array, step: Array, reach: float) -> Array:
    """The box (2, 2) without the strips at its sides, up to two steps wide, that show nothing."""
    out = box.copy()
    for axis in (0, 1):
        along = np.linspace(box[0, 1 - axis], box[1, 1 - axis], _STRIP[1])
        for end, sign in ((0, 1), (1, -1)):
            across = box[end, axis] + sign * np.linspace(0, 2 * step[axis], _STRIP[0])
            x, y = np.meshgrid(across, along) if axis == 0 else np.meshgrid(along, across)
            hit = lens.sees(x, y, reach).any(axis)
            if hit.any():
                out[end, axis] = across[max(int(hit.argmax()) - 1, 0)]
    return out


def shown_share(lens: Lens) -> float:
    """Share of the pixels of a lens's image that its straightened image shows, 0 to 1."""
    try:
        flat = straightened(lens)
    except ValueError:
        return 0.0
    (h, w), (height, width) = lens.known_size, flat.known_size
    n = _SHARE
    x = (width * (np.arange(n) + 0.5) / n - flat.middle[0]) / flat.focal[0]
    y = (height * (np.arange(n) + 0.5) / n - flat.middle[1]) / flat.focal[1]
    x, y = np.meshgrid(x, y)
    with np.errstate(all="ignore"):  # beyond the reach
        u, v = lens.pixels(x, y)
        a, b = np.gradient(u, axis=1), np.gradient(u, axis=0)
        c, d = np.gradient(v, axis=1), np.gradient(v, axis=0)
        area = np.abs(a * d - b * c)
    seen = lens.sees(x, y, lens.reach()) & np.isfinite(area)
    return min(1.0, float(area[seen].sum()) / (h * w))


def lens_fault(lens: Lens) -> str:
    """What is wrong with the numbers of a lens; "" for nothing."""
    numbers = (*lens.focal, *(lens.centre or ()), *lens.coefficients)
    if not all(map(math.isfinite, numbers)):
        return "holds NaN or infinite numbers"
    h, w = lens.size or (1, 1)
    if not (1 <= h <= _MOST and 1 <= w <= _MOST):
        return f"is {w}×{h} pixels large"
    side = max(h, w) if lens.size or lens.relative else _MOST
    if not all(1 / _FAR <= f / side <= _FAR for f in lens.focal):
        return f"has focal lengths {lens.focal[0]:g} and {lens.focal[1]:g} for {side} pixels"
    if lens.centre and max(map(abs, lens.centre)) > side * _FAR:
        return f"has its centre at {lens.centre[0]:g}, {lens.centre[1]:g} for {side} pixels"
    return ""


def text_of(lens: Lens) -> str:
    """Its coefficients that are not 0, as people read them."""
    names = MODELS[lens.model].coefficients
    parts = [f"{n} {v:.5g}" for n, v in zip(names, lens.coefficients, strict=True) if v]
    return ", ".join(parts) or "no coefficients"
