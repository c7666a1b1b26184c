"""Wings of both sides: panels and winglets. They fly towards -x, their span lies along z."""

from __future__ import annotations

import math

from meshlearn.data.families.planes import panel
from meshlearn.data.families.solids import Dice, airfoil, mirrored
from meshlearn.mesh import Mesh

PARTS = ("panels", "winglets")
Pieces = list[tuple[int, Mesh]]


def build(dice: Dice) -> tuple[Pieces, Pieces]:
    """Pieces of one wing."""
    span = 1.0
    chord = dice.between(0.28, 0.5)
    taper = dice.between(0.3, 1.0)
    kink, inner = dice.between(0.3, 0.5), dice.between(0.6, 0.95)
    slope = math.tan(math.radians(dice.between(-5, 35)))
    rise = math.tan(math.radians(dice.between(-2, 8)))
    twist = dice.between(0, 5)
    section = airfoil(dice.between(0.0, 0.06), dice.between(0.3, 0.5), dice.between(0.14, 0.24))

    def station(s: float) -> tuple[tuple[float, float, float], float, float]:
        low = min(1.0, s / kink)
        size = 1 - (1 - inner) * low
        size -= (inner - inner * taper) * max(0.0, (s - kink) / (1 - kink))
        z = s * span
        return (slope * z, rise * z, z), chord * size, twist * (0.5 - s)

    rounding = dice.between(0.0, 1.0)
    shares = [0.0, *(k / 8 for k in range(1, 8)), 0.94, 0.975, 0.99, 1.0]
    stations = []
    for s in shares:
        at, size, turn = station(s)
        edge = max(0.0, (s - 0.92) / 0.08)
        less = 1 - rounding * 0.55 * (1 - math.sqrt(max(0.0, 1 - edge * edge)))
        stations.append(((at[0] + size * (1 - less) * 0.4, at[1], at[2]), size * less, turn))
    wing = panel(stations, section)
    parts: Pieces = [(0, wing), (0, mirrored(wing))]
    if dice.chance(0.5):
        (x, y, z), size, _ = stations[-1]
        up = dice.between(0.1, 0.22)
        cant = math.radians(dice.between(55, 88))
        lean = dice.between(0.3, 0.9)
        steps = (0.0, 0.25, 0.6, 1.0)
        tip = panel(
            [((x + lean * up * t, y - 0.004 + up * t * math.sin(cant),
               z - 0.012 + up * t * math.cos(cant)), size * (1 - 0.55 * t), 0.0) for t in steps],
            airfoil(0.0, 0.4, 0.14), roll=[math.degrees(cant)] * 4,
        )  # fmt: skip
        parts += [(1, tip), (1, mirrored(tip))]
    return parts, []
