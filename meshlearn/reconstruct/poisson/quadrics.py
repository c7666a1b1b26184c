"""Normals of points by quadrics: a plane of neighbours leans where the surface bends."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import normalize

from meshlearn import geometry
from meshlearn.reconstruct import settings


def quadric_normals(
    tree: geometry.PointTree, normals: Tensor, chosen: Tensor, *, neighbours: int
) -> Tensor:
    """(Q, 3) unit normals at chosen points (Q,) of the tree, of quadrics over their planes.

    A height over the tangent plane, of six coefficients, is fitted to the neighbours; those whose
    normals (P, 3) differ, as beyond an edge, count less. Sides stay.

    Example:
        >>> normals = quadric_normals(tree, normals, torch.arange(len(normals)), neighbours=12)
    """
    points, count = tree.points, min(neighbours, len(tree.points))
    found = []
    for part in chosen.split(max(256, settings.PLANE_PAIRS // count)):
        own = normals[part]
        squared, index = tree.knn(points[part], count)
        apart = ((normals[index] - own[:, None]) ** 2).sum(2) / settings.ORIENT_TURN**2
        wide = squared[:, -1:].clamp(min=1e-30)
        weight = torch.exp(-0.5 * apart - squared / wide).double()[..., None]
        least = torch.nn.functional.one_hot(own.abs().argmin(1), 3).to(own)
        one = normalize(torch.linalg.cross(own, least), dim=1)
        two = torch.linalg.cross(own, one)
        frame = torch.stack((one, two, own), 2)
        u, v, z = ((points[index] - points[part][:, None]) @ frame / wide[..., None].sqrt()).unbind(
            2
        )
        basis = torch.stack((torch.ones_like(u), u, v, u * u, u * v, v * v), 2).double()
        matrix = basis.transpose(1, 2) @ (basis * weight)
        matrix = matrix + 1e-3 * torch.eye(6, dtype=matrix.dtype, device=matrix.device)
        right = (basis * weight).transpose(1, 2) @ z.double()[..., None]
        slope = torch.linalg.solve(matrix, right)[:, 1:3, 0].to(own)
        found.append(normalize(own - slope[:, :1] * one - slope[:, 1:] * two, dim=1))
    return torch.cat(found) if found else normals[:0]
