"""Lengths of edges that `remesh` wants at vertices: short where the surface bends, else long.

With κ the largest curvature at a vertex, an edge of length s on a circle of curvature κ leaves the
triangle ε away from the surface (Dunyach et al., 2013, 3.1):

(I6) s = 3/4 √(6 ε / κ - 3 ε²), since edges of 4/3 s stay, between a shortest and a longest length
(I7) s <= s' + g d for vertices d apart, so that lengths change slowly

Source: M. Dunyach, D. Vanderhaeghe, L. Barthe, M. Botsch, Adaptive remeshing for real-time mesh
deformation, 2013.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from meshlearn.geometry.curvature import curvature
from meshlearn.geometry.edge_passes import LONG
from meshlearn.geometry.remesh_features import Features
from meshlearn.mesh import Mesh

GROW = 0.5  # g of (I7)
FINEST = 16.0  # an error makes edges shorter than the longest by no more than this
SPREAD = 4.0  # without one, lengths are between the wanted one by this, and times this
_CALM = 3  # times that curvatures are averaged over neighbours
_HALVINGS = 60
_STEPS = 400  # of (I7), each along one edge


def sizes_by_error(mesh: Mesh, kept: Features, error: float) -> Tensor:
    """(V,) lengths at which triangles are about `error` from the surface, at most 1."""
    bend = _bend(mesh, kept).clamp(min=1e-300)
    size = (6 * error / bend - 3 * error * error).clamp(min=0).sqrt() / LONG  # (I6)
    return _slowly(mesh, size.clamp(1 / FINEST, 1.0))


def sizes_by_bend(mesh: Mesh, kept: Features) -> Tensor:
    """(V,) lengths by the curvature that make as many triangles as lengths of 1 do."""
    bend = _bend(mesh, kept)
    most = float(bend.max())
    if not most > 0:
        return torch.ones_like(bend)
    shape = _slowly(mesh, (most / bend.clamp(min=1e-12 * most)).sqrt().clamp(max=SPREAD**2))
    area = _areas(mesh)
    low, high = 1 / (2 * float(shape.max())), 1e6
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        size = (middle * shape).clamp(1 / SPREAD, SPREAD)
        if float((area / size**2).sum() / area.sum()) > 1:
            low = middle
        else:
            high = middle
    return _slowly(mesh, (high * shape).clamp(1 / SPREAD, SPREAD))


def faces_of(mesh: Mesh, size: Tensor) -> float:
    """How many triangles lengths (V,) make."""
    return float((_areas(mesh) / size**2).sum()) / (math.sqrt(3) / 4)


def _areas(mesh: Mesh) -> Tensor:
    third = (mesh.face_areas() / 3)[:, None].expand(-1, 3).reshape(-1)
    return torch.zeros(mesh.num_vertices, dtype=third.dtype).index_add_(
        0, mesh.faces.reshape(-1), third
    )


def _bend(mesh: Mesh, kept: Features) -> Tensor:
    """(V,) largest curvature of the surface, or of the line of features, averaged a little. At
    creases and borders the surface's is that of its neighbours beside them."""
    edges = mesh.topology.edges
    found = curvature(mesh)
    bend = torch.maximum(found.minimum.abs(), found.maximum.abs())
    on = torch.zeros(mesh.num_vertices, dtype=torch.bool)
    on[edges[kept.edge].reshape(-1)] = True
    known = ~on & torch.isfinite(bend)
    bend = torch.where(known, bend, 0)
    for _ in range(_CALM):
        bend, known = _averaged(edges, bend, known)
    return torch.maximum(bend, _line_bend(mesh, edges[kept.edge], kept.corner))


def _averaged(edges: Tensor, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    total, count = values * known, known.to(values.dtype)
    sums, counts = total.clone(), count.clone()
    for one, other in ((0, 1), (1, 0)):
        sums.index_add_(0, edges[:, one], total[edges[:, other]])
        counts.index_add_(0, edges[:, one], count[edges[:, other]])
    return sums / counts.clamp(min=1), counts > 0


def _line_bend(mesh: Mesh, ends: Tensor, corner: Tensor) -> Tensor:
    """(V,) by how much lines of features turn, by length; 0 off them and in their corners."""
    way = mesh.vertices[ends[:, 1]] - mesh.vertices[ends[:, 0]]
    length = way.norm(dim=1)
    unit = way / length.clamp(min=1e-300)[:, None]
    turn = torch.zeros_like(mesh.vertices)
    turn.index_add_(0, ends[:, 0], unit).index_add_(0, ends[:, 1], -unit)
    reach = torch.zeros(mesh.num_vertices, dtype=length.dtype)
    for side in (0, 1):
        reach.index_add_(0, ends[:, side], length / 2)
    plain = ~corner & (reach > 0)
    return torch.where(plain, turn.norm(dim=1) / reach.clamp(min=1e-300), 0)


def _slowly(mesh: Mesh, size: Tensor) -> Tensor:
    """(I7)"""
    edges = mesh.topology.edges
    way = GROW * (mesh.vertices[edges[:, 1]] - mesh.vertices[edges[:, 0]]).norm(dim=1)
    for _ in range(_STEPS):
        slow = size.clone()
        slow.scatter_reduce_(0, edges[:, 0], size[edges[:, 1]] + way, "amin")
        slow.scatter_reduce_(0, edges[:, 1], size[edges[:, 0]] + way, "amin")
        if torch.equal(slow, size):
            break
        size = slow
    return size
