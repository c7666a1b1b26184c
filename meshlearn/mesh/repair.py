"""Edits that mend, as indices (see `edit`): merging vertices, removing faces, orienting."""

from __future__ import annotations

import itertools
import math

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE
from meshlearn._segment import Incidence, segment_sum
from meshlearn.mesh._keys import first_of_group, row_groups
from meshlearn.mesh.connected import connected_components
from meshlearn.mesh.edit import Change, flip, identity, inverse, keep_faces
from meshlearn.mesh.topology import Topology

_PAIRS_AT_ONCE = 1 << 22
_HASH = (-7046029254386353131, -4417276706812531889, 1609587929392839161)  # odd, wrapping


def same_position_reference(vertices: Tensor) -> Tensor:
    """Torch reference of the `first_equal` operator, for finite and infinite values."""
    count = vertices.shape[0]
    group = torch.zeros(count, dtype=torch.int64, device=vertices.device)
    for column in vertices.unbind(1):
        rank = torch.unique(column + 0.0, return_inverse=True)[1]
        group = torch.unique(group * max(count, 1) + rank, return_inverse=True)[1]
    first = first_of_group(group, count)[group]
    own = torch.arange(count, device=vertices.device)
    return torch.where(vertices.isnan().any(1), own, first)


def same_position(vertices: Tensor) -> Tensor:
    """(V,) int64 first vertex at exactly the same position (-0 equals 0; NaN equals nothing)."""
    vertices = vertices.detach().contiguous()
    if HAS_NATIVE and vertices.device.type == "cpu":
        return torch.ops.meshlearn.first_equal(vertices)
    return same_position_reference(vertices)


def _near_links(points: Tensor, tol: float) -> Tensor:
    """(L, 2) pairs of points (N, 3) at most `tol` apart.

    Points are hashed to cells a little larger than `tol`, so that a pair is in one cell or in two
    neighbours; cells whose hashes collide only give more pairs to look at.
    """
    none = torch.zeros(0, 2, dtype=torch.int64, device=points.device)
    if points.shape[0] < 2:
        return none
    low = points.amin(0)
    size = max(tol * 1.0001, float((points.amax(0) - low).max()) * 2.0**-38)
    points = (points - low) / size
    tol = tol / size
    cells = points.floor().to(torch.int64)
    key = cells[:, 0] * _HASH[0] + cells[:, 1] * _HASH[1] + cells[:, 2] * _HASH[2]
    table, cell = torch.unique(key, return_inverse=True)
    inside = Incidence(cell, table.numel())
    start, order = inside.start, inside.order
    links = []
    for x, y, z in itertools.product((-1, 0, 1), repeat=3):
        if (x, y, z) < (0, 0, 0):
            continue
        shift = torch.tensor(x, device=points.device) * _HASH[0] + y * _HASH[1] + z * _HASH[2]
        wanted = table + shift
        place = torch.searchsorted(table, wanted).clamp_max(table.numel() - 1)
        mine = (table[place] == wanted).nonzero().squeeze(1)
        other = place[mine]
        sizes_a, sizes_b = start[mine + 1] - start[mine], start[other + 1] - start[other]
        total = (sizes_a * sizes_b).cumsum(0)
        begin = 0
        while begin < mine.numel():
            done = int(total[begin - 1]) if begin else 0
            limit = torch.tensor(done + _PAIRS_AT_ONCE, device=points.device)
            end = max(begin + 1, int(torch.searchsorted(total, limit, right=True)))
            a = (start[mine[begin:end]], sizes_a[begin:end])
            b = (start[other[begin:end]], sizes_b[begin:end])
            links.append(_close_pairs(points, order, a, b, tol))
            begin = end
    return torch.cat(links) if links else none


