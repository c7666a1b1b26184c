"""Attributes of a surface taken over by another one that lies on it, or near it.

A new vertex takes what the old surface has at its nearest point, a new face what the face nearest
to its centre has. Values of corners (texture coordinates, normals at sharp edges) are continuous
within a chart, the faces joined by edges at whose ends they agree, and jump where charts meet, or
where a chart meets itself. A new face belongs to the chart that is nearest to its centre; from
there its values are followed towards each corner, within the chart, and end where they jump. So no
face mixes two sides of a seam; what it has beyond the seam is that of the seam.
"""

from __future__ import annotations

import math
import re

import torch
from torch import Tensor

from meshlearn.geometry.bvh import MeshBVH
from meshlearn.mesh import CornerAttribute, Mesh, Topology

_APART = 4.0  # of the surface's size: the distance of charts, so that none is nearer than its own
_STEPS = 4  # from a face's centre to a corner, by which a jump of values is looked for
_HALVINGS = 8  # that find the place of a jump, to 1/1000 of the way
_JUMP = 4.0  # times the change that the slopes at both ends of a step allow: more is a jump
_SAME = 1e-6  # a change that is none


def carry_attributes(old: Mesh, made: Mesh) -> Mesh:
    """The mesh `made` with the attributes and materials of `old`.

    Texture coordinates and normals of vertices that differ where vertices meet become attributes
    of corners. Floats are mixed, and colours of bytes; other whole numbers are those of the nearest
    corner.

    Args:
        old, made: on the CPU, of one dtype; at least one face each.
    """
    corner_attributes = corner_values(old)
    if not (old.vertex_attributes or old.face_attributes or corner_attributes):
        return Mesh(made.vertices, made.faces, materials=old.materials) if old.materials else made
    tree = MeshBVH(old)
    vertex: dict[str, Tensor] = {}
    smooth = [name for name in old.vertex_attributes if name not in corner_attributes]
    if smooth:
        _, face, weight = tree.closest(made.vertices)
        for name in smooth:
            values = old.vertex_attributes[name][old.faces[face]]
            vertex[name] = mixed(name, values, weight)
    face_attributes, corner = {}, {}
    if old.face_attributes or corner_attributes:
        _, nearest, _ = tree.closest(made.vertices[made.faces].mean(1))
        face_attributes = {name: v[nearest] for name, v in old.face_attributes.items()}
        corner = {
            name: _at_corners(name, item, old, made, nearest)
            for name, item in corner_attributes.items()
        }
    return Mesh(
        made.vertices,
        made.faces,
        vertex_attributes=vertex,
        face_attributes=face_attributes,
        corner_attributes=corner,
        materials=old.materials,
    )


def corner_values(mesh: Mesh) -> dict[str, CornerAttribute]:
    """Attributes of corners, and what vertices at one position differ in as such."""
    return {**_seams(mesh), **mesh.corner_attributes}


def _seams(mesh: Mesh) -> dict[str, CornerAttribute]:
    """Texture coordinates and normals of vertices that differ at one position, as of corners."""
    found = {}
    names = [n for n in mesh.vertex_attributes if re.fullmatch(r"uv\d*|normal", n)]
    if names:
        edit = mesh.merge_vertices()
        first = torch.full((edit.mesh.num_vertices,), mesh.num_vertices)
        rows = torch.arange(mesh.num_vertices)
        first = first.scatter_reduce(0, edit.vertex_map, rows, "amin")[edit.vertex_map]
        for name in names:
            values = mesh.vertex_attributes[name]
            if values.dim() == 2 and not torch.equal(values, values[first]):
                found[name] = CornerAttribute(values, mesh.faces)
    return found


def mixed(name: str, values: Tensor, weight: Tensor) -> Tensor:
    """(N, ...) of values (N, 3, ...) at corners, by barycentric weights (N, 3)."""
    weights = weight.view(-1, 3, *[1] * (values.dim() - 2))
    if values.is_floating_point():
        mixed = (values * weights.to(values.dtype)).sum(1)
        if name == "normal" and mixed.shape[1:] == (3,):
            mixed = torch.nn.functional.normalize(mixed, dim=1)
        return mixed
    if name == "color" and values.dtype == torch.uint8:
        return (values * weights).sum(1).round().clamp(0, 255).to(torch.uint8)
    return values[torch.arange(len(values)), weight.argmax(1)]


def charts(mesh: Mesh, item: CornerAttribute) -> tuple[Tensor, int]:
    """(F,) int64 chart of each face by an attribute of corners, and how many there are: faces on
    both sides of an edge are of one where they agree in the values at both its ends."""
    place = mesh.merge_vertices().vertex_map[mesh.faces]
    value = torch.unique(item.values, dim=0, return_inverse=True)[1][item.index]
    key = place * max(len(item.values), 1) + value
    distinct, corner = torch.unique(key, return_inverse=True)
    return Topology(corner, len(distinct)).components()


