"""Point clouds before they are fitted: their normals, and what a flood from outside reaches."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.spanning_forest import carried_signs


def _principal(near: Tensor) -> tuple[Tensor, Tensor]:
    """Variances (P, 3), ascending, and directions (P, 3, 3) of neighbourhoods (P, K, 3)."""
    offset = (near - near.mean(1, keepdim=True)).double()
    return torch.linalg.eigh(offset.transpose(1, 2) @ offset / near.shape[1])


def estimate_normals(points: Tensor, *, neighbours: int = settings.NORMAL_NEIGHBOURS) -> Tensor:
    """Unit normals (P, 3) of an unoriented point cloud, oriented alike from point to point.

    Directions of least variance of the nearest points; signs are carried along the neighbourhood
    graph, from pairs of points whose normals agree best (Hoppe et al. 1992), and each connected
    part turned so that its mean normal points away from its middle.
    """
    count = min(neighbours, len(points) - 1)
    index = geometry.knn(points, points, count + 1)[1][:, 1:]
    normals = _principal(points[index])[1][..., 0]
    few = index[:, : min(settings.SIGN_NEIGHBOURS, count)]
    cosine = (normals[:, None] * normals[few]).sum(2)
    order = torch.argsort((1 - cosine.abs()).reshape(-1), stable=True)
    source = torch.arange(len(points), device=points.device).repeat_interleave(few.shape[1])
    pairs = torch.stack([source, few.reshape(-1), (cosine.reshape(-1) < 0).long()], 1)[order]
    sign, part = carried_signs(pairs.cpu().tolist(), len(points))
    normals = normals * torch.tensor(sign, device=points.device).double()[:, None]
    label = torch.tensor(part, device=points.device)
    for root in torch.unique(label):
        member = label == root
        middle = points[member].double().mean(0)
        if float(((points[member].double() - middle) * normals[member]).sum()) < 0:
            normals[member] *= -1
    return normals.to(points)


def agreeing_normals(points: Tensor, normals: Tensor) -> tuple[Tensor | None, list[str]]:
    """Unit normals (P, 3) that point outward, of those that a file has, and what was changed.

    Zero normals take the direction of the nearest point that has one; where all are zero there are
    none. Signs that differ between neighbours, as from an estimate that oriented nothing, become
    those of `estimate_normals`. Normals that point inward are turned: of a closed cloud, where the
    winding number is the same all over the inside, and negative, and of one that is open but goes
    around something, as a shirt, where it is near -1 and nowhere as far above 0. Those of a sheet
    or a dish are left, as either side may be meant.

    Args:
        points: (P, 3), finite, at least 2.
        normals: (P, 3) of their dtype and device, of any lengths.

    Returns:
        (P, 3) unit normals, or None, and a sentence for each thing that was changed.

    Example:
        >>> normals, changed = agreeing_normals(cloud.points, cloud.normals)
    """
    length = normals.norm(dim=1, keepdim=True)
    has = length[:, 0] > 0
    absent = int((~has).sum())
    if absent == len(points):
        return None, ["normals: all are zero; the points are taken as unoriented"]
    said = []
    unit = normals / torch.where(length > 0, length, 1.0)
    if absent:
        known = has.nonzero()[:, 0]
        near = geometry.knn(points[~has], points[known], 1)[1][:, 0]
        unit[~has] = unit[known[near]]
        said.append(f"normals: {absent} of {len(points)} are zero; they take their neighbours'")
    count = min(settings.SIGN_NEIGHBOURS, len(points) - 1)
    index = geometry.knn(points, points, count + 1)[1][:, 1:]
    cosine = (unit[:, None] * unit[index]).sum(2)
    alike = cosine.abs() > settings.PARALLEL
    # two sheets back to back point against each other and away: each lies behind the other
    step = points[index] - points[:, None]
    behind = ((step * unit[:, None]).sum(2) < 0) & ((step * unit[index]).sum(2) > 0)
    against = float((alike & (cosine < 0) & ~behind).sum()) / max(1, int(alike.sum()))
    if against > settings.MIXED_SIGNS:
        # signs of the points' own planes, which turn gradually over edges where these jump
        unit = torch.where((unit * estimate_normals(points)).sum(1, keepdim=True) < 0, -unit, unit)
        said.append(
            f"normals: {100 * against:.0f} % of neighbours point against each other; their "
            "directions are kept and their sides chosen anew"
        )
    elif _inside_out(points, unit):
        unit = -unit
        said.append("normals: they point inward; they are turned around")
    return unit, said


def _inside_out(points: Tensor, normals: Tensor) -> bool:
    """Whether the winding number of oriented points is negative in what they enclose, and about the
    same everywhere there; in an open cloud it falls towards the opening, and is near 0 outside."""
    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
    chosen = order[: settings.WINDING_POINTS].to(points.device)
    squared = geometry.knn(points[chosen], points, settings.RING + 1)[0][:, settings.RING]
    area = math.pi * squared / settings.RING * (len(points) / len(chosen))
    low, high = points.amin(0), points.amax(0)
    steps = (torch.arange(settings.INSIDE_LATTICE) + 0.5).to(points) / settings.INSIDE_LATTICE
    places = low + torch.cartesian_prod(steps, steps, steps) * (high - low)
    spacing = float((squared / settings.RING).sqrt().median())
    away = geometry.knn(places, points, 1)[0][:, 0].sqrt()
    places = places[away > settings.INSIDE_CLEAR * spacing]
    found = []
    for part in places.split(settings.WINDING_CHUNK // 4):
        r = points[chosen] - part[:, None]
        solid = (r * normals[chosen]).sum(2) / r.norm(dim=2) ** 3
        found.append((solid * area).sum(1) / (4 * math.pi))
    winding = torch.cat(found) if found else points[:0, 0]
    if not len(winding):
        return False
    # the areas of points are known but for a factor, which how they are spread decides
    peak = float(winding.abs().quantile(0.95))
    inside = winding[winding.abs() > settings.INSIDE_HALF * peak]
    low, middle, high = inside.quantile(inside.new_tensor([0.1, 0.5, 0.9])).tolist()
    if middle < 0 and high - low < settings.INSIDE_OUT * -middle:
        return True
    least, most = float(winding.amin()), float(winding.amax())
    return -least > max(settings.TURNED * most, settings.TURNED_LEAST)