def _close_pairs(
    points: Tensor,
    order: Tensor,
    a: tuple[Tensor, Tensor],
    b: tuple[Tensor, Tensor],
    tol: float,
) -> Tensor:
    """Pairs of a point of cell a[i] (start, size) and one of cell b[i] that are close enough."""
    counts = a[1] * b[1]
    total = int(counts.sum())
    owner = torch.repeat_interleave(
        torch.arange(counts.numel(), device=points.device), counts, output_size=total
    )
    rank = torch.arange(total, device=points.device) - (counts.cumsum(0) - counts)[owner]
    width = b[1][owner]
    i = order[a[0][owner] + rank // width]
    j = order[b[0][owner] + rank % width]
    wanted = i < j
    wanted |= (a[0] != b[0])[owner]
    i, j = i[wanted], j[wanted]
    near = (points[i] - points[j]).square().sum(1) <= tol * tol
    return torch.stack([i[near], j[near]], 1)


def merge_vertices(vertices: Tensor, topology: Topology, tol: float = 0.0) -> Change:
    """Vertices at most `tol` apart become one, as `Mesh.merge_vertices` says."""
    if not isinstance(tol, (int, float)) or not math.isfinite(tol) or tol < 0:
        raise ValueError(
            f"tol: expected a finite distance of at least 0, got {tol!r}; pass 0 for exact merging"
        )
    root = same_position(vertices)
    own = identity(topology.num_vertices, vertices)
    if tol > 0:
        distinct = (root == own) & vertices.detach().isfinite().all(1)
        distinct = distinct.nonzero().squeeze(1)
        points = vertices.detach().double()[distinct]
        labels, count = connected_components(_near_links(points, float(tol)), distinct.numel())
        merged = own.clone()
        merged[distinct] = distinct[first_of_group(labels, count)[labels]]
        root = merged[root]
    index = (root == own).nonzero().squeeze(1)
    vertex_map = inverse(index, topology.num_vertices)[root]
    faces = identity(topology.num_faces, vertices)
    return Change(vertex_map[topology.faces], vertex_map, faces, vertex_index=index)


def degenerate_faces(topology: Topology, areas: Tensor) -> Tensor:
    """(F,) bool: faces that name a vertex twice, or whose area (F,) is zero."""
    a, b, c = topology.faces.unbind(1)
    return (a == b) | (b == c) | (c == a) | (areas == 0)


def duplicate_faces(topology: Topology) -> Tensor:
    """(F,) bool: faces of the same three vertices, in any order, as an earlier face."""
    group, count = row_groups(topology.faces.sort(1).values, topology.num_vertices)
    return first_of_group(group, count)[group] != identity(topology.num_faces, group)


def remove_degenerate(topology: Topology, areas: Tensor) -> Change:
    """Without the faces that name a vertex twice or have no area; vertices stay."""
    return keep_faces(topology, ~degenerate_faces(topology, areas))


def remove_duplicate_faces(topology: Topology) -> Change:
    """Without the faces of the same three vertices, in any order, as an earlier face."""
    return keep_faces(topology, ~duplicate_faces(topology))


def component_volumes(
    vertices: Tensor, topology: Topology, turn: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Signed volume (C,) float64 of each component, and (C,) bool whether it is closed.

    Args:
        turn: (F,) bool, faces to be counted as if turned; without it a component that is not
            consistently oriented does not count as closed.
    """
    labels, count = topology.components()
    bad = topology.edge_face_counts != 2
    if turn is None:
        bad[topology.inconsistent_edges] = True
    closed = torch.ones(count, dtype=torch.bool, device=vertices.device)
    incidence = topology.edge_half_edges
    closed[labels[incidence.order[incidence.start[:-1]][bad] // 3]] = False
    with torch.no_grad():
        corners = vertices[topology.faces].double()
        seen = first_of_group(labels, count)
        centre = corners[seen, 0][labels]  # near by, whatever the place of the component
        a, b, c = (corners - centre[:, None]).unbind(1)
        cone = (a * torch.linalg.cross(b, c)).sum(1) / 6
        if turn is not None:
            cone = torch.where(turn, -cone, cone)
        return segment_sum(cone[:, None], Incidence(labels, count)).squeeze(1), closed


def orient(vertices: Tensor, topology: Topology, *, outward: bool = True) -> Change:
    """Faces turned so that neighbours agree, as `Mesh.orient` says."""
    faces = topology.num_faces
    incidence = topology.edge_half_edges
    begin = incidence.start[:-1][topology.edge_face_counts == 2]
    a, b = incidence.order[begin], incidence.order[begin + 1]
    opposite = topology.half_edges[a, 0] != topology.half_edges[b, 0]
    a, b = a // 3, b // 3
    # Each face twice, as it is and turned: agreeing states are joined.
    links = torch.cat(
        [
            torch.stack([a, torch.where(opposite, b, b + faces)], 1),
            torch.stack([a + faces, torch.where(opposite, b + faces, b)], 1),
        ]
    )
    state, count = connected_components(links, 2 * faces)
    kept, turned = state[:faces], state[faces:]
    sizes = torch.bincount(kept, minlength=count)
    # The two classes of a component take opposite sides: the larger one stays, the first in a tie.
    turn = (sizes[kept] < sizes[turned]) | ((sizes[kept] == sizes[turned]) & (kept > turned))
    turn &= kept != turned
    if outward and faces:
        volume, closed = component_volumes(vertices, topology, turn)
        closed[topology.components().labels[kept == turned]] = False
        turn ^= (closed & (volume < 0))[topology.components().labels]
    return flip(topology, turn)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::first_equal")
    def _(vertices: Tensor) -> Tensor:
        return vertices.new_empty(vertices.shape[0], dtype=torch.int64)
