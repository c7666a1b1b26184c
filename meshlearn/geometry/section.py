"""Sections: where a plane meets a mesh or a line of points."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._validate import TensorLike, as_tensor
from meshlearn.geometry._space import check_points
from meshlearn.mesh import Mesh, Topology

_SIDES = ((0, 1), (1, 2), (2, 0))


def plane_section(mesh: Mesh, origin: TensorLike, normal: TensorLike) -> Tensor:
    """Segments (S, 2, 3) in which a plane meets the faces of a mesh, one a face that it crosses.

    A vertex on the plane counts as above it, so a closed mesh gives closed lines; a face in the
    plane gives none. Differentiable in the vertices.

    Args:
        mesh: any mesh.
        origin, normal: a point of the plane and its normal of any length, (3,) each.

    Raises:
        ValueError: `mesh` is no Mesh, a shape is wrong, or the normal is zero.

    Example:
        >>> ring = plane_section(ml.data.shapes.icosphere(3), torch.zeros(3), torch.eye(3)[2])
        >>> (ring[:, 1] - ring[:, 0]).norm(dim=1).sum()      # near 2 π
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    side = _heights(mesh.vertices, origin, normal)
    corner, height = mesh.vertices[mesh.faces], side[mesh.faces]  # (F, 3, 3), (F, 3)
    ends, hits = [], []
    for a, b in _SIDES:
        hit, end = _crossings(corner[:, a], corner[:, b], height[:, a], height[:, b])
        ends.append(end)
        hits.append(hit)
    found = []
    for p, q in _SIDES:
        both = hits[p] & hits[q]
        found.append(torch.stack([ends[p][both], ends[q][both]], 1))
    return torch.cat(found)


class SectionLine(NamedTuple):
    """A line in which a plane meets a mesh; seen from the normal's tip, what it encloses is left.

    Attributes:
        points: (N, 3) in order, the first not repeated at the end; differentiable in the vertices.
        closed: whether the last point goes on to the first; else the line ends at borders, or where
            more than two faces meet.
        faces: (N,) int64 of a closed line, (N - 1,) of an open one: the face between each point and
            the next.
        edges: (N, 2) int64, vertices of the edge that each point lies on.
        share: (N,) of the way along that edge, so that ``x[edges[:, 0]] * (1 - share) +
            x[edges[:, 1]] * share`` is any vertex attribute x there.
        area: () signed area that a closed line encloses, negative around a hole; 0 of an open one.
    """

    points: Tensor
    closed: bool
    faces: Tensor
    edges: Tensor
    share: Tensor
    area: Tensor

    def length(self) -> Tensor:
        """() of the line, in the mesh's unit."""
        ahead = self.points.roll(-1, 0) if self.closed else self.points[1:]
        return (ahead - self.points[: len(ahead)]).norm(dim=1).sum()


def section(mesh: Mesh, origin: TensorLike, normal: TensorLike) -> list[SectionLine]:
    """The lines in which a plane meets a mesh, each in order.

    A vertex on the plane counts as above it, so that a closed mesh gives closed lines. Vertices
    that stand at one place, as along seams, are one. Lines are in the order of their first face.

    Args:
        mesh: any, its faces oriented alike; where they are not, lines end.
        origin, normal: a point of the plane and its normal of any length, (3,) each.

    Raises:
        ValueError: `mesh` is no Mesh, a shape is wrong, or the normal is zero.

    Example:
        >>> ring, = ml.geometry.section(ml.data.shapes.icosphere(4), [0, 0, 0], [0, 0, 1])
        >>> ring.closed, round(float(ring.area), 1)
        (True, 3.1)
    """
    return section_stack(mesh, origin, normal, [0.0])[0]


