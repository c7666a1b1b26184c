"""Aeroplanes: fuselage, wings, tail, engines. They fly towards -x."""

from __future__ import annotations

import math

import torch

from meshlearn.data.families.solids import Dice, airfoil, loft, mirrored, revolved, rod
from meshlearn.data.families.solids import moved as move
from meshlearn.mesh import Mesh

PARTS = ("fuselage", "wings", "tail", "engines")
Pieces = list[tuple[int, Mesh]]


def panel(stations: list[tuple[tuple[float, float, float], float, float]], section: torch.Tensor,
          *, upright: bool = False, roll: list[float] | None = None) -> Mesh:  # fmt: skip
    """Skin over airfoil sections at (nose of the section, chord, twist in degrees) along z.

    Args:
        upright: sections lie across y (a fin), not across z.
        roll: degrees by which each section leans about x, for winglets.
    """
    rings = []
    for k, (at, chord, twist) in enumerate(stations):
        a = math.radians(-twist)
        x, y = section[:, 0] - 0.25, section[:, 1]
        x, y = x * math.cos(a) - y * math.sin(a) + 0.25, x * math.sin(a) + y * math.cos(a)
        x, y = x * chord + at[0], y * chord
        lean = math.radians(roll[k]) if roll else 0.0
        if upright:
            lean = math.radians(90)
        rings.append(torch.stack((x, at[1] + y * math.cos(lean), at[2] - y * math.sin(lean)), 1))
    return loft(torch.stack(rings))


def build(dice: Dice) -> tuple[Pieces, Pieces]:
    """Pieces of one aeroplane."""
    style = dice.pick("airliner", "airliner", "jet", "glider", "prop", "fighter")
    length = 10.0
    radius = {"glider": 0.38, "fighter": 0.5, "prop": 0.62}.get(style, 0.62)
    radius *= dice.between(0.85, 1.2)
    fuselage, middle = _fuselage(dice, length, radius, style)
    parts: Pieces = [(0, fuselage)]
    span, chord, taper, sweep_, place = {
        "airliner": (4.9, 1.9, 0.32, 28.0, 0.36),
        "jet": (4.0, 1.8, 0.38, 22.0, 0.40),
        "glider": (7.5, 1.0, 0.45, 1.0, 0.34),
        "prop": (5.0, 1.6, 0.75, 0.0, 0.28),
        "fighter": (3.1, 3.9, 0.22, 42.0, 0.36),
    }[style]
    span *= dice.between(0.85, 1.15)
    chord *= dice.between(0.85, 1.15)
    sweep_ += dice.between(-4, 6) if sweep_ > 5 else dice.between(-1, 3)
    taper *= dice.between(0.8, 1.2)
    dihedral = dice.between(1, 7) if style != "fighter" else dice.between(-4, 2)
    section = airfoil(dice.between(0.01, 0.035), 0.4, dice.between(0.1, 0.15))
    height = radius * {"prop": 0.75, "glider": 0.5}.get(style, -0.55)
    if style == "prop" and dice.chance(0.4):
        height = -radius * 0.6
    nose = (place - 0.5) * length - 0.25 * chord + dice.between(-0.4, 0.4)
    slope, rise = math.tan(math.radians(sweep_)), math.tan(math.radians(dihedral))
    winglet = style in ("airliner", "jet") and dice.chance(0.5)

    def leading(z: float) -> tuple[float, float, float]:
        return (nose + slope * z, height + rise * z, z)

    stations = [(leading(z), chord * (1 - (1 - taper) * z / span), 2.0 - 3.0 * z / span)
                for z in (0.0, span * 0.3, span * 0.65, span)]  # fmt: skip
    roll = [0.0] * 4
    if winglet:
        tip, small = leading(span), chord * taper
        up = dice.between(0.35, 0.7)
        bend = (tip[0] + 0.1, tip[1] + 0.10, span + 0.12)
        end = (bend[0] + 0.1 + up * 0.7, bend[1] + up, span + 0.22)
        stations += [(bend, small * 0.88, -1.0), (end, small * 0.45, -1.0)]
        roll += [45.0, 75.0]
    wing = panel(stations, section, roll=roll)
    parts += [(1, wing), (1, mirrored(wing))]
    parts += [(2, piece) for piece in _tail(dice, length, radius, middle, style)]
    parts += [(3, p) for p in _engines(dice, length, radius, leading, chord, taper, span, style)]
    return parts, []


