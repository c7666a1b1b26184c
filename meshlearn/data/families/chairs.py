"""Chairs: seat, back, legs, arms. They face +z."""

from __future__ import annotations

import math

import torch

from meshlearn.data.families.solids import Dice, moved, rod, rows, slab, sweep
from meshlearn.mesh import Mesh

PARTS = ("seat", "back", "legs", "arms")
Pieces = list[tuple[int, Mesh]]


def build(dice: Dice) -> tuple[Pieces, Pieces]:
    """Pieces of one chair, and what is cut away (nothing)."""
    width, depth = dice.between(0.19, 0.28), dice.between(0.19, 0.27)  # halves
    top = dice.between(0.38, 0.52)
    thick = dice.between(0.03, 0.09)
    round_seat = dice.chance(0.2)
    if round_seat:
        depth = width
    corner = width if round_seat else dice.between(0.01, 0.09)
    dent = dice.between(0.0, 0.3) * thick
    seat = slab(
        width, depth, top - thick, top, corner=corner, bevel=dice.between(0.2, 0.9) * thick / 2,
        dent=dent,
    )  # fmt: skip
    parts: Pieces = [(0, seat)]
    low = top - thick * 0.5
    parts += [(2, leg) for leg in _legs(dice, width, depth, low, round_seat)]
    back_height = dice.between(0.32, 0.62)
    lean = dice.between(0.0, 14.0)
    inside = depth * 0.92 if not round_seat else depth * 0.8
    breadth = width * (0.75 if round_seat else dice.between(0.85, 1.0))
    for piece in _back(dice, breadth, back_height):
        parts.append((1, moved(piece, (0, low, -inside), turn=("x", -lean))))
    if not round_seat and dice.chance(0.4):
        parts += [(3, arm) for arm in _arms(dice, width, depth, top, low, back_height)]
    return parts, []


def _legs(dice: Dice, width: float, depth: float, low: float, middle: bool) -> list[Mesh]:
    kind = dice.pick("straight", "straight", "splayed", "square", "pedestal", "star", "sled")
    if middle and kind in ("square", "sled"):
        kind = "pedestal"
    radius = dice.between(0.014, 0.03)
    if kind == "pedestal":
        foot = dice.between(0.65, 0.95) * width
        plate = slab(foot, foot, 0, 0.03, corner=foot, bevel=0.012)
        return [plate, rod((0, 0.01, 0), (0, low, 0), radius * 1.6, radius * 1.3)]
    if kind == "star":
        spread = dice.between(0.85, 1.05) * width
        post = rod((0, 0.05, 0), (0, low, 0), radius * 1.4)
        out = [post]
        for k in range(5):
            angle = math.radians(90 + 72 * k)
            end = (spread * math.cos(angle), 0.025, spread * math.sin(angle))
            out += [rod((0, 0.08, 0), end, radius * 1.2, radius * 0.8)]
            out += [rod((end[0], 0.0, end[2]), (end[0], 0.05, end[2]), radius * 0.9)]
        return out
    inset = dice.between(0.75, 0.95) * (0.72 if middle else 1.0)
    x, z = width * inset - radius, depth * inset - radius
    if kind == "sled":
        out = []
        for side in (-1, 1):
            corners = rows((side * x, low, z), (side * x, 0.02, z), (side * x, 0.02, -z),
                           (side * x, low, -z))  # fmt: skip
            path = _bent(corners, 0.05)
            out.append(sweep(path, [(radius, radius)] * len(path), segments=12))
        return out
    splay = dice.between(0.03, 0.1) if kind == "splayed" else 0.0
    power, segments = (6.0, 16) if kind == "square" else (2.0, 16)
    tip = radius * dice.between(0.55, 1.0)
    out = []
    for sx in (-1, 1):
        for sz in (-1, 1):
            end = (sx * (x + splay), 0.0, sz * (z + splay))
            out.append(
                rod(end, (sx * x, low, sz * z), tip, radius, segments=segments, power=power,
                    side=(1, 0, 0))
            )  # fmt: skip
    if dice.chance(0.4):
        height = low * dice.between(0.25, 0.5)
        share = splay * (1 - height / low)
        a, b = x + share, z + share
        for s in (-1, 1):
            out.append(rod((s * a, height, -b), (s * a, height, b), radius * 0.55, segments=10))
        out.append(rod((-a, height, 0), (a, height, 0), radius * 0.5, segments=10))
    return out


