"""Isotropic remeshing: triangles of one size, on the surface as it was, features kept.

Rounds of splitting long edges, collapsing short ones, flipping edges towards six neighbours a
vertex, moving vertices along the surface towards the middle of their neighbours, and back onto it
(Botsch and Kobbelt, "A remeshing approach to multiresolution modeling", 2004). Each step treats all
edges at once of which no two touch, the shortest (or the best) first, so results do not depend on
threads.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.carry import carry_attributes
from meshlearn.mesh import Mesh, far_middle, moved, used_vertices
from meshlearn.mesh.connected import connected_components
from meshlearn.mesh.topology import Topology

LONG, SHORT = 4 / 3, 4 / 5  # of the wanted length: what is split, what is collapsed
SHARP = 40.0  # degrees between faces from which an edge is a feature
ROUNDS = 8
MOST_FACES = 50_000_000
_CHAIN = 3.0  # wanted lengths, the least of a crease that is kept
_TURN = 60.0  # degrees by which a line of features turns in a corner
_WAVES = 4  # of flips a round
_COLLAPSES = 40  # waves of them a round, at most
_FEW = 200  # short edges for one that goes: then the rest waits for the next round
_AGREE = 0.3  # least cosine between a face's normal before and after
_RELAX = 0.7  # share of the way to the middle of the neighbours
_BASE = 1 << 31  # of edge keys


class _State(NamedTuple):
    vertices: Tensor  # (V, 3) float64
    faces: Tensor  # (F, 3)
    feature: Tensor  # (K,) sorted keys of edges that stay
    corner: Tensor  # (V,) bool, vertices that stay


@eager
def remesh(
    mesh: Mesh,
    edge_length: float,
    *,
    rounds: int = ROUNDS,
    sharp: float = SHARP,
) -> Mesh:
    """The surface in triangles of nearly equal sides.

    Borders, edges sharper than `sharp`, edges of more than two faces and borders between materials
    stay where they are, their vertices on them. Vertices at one position are merged first.
    Attributes and materials are carried as `simplify` does.

    Args:
        mesh: any.
        edge_length: wanted, in the mesh's unit.
        rounds: of splitting, collapsing, flipping and moving.
        sharp: degrees between the normals of two faces from which their edge is kept; 180 for none.

    Returns:
        A mesh on the device and in the dtype of `mesh`, detached.

    Raises:
        ValueError: no faces, vertices that are not finite, a length that is not positive or would
            make more than 50 million faces.

    Example:
        >>> even = ml.geometry.remesh(mesh, 0.02)
    """
    check_mesh(mesh)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    if isinstance(edge_length, bool) or not isinstance(edge_length, (int, float)):
        raise ValueError(f"edge_length: expected a number, got {type(edge_length).__name__}")
    if not (math.isfinite(edge_length) and edge_length > 0):
        raise ValueError(f"edge_length: expected a positive length, got {edge_length!r}")
    if not isinstance(rounds, int) or rounds < 0:
        raise ValueError(f"rounds: expected 0 or more, got {rounds!r}")
    if not 0 < sharp <= 180:
        raise ValueError(f"sharp: expected degrees above 0 up to 180, got {sharp!r}")
    given = mesh.detach().to("cpu")
    middle = far_middle(used_vertices(given))
    old = given if middle is None else moved(given, -middle)
    old = old.to(torch.float64)
    welded = old.merge_vertices().mesh.remove_degenerate().mesh.remove_duplicate_faces().mesh
    welded = welded.remove_unreferenced().mesh
    if welded.num_faces == 0:
        raise ValueError("mesh: all faces are without area")
    area = float(welded.face_areas().sum())
    wanted = area / (math.sqrt(3) / 4 * edge_length**2)
    if wanted > MOST_FACES:
        least = math.sqrt(area / (math.sqrt(3) / 4 * MOST_FACES))
        raise ValueError(
            f"edge_length: {edge_length:g} would make {wanted:.2g} faces; take {least:.2g} or more"
        )
    welded = welded.with_vertices(welded.vertices / edge_length)  # the wanted length is one
    state = _begin(welded, sharp)
    tree = MeshBVH(Mesh(welded.vertices, welded.faces))
    for _ in range(rounds):
        state = _collapse(_split(state))
        state = _flip(state)
        state = _relax(state, tree)
    made = Mesh(state.vertices * edge_length, state.faces)
    made = carry_attributes(old, made)
    if middle is not None:
        return moved(made, middle).to(mesh.device)
    return made.to(mesh.dtype).to(mesh.device)


def _key(a: Tensor, b: Tensor) -> Tensor:
    return torch.minimum(a, b) * _BASE + torch.maximum(a, b)


def _has(keys: Tensor, wanted: Tensor) -> Tensor:
    """Whether sorted `keys` hold each of `wanted`."""
    if not len(keys):
        return torch.zeros_like(wanted, dtype=torch.bool)
    at = torch.searchsorted(keys, wanted).clamp(max=len(keys) - 1)
    return keys[at] == wanted


def _normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """(F, 3) unit normals, zero where there is no area."""
    a, b, c = vertices[faces].unbind(1)
    return torch.nn.functional.normalize(torch.linalg.cross(b - a, c - a), dim=1)


def _begin(mesh: Mesh, sharp: float) -> _State:
    topology = mesh.topology
    keep = topology.edge_face_counts != 2
    keep[topology.inconsistent_edges] = True
    normal = _normals(mesh.vertices, mesh.faces)
    start, face = topology.edge_faces
    two = (topology.edge_face_counts == 2).nonzero().squeeze(1)
    left, right = face[start[two]], face[start[two] + 1]
    material = mesh.face_attributes.get("material")
    if material is not None:
        keep[two] |= (material[left] != material[right]).reshape(len(two), -1).any(1)
    if sharp < 180:
        cosine = (normal[left] * normal[right]).sum(1)
        creased = keep.clone()
        creased[two] |= cosine < math.cos(math.radians(sharp))
        keep |= creased & _long_chains(mesh, creased, keep)
    ends = topology.edges[keep]
    count = torch.bincount(ends.reshape(-1), minlength=mesh.num_vertices)
    corner = (count != 0) & (count != 2)
    # where a line of features turns
    if len(ends):
        direction = torch.nn.functional.normalize(
            mesh.vertices[ends[:, 1]] - mesh.vertices[ends[:, 0]], dim=1
        )
        away = torch.zeros_like(mesh.vertices)
        away.index_add_(0, ends[:, 0], direction).index_add_(0, ends[:, 1], -direction)
        # two unit vectors that leave a vertex: their sum is 2 sin(turn / 2) long
        turned = away.norm(dim=1) > 2 * math.sin(math.radians(_TURN) / 2)
        corner |= turned & (count == 2)
    corner[topology.non_manifold_vertices] = True
    many = topology.edges[topology.edge_face_counts > 2]
    corner[many.reshape(-1)] = True
    feature = torch.sort(_key(ends[:, 0], ends[:, 1])).values
    return _State(mesh.vertices, mesh.faces, feature, corner)


def _long_chains(mesh: Mesh, chosen: Tensor, held: Tensor) -> Tensor:
    """(E,) whether edges are in a connected set of `chosen` ones that is at least so long, or that
    holds one of those that are `held` anyway: short bits of a crease hold nothing but triangles."""
    edges = mesh.topology.edges
    length = (mesh.vertices[edges[:, 1]] - mesh.vertices[edges[:, 0]]).norm(dim=1)
    part = connected_components(edges[chosen], mesh.num_vertices).labels[edges[:, 0]]
    total = torch.zeros(int(part.max()) + 1 if len(part) else 0, dtype=length.dtype)
    total.index_add_(0, part[chosen], length[chosen])
    whole = torch.zeros(len(total), dtype=torch.bool)
    whole[part[held]] = True
    return (whole | (total >= _CHAIN))[part]


def _split(state: _State) -> _State:
    """Every edge that is too long halved."""
    while True:
        vertices, faces, feature, corner = state
        topology = Topology(faces, len(vertices))
        edges = topology.edges
        long = (vertices[edges[:, 1]] - vertices[edges[:, 0]]).norm(dim=1) > LONG
        count = int(long.sum())
        if not count:
            return state
        number = torch.full((len(edges),), -1, dtype=torch.int64)
        number[long] = len(vertices) + torch.arange(count)
        ends = edges[long]
        middles = vertices[ends].mean(1)
        was = _has(feature, _key(ends[:, 0], ends[:, 1]))
        halves = torch.cat([_key(ends[was, k], number[long][was]) for k in (0, 1)])
        gone = torch.sort(_key(ends[was, 0], ends[was, 1])).values
        feature = torch.sort(torch.cat([feature[~_has(gone, feature)], halves])).values
        vertices = torch.cat([vertices, middles])
        corner = torch.cat([corner, torch.zeros(count, dtype=torch.bool)])
        faces = _cut(vertices, faces, number[topology.face_edges])
        state = _State(vertices, faces, feature, corner)


def _cut(vertices: Tensor, faces: Tensor, middle: Tensor) -> Tensor:
    """Faces whose sides have new vertices (F, 3), -1 for none, as two, three or four."""
    marked = middle >= 0
    count = marked.sum(1)
    out = [faces[count == 0]]
    # turned so that the first side is marked, and with two marks the second too
    first = marked.long().argmax(1)
    first = torch.where((count == 2) & ~marked[:, 1], torch.full_like(first, 2), first)
    turn = (torch.arange(3) + first[:, None]) % 3
    corner, side = faces.gather(1, turn), middle.gather(1, turn)
    one, two, three = (count == k for k in (1, 2, 3))
    (a, b, c), d = corner[one].unbind(1), side[one, 0]
    out += [torch.stack([a, d, c], 1), torch.stack([d, b, c], 1)]
    (a, b, c), (d, e) = corner[two].unbind(1), side[two, :2].unbind(1)
    along = (vertices[a] - vertices[e]).norm(dim=1) <= (vertices[d] - vertices[c]).norm(dim=1)
    out += [torch.stack([d, b, e], 1)]
    out += [torch.stack([a, d, torch.where(along, e, c)], 1)]
    out += [torch.stack([torch.where(along, a, d), e, c], 1)]
    (a, b, c), (d, e, f) = corner[three].unbind(1), side[three].unbind(1)
    out += [torch.stack(t, 1) for t in ((a, d, f), (d, b, e), (f, e, c), (d, e, f))]
    return torch.cat(out)


def _around(start: Tensor, items: Tensor, rows: Tensor) -> tuple[Tensor, Tensor]:
    """For each of `rows` of a CSR its items: (number in `rows`, item)."""
    size = start[rows + 1] - start[rows]
    owner = torch.repeat_interleave(torch.arange(len(rows)), size)
    first = torch.cumsum(size, 0) - size
    at = torch.arange(int(size.sum())) - first[owner] + start[rows][owner]
    return owner, items[at]


def _untouching(rank: Tensor, groups: Tensor, reach: Tensor, total: int) -> Tensor:
    """Which of items with ranks (K,) and vertices (K, G) are the first at all of their vertices,
    and with `reach` (E, 2) edges at those next to them too."""
    none = len(rank)
    best = torch.full((total,), none, dtype=torch.int64)
    best.scatter_reduce_(0, groups.reshape(-1), rank[:, None].expand_as(groups).reshape(-1), "amin")
    if len(reach):
        wide = best.clone()
        wide.scatter_reduce_(0, reach[:, 0], best[reach[:, 1]], "amin")
        wide.scatter_reduce_(0, reach[:, 1], best[reach[:, 0]], "amin")
        best = wide
    return (best[groups] == rank[:, None]).all(1)


def _ranks(values: Tensor) -> Tensor:
    rank = torch.empty(len(values), dtype=torch.int64)
    rank[torch.argsort(values, stable=True)] = torch.arange(len(values))
    return rank


def _collapse(state: _State) -> _State:
    """Edges that are too short made points, where nothing folds, opens or grows too long."""
    for _ in range(_COLLAPSES):
        vertices, faces, feature, corner = state
        total = len(vertices)
        topology = Topology(faces, total)
        edges, counts = topology.edges, topology.edge_face_counts
        length = (vertices[edges[:, 1]] - vertices[edges[:, 0]]).norm(dim=1)
        held = _has(feature, _key(edges[:, 0], edges[:, 1]))
        on = torch.zeros(total, dtype=torch.bool)
        on[edges[held].reshape(-1)] = True
        fixed = on | corner
        a, b = edges.unbind(1)
        # what goes, and what stays: what is fixed, or a corner, stays
        swap = (fixed[a] & ~fixed[b]) | (corner[a] & ~corner[b])
        gone, kept = torch.where(swap, b, a), torch.where(swap, a, b)
        legal = (length < SHORT) & ~corner[gone] & (~on[gone] | held) & (counts <= 2)
        row = legal.nonzero().squeeze(1)
        if not len(row):
            return state
        gone, kept = gone[row], kept[row]
        middle = ~fixed[gone] & ~fixed[kept]
        place = torch.where(middle[:, None], (vertices[gone] + vertices[kept]) / 2, vertices[kept])
        good = _link(topology, row, gone, kept)
        good &= _stays(topology, vertices, gone, kept, place, middle)
        row, gone, kept, place = row[good], gone[good], kept[good], place[good]
        if not len(row):
            return state
        # the shortest first, in four classes; within one in no order, else few are first at once
        order = (4 * length[row] / SHORT).long() << 32 | row * 2654435761 % (1 << 32)
        chosen = _untouching(_ranks(order), torch.stack([gone, kept], 1), edges, total)
        gone, kept, place = gone[chosen], kept[chosen], place[chosen]
        vertices = vertices.index_copy(0, kept, place)
        target = torch.arange(total)
        target[gone] = kept
        faces = target[faces]
        flat = (faces == faces.roll(1, 1)).any(1)
        state = _renumbered(vertices, faces[~flat], feature, corner, target)
        if len(gone) * _FEW < len(row):
            break
    return state


def _renumbered(
    vertices: Tensor, faces: Tensor, feature: Tensor, corner: Tensor, target: Tensor
) -> _State:
    """Without the vertices that no face names any more."""
    used = torch.zeros(len(vertices), dtype=torch.bool)
    used[faces.reshape(-1)] = True
    number = torch.cumsum(used, 0) - 1
    ends = torch.stack([feature // _BASE, feature % _BASE], 1)
    ends = target[ends]
    ends = ends[(ends[:, 0] != ends[:, 1]) & used[ends].all(1)]
    ends = number[ends]
    feature = torch.unique(_key(ends[:, 0], ends[:, 1]))
    return _State(vertices[used], number[faces], feature, corner[used])


def _link(topology: Topology, row: Tensor, gone: Tensor, kept: Tensor) -> Tensor:
    """Whether the two ends of edges have no other neighbours in common than the edge's faces do."""
    edges = topology.edges
    keys = _key(edges[:, 0], edges[:, 1])  # ascending
    incidence = topology.edge_ends
    owner, half = _around(incidence.start, incidence.order, gone)
    other = edges[half // 2, 1 - half % 2]
    common = _has(keys, _key(other, kept[owner])) & (other != kept[owner])
    number = torch.zeros(len(row), dtype=torch.int64).index_add_(0, owner, common.long())
    return number == topology.edge_face_counts[row]


def _stays(
    topology: Topology,
    vertices: Tensor,
    gone: Tensor,
    kept: Tensor,
    place: Tensor,
    middle: Tensor,
) -> Tensor:
    """Whether the faces around keep their side, and edges their length, once an edge is a point."""
    start, face = topology.vertex_faces
    good = torch.ones(len(gone), dtype=torch.bool)
    for moving, other, matters in (
        (gone, kept, torch.ones_like(good)),
        (kept, gone, middle),
    ):
        owner, item = _around(start, face, moving)
        corners = topology.faces[item]
        stays = ~(corners == other[owner][:, None]).any(1) & matters[owner]
        owner, corners = owner[stays], corners[stays]
        before = _normals(vertices, corners)
        at = vertices[corners]
        here = corners == moving[owner][:, None]
        at = torch.where(here[:, :, None], place[owner][:, None], at)
        cross = torch.linalg.cross(at[:, 1] - at[:, 0], at[:, 2] - at[:, 0])
        after = torch.nn.functional.normalize(cross, dim=1)
        long = torch.stack([(at[:, k] - at[:, k - 1]).norm(dim=1) for k in range(3)]).amax(0)
        # a triangle that is all but flat has no side to keep
        thin = cross.norm(dim=1) < 0.02 * long**2
        bad = ((before * after).sum(1) < _AGREE) | thin
        spread = torch.where(here[:, :, None], torch.full_like(at, torch.nan), at)
        reach = (spread - place[owner][:, None]).norm(dim=2).nan_to_num(0.0).amax(1)
        bad |= reach > LONG
        good &= torch.zeros(len(gone), dtype=torch.int64).index_add_(0, owner, bad.long()) == 0
    return good


def _flip(state: _State) -> _State:
    """Edges turned within their two faces, where vertices then have more nearly six neighbours."""
    for _ in range(_WAVES):
        vertices, faces, feature, corner = state
        total = len(vertices)
        topology = Topology(faces, total)
        edges = topology.edges
        keys = _key(edges[:, 0], edges[:, 1])
        counts = topology.edge_face_counts
        incidence = topology.edge_half_edges
        row = ((counts == 2) & ~_has(feature, keys)).nonzero().squeeze(1)
        one, two = (incidence.order[incidence.start[row] + k] for k in (0, 1))
        a, b = topology.half_edges[one].unbind(1)
        flat = faces.reshape(-1)
        c, d = (flat[h // 3 * 3 + (h + 2) % 3] for h in (one, two))
        turned = topology.half_edges[two, 0] == b  # the faces agree on their side
        border = torch.zeros(total, dtype=torch.bool)
        border[edges[counts == 1].reshape(-1)] = True
        wish = torch.where(border, 4, 6)
        valence = torch.bincount(edges.reshape(-1), minlength=total)
        off = valence - wish
        before = sum(off[v].abs() ** 2 for v in (a, b, c, d))
        after = (off[a] - 1) ** 2 + (off[b] - 1) ** 2 + (off[c] + 1) ** 2 + (off[d] + 1) ** 2
        gain = before - after
        good = turned & (gain > 0) & (c != d) & ~_has(keys, _key(c, d))
        row, one, two, a, b, c, d, gain = (t[good] for t in (row, one, two, a, b, c, d, gain))
        if not len(row):
            return state
        old = (
            _normals(vertices, torch.stack([a, b, c], 1)),
            _normals(vertices, torch.stack([b, a, d], 1)),
        )
        first, second = torch.stack([a, d, c], 1), torch.stack([d, b, c], 1)
        new = _normals(vertices, first), _normals(vertices, second)
        good = torch.ones(len(row), dtype=torch.bool)
        for n in new:
            for m in old:
                good &= (n * m).sum(1) > 0.7
        row, one, two, first, second, gain = (t[good] for t in (row, one, two, first, second, gain))
        if not len(row):
            return state
        group = torch.cat([first, second[:, 1:2]], 1)
        chosen = _untouching(_ranks(-gain), group, edges[:0], total)
        faces = faces.clone()
        faces[one[chosen] // 3] = first[chosen]
        faces[two[chosen] // 3] = second[chosen]
        state = _State(vertices, faces, feature, corner)
    return state


def _on(tree: MeshBVH, points: Tensor, normal: Tensor) -> tuple[Tensor, Tensor]:
    """The points of the surface that are nearest to (P, 3) points, and whether they are on the side
    that the normals there say, not on the other side of something thin."""
    closest = tree.closest(points)
    corners = tree.mesh.vertices[tree.mesh.faces[closest.face]]
    there = _normals(tree.mesh.vertices, tree.mesh.faces[closest.face])
    return (corners * closest.barycentric[:, :, None]).sum(1), (there * normal).sum(1) > 0


def _relax(state: _State, tree: MeshBVH) -> _State:
    """Free vertices moved in their tangent planes to the middle of their neighbours, and back onto
    the surface; those whose faces would turn over stay."""
    vertices, faces, feature, corner = state
    total = len(vertices)
    topology = Topology(faces, total)
    edges = topology.edges
    free = ~corner
    free[torch.cat([feature // _BASE, feature % _BASE])] = False
    a, b = edges.unbind(1)
    mean = torch.zeros_like(vertices).index_add_(0, a, vertices[b]).index_add_(0, b, vertices[a])
    mean = mean / torch.bincount(edges.reshape(-1), minlength=total)[:, None]
    before = _normals(vertices, faces)
    x, y, z = vertices[faces].unbind(1)
    weighted = torch.linalg.cross(y - x, z - x)
    normal = torch.zeros_like(vertices)
    for k in range(3):
        normal.index_add_(0, faces[:, k], weighted)
    normal = torch.nn.functional.normalize(normal, dim=1)
    step = _RELAX * (mean - vertices)
    step = step - (step * normal).sum(1, keepdim=True) * normal
    target = vertices + step
    index = free.nonzero().squeeze(1)
    if len(index):
        place, alike = _on(tree, target[index], normal[index])
        target = target.index_copy(0, index, torch.where(alike[:, None], place, vertices[index]))
    target = torch.where(free[:, None], target, vertices)
    for _ in range(6):
        after = _normals(target, faces)
        bad = (before * after).sum(1) < _AGREE
        if not bool(bad.any()):
            break
        back = faces[bad].reshape(-1)
        target = target.index_copy(0, back, vertices[back])
    return _State(target, faces, feature, corner)