def _fuselage(dice: Dice, length: float, radius: float, style: str):
    nose = {"fighter": 0.34, "glider": 0.16, "prop": 0.14}.get(style, 0.13)
    nose *= dice.between(0.85, 1.15)
    tail = {"glider": 0.6, "prop": 0.55, "fighter": 0.25}.get(style, 0.36)
    thin = {"glider": 0.22, "fighter": 0.62}.get(style, 0.16)
    lift = dice.between(0.3, 0.6) * radius if style != "fighter" else 0.0
    flat = dice.between(0.9, 1.12)

    def size(t: float) -> float:
        if t < nose:
            return math.sqrt(max(0.0, 1 - (1 - t / nose) ** 2)) ** (
                1.25 if style == "fighter" else 1
            )
        if t > 1 - tail:
            s = (t - 1 + tail) / tail
            return 1 - (1 - thin) * s * s * (3 - 2 * s)
        return 1.0

    def middle(t: float) -> float:
        s = max(0.0, (t - 1 + tail) / tail)
        return lift * s * s

    turn = torch.arange(32, dtype=torch.float64) * (2 * math.pi / 32)
    stations = [
        0.0003,
        0.002,
        0.007,
        0.016,
        0.03,
        0.05,
        *(0.05 + 0.95 * k / 40 for k in range(1, 41)),
    ]
    rings = []
    for t in stations:
        r = radius * size(t)
        x = torch.full_like(turn, (t - 0.5) * length)
        rings.append(torch.stack((x, middle(t) + flat * r * turn.sin(), r * turn.cos()), 1))
    return loft(torch.stack(rings)), middle


def _tail(dice: Dice, length: float, radius: float, middle, style: str) -> list[Mesh]:
    section = airfoil(0.0, 0.4, 0.09)
    chord = {"glider": 0.7, "fighter": 1.5}.get(style, 1.25) * dice.between(0.9, 1.1)
    span = {"glider": 1.2, "fighter": 1.7}.get(style, 1.75) * dice.between(0.85, 1.15)
    back = length / 2 - chord * 1.02
    lean = {"glider": 0.25, "prop": 0.3}.get(style, 0.75)
    high = {"glider": 1.1, "fighter": 1.5}.get(style, 1.7) * dice.between(0.85, 1.1)
    foot = middle(0.95)
    kind = dice.pick("low", "low", "tee") if style in ("jet", "glider") else "low"
    out = []
    fins = [0.0]
    if style == "fighter" and dice.chance(0.5):
        fins = [-0.55 * radius, 0.55 * radius]
    fin_chord = chord * (1.3 if style != "fighter" else 1.0)
    start = length / 2 - fin_chord * 1.05
    for z in fins:
        spread = 0.35 * z
        out.append(panel([((start, foot - 0.05, z), fin_chord, 0.0),
                          ((start + lean * high, foot + high, z + spread), fin_chord * 0.5, 0.0)],
                         section, upright=True))  # fmt: skip
    y, x = (foot + high * 0.96, start + lean * high) if kind == "tee" else (foot, back)
    slope = 0.5 if style not in ("glider", "prop") else 0.1
    wing = panel([((x, y, 0.0), chord, 0.0), ((x + slope * span, y + 0.06 * span, span),
                                              chord * 0.5, 0.0)], section)  # fmt: skip
    return [*out, wing, mirrored(wing)]


def _nacelle(length: float, radius: float) -> Mesh:
    """An engine along x, from 0 on, open in front."""
    inner = 0.72
    profile = [(0.0, 0.25), (radius * inner * 0.95, 0.25), (radius * inner, 0.03),
               (radius * 0.8, 0.0), (radius * 0.92, 0.03), (radius, 0.22), (radius * 0.98, 0.5),
               (radius * 0.72, 0.86), (radius * 0.6, 0.87), (radius * 0.42, 0.9),
               (0.0, 1.0)]  # fmt: skip
    mesh = revolved([(r, y * length) for r, y in profile], 28)
    return move(mesh, turn=("z", -90))


def _engines(
    dice: Dice, length: float, radius: float, leading, chord: float, taper: float, span: float,
    style: str,
) -> list[Mesh]:  # fmt: skip
    out: list[Mesh] = []

    def both(mesh: Mesh) -> None:
        out.extend((mesh, mirrored(mesh)))

    if style == "airliner":
        size = dice.between(0.3, 0.4)
        for share in (0.33,) if dice.chance(0.7) else (0.28, 0.55):
            x, y, z = leading(span * share)
            both(move(_nacelle(1.5, size), (x - 0.75, y - size * 1.05, z)))
            half = chord * (1 - (1 - taper) * share) * 0.3
            pylon = rod((x + 0.1, y - size * 0.5, z), (x + half, y + 0.02, z), 0.09, side=(0, 0, 1))
            both(pylon)
    elif style == "jet":
        size = dice.between(0.28, 0.36)
        x, y, z = length * 0.2, radius * 0.5, radius + size * 1.05
        both(move(_nacelle(1.7, size), (x, y, z)))
        both(rod((x + 0.7, y - 0.05, 0.0), (x + 0.7, y, z), 0.12))
    elif style == "prop":
        hub = revolved([(0.0, -0.1), (0.22, 0.0), (0.2, 0.12), (0.0, 0.45)], 24)
        out.append(move(hub, (-length / 2 + 0.1, 0, 0), turn=("z", 90)))
        blades = 2 + int(dice.between(0, 2.99))
        for k in range(blades):
            a = 2 * math.pi * k / blades + 0.3
            reach = 1.15
            tip = (-length / 2 - 0.08, reach * math.cos(a), reach * math.sin(a))
            out.append(rod((-length / 2 - 0.08, 0, 0), tip, 0.1, 0.06, segments=12))
    elif style == "fighter":
        size = radius * dice.between(0.55, 0.7)
        both(move(_nacelle(length * 0.45, size), (-length * 0.08, -radius * 0.3, radius * 0.9)))
    return out