class _Charts:
    """Nearest points of a surface within given charts of a corner attribute."""

    def __init__(self, item: CornerAttribute, old: Mesh, reach: float) -> None:
        self.item, self.old = item, old
        self.chart, count = charts(old, item)
        # all charts apart from each other, so that one tree finds the nearest point of each
        self.low = old.vertices.amin(0).double()
        self.side = max(1, math.ceil(count ** (1 / 3)))
        self.step = _APART * reach
        triangles = self._apart(old.vertices[old.faces], self.chart[:, None].expand(-1, 3))
        corners = torch.arange(3 * old.num_faces).view(-1, 3)
        self.tree = MeshBVH(Mesh(triangles.reshape(-1, 3), corners))
        self.slope = self._slopes() if item.values.is_floating_point() else None

    def _apart(self, points: Tensor, chart: Tensor) -> Tensor:
        n = self.side
        cell = torch.stack((chart % n, chart // n % n, chart // (n * n)), -1)
        return points.double() - self.low + self.step * cell.double()

    def _slopes(self) -> Tensor:
        """(F,) most change of the values by length along a face's edges."""
        points, values = self.old.triangles.double(), self.item.dense().double()
        length = (points - points.roll(1, 1)).norm(dim=2).clamp(min=1e-300)
        return ((values - values.roll(1, 1)).norm(dim=2) / length).amax(1)

    def at(self, points: Tensor, chart: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Face (N,), weights (N, 3) and place (N, 3) of the nearest point of charts (N,)."""
        _, face, weight = self.tree.closest(self._apart(points, chart))
        return face, weight, (self.old.triangles[face].double() * weight[..., None]).sum(1)

    def values(self, name: str, face: Tensor, weight: Tensor) -> Tensor:
        return mixed(name, self.item.values[self.item.index[face]], weight)


def _at_corners(
    name: str, item: CornerAttribute, old: Mesh, made: Mesh, nearest: Tensor
) -> CornerAttribute:
    """The values of a corner attribute at the corners of the new faces, of which `nearest` (F',)
    are the nearest old ones."""
    both = torch.cat((old.vertices, made.vertices)).double()
    within = _Charts(item, old, float((both.amax(0) - both.amin(0)).norm()))
    chart = within.chart[nearest].repeat_interleave(3)
    end = made.vertices[made.faces].double()
    centre = end.mean(1, keepdim=True).expand_as(end).reshape(-1, 3)
    end = end.reshape(-1, 3)
    face, weight, _ = within.at(end, chart)
    found = within.values(name, face, weight)
    if within.slope is not None:
        seam, clear = _seam_on_the_way(within, centre, end, chart)
        if len(seam):
            way = centre[seam] + clear[:, None] * (end - centre)[seam]
            face, weight, _ = within.at(way, chart[seam])
            found[seam] = within.values(name, face, weight)
    values, index = torch.unique(found, dim=0, return_inverse=True)
    return CornerAttribute(values, index.view(-1, 3))


def _seam_on_the_way(
    within: _Charts, centre: Tensor, end: Tensor, chart: Tensor
) -> tuple[Tensor, Tensor]:
    """Where values jump on the way from `centre` to `end` (N, 3): which ways (J,), and the share
    (J,) of each that is before the jump."""
    low = torch.zeros(len(end), dtype=torch.float64)
    high = torch.full_like(low, 2.0)  # of no jump
    before = _Place(within, centre, chart)
    for k in range(1, _STEPS + 1):
        open_ = (high > 1).nonzero().squeeze(1)
        share = torch.full((len(open_),), k / _STEPS, dtype=torch.float64)
        _step(within, before, centre, end, chart, low, high, open_, share)
    seam = (high <= 1).nonzero().squeeze(1)
    for _ in range(_HALVINGS):
        _step(within, before, centre, end, chart, low, high, seam, (low[seam] + high[seam]) / 2)
    return seam, low[seam]


class _Place:
    """Points on a surface with their values and slopes."""

    def __init__(self, within: _Charts, points: Tensor, chart: Tensor) -> None:
        assert within.slope is not None
        face, weight, self.point = within.at(points, chart)
        self.value = within.values("", face, weight).double()
        self.slope = within.slope[face]


def _step(within, before, centre, end, chart, low, high, rows, share) -> None:
    """Takes the ways `rows` on to `share`, which becomes their `low`, or behind a jump `high`."""
    way = centre[rows] + share[:, None] * (end[rows] - centre[rows])
    there = _Place(within, way, chart[rows])
    length = (there.point - before.point[rows]).norm(dim=1)
    change = (there.value - before.value[rows]).norm(dim=1)
    jump = change > _JUMP * length * torch.maximum(there.slope, before.slope[rows]) + _SAME
    high[rows[jump]] = share[jump]
    on = rows[~jump]
    low[on] = share[~jump]
    for name in ("point", "value", "slope"):
        getattr(before, name)[on] = getattr(there, name)[~jump]
