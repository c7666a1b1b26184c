"""Normals of points that have none: directions by planes, sides by neighbours and by the whole.

(R1) the direction of least variance of as many neighbours as the noise asks for
(R2) sides carried along the pairs of near points whose directions agree best (Hoppe et al. 1992)
(R3) sides by the whole: the indicator that all points make together (`spectral`) rises outward; a
     point against its slope is turned, and the indicator made anew, until none is. What (R2) got
     wrong beyond a gap or a thin place is outvoted by the rest of the surface.
(R4) directions again from the smoothed points, neighbours on the other side of an edge left out
(R5) where there is little noise, those of quadrics (`quadrics`), with as few neighbours as it lets

Source of (R3): after Hou et al., "Iterative Poisson Surface Reconstruction (iPSR) for Unoriented
Points" (2022), who take directions too from the surface of each round.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from meshlearn import geometry
from meshlearn.geometry.splatting import gather_at
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.poisson.planes import smoothed_points
from meshlearn.reconstruct.poisson.quadrics import quadric_normals
from meshlearn.reconstruct.poisson.spectral import point_areas, spectral_indicator


def unit_box(points: Tensor, pad: float) -> tuple[Tensor, Tensor, float]:
    """Points in a box of side 1, `pad` times their longest side, with its middle and its side."""
    low, high = points.amin(0), points.amax(0)
    middle, side = (low + high) / 2, float((high - low).max()) * pad
    return (points - middle) / side + 0.5, middle, side


def slopes_at(chi: Tensor, at: Tensor) -> Tensor:
    """(P, 3) central differences of a periodic field (X, Y, Z) at places in cells."""
    found = [(chi.roll(-1, axis) - chi.roll(1, axis)) / 2 for axis in range(3)]
    return gather_at(at, torch.stack(found))


def oriented_normals(points: Tensor, *, noise: float, spacing: float) -> Tensor:
    """Unit normals (P, 3) of an unoriented cloud, outward as far as it is closed.

    Args:
        points: (P, 3), at least 16, outliers taken out.
        noise, spacing: of the points, see `point_noise` and `point_spacing`.

    Example:
        >>> normals = oriented_normals(points, noise=point_noise(points), spacing=0.01)
    """
    ratio = noise / max(spacing, 1e-300)
    count = settings.ORIENT_NEIGHBOURS + settings.ORIENT_NOISE * ratio
    normals = plane_normals(points, int(min(count, settings.ORIENT_MOST, len(points) - 1)))
    normals = sides_by_the_whole(points, sides_by_neighbours(points, normals))
    for _ in range(settings.ORIENT_ROUNDS):
        near = smoothed_points(points, normals, noise=noise, spacing=spacing)[0]
        normals = _refined(near, normals, spacing, noise)
    if ratio <= settings.ORIENT_QUADRIC:  # (R5)
        count = int(settings.ORIENT_BENT + settings.ORIENT_BENT_NOISE * ratio)
        every = torch.arange(len(points), device=points.device)
        normals = quadric_normals(geometry.PointTree(points), normals, every, neighbours=count)
    return sides_by_the_whole(points, normals)


def plane_normals(points: Tensor, neighbours: int) -> Tensor:
    """(R1) (P, 3) directions of least variance of the nearest points, either way."""
    tree, found = geometry.PointTree(points), []
    for part in points.split(max(256, settings.PLANE_PAIRS // neighbours)):
        near = points[tree.knn(part, neighbours + 1)[1]].double()
        offset = near - near.mean(1, keepdim=True)
        found.append(torch.linalg.eigh(offset.transpose(1, 2) @ offset)[1][..., 0])
    return torch.cat(found).to(points)


def sides_by_neighbours(points: Tensor, normals: Tensor) -> Tensor:
    """(R2) normals turned to agree with their neighbours, each part outward on the whole."""
    from meshlearn.reconstruct.spanning_forest import carried_signs

    order = torch.randperm(len(points), generator=torch.Generator().manual_seed(0))
    some = order[: settings.ORIENT_CARRIED].to(points.device)
    cloud, own = points[some], normals[some]
    few = min(settings.SIGN_NEIGHBOURS, len(cloud) - 1)
    index = geometry.knn(cloud, cloud, few + 1)[1][:, 1:]
    cosine = (own[:, None] * own[index]).sum(2)
    rank = torch.argsort((1 - cosine.abs()).reshape(-1), stable=True)
    source = torch.arange(len(cloud), device=points.device).repeat_interleave(few)
    pairs = torch.stack([source, index.reshape(-1), (cosine.reshape(-1) < 0).long()], 1)[rank]
    sign, part = carried_signs(pairs.cpu().tolist(), len(cloud))
    own = own * torch.tensor(sign, device=points.device).to(own)[:, None]
    label = torch.tensor(part, device=points.device)
    for root in torch.unique(label):
        member = label == root
        middle = cloud[member].double().mean(0)
        if float(((cloud[member].double() - middle) * own[member]).sum()) < 0:
            own[member] *= -1
    if len(cloud) == len(points):
        out = torch.empty_like(normals)
        out[some] = own
        return out
    near = geometry.knn(points, cloud, settings.SHEET_NEIGHBOURS)[1]
    vote = (own[near] * normals[:, None]).sum(2).sum(1, keepdim=True)
    return torch.where(vote < 0, -normals, normals)


def sides_by_the_whole(points: Tensor, normals: Tensor) -> Tensor:
    """(R3) normals turned to the slope of the indicator that they make together."""
    nodes = settings.ORIENT_NODES
    near, _, _ = unit_box(points, settings.POISSON_PAD)
    weights = point_areas(geometry.knn(near, near, min(13, len(near)))[0])
    for step in range(settings.ORIENT_TURNS):
        sigma = settings.ORIENT_SIGMA if step < settings.ORIENT_TURNS // 2 else 1.0
        chi = spectral_indicator(near, normals, weights, nodes, sigma=sigma)
        if float(chi[0, 0, 0]) < 0:  # more of it points inward
            normals, chi = -normals, -chi
        against = (slopes_at(chi, near * nodes) * normals).sum(1) < 0
        if not bool(against.any()):
            break
        normals = torch.where(against[:, None], -normals, normals)
    return normals


def _refined(points: Tensor, normals: Tensor, spacing: float, noise: float) -> Tensor:
    """(R4) directions of least variance of neighbours weighted by distance and by normals."""
    ratio = noise / max(spacing, 1e-300)
    count = int(settings.ORIENT_NEIGHBOURS + settings.ORIENT_REFINED * min(ratio, 1.0))
    count = min(count, len(points))
    tree, found = geometry.PointTree(points), []
    size = max(256, settings.PLANE_PAIRS // count)
    for part, own in zip(points.split(size), normals.split(size), strict=True):
        squared, index = tree.knn(part, count)
        apart = ((normals[index] - own[:, None]) ** 2).sum(2)
        weight = torch.exp(-0.5 * apart / settings.ORIENT_TURN**2)
        weight = weight * torch.exp(-squared / squared[:, -1:].clamp(min=1e-300))
        weight = weight.double()[..., None]
        near = points[index].double()
        middle = (near * weight).sum(1, keepdim=True) / weight.sum(1, keepdim=True)
        offset = near - middle
        axis = torch.linalg.eigh(offset.transpose(1, 2) @ (offset * weight))[1][..., 0].to(own)
        side = (axis * own).sum(1, keepdim=True)
        found.append(torch.where(side < 0, -axis, axis))
    return normalize(torch.cat(found), dim=1)
