"""Point clouds before they are fitted: their normals, and what a flood from outside reaches."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn.mesh.connected import connected_components
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.spanning_forest import carried_signs
from meshlearn.reconstruct.targets.dipoles import dipole_sum


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
    or a dish are left, as either side may be meant. Of several closed parts each is turned by
    itself: into the hollow where it lies in an odd number of others, else outward.

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
        return unit, said
    if _inside_out(points, unit):
        unit = -unit
        said.append("normals: they point inward; they are turned around")
    turn, parts = _inward_parts(points, unit, index)
    if turn is not None:
        unit = torch.where(turn[:, None], -unit, unit)
        said.append(
            f"normals: those of some of its {parts} parts ({int(turn.sum()):,} of {len(points):,} "
            "points) point inward, or outward where they line a hollow; they are turned around"
        )
    return unit, said


def _inward_parts(points: Tensor, normals: Tensor, neighbours: Tensor) -> tuple[Tensor | None, int]:
    """(P,) bool, points of closed parts whose normals look the wrong way, or None, and how many
    parts there are: outward is away from what a part goes around, or, within an odd number of
    others, as the walls of a hollow, into it. Parts that are open stay as they are."""
    source = torch.arange(len(points), device=points.device).repeat_interleave(neighbours.shape[1])
    labels, _ = connected_components(torch.stack([source, neighbours.reshape(-1)], 1), len(points))
    sizes = torch.bincount(labels)
    wide = (sizes >= settings.LEAST_POINTS).nonzero()[:, 0]
    if len(wide) < 2 or len(wide) > settings.PARTS_TURNED:
        return None, len(wide)
    clouds = [_Cloud(points[labels == part], normals[labels == part]) for part in wide.tolist()]
    sides = [cloud.side for cloud in clouds]
    if sides.count(0) > len(sides) - 2:  # a part alone is looked at with all others
        return None, len(wide)
    turn = torch.zeros_like(labels, dtype=torch.bool)
    for part, cloud, side in zip(wide.tolist(), clouds, sides, strict=True):
        around = sum(
            bool(other.holds(cloud.points))
            for other, known in zip(clouds, sides, strict=True)
            if known and other is not cloud
        )
        if side and side != (-1 if around % 2 else 1):
            turn |= labels == part
    return (turn if bool(turn.any()) else None), len(wide)


class _Cloud:
    """Oriented points and the winding number of what they bound, a multiple of the true one: the
    areas of points are known but for a factor, which how they are spread decides.

    Attributes:
        points: (P, 3).
        within: winding numbers at places of a lattice in their box, away from the points.
        peak: the largest magnitude of these, but for a few.
    """

    def __init__(self, points: Tensor, normals: Tensor) -> None:
        self.points = points
        order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
        chosen = order[: settings.WINDING_POINTS].to(points.device)
        ring = min(settings.RING, len(points) - 1)
        tree = geometry.PointTree(points)
        found = tree.knn(points[chosen], ring + 1)[0]
        squared, near = found[:, ring], min(settings.NEAR_RING, ring)
        area = math.pi * squared / max(1, ring)
        if near:  # of a speck far from the rest little, see `point_areas`
            most = settings.AREA_MOST * math.pi / near * found[:, near]
            area = torch.minimum(area, most)
        self._area = area * (len(points) / len(chosen))
        self._places, self._normals = points[chosen], normals[chosen]
        self._low, self._high = points.amin(0), points.amax(0)
        steps = (torch.arange(settings.INSIDE_LATTICE) + 0.5).to(points) / settings.INSIDE_LATTICE
        lattice = self._low + torch.cartesian_prod(steps, steps, steps) * (self._high - self._low)
        spacing = float((squared / max(1, ring)).sqrt().median())
        away = tree.knn(lattice, 1)[0][:, 0].sqrt()
        self.within = self.winding(lattice[away > settings.INSIDE_CLEAR * spacing])
        self.peak = float(self.within.abs().quantile(0.95)) if len(self.within) else 0.0

    def winding(self, places: Tensor) -> Tensor:
        """(N,) at places (N, 3)."""
        dipole = self._normals * (self._area / (4 * math.pi))[:, None]
        return dipole_sum(places, self._places, dipole, torch.finfo(places.dtype).tiny ** (1 / 3))

    @property
    def side(self) -> int:
        """1 where the normals of a closed cloud point outward, -1 where inward: the winding number
        is about the same everywhere in what they enclose. 0 for an open one, and what is too thin
        to tell; there it falls towards the opening."""
        inside = self.within[self.within.abs() > settings.INSIDE_HALF * self.peak]
        if not len(inside):
            return 0
        low, middle, high = inside.quantile(inside.new_tensor([0.1, 0.5, 0.9])).tolist()
        if high - low >= settings.INSIDE_OUT * abs(middle):
            return 0
        return 1 if middle > 0 else -1

    def holds(self, points: Tensor) -> bool:
        """Whether most of some points lie within the closed cloud."""
        some = points[:: max(1, len(points) // settings.HELD_PROBES)]
        if not bool(((some > self._low) & (some < self._high)).all(1).any()):
            return False
        winding = self.winding(some).abs()
        return bool((winding > settings.INSIDE_HALF * self.peak).double().mean() > 0.5)


def _inside_out(points: Tensor, normals: Tensor) -> bool:
    """Whether oriented points look into what they enclose, or, of an open cloud that goes around
    something, into that."""
    cloud = _Cloud(points, normals)
    if not len(cloud.within) or cloud.side < 0:
        return bool(len(cloud.within))
    least, most = float(cloud.within.amin()), float(cloud.within.amax())
    return -least > max(settings.TURNED * most, settings.TURNED_LEAST)
