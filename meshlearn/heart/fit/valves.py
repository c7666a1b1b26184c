"""What a few valve points tell: the rim of the LV, discs of the RV's valves, and its roof."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.heart.data.contours import Contours
from meshlearn.heart.fit.settings import (
    CURTAIN,
    DISC_POINTS,
    ROOF_ACROSS,
    ROOF_ROWS,
    ROOF_TURN,
    SAG,
)


class Annulus(NamedTuple):
    """A valve's annulus, taken as a circle: the slice it was seen on, middle and two radii."""

    slot: int
    middle: Tensor
    half: Tensor
    upright: Tensor

    def at(self, angles: Tensor) -> Tensor:
        """Points (P, 3) on the circle, from its middle."""
        return torch.cos(angles)[:, None] * self.half + torch.sin(angles)[:, None] * self.upright


def rv_annuli(
    contours: Contours, numbers: Sequence[int], axes: Tensor
) -> tuple[list[Annulus], list[Annulus]]:
    """The tricuspid and the pulmonary valve, once a slice that shows it, for slices `numbers` whose
    planes `axes` (S, 3, 2) span; none of both where one is not seen.

    Long-axis slices are planned through the middle of a valve, along the flow through it: the two
    points of a valve on a slice end a diameter of its annulus, which, taken as a circle, stands
    upright on the slice.
    """
    found: list[list[Annulus]] = [[], []]
    for label, rings in zip(("tricuspid", "pulmonary"), found, strict=True):
        valve = contours.of(label)
        for slot, number in enumerate(numbers):
            ends = valve.points[valve.slice == number].float()
            if len(ends) != 2:
                continue
            middle, half = ends.mean(0), (ends[1] - ends[0]) / 2
            normal = torch.linalg.cross(axes[slot][:, 0], axes[slot][:, 1])
            upright = torch.linalg.cross(torch.linalg.cross(half, normal), half)
            upright = half.norm() * torch.nn.functional.normalize(upright, dim=0)
            rings.append(Annulus(slot, middle, half, upright))
    return (found[0], found[1]) if found[0] and found[1] else ([], [])


def rv_discs(annuli: tuple[list[Annulus], list[Annulus]]) -> tuple[Tensor, Tensor]:
    """Points (P, 3) on the discs of the valves, and the slot (P,) of their slice."""
    turn = torch.arange(DISC_POINTS) * (2 * math.pi / DISC_POINTS)
    rings = [r for valve in annuli for r in valve]
    if not rings:
        return torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    parts = [torch.cat([r.at(turn), 0.5 * r.at(turn[::2]), 0 * r.half[None]]) for r in rings]
    found = torch.cat([r.middle + part for r, part in zip(rings, parts, strict=True)])
    slots = torch.tensor([r.slot for r in rings])
    return found, slots.repeat_interleave(len(parts[0]))


def rv_roof(contours: Contours, annuli: tuple[list[Annulus], list[Annulus]]) -> Tensor:
    """Points (P, 3) on the roof of the RV between its valves, which no slice shows.

    The aortic root stands between the two valves and indents the roof: it is taken as a band from
    the one annulus to the other, that sags by `SAG` of their distance towards the cavity. None
    where a valve or the walls of the RV are not seen.
    """
    walls = contours.of("rv_free", "rv_septum", "rv_endo").points.float()
    turn = torch.arange(0, 360, ROOF_TURN) * (math.pi / 180)
    along = torch.arange(1, ROOF_ROWS + 1)[:, None] / (ROOF_ROWS + 1)
    bands = []
    for tricuspid in annuli[0] if len(walls) else []:
        for pulmonary in annuli[1]:
            way = pulmonary.middle - tricuspid.middle
            edges = []
            for valve, sign in ((tricuspid, 1.0), (pulmonary, -1.0)):
                ring = valve.at(turn)
                reach = ring @ way
                nearest = valve.middle + ring[(sign * reach).argmax()]
                edges.append((nearest, ring[reach.abs().argmin()]))
            (begin, wide), (end, wide_end) = edges
            chord = end - begin
            if not chord @ way > 0:  # annuli that overlap have nothing between them
                continue
            wide_end = wide_end if wide @ wide_end > 0 else -wide_end
            down = walls.mean(0) - (begin + end) / 2
            down = down - (down @ chord) / (chord @ chord) * chord
            down = SAG * chord.norm() * torch.nn.functional.normalize(down, dim=0)
            sag = 4 * along * (1 - along) * down
            for w in ROOF_ACROSS:
                line = (1 - along) * (begin + w * wide) + along * (end + w * wide_end)
                bands.append(line + sag)
    return torch.cat(bands) if bands else torch.zeros(0, 3)


def rim_points(contours: Contours) -> Contours:
    """The valve points on the rim of the LV cavity: on slices without the aortic valve all mitral
    ones, else the mitral and the aortic point that are furthest apart."""
    valves = contours.of("mitral", "aortic")
    keep = torch.zeros(len(valves), dtype=torch.bool)
    for number in set(valves.slice.tolist()):
        here = torch.nonzero(valves.slice == number)[:, 0]
        mitral, aortic = (here[valves.take(here).mask(n)] for n in ("mitral", "aortic"))
        if len(mitral) and len(aortic):
            apart = torch.cdist(valves.points[mitral], valves.points[aortic])
            i, j = divmod(int(apart.argmax()), len(aortic))
            keep[mitral[i]] = keep[aortic[j]] = True
        elif len(mitral) == 2:
            keep[mitral] = True
    return valves.take(keep)


def curtain(contours: Contours) -> Tensor:
    """Which points (P,) of the LV's contours lie on the wall between its valves: on slices that
    show both, within `CURTAIN` of the line from the mitral point to the aortic point next to it."""
    found = torch.zeros(len(contours), dtype=torch.bool)
    walls, points = contours.mask("lv_endo", "lv_epi"), contours.points
    for number in contours.slices():
        here = contours.slice == number
        mitral, aortic = (points[here & contours.mask(n)] for n in ("mitral", "aortic"))
        if len(mitral) and len(aortic):
            i, j = divmod(int(torch.cdist(mitral, aortic).argmin()), len(aortic))
            line = aortic[j] - mitral[i]
            along = ((points - mitral[i]) @ line / (line @ line).clamp(min=1e-12)).clamp(0, 1)
            away = (points - mitral[i] - along[:, None] * line).norm(dim=1)
            found |= here & walls & (away < CURTAIN)
    return found
