"""What a few valve points tell: the rim of the LV, and the discs of the RV's valves."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.io.contours import Contours

AROUND = 12  # points of a disc on its edge
NEAR = 4.0  # mm from the line between two valves, to be on the wall between them


def rv_valves(contours: Contours, numbers: Sequence[int], axes: Tensor) -> tuple[Tensor, Tensor]:
    """Points (P, 3) on the discs of the tricuspid and the pulmonary valve, and the place (P,) of
    their slice among `numbers`, whose planes `axes` (S, 3, 2) span; none where one of them is not
    seen.

    Long-axis slices are planned through the middle of a valve, along the flow through it: the two
    points of a valve on a slice end a diameter of its annulus, which, taken as a circle, stands
    upright on the slice.
    """
    turn = torch.arange(AROUND) * (2 * math.pi / AROUND)
    ring = torch.stack([torch.cos(turn), torch.sin(turn)], 1)
    disc = torch.cat([ring, 0.5 * ring[::2], torch.zeros(1, 2)])
    found, slots = [], []
    for label in ("tricuspid", "pulmonary"):
        valve, before = contours.of(label), len(found)
        for slot, number in enumerate(numbers):
            ends = valve.points[valve.slice == number].float()
            if len(ends) != 2:
                continue
            middle, half = ends.mean(0), (ends[1] - ends[0]) / 2
            normal = torch.linalg.cross(axes[slot][:, 0], axes[slot][:, 1])
            upright = torch.linalg.cross(torch.linalg.cross(half, normal), half)
            upright = half.norm() * torch.nn.functional.normalize(upright, dim=0)
            found.append(middle + disc[:, :1] * half + disc[:, 1:] * upright)
            slots.append(torch.full((len(disc),), slot))
        if len(found) == before:
            return torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64)
    return torch.cat(found), torch.cat(slots)


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
    show both, within `NEAR` of the line from the mitral point to the aortic point next to it."""
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
            found |= here & walls & (away < NEAR)
    return found
