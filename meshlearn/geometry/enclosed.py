"""Surfaces that nobody sees from outside: found by rays, and removed."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from meshlearn._segment import Incidence, segment_sum
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.mesh import Edit, Mesh, Topology, used_vertices

By = Literal["shells", "faces"]

_RAYS_A_SHELL = 4096  # at least, so that a shell of few faces is seen through a small opening too
_RAYS_AT_ONCE = 1 << 19  # of one query, about 100 MB
_REACH = 2.5  # origins of rays, in half diagonals of the box away from where they aim
_AROUND = (
    0.0,
    0.0,
    0.03,
    0.03,
    0.1,
    0.1,
    0.3,
    0.3,
)  # how far from a neighbour's direction, radians
_IDLE = 4  # times that the neighbours of what is reached are tried without finding any
_TOUCH = 1e-9  # of the half diagonal: how far before a face a ray may end and still be on it


def remove_enclosed(
    mesh: Mesh,
    *,
    by: By = "shells",
    rays: int = 32,
    share: float = 0.0,
    generator: torch.Generator | None = None,
) -> Edit:
    """Without what no ray from outside reaches: the inside of a car, the cavities of a solid.

    Rays come straight from outside the box, from every direction, and aim at points of each face;
    a face is reached from either side, so the inside of an open bowl stays. What can be seen only
    round a corner, as the middle of a bent pipe, counts as enclosed.

    Args:
        mesh: any triangles, closed or not, whose corners are finite; in any place and size.
        by: "shells" keeps or removes shells whole (faces joined through edges at equal positions),
            so that no hole is made; "faces" removes single faces, also of a shell that is reached
            elsewhere.
        rays: aimed at each face before it counts as enclosed, at least 1; shells of few faces take
            more. More rays see through smaller openings.
        share: remove also what at most this share of the rays reaches, from 0 to below 1; above 0
            for what shows through gaps between panels only.
        generator: source of randomness; by default one with the seed 0, for one result.

    Returns:
        Edit(mesh, vertex_map, face_map), with every attribute and material; vertices that no face
        uses any more are gone.

    Raises:
        ValueError: wrong arguments, or a face with a corner that is not finite.

    Example:
        >>> body, vertex_map, face_map = ml.geometry.remove_enclosed(car)
    """
    if isinstance(mesh, Mesh) and not mesh.num_faces:
        return mesh.remove_unreferenced()
    hidden = enclosed_faces(mesh, by=by, rays=rays, share=share, generator=generator)
    return mesh.submesh(~hidden)


def enclosed_faces(
    mesh: Mesh,
    *,
    by: By = "shells",
    rays: int = 32,
    share: float = 0.0,
    generator: torch.Generator | None = None,
) -> Tensor:
    """(F,) bool: the faces that `remove_enclosed` removes; arguments and errors are its own."""
    check_mesh(mesh)
    if by not in ("shells", "faces"):
        raise ValueError(f"by: expected 'shells' or 'faces', got {by!r}")
    if not isinstance(rays, int) or isinstance(rays, bool) or rays < 1:
        raise ValueError(f"rays: expected a whole number of at least 1, got {rays!r}")
    if not 0 <= share < 1:
        raise ValueError(f"share: expected a number from 0 to below 1, got {share!r}")
    with torch.no_grad():
        welded = mesh.merge_vertices().mesh.topology
        if by == "shells":
            group, count = welded.components()
        else:
            group, count = torch.arange(mesh.num_faces, device=mesh.device), mesh.num_faces
        wanted = torch.full((mesh.num_faces,), rays, device=mesh.device)
        if by == "shells":
            sizes = torch.bincount(group, minlength=count)
            wanted = torch.maximum(wanted, (_RAYS_A_SHELL / sizes).ceil().long()[group])
        sight = _Sight(mesh, generator)
        if share > 0:
            return _share_of(sight, mesh, wanted, group, count)[group] <= share
        return ~_reached(sight, welded, wanted, group, count, follow=by == "faces")


class _Sight:
    """Rays from outside at points of faces, in float64 around the middle of the box."""

    def __init__(self, mesh: Mesh, generator: torch.Generator | None) -> None:
        box = torch.stack(torch.aminmax(used_vertices(mesh), dim=0)).double()
        near = mesh.vertices.detach().double() - (box[0] + (box[1] - box[0]) / 2)
        self._bvh = MeshBVH(Mesh(near, mesh.faces))
        self._corners = near[mesh.faces]
        half = float((box[1] - box[0]).norm()) / 2
        self._half = half or 1.0
        self._generator = generator or torch.Generator().manual_seed(0)

    def directions(self, count: int) -> Tensor:
        """(count, 3) unit vectors, even on the sphere."""
        made = torch.randn(count, 3, generator=self._generator, dtype=torch.float64)
        made = made.to(self._corners.device)
        return made / made.norm(dim=1, keepdim=True).clamp_min(1e-12)

    def _points(self, faces: Tensor) -> Tensor:
        r = torch.rand(len(faces), 2, generator=self._generator, dtype=torch.float64)
        r = r.to(self._corners.device)
        root = r[:, 0].sqrt()
        weights = torch.stack([1 - root, root * (1 - r[:, 1]), root * r[:, 1]], 1)
        return (self._corners[faces] * weights[:, :, None]).sum(1)

    def look(self, faces: Tensor, toward: Tensor) -> tuple[Tensor, Tensor]:
        """Whether a ray from the direction `toward` (N, 3) comes to each of `faces` (N,), and the
        face that it met first, -1 for none."""
        seen, first = [], []
        for some, way in zip(faces.split(_RAYS_AT_ONCE), toward.split(_RAYS_AT_ONCE), strict=True):
            away = _REACH * self._half
            hits = self._bvh.rays(self._points(some) + away * way, -way)
            seen.append(hits.distance >= away - _TOUCH * self._half)
            first.append(hits.face)
        return torch.cat(seen), torch.cat(first)


def _reached(
    sight: _Sight, welded: Topology, wanted: Tensor, group: Tensor, count: int, *, follow: bool
) -> Tensor:
    """(F,) bool: faces in whose group at least one ray reaches a face."""
    faces = len(group)
    found = torch.zeros(count, dtype=torch.bool, device=group.device)
    way = torch.zeros(faces, 3, dtype=torch.float64, device=group.device)  # it was seen from here
    done, batch = torch.zeros_like(wanted), 1
    while True:
        left = (~found[group] & (done < wanted)).nonzero().squeeze(1)
        if not len(left):
            break
        take = (wanted - done)[left].clamp_max(batch)
        done[left] += take
        aimed = left.repeat_interleave(take)
        toward = sight.directions(len(aimed))
        seen, first = sight.look(aimed, toward)
        met = first >= 0
        reached = torch.cat([aimed[seen], first[met]])
        found[group[reached]] = True
        _keep_last(way, reached, torch.cat([toward[seen], toward[met]]))
        batch *= 2
    if follow:
        _follow(sight, welded, found, way)
    return found[group]


def _follow(sight: _Sight, welded: Topology, found: Tensor, way: Tensor) -> None:
    """Faces beside those that were reached are tried from about the same direction, until no more
    are found: so the walls of a groove are seen whole, where few of all directions reach them."""
    incidence = welded.edge_half_edges
    shared = (welded.edge_face_counts == 2).nonzero().squeeze(1)
    begin = incidence.start[:-1][shared]
    a, b = incidence.order[begin] // 3, incidence.order[begin + 1] // 3
    a, b = torch.cat([a, b]), torch.cat([b, a])
    idle = 0
    while idle < _IDLE:
        pair = (found[a] & ~found[b]).nonzero().squeeze(1)
        if not len(pair):
            return
        spread = torch.tensor(_AROUND, dtype=way.dtype, device=way.device)
        spread = spread.repeat_interleave(len(pair))[:, None]
        tried = b[pair].repeat(len(_AROUND))
        toward = way[a[pair]].repeat(len(_AROUND), 1) + spread * sight.directions(len(tried))
        toward = toward / toward.norm(dim=1, keepdim=True)
        seen, _ = sight.look(tried, toward)
        found[tried[seen]] = True
        _keep_last(way, tried[seen], toward[seen])
        idle = 0 if bool(seen.any()) else idle + 1


def _keep_last(rows: Tensor, index: Tensor, values: Tensor) -> None:
    """``rows[index] = values``, of equal indices the last, whatever the number of threads."""
    last = index.new_full((len(rows),), -1)
    last.scatter_reduce_(0, index, torch.arange(len(index), device=index.device), "amax")
    some = (last >= 0).nonzero().squeeze(1)
    rows[some] = values[last[some]]


def _share_of(sight: _Sight, mesh: Mesh, wanted: Tensor, group: Tensor, count: int) -> Tensor:
    """(count,) share of the rays at each group that reach it, its faces weighted by area."""
    reached = torch.zeros(len(group), dtype=torch.float64, device=group.device)
    done = 0
    while True:
        left = (wanted > done).nonzero().squeeze(1)
        if not len(left):
            break
        seen, _ = sight.look(left, sight.directions(len(left)))
        reached[left] += seen.double()
        done += 1
    area = mesh.detach().face_areas().double()
    own = Incidence(group, count)
    total = segment_sum(area[:, None], own)[group].squeeze(1)
    weight = torch.where(total > 0, area, 1)
    parts = torch.stack([weight * reached / wanted, weight], 1)
    sums = segment_sum(parts, own)
    return sums[:, 0] / sums[:, 1]
