"""Meshes as cells of a grid: those that the surface crosses, and those inside."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.mesh import Mesh
from meshlearn.mesh.connected import connected_components

_MOST = 2**30  # cells of a grid
_PAIRS = 1 << 20  # faces and cells that are held together at once


class Voxels(NamedTuple):
    """Cells of a regular grid.

    Attributes:
        filled: (X, Y, Z) bool.
        origin: (3,) float64, low corner of cell (0, 0, 0).
        pitch: length of a cell's side, in the mesh's unit.
    """

    filled: Tensor
    origin: Tensor
    pitch: float

    def centres(self) -> Tensor:
        """(N, 3) float64 centres of the filled cells, in lexicographic order."""
        return self.origin + (self.filled.nonzero().double() + 0.5) * self.pitch

    def volume(self) -> float:
        """Of the filled cells, in the mesh's unit cubed."""
        return int(self.filled.sum()) * self.pitch**3


def voxelize(mesh: Mesh, pitch: float, *, fill: bool = True, pad: int = 0) -> Voxels:
    """The cells of a grid that a mesh takes.

    A cell is crossed where a face shares a point with it, sides included, exactly but for rounding.
    Cells that no face crosses are all inside or all outside with those that they touch, so that
    small holes below a cell's size do no harm.

    Args:
        mesh: any; vertices finite.
        pitch: side of a cell. The grid's planes lie at its whole multiples.
        fill: also the cells inside, by the winding number.
        pad: empty cells that are added around.

    Raises:
        ValueError: no faces, vertices that are not finite, or a grid above 2^30 cells.

    Example:
        >>> ball = ml.geometry.voxelize(ml.data.shapes.icosphere(3), 0.05)
        >>> ball.filled.shape
        torch.Size([40, 40, 40])

    Source: T. Akenine-Möller, Fast 3D triangle-box overlap testing, 2001.
    """
    check_mesh(mesh)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    if not (0 < pitch < math.inf):
        raise ValueError(f"pitch: expected a number above 0, got {pitch!r}; pass a cell's side")
    if not isinstance(pad, int) or pad < 0:
        raise ValueError(f"pad: expected a whole number of 0 or more, got {pad!r}")
    triangles = mesh.detach().triangles.double() / pitch
    flat = triangles.reshape(-1, 3)
    low, high = flat.amin(0).floor(), flat.amax(0).ceil()
    low, high = low - pad, torch.maximum(high, low + 1) + pad
    shape = [int(n) for n in (high - low).tolist()]
    if math.prod(float(n) for n in shape) > _MOST:
        raise ValueError(
            f"pitch: {pitch:g} makes a grid of {' x '.join(f'{n:,}' for n in shape)} cells, above "
            f"{_MOST:,}; pass a larger one"
        )
    filled = torch.zeros(shape, dtype=torch.bool, device=mesh.device)
    _cross(triangles - low, filled)
    if fill:
        _fill(mesh, filled, low * pitch, pitch)
    return Voxels(filled, (low * pitch).cpu(), float(pitch))


def _cross(triangles: Tensor, filled: Tensor) -> None:
    """Marks the cells that triangles (F, 3, 3), in units of cells, share a point with."""
    size = torch.tensor(filled.shape, device=filled.device)
    begin = triangles.amin(1).floor().long().clamp(min=0)
    end = torch.minimum(triangles.amax(1).floor().long() + 1, size)
    begin = torch.minimum(begin, size - 1)
    span = (end - begin).clamp(min=1)
    count = span.prod(1)
    ahead = torch.cumsum(count, 0)
    first = 0
    while first < len(triangles):
        before = int(ahead[first - 1]) if first else 0
        last = int(torch.searchsorted(ahead, before + _PAIRS, right=True))
        last = max(last, first + 1)
        rows = torch.arange(first, last, device=filled.device)
        face = rows.repeat_interleave(count[first:last])
        start = (ahead[first:last] - count[first:last] - before).repeat_interleave(
            count[first:last]
        )
        inner = torch.arange(len(face), device=filled.device) - start
        y, z = span[face, 1], span[face, 2]
        cell = begin[face] + torch.stack((inner // (y * z), inner // z % y, inner % z), 1)
        hit = _overlap(triangles[face] - (cell.double() + 0.5)[:, None])
        cell = cell[hit]
        filled[cell[:, 0], cell[:, 1], cell[:, 2]] = True
        first = last


def _overlap(corner: Tensor) -> Tensor:
    """(N,) whether triangles (N, 3, 3) share a point with the cube of side 1 at the origin."""
    a, b, c = corner.unbind(1)
    hit = (corner.amin(1) <= 0.5).all(1) & (corner.amax(1) >= -0.5).all(1)
    edges = (b - a, c - b, a - c)
    normal = torch.linalg.cross(edges[0], edges[1])
    away = (normal * a).sum(1).abs()
    room = 1e-12  # for planes that pass along a side
    hit &= away <= 0.5 * normal.abs().sum(1) * (1 + room) + room
    for edge in edges:
        for axis in range(3):
            p, q = (axis + 1) % 3, (axis + 2) % 3
            # the axis crossed with the edge
            along = corner[:, :, q] * edge[:, None, p] - corner[:, :, p] * edge[:, None, q]
            reach = 0.5 * (edge[:, p].abs() + edge[:, q].abs()) * (1 + room) + room
            hit &= (along.amin(1) <= reach) & (along.amax(1) >= -reach)
    return hit


def _fill(mesh: Mesh, filled: Tensor, low: Tensor, pitch: float) -> None:
    """Marks the cells inside: one question for each set of cells that no face divides."""
    free = ~filled
    number = torch.cumsum(free.reshape(-1), 0).view(free.shape) - 1
    links = []
    for axis in range(3):
        n = free.shape[axis]
        one, two = free.narrow(axis, 0, n - 1), free.narrow(axis, 1, n - 1)
        both = one & two
        links.append(
            torch.stack(
                (number.narrow(axis, 0, n - 1)[both], number.narrow(axis, 1, n - 1)[both]), 1
            )
        )
    count = int(free.sum())
    if not count:
        return
    parts = connected_components(torch.cat(links), count)
    label = parts.labels
    cells = free.nonzero()
    # no face passes through any of its cells, so that the first speaks for all
    first = torch.full((int(parts.count),), count, dtype=torch.int64, device=label.device)
    rows = torch.arange(count, device=label.device)
    first = first.scatter_reduce(0, label, rows, "amin")
    points = (low + (cells[first].double() + 0.5) * pitch).to(mesh.dtype)
    inside = MeshBVH(mesh).winding_number(points).abs() > 0.5
    chosen = cells[inside[label]]
    filled[chosen[:, 0], chosen[:, 1], chosen[:, 2]] = True