def _bent(corners: torch.Tensor, radius: float, steps: int = 6) -> torch.Tensor:
    """A polyline whose inner corners are arcs."""
    out = [corners[0]]
    for a, b, c in zip(corners[:-2], corners[1:-1], corners[2:], strict=True):
        start = b + (a - b) / (a - b).norm() * radius
        end = b + (c - b) / (c - b).norm() * radius
        for t in torch.linspace(0, 1, steps, dtype=torch.float64):
            out.append((1 - t) ** 2 * start + 2 * t * (1 - t) * b + t * t * end)
    out.append(corners[-1])
    return torch.stack(out)


def _back(dice: Dice, breadth: float, height: float) -> list[Mesh]:
    """Standing on the origin, towards -z behind it."""
    kind = dice.pick("panel", "panel", "slats", "ladder", "round")
    thick = dice.between(0.018, 0.04)
    upright = dice.between(0.014, 0.024)

    def board(half_x: float, low: float, high: float, corner: float) -> Mesh:
        plate = slab(half_x, (high - low) / 2, -thick / 2, thick / 2, corner=corner,
                     bevel=thick * 0.45)  # fmt: skip
        return moved(plate, (0, (low + high) / 2, 0), turn=("x", 90))

    if kind == "panel":
        gap = dice.between(0.0, 0.35) * height
        corner = dice.between(0.02, 0.12)
        out = [board(breadth, gap, height, corner)]
        if gap > 0.01:
            place = breadth * dice.between(0.5, 0.85)
            out += [rod((s * place, -0.01, 0), (s * place, gap + 0.1, 0), upright) for s in (-1, 1)]
        else:
            out = [board(breadth, -0.01, height, corner)]
        return out
    if kind == "round":
        radius = min(breadth, height * 0.5)
        middle = height - radius
        out = [board(radius, middle - radius, height, radius)]
        return [*out, *(rod((s * radius * 0.5, -0.01, 0), (s * radius * 0.5, middle, 0), upright)
                        for s in (-1, 1))]  # fmt: skip
    place = breadth - upright
    out = [rod((s * place, -0.01, 0), (s * place, height, 0), upright) for s in (-1, 1)]
    rail = height * dice.between(0.12, 0.25)
    out.append(board(breadth, height - rail, height, dice.between(0.01, 0.06)))
    if kind == "ladder":
        count = 2 + dice.chance(0.5)
        for k in range(count):
            y = (height - rail) * (k + 0.6) / count
            out.append(board(place, y, y + rail * 0.55, 0.008))
        return out
    count = 3 + int(dice.between(0, 4))
    for k in range(count):
        x = place * (2 * (k + 1) / (count + 1) - 1)
        out.append(rod((x, -0.01, 0), (x, height - rail * 0.5, 0), upright * 0.6, segments=10))
    return out


def _arms(
    dice: Dice, width: float, depth: float, top: float, low: float, back: float
) -> list[Mesh]:  # fmt: skip
    height = min(dice.between(0.16, 0.24), back * 0.7)
    radius = dice.between(0.014, 0.024)
    broad = dice.between(1.0, 1.8)
    out = []
    for side in (-1, 1):
        x = side * (width - radius)
        rail = slab(radius * broad, depth * 0.98, -radius * 0.7, radius * 0.7, corner=radius,
                    bevel=radius * 0.5)  # fmt: skip
        out.append(moved(rail, (x, top + height, 0)))
        for z in (0.7 * depth, -0.75 * depth):
            out.append(rod((x, low, z), (x, top + height, z), radius * 0.85, segments=12))
    return out