def section_stack(
    mesh: Mesh, origin: TensorLike, normal: TensorLike, heights: TensorLike
) -> list[list[SectionLine]]:
    """The lines of several parallel planes, such as the layers of a print.

    Args:
        mesh, origin, normal: as in `section`.
        heights: (K,) of the planes above `origin` along the normal, in the mesh's unit.

    Returns:
        For each height its lines, as `section` gives them.

    Example:
        >>> layers = section_stack(mesh, mesh.bounds()[0], [0, 0, 1], torch.arange(0, 1, 0.1))
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}; make one with ml.Mesh")
    way = as_tensor(normal, "normal")
    _heights(mesh.vertices[:0], origin, way)  # its checks
    unit = way.to(mesh.device, torch.float64)
    unit = unit / unit.norm()
    levels = as_tensor(heights, "heights").reshape(-1).tolist()
    start = as_tensor(origin, "origin").to(mesh.device, torch.float64)
    side = (mesh.vertices.detach().double() - start) @ unit
    whole = mesh.merge_vertices().mesh.topology
    at_face = side[mesh.faces]
    if mesh.num_faces:
        low, high = at_face.amin(1), at_face.amax(1)
    else:
        low = high = side.new_zeros(0)
    return [
        _lines(mesh, whole, side - level, ((low < level) & (high >= level)), unit)
        for level in levels
    ]


def _lines(
    mesh: Mesh, whole: Topology, side: Tensor, crossed: Tensor, unit: Tensor
) -> list[SectionLine]:
    """Lines at side 0; `crossed` (F,) are the faces that have some below and some not."""
    face = crossed.nonzero().squeeze(1)
    corner = mesh.faces[face]
    above = side[corner] >= 0
    ahead = above.roll(-1, 1)
    # counter-clockwise faces are left where their half-edge goes down, and gone into where it goes
    # up: from there the line runs with the inside at its left
    down, up = (above & ~ahead).int().argmax(1), (~above & ahead).int().argmax(1)
    row = torch.arange(len(face), device=face.device)
    node = whole.face_edges[face]
    begin, end = node[row, down], node[row, up]
    after = _following(begin, end, whole.num_edges)
    ends = torch.stack((corner[row, down], corner[row, (down + 1) % 3]), 1)
    last = torch.stack((corner[row, up], corner[row, (up + 1) % 3]), 1)
    lines = []
    for rows, closed in _chains(after.tolist()):
        index = torch.tensor(rows, device=face.device)
        edges = ends[index] if closed else torch.cat((ends[index], last[index[-1:]]))
        edges = edges.sort(1).values  # so that both faces of an edge have the same point
        height = side[edges]
        share = (height[:, 0] / (height[:, 0] - height[:, 1])).to(mesh.dtype)
        at = mesh.vertices[edges]
        if mesh.vertices.requires_grad:
            exact = ((at - mesh.vertices.detach()[edges]) @ unit.to(at)) + height.to(at)
            share = exact[:, 0] / (exact[:, 0] - exact[:, 1])
        points = at[:, 0] + share[:, None] * (at[:, 1] - at[:, 0])
        area = points.new_zeros(())
        if closed:
            middle = points - points.detach().mean(0)
            turn = torch.linalg.cross(middle, middle.roll(-1, 0))
            area = (turn @ unit.to(points)).sum() / 2
        lines.append(SectionLine(points, closed, face[index], edges, share.detach(), area))
    return lines


def _following(begin: Tensor, end: Tensor, count: int) -> Tensor:
    """(S,) the segment that goes on where each ends, -1 where none or several do."""
    first = torch.full((count,), -1, device=begin.device)
    first[begin] = torch.arange(len(begin), device=begin.device)
    single = (torch.bincount(begin, minlength=count) == 1) & (
        torch.bincount(end, minlength=count) == 1
    )
    return torch.where(single[end], first[end], -1)


def _chains(after: list[int]) -> list[tuple[list[int], bool]]:
    """Segments in order, and whether the last is followed by the first."""
    has_before = [False] * len(after)
    for k in after:
        if k >= 0:
            has_before[k] = True
    used = [False] * len(after)
    found = []
    for opened in (True, False):
        for k in range(len(after)):
            if used[k] or (opened and has_before[k]):
                continue
            rows = []
            while k >= 0 and not used[k]:
                used[k] = True
                rows.append(k)
                k = after[k]
            found.append((rows, not opened))
    found.sort(key=lambda item: min(item[0]))
    return found


def polyline_section(points: TensorLike, origin: TensorLike, normal: TensorLike) -> Tensor:
    """Points (P, 3) where a plane meets the line through points (K, 3), in the line's order.

    Args:
        points: of an open line; repeat the first one at the end to close it.
        origin, normal: as in `plane_section`.

    Raises:
        ValueError: a shape is wrong, or the normal is zero.

    Example:
        >>> line = torch.tensor([[0.0, 0, -1], [0, 0, 3]])
        >>> polyline_section(line, torch.zeros(3), torch.eye(3)[2])
        tensor([[0., 0., 0.]])
    """
    points = check_points(points, "points") if not isinstance(points, Tensor) else points
    if points.ndim != 2 or points.shape[1] != 3:
        raise ValueError(f"points: expected (K, 3), got {tuple(points.shape)}")
    side = _heights(points, origin, normal)
    hit, end = _crossings(points[:-1], points[1:], side[:-1], side[1:])
    return end[hit]


def _heights(points: Tensor, origin: TensorLike, normal: TensorLike) -> Tensor:
    """Heights (K,) of points over the plane, in lengths of the normal."""
    origin, normal = as_tensor(origin, "origin"), as_tensor(normal, "normal")
    for name, value in (("origin", origin), ("normal", normal)):
        if value.shape != (3,):
            raise ValueError(f"{name}: expected (3,), got {tuple(value.shape)}")
    if not bool((normal != 0).any()):
        raise ValueError("normal: expected a direction, got zeros")
    return (points - origin.to(points)) @ normal.to(points)


def _crossings(a: Tensor, b: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Which segments from a to b (N, 3), of heights low and high, cross, (N,), and where (N, 3)."""
    hit = (low < 0) != (high < 0)
    share = torch.where(hit, low, 0.0) / torch.where(hit, low - high, 1.0)
    return hit, a + share[:, None] * (b - a)
