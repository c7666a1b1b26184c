"""How well the boundaries of two open surfaces agree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from meshlearn import geometry
from meshlearn._segment import stable_mean

if TYPE_CHECKING:
    from meshlearn.mesh import Mesh


def boundary_points(mesh: Mesh, count: int) -> Tensor:
    """(count, 3) points evenly along the boundary edges laid end to end; (0, 3) for a closed mesh.

    Args:
        mesh: the mesh.
        count: how many, at least 1.
    """
    ends = mesh.vertices[mesh.topology.edges[mesh.topology.boundary_edges]]
    length = (ends[:, 1] - ends[:, 0]).norm(dim=1).double()
    total = torch.cumsum(length, 0)
    if not len(total) or not float(total[-1]) > 0:
        return mesh.vertices.new_zeros(0, 3)
    place = (torch.arange(count, device=mesh.device, dtype=torch.float64) + 0.5) / count * total[-1]
    edge = torch.searchsorted(total, place).clamp(max=len(total) - 1)
    along = ((place - (total - length)[edge]) / length[edge].clamp(min=1e-300)).clamp(0, 1)
    a, b = ends[edge, 0], ends[edge, 1]
    return a + along[:, None].to(a) * (b - a)


def compare_boundaries(pred: Mesh, target: Mesh, count: int) -> dict[str, float | int]:
    """Figures of open surfaces; see `compare`, which calls this in units of the diagonal."""
    out: dict[str, float | int] = {}
    for name, mesh in (("pred", pred), ("target", target)):
        out[f"boundary_loops_{name}"] = len(mesh.topology.boundary_loops())
        out[f"euler_{name}"] = mesh.topology.euler_number
    mine, theirs = boundary_points(pred, count), boundary_points(target, count)
    if not len(mine) or not len(theirs):
        out["boundary_chamfer"] = 0.0 if not len(mine) and not len(theirs) else math.inf
        return out
    means = [
        float(stable_mean(geometry.knn(x, y, 1)[0][:, 0].clamp(min=0).sqrt()))
        for x, y in ((mine, theirs), (theirs, mine))
    ]
    out["boundary_chamfer"] = sum(means) / 2
    return out
