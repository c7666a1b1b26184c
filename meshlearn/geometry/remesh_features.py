"""What `remesh` keeps: borders, creases, seams, borders of labels, edges of many faces."""

from __future__ import annotations

import math
import re
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn.geometry.carry import charts
from meshlearn.mesh import CornerAttribute, Mesh
from meshlearn.mesh.connected import connected_components
from meshlearn.mesh.topology import Topology

LEAST_CHAIN = 3.0  # wanted lengths, the least of a crease that is kept
LEAST_CHART = 16.0  # squares of the wanted length, the least mean chart whose seams are kept
CROWDED = 2.0  # labels that change at more than a share of 1 / CROWDED of the edges are no features
TURN = 60.0  # degrees by which a line of features turns in a corner
_UV_NAME = re.compile(r"uv\d*")


class Features(NamedTuple):
    """What stays.

    Attributes:
        edge: (E,) bool, of `mesh.topology.edges`.
        corner: (V,) bool, vertices.
    """

    edge: Tensor
    corner: Tensor


def features(mesh: Mesh, sharp: float, seams: list[CornerAttribute]) -> Features:
    """The features of a mesh in units of the wanted length.

    Args:
        sharp: degrees between two faces from which their edge is one; 180 for none.
        seams: texture coordinates, of `mesh`.
    """
    topology = mesh.topology
    edges = topology.edges
    keep = topology.edge_face_counts != 2
    keep[topology.inconsistent_edges] = True
    two = (~keep).nonzero().squeeze(1)
    start, half = topology.edge_half_edges.start, topology.edge_half_edges.order
    left, right = half[start[two]], half[start[two] + 1]
    for name, labels in mesh.face_attributes.items():
        if labels.dim() == 1 and (name == "material" or not labels.is_floating_point()):
            change = labels[left // 3] != labels[right // 3]
            if name == "material" or int(change.sum()) * CROWDED <= len(edges):
                keep[two] |= change
    if sharp < 180:
        normal = torch.nn.functional.normalize(mesh.face_normals(), dim=1)
        cosine = (normal[left // 3] * normal[right // 3]).sum(1)
        creased = keep.clone()
        creased[two] |= cosine < math.cos(math.radians(sharp))
        keep |= creased & _long_chains(mesh, creased, keep)
    ends = edges[keep]
    corner = _turns(mesh.vertices, ends)
    for item in seams:
        keep[two] |= _seam(mesh, item, left, right)
    ends = edges[keep]
    count = torch.bincount(ends.reshape(-1), minlength=mesh.num_vertices)
    corner |= (count != 0) & (count != 2)
    corner[topology.non_manifold_vertices] = True
    corner[edges[topology.edge_face_counts > 2].reshape(-1)] = True
    return Features(keep, corner)


def _turns(vertices: Tensor, ends: Tensor) -> Tensor:
    """(V,) bool, where a line of features turns."""
    count = torch.bincount(ends.reshape(-1), minlength=len(vertices))
    direction = torch.nn.functional.normalize(vertices[ends[:, 1]] - vertices[ends[:, 0]], dim=1)
    away = torch.zeros_like(vertices)
    away.index_add_(0, ends[:, 0], direction).index_add_(0, ends[:, 1], -direction)
    # two unit vectors that leave a vertex: their sum is 2 sin(turn / 2) long
    return (count == 2) & (away.norm(dim=1) > 2 * math.sin(math.radians(TURN) / 2))


def _seam(mesh: Mesh, item: CornerAttribute, left: Tensor, right: Tensor) -> Tensor:
    """Whether values differ on both sides of edges, whose half-edges are `left` and `right`; of
    no edge where charts are small: they would hold all vertices."""
    number = torch.unique(item.values, dim=0, return_inverse=True)[1][item.index].reshape(-1)
    turn = torch.arange(mesh.num_faces * 3).view(-1, 3).roll(-1, 1).reshape(-1)  # the next corner
    found = (number[left] != number[turn[right]]) | (number[turn[left]] != number[right])
    count = charts(mesh, item)[1]
    large = float(mesh.face_areas().sum()) >= LEAST_CHART * count
    return found if large else torch.zeros_like(found)


def _long_chains(mesh: Mesh, chosen: Tensor, held: Tensor) -> Tensor:
    """(E,) whether edges are in a connected set of `chosen` ones that is at least so long, or that
    holds one of those that are `held` anyway: short bits of a crease hold nothing but triangles."""
    edges = mesh.topology.edges
    if not bool(chosen.any()):
        return chosen
    length = (mesh.vertices[edges[:, 1]] - mesh.vertices[edges[:, 0]]).norm(dim=1)
    part = connected_components(edges[chosen], mesh.num_vertices).labels[edges[:, 0]]
    total = torch.zeros(int(part.max()) + 1, dtype=length.dtype)
    total.index_add_(0, part[chosen], length[chosen])
    whole = torch.zeros(len(total), dtype=torch.bool)
    whole[part[held]] = True
    return (whole | (total >= LEAST_CHAIN))[part]


def is_uv(name: str) -> bool:
    return _UV_NAME.fullmatch(name) is not None


class Cut(NamedTuple):
    """A surface whose edges of other than two faces are no longer than wanted.

    Attributes: those of `edge_passes.Given`.
    """

    vertices: Tensor
    faces: Tensor
    feature: Tensor
    corner: Tensor
    size: Tensor | None


def cut_odd_edges(mesh: Mesh, kept: Features, size: Tensor | None, longest: float) -> Cut:
    """The mesh with edges of other than two faces, which stay, cut to length.

    All faces of such an edge are cut at its middle, until it is no longer than `longest` sizes.
    """
    topology = mesh.topology
    at = Cut(mesh.vertices, mesh.faces, kept.edge[topology.face_edges], kept.corner, size)
    while True:
        odd = topology.edge_face_counts > 2
        odd[topology.inconsistent_edges] = True
        row = odd.nonzero().squeeze(1)
        ends = topology.edges[row]
        wanted = 1.0 if at.size is None else at.size[ends].amin(1)
        length = (at.vertices[ends[:, 1]] - at.vertices[ends[:, 0]]).norm(dim=1)
        row, ends = row[length > longest * wanted], ends[length > longest * wanted]
        if not len(row):
            return at
        number = torch.full((topology.num_edges,), -1)
        number[row] = len(at.vertices) + torch.arange(len(row))
        faces, feature = _cut(at.faces, at.feature, number[topology.face_edges])
        at = Cut(
            torch.cat([at.vertices, at.vertices[ends].mean(1)]),
            faces,
            feature,
            torch.cat([at.corner, at.corner.new_zeros(len(row))]),
            None if at.size is None else torch.cat([at.size, at.size[ends].mean(1)]),
        )
        topology = Topology(faces, len(at.vertices))


def _cut(faces: Tensor, feature: Tensor, middle: Tensor) -> tuple[Tensor, Tensor]:
    """Faces and which of their sides are features, each cut at those of its sides that have new
    vertices `middle` (F, 3), -1 for none; one side a turn."""
    while bool((middle >= 0).any()):
        first = (middle >= 0).long().argmax(1)
        turn = (torch.arange(3) + first[:, None]) % 3
        (a, b, c), (d, e, f) = (t.gather(1, turn).unbind(1) for t in (faces, middle))
        ab, bc, ca = feature.gather(1, turn).unbind(1)
        cut = d >= 0
        none, no = torch.full_like(d, -1), torch.zeros_like(ab)
        whole = torch.stack([a, torch.where(cut, d, b), c], 1)
        faces = torch.cat([whole, torch.stack([d, b, c], 1)[cut]])
        whole = torch.stack([ab, bc & ~cut, ca], 1)
        feature = torch.cat([whole, torch.stack([ab, bc, no], 1)[cut]])
        whole = torch.stack([none, torch.where(cut, none, e), f], 1)
        middle = torch.cat([whole, torch.stack([none, e, none], 1)[cut]])
    return faces, feature
