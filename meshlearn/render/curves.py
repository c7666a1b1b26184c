"""Curves of a fit as a PNG, by PIL alone."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw

from meshlearn.render.picture import INK, MUTED, PAPER, drawable, font_of, save_image

_COLORS = (
    (37, 99, 176), (214, 93, 44), (44, 138, 84), (142, 78, 160),
    (190, 50, 80), (30, 145, 160), (160, 120, 30), (90, 90, 100),
)  # fmt: skip
_GRID, _FINE, _FRAME = (222, 226, 232), (240, 242, 245), (150, 157, 168)
_SCALE = 3  # drawn this much larger, then reduced: smooth lines


def _series(history: object) -> dict[str, list[tuple[float, float]]]:
    """name -> (x, y) points that are finite numbers."""
    out: dict[str, list[tuple[float, float]]] = {}

    def add(name: str, x: float, y: object) -> None:
        if isinstance(y, (int, float)) and not isinstance(y, bool) and math.isfinite(y):
            out.setdefault(name, []).append((float(x), float(y)))

    if isinstance(history, Mapping):
        steps = history.get("step")
        for name, values in history.items():
            if name == "step" or isinstance(values, (str, bytes)):
                continue
            if not isinstance(values, Sequence) and not hasattr(values, "tolist"):
                continue
            values = values.tolist() if hasattr(values, "tolist") else values
            places = steps if steps is not None and len(steps) == len(values) else None
            for i, y in enumerate(values):
                add(str(name), i if places is None else float(places[i]), y)
    elif isinstance(history, Sequence) and all(isinstance(row, Mapping) for row in history):
        for i, row in enumerate(history):
            for name, y in row.items():
                if name != "step":
                    add(str(name), row.get("step", i), y)
    else:
        raise ValueError(
            f"history: expected {{name: values}} or a list of {{name: value}}, "
            f"got {type(history).__name__}"
        )
    return out


def nice_ticks(low: float, high: float, count: int = 6) -> list[float]:
    """Round numbers that cover [low, high] from inside, about `count` of them."""
    span = high - low
    if not span > 0:
        return [low]
    raw = span / max(count, 1)
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [k * step for k in range(first, last + 1)]


def _number(value: float) -> str:
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e5:
        return f"{value:.6g}"
    mantissa, exponent = f"{value:.3e}".split("e")
    mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa}e{int(exponent)}"


def plot_curves(
    history: Mapping[str, Sequence[float]] | Sequence[Mapping[str, float]],
    path: str | os.PathLike[str],
    *,
    names: Sequence[str] | None = None,
    log: bool = True,
    smooth: int = 1,
    title: str = "",
    x_label: str = "step",
    y_label: str = "",
    size: tuple[int, int] = (460, 760),
) -> Path:
    """Writes curves as a PNG.

    Args:
        history: {name: values} (with "step": the x of all that are as long), or a list of
            {name: value} rows with an optional "step". What is not a finite number is left out.
        path: a name that ends in .png.
        names: which to draw, in this order; by default all.
        log: logarithmic y axis; values that are not positive are left out.
        smooth: draw the mean of this many neighbours over a pale line of the raw values.
        title, x_label, y_label: texts.
        size: (height, width) in pixels.
    """
    series = _series(history)
    if names is not None:
        missing = [n for n in names if n not in series]
        if missing:
            raise ValueError(f"names: {missing[0]!r} is not in the history; it has {list(series)}")
        series = {n: series[n] for n in names}
    if log:
        series = {n: [(x, y) for x, y in pts if y > 0] for n, pts in series.items()}
    series = {n: pts for n, pts in series.items() if pts}
    picture = _Axes(series, log=log, size=size, title=title, x_label=x_label, y_label=y_label)
    for i, points in enumerate(series.values()):
        color = _COLORS[i % len(_COLORS)]
        if smooth > 1:
            picture.curve(points, tuple((c + 2 * 255) // 3 for c in color), 1.2)
            points = _moving_mean(points, smooth, log=log)
        picture.curve(points, color, 1.8)
    return save_image(picture.finish(list(series)), path)


def _moving_mean(
    points: list[tuple[float, float]], width: int, *, log: bool
) -> list[tuple[float, float]]:
    values = [math.log(y) if log else y for _, y in points]
    out = []
    for i, (x, _) in enumerate(points):
        near = values[max(0, i - width // 2) : i + width // 2 + 1]
        mean = sum(near) / len(near)
        out.append((x, math.exp(mean) if log else mean))
    return out


class _Axes:
    """A frame with ticks, in pixels of the enlarged picture."""

    def __init__(self, series, *, log, size, title, x_label, y_label) -> None:
        self.log = log
        h, w = (int(s) * _SCALE for s in size)
        self.image = Image.new("RGB", (w, h), PAPER)
        self.draw = ImageDraw.Draw(self.image)
        self.font, self.bold = font_of(12 * _SCALE), font_of(16 * _SCALE)
        xs = [x for pts in series.values() for x, _ in pts]
        ys = [self._scale(y) for pts in series.values() for _, y in pts]
        self.x0: float = min(xs, default=0.0)
        self.x1: float = max(xs, default=1.0)
        y0, y1 = (min(ys), max(ys)) if ys else (0.0, 1.0)
        if self.x1 <= self.x0:
            self.x1 = self.x0 + 1
        pad = 0.06 * (y1 - y0) or (0.5 if log else max(abs(y0) * 0.1, 0.5))
        self.y0, self.y1 = y0 - pad, y1 + pad
        major, minor = self._y_ticks()
        widest = max((self._width(_number(v)) for v in major), default=0)
        self.left = 16 * _SCALE + widest + 8 * _SCALE + (18 * _SCALE if y_label else 0)
        self.right, self.bottom = w - 20 * _SCALE, h - 46 * _SCALE
        self.top = (44 if title else 20) * _SCALE
        self._frame(major, minor, title, x_label, y_label)

    def _scale(self, y: float) -> float:
        return math.log10(y) if self.log else y

    def _width(self, text: str) -> float:
        return self.draw.textlength(text, font=self.font)

    def _y_ticks(self) -> tuple[list[float], list[float]]:
        if not self.log:
            return nice_ticks(self.y0, self.y1), []
        decades = range(math.floor(self.y0), math.ceil(self.y1) + 1)
        span = self.y1 - self.y0
        steps = (1,) if span > 2.2 else (1, 2, 5) if span > 0.5 else None
        if steps is None:
            low, high = 10**self.y0, 10**self.y1
            return [v for v in nice_ticks(low, high, 5) if low <= v <= high], []
        every = max(1, round(span / 7))
        major = [m * 10.0**d for d in decades if d % every == 0 for m in steps]
        minor = [m * 10.0**d for d in decades for m in range(2, 10)] if span < 7 else []
        inside = [v for v in major if self.y0 <= math.log10(v) <= self.y1]
        return inside, [v for v in minor if self.y0 <= math.log10(v) <= self.y1]

    def _x(self, x: float) -> float:
        return self.left + (x - self.x0) / (self.x1 - self.x0) * (self.right - self.left)

    def _y(self, y: float) -> float:
        t = (self._scale(y) - self.y0) / (self.y1 - self.y0)
        return self.bottom - t * (self.bottom - self.top)

    def _frame(self, major, minor, title, x_label, y_label) -> None:
        draw, s = self.draw, _SCALE
        for value in minor:
            y = self._y(value)
            draw.line((self.left, y, self.right, y), fill=_FINE, width=s)
        for value in major:
            y, text = self._y(value), _number(value)
            draw.line((self.left, y, self.right, y), fill=_GRID, width=s)
            draw.text(
                (self.left - 8 * s - self._width(text), y - 8 * s), text, fill=MUTED, font=self.font
            )
        for value in nice_ticks(self.x0, self.x1, 7):
            x, text = self._x(value), _number(value)
            draw.line((x, self.top, x, self.bottom), fill=_FINE, width=s)
            draw.line((x, self.bottom, x, self.bottom + 4 * s), fill=_FRAME, width=s)
            draw.text(
                (x - self._width(text) / 2, self.bottom + 7 * s), text, fill=MUTED, font=self.font
            )
        draw.line((self.left, self.top, self.left, self.bottom), fill=_FRAME, width=s)
        draw.line((self.left, self.bottom, self.right, self.bottom), fill=_FRAME, width=s)
        x_label, y_label = (drawable(text, self.font) for text in (x_label, y_label))
        if title:
            draw.text((self.left, 14 * s), drawable(title, self.bold), fill=INK, font=self.bold)
        middle = (self.left + self.right) / 2 - self._width(x_label) / 2
        draw.text((middle, self.bottom + 24 * s), x_label, fill=INK, font=self.font)
        if y_label:
            tile = Image.new("RGB", (int(self._width(y_label)) + 2 * s, 18 * s), PAPER)
            ImageDraw.Draw(tile).text((0, 0), y_label, fill=INK, font=self.font)
            tile = tile.rotate(90, expand=True)
            place = (6 * s, int((self.top + self.bottom) / 2 - tile.height / 2))
            self.image.paste(tile, place)

    def curve(self, points, color, width: float) -> None:
        pixels = [(self._x(x), self._y(y)) for x, y in points]
        thick = round(width * _SCALE)
        if len(pixels) == 1:
            (x, y), r = pixels[0], 2 * thick
            self.draw.ellipse((x - r, y - r, x + r, y + r), fill=color)
        else:
            self.draw.line(pixels, fill=color, width=thick, joint="curve")

    def finish(self, names: list[str]) -> Image.Image:
        draw, s = self.draw, _SCALE
        names = [drawable(name, self.font) for name in names]
        if names:
            wide = max(self._width(n) for n in names) + 44 * s
            tall = (18 * len(names) + 10) * s
            x, y = self.right - wide - 6 * s, self.top + 4 * s
            draw.rectangle((x, y, x + wide, y + tall), fill=PAPER, outline=_GRID, width=s)
            for i, name in enumerate(names):
                line = y + (14 + 18 * i) * s
                color = _COLORS[i % len(_COLORS)]
                draw.line((x + 8 * s, line, x + 28 * s, line), fill=color, width=3 * s)
                draw.text((x + 35 * s, line - 8 * s), name, fill=INK, font=self.font)
        else:
            draw.text(
                (self.left + 12 * s, self.top + 12 * s), "no values", fill=MUTED, font=self.font
            )
        w, h = self.image.size
        return self.image.resize((w // s, h // s), Image.Resampling.LANCZOS)
