"""Closed parts of a mesh within others: cavities look inward, all else outward."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.geometry.bvh import MeshBVH
from meshlearn.mesh import Mesh
from meshlearn.mesh.repair import component_volumes

_INSIDE = 0.5  # winding number from which on a point is inside: half way from 0 to 1


def inward_parts(mesh: Mesh) -> Tensor:
    """(K,) components, ascending, that are inside out though they lie in no other, and those that
    lie in them, as cavities do.

    Args:
        mesh: finite; faces of a component agree with each other.

    Example:
        >>> wrong = torch.isin(mesh.topology.components().labels, inward_parts(mesh))  # (F,)
    """
    labels, count = mesh.topology.components()
    none = labels[:0]
    if count < 2:
        return none
    volume, closed = component_volumes(mesh.vertices, mesh.topology)
    if not bool((closed & (volume < 0)).any()):
        return none
    corners = mesh.vertices[mesh.faces].double()
    place = labels[:, None].expand(-1, 3)
    low = corners.new_full((count, 3), torch.inf)
    low = low.scatter_reduce(0, place, corners.amin(1), "amin")
    high = (-low).scatter_reduce(0, place, corners.amax(1), "amax", include_self=False)
    some = torch.zeros(count, dtype=torch.int64, device=labels.device)
    some[labels] = mesh.faces[:, 0]  # a vertex of each
    bodies: dict[int, MeshBVH] = {}

    def held(inner: Tensor, outer: int) -> Tensor:
        """Which components lie within another one."""
        within = (low[outer] <= low[inner]) & (high[outer] >= high[inner])
        inner = inner[within.all(1) & (inner != outer)]
        if not len(inner):
            return inner
        if outer not in bodies:
            bodies[outer] = MeshBVH(mesh.submesh(labels == outer).mesh)
        winding = bodies[outer].winding_number(mesh.vertices[some[inner]])
        return inner[winding.abs() > _INSIDE]

    solid = closed.nonzero()[:, 0]
    inward = solid[volume[solid] < 0]
    free = torch.zeros_like(closed)
    free[inward] = True
    for outer in solid.tolist():
        left = free.nonzero()[:, 0]
        if not len(left):
            break
        free[held(left, outer)] = False
    turned = free.clone()
    for outer in free.nonzero()[:, 0].tolist():
        turned[held(solid, outer)] = True
    return turned.nonzero()[:, 0]
