"""Cars: body, cabin, wheels. They drive towards -x."""

from __future__ import annotations

import math
from itertools import pairwise

import torch

from meshlearn.data.families.solids import Dice, loft, moved, revolved, rod, rounded_outline
from meshlearn.mesh import Mesh

PARTS = ("body", "cabin", "wheels")
Pieces = list[tuple[int, Mesh]]

# of the length from the nose: cowl, roof from, roof to, foot of the rear window; height of the tail
_STYLES = {
    "sedan": (0.30, 0.44, 0.68, 0.84, 1.00),
    "hatch": (0.28, 0.42, 0.82, 0.96, 1.00),
    "suv": (0.27, 0.38, 0.86, 0.97, 1.02),
    "van": (0.14, 0.27, 0.93, 0.985, 1.02),
    "sports": (0.36, 0.52, 0.64, 0.90, 1.02),
    "pickup": (0.28, 0.40, 0.56, 0.60, 1.00),
}


def build(dice: Dice) -> tuple[Pieces, Pieces]:
    """Pieces of one car, and the wheel arches that are cut out of its body."""
    style = dice.pick(*_STYLES)
    tall = {"suv": 1.18, "van": 1.3, "sports": 0.82, "pickup": 1.15}.get(style, 1.0)
    length = dice.between(3.9, 4.8)
    half = dice.between(0.82, 0.95)
    clearance = dice.between(0.16, 0.24) * (tall if style != "van" else 1.0)
    roof = dice.between(1.38, 1.52) * tall
    belt = (0.60 + dice.between(-0.04, 0.03)) * roof
    cowl, roof_a, roof_b, tail, rise = (
        v + dice.between(-0.02, 0.02) * (k < 4) for k, v in enumerate(_STYLES[style])
    )
    tail = min(tail, 0.985)
    nose = belt * dice.between(0.78, 0.92)
    top = [(0.0, nose * 0.93), (0.03, nose), (cowl, belt), (tail, belt * rise),
           (0.97, belt * rise * dice.between(0.9, 0.99)), (1.0, belt * 0.85)]  # fmt: skip
    if style == "van":
        top[1] = (0.03, belt * 0.9)
    body = _body(dice, length, half, clearance, top)
    cabin = _cabin(dice, length, half, belt, roof, (cowl, roof_a, roof_b, tail))
    parts: Pieces = [(0, body), (1, cabin)]
    cuts: Pieces = []
    wheel = dice.between(0.31, 0.36) * tall**0.6
    broad = dice.between(0.10, 0.13)
    front, rear = dice.between(0.16, 0.20), dice.between(0.79, 0.84)
    for share in (front, rear):
        x = (share - 0.5) * length
        for side in (-1, 1):
            z = side * (half - broad - 0.05)
            parts.append((2, moved(_wheel(wheel, broad, side), (x, wheel, z))))
            parts.append((2, rod((x, wheel, 0), (x, wheel, z), 0.07)))
            start, end = (x, wheel, side * (half - 2.6 * broad)), (x, wheel, side * (half + 0.3))
            cuts.append((0, rod(start, end, wheel * 1.13, segments=40)))
    if style == "pickup":
        bed = rounded_outline((0.955 - tail) * length / 2, half * 0.84, 0.05)
        middle = ((0.955 + tail) / 2 - 0.5 + 0.012) * length
        rings = [
            torch.stack((ring[:, 0] + middle, torch.full_like(ring[:, 0], y), ring[:, 1]), 1)
            for ring, y in ((bed, belt * 0.66), (bed, belt * 1.3))
        ]
        cuts.append((0, loft(torch.stack(rings))))
    if style in ("sports", "hatch") and dice.chance(0.5):
        height = belt * rise + 0.02 if style == "sports" else roof - 0.05
        x = 0.46 * length if style == "sports" else (roof_b - 0.5) * length
        span = half * 0.78
        lift = dice.between(0.1, 0.18) if style == "sports" else 0.0
        board = rod((x, height + lift, -span), (x, height + lift, span), 0.06, side=(0, 1, 0))
        sizes = torch.tensor([1.9, 0.45, 1.0], dtype=torch.float64)
        centre = board.vertices.mean(0)
        parts.append((0, board.with_vertices((board.vertices - centre) * sizes + centre)))
        if lift:
            for part in (-0.6, 0.6):
                foot = (x - 0.04, height - 0.1, part * span)
                parts.append((0, rod(foot, (x, height + lift, part * span), 0.035)))
    if dice.chance(0.7):
        x = (cowl + 0.06 - 0.5) * length
        for side in (-1, 1):
            end = (x + 0.05, belt + 0.06, side * (half + 0.1))
            parts.append((1, rod((x, belt - 0.02, side * half * 0.8), end, 0.05, 0.075)))
    return parts, cuts


