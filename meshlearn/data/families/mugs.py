"""Mugs: body and handle, which points to +x."""

from __future__ import annotations

import math

import torch

from meshlearn.data.families.solids import Dice, revolved, rows, sweep
from meshlearn.mesh import Mesh

PARTS = ("body", "handle")
Pieces = list[tuple[int, Mesh]]


def build(dice: Dice) -> tuple[Pieces, Pieces]:
    """Pieces of one mug, and the hollow that is cut out of both."""
    height = dice.between(0.75, 1.25)
    foot, rim = dice.between(0.28, 0.46), dice.between(0.36, 0.5)
    belly = dice.between(-0.06, 0.1)
    wall = dice.between(0.03, 0.06)
    floor = dice.between(0.04, 0.09)
    waist = dice.between(0.35, 0.65)

    def radius(t: float) -> float:
        """Of the outside at a height from 0 to 1."""
        bulge = belly * math.sin(math.pi * t ** (math.log(0.5) / math.log(waist)))
        return foot + (rim - foot) * t + bulge

    steps = [k / 24 for k in range(25)]
    edge = dice.between(0.02, 0.08)
    profile: list[tuple[float, float]] = [(0.0, 0.0)]
    for k in range(5):  # rounded foot
        a = math.pi / 2 * k / 4
        profile.append((radius(0) - edge + edge * math.sin(a), edge * (1 - math.cos(a))))
    profile += [(radius(t), edge + (height - edge - wall / 2) * t) for t in steps[1:]]
    top = radius(1)
    profile += [
        (top - wall / 2 + wall / 2 * math.cos(a), height - wall / 2 + wall / 2 * math.sin(a))
        for a in (math.pi * k / 8 for k in range(1, 9))
    ]
    outer = revolved([*profile, (0.0, profile[-1][1])])
    inner: list[tuple[float, float]] = [(0.0, floor)]
    bend = min(0.1, 0.5 * radius(0))
    for k in range(5):
        a = math.pi / 2 * k / 4
        inner.append((
            radius(0) - wall - bend + bend * math.sin(a), floor + bend * (1 - math.cos(a))
        ))  # fmt: skip
    reach = floor + bend
    for t in steps:
        y = reach + (height - wall / 2 - reach) * t
        if y > reach + 1e-9:
            share = max(0.0, (y - edge) / (height - edge - wall / 2))
            inner.append((radius(min(1, share)) - wall, y))
    inner.append((inner[-1][0], height + 0.2))
    hollow = revolved([*inner, (0.0, height + 0.2)])
    handle = _handle(dice, radius, height, wall)
    return [(0, outer), (1, handle)], [(0, hollow), (1, hollow)]


def _handle(dice: Dice, radius, height: float, wall: float) -> Mesh:
    low, high = dice.between(0.14, 0.3), dice.between(0.68, 0.88)
    reach = dice.between(0.2, 0.36)
    kind = dice.pick("round", "round", "ear", "square")
    inner = [radius(t) - wall * 0.5 for t in (high, low)]
    y0, y1 = high * height, low * height
    x = max(radius(0.5), radius(low), radius(high)) + reach
    a, b = rows((inner[0], y0, 0), (inner[1], y1, 0))
    if kind == "square":
        controls = [a, rows((x, y0, 0))[0], rows((x, y1, 0))[0], b]
        power = 0.35
    elif kind == "ear":
        controls = [a, rows((x * 1.12, y0 + 0.12 * height, 0))[0],
                    rows((x * 0.95, y1 + 0.05 * height, 0))[0], b]  # fmt: skip
        power = 1.0
    else:
        controls = [a, rows((x * 1.1, y0, 0))[0], rows((x * 1.1, y1, 0))[0], b]
        power = 1.0
    path = []
    for t in torch.linspace(0, 1, 28, dtype=torch.float64):
        weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3)
        smooth = sum(w * c for w, c in zip(weights, controls, strict=True))
        if power < 1:  # nearer to the polygon of its controls
            lengths = [0.0, 0.38, 0.62, 1.0]
            k = max(i for i in range(3) if lengths[i] <= float(t) + 1e-12)
            s = (float(t) - lengths[k]) / (lengths[k + 1] - lengths[k])
            straight = controls[k] * (1 - s) + controls[k + 1] * s
            smooth = smooth * power + straight * (1 - power)
        path.append(smooth)
    broad, thin = dice.between(0.05, 0.09), dice.between(0.03, 0.045)
    return sweep(torch.stack(path), [(broad, thin)] * 28, segments=20, side=(0, 0, 1),
                 power=dice.between(2.0, 3.0))  # fmt: skip