def _line(points: list[tuple[float, float]], at: float) -> float:
    """Through the points, with smooth steps between neighbours where they differ little."""
    for (a, ya), (b, yb) in pairwise(points):
        if at <= b:
            t = (at - a) / max(b - a, 1e-9)
            t = 0.5 * t + 0.5 * t * t * (3 - 2 * t)
            return ya + (yb - ya) * t
    return points[-1][1]


def _body(
    dice: Dice, length: float, half: float, low: float, top: list[tuple[float, float]]
) -> Mesh:
    power = dice.between(4.0, 6.5)
    taper = dice.between(0.03, 0.08)  # narrower nose and tail
    ends = [0.0, 0.004, 0.015, 0.035, 0.07, 0.12]
    stations = [*ends, *(0.12 + 0.76 * k / 30 for k in range(1, 30)), *(1 - e for e in ends[::-1])]
    turn = torch.arange(40, dtype=torch.float64) * (2 * math.pi / 40)
    c, s = turn.cos(), turn.sin()
    z = c.sign() * c.abs() ** (2 / power)
    y = s.sign() * s.abs() ** (2 / power)
    z = z * (1 - 0.07 * (y + 1) / 2)  # sides lean in
    rings = []
    for t in stations:
        from_end = min(t, 1 - t)
        blunt = min(1.0, from_end / 0.07)
        blunt = 0.80 + 0.20 * math.sqrt(max(0.0, 1 - (1 - blunt) ** 2))
        narrow = 1 - taper * max(0.0, 1 - from_end / 0.3) ** 2
        high = _line(top, t)
        bottom = low + (high - low) * 0.14 * max(0.0, 1 - from_end / 0.06) ** 2
        middle, size = (high + bottom) / 2, (high - bottom) / 2 * (0.35 + 0.65 * blunt)
        x = torch.full_like(z, (t - 0.5) * length)
        rings.append(torch.stack((x, middle + size * y, half * narrow * blunt * z), 1))
    return loft(torch.stack(rings))


def _cabin(
    dice: Dice, length: float, half: float, belt: float, roof: float,
    line: tuple[float, float, float, float],
) -> Mesh:  # fmt: skip
    cowl, roof_a, roof_b, tail = line
    lean = dice.between(0.10, 0.2)
    bulge = dice.between(0.02, 0.05)
    levels = [-0.25, 0.0, *(k / 8 for k in range(1, 7)), 0.84, 0.91, 0.96, 0.99, 1.0]
    rings = []
    for t in levels:
        s = max(t, 0.0)
        front = cowl + (roof_a - cowl) * s ** (1 - 2 * bulge)
        rear = tail - (tail - roof_b) * s ** (1 + 4 * bulge)
        width = half * 0.93 * (1 - lean * s**1.3)
        edge = max(0.0, (t - 0.8) / 0.2)
        inset = 0.16 * (1 - math.sqrt(max(0.0, 1 - edge * edge)))
        y = belt + (roof - belt) * (t if t < 0.8 else 0.8 + 0.2 * edge)
        half_x = (rear - front) * length / 2 - inset
        outline = rounded_outline(half_x, width - inset, 0.28 - 0.6 * inset, corner=7)
        middle = ((front + rear) / 2 - 0.5) * length
        x, z = outline[:, 0] + middle, outline[:, 1]
        rings.append(torch.stack((x, torch.full_like(x, y), z), 1))
    return loft(torch.stack(rings))


def _wheel(radius: float, half_width: float, side: int) -> Mesh:
    """About the z axis, its hollow rim towards `side`."""
    rim, deep = radius * 0.62, half_width * 0.45
    profile = [(0.0, -half_width), (radius * 0.9, -half_width), (radius * 0.97, -half_width * 0.9),
               (radius, -half_width * 0.7), (radius, half_width * 0.7),
               (radius * 0.97, half_width * 0.9), (radius * 0.9, half_width), (rim, half_width),
               (rim * 0.95, half_width - deep), (rim * 0.3, half_width - deep * 0.8),
               (rim * 0.25, half_width - deep * 0.3), (0.0, half_width - deep * 0.3)]  # fmt: skip
    wheel = moved(revolved(profile, 40), turn=("x", 90))
    return wheel if side > 0 else moved(wheel, turn=("y", 180))
