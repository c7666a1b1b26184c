"""What follows from the faces alone: edges, adjacency, boundary, components, manifoldness."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE
from meshlearn._segment import Incidence
from meshlearn.mesh._boundary import trace_loops
from meshlearn.mesh.connected import (
    Components,
    connected_components,
    label_roots,
    roots_reference,
)


def _incidence(index: Tensor, size: int, start: Tensor, order: Tensor) -> Incidence:
    """An Incidence whose sort is already at hand."""
    made = Incidence.__new__(Incidence)
    made.index, made.size, made.start, made.order = index, size, start, order
    return made


class EdgeTable(NamedTuple):
    """Outputs of the operator `edge_table`, in the order of csrc/cpu/topology.cpp."""

    edges: Tensor  # (E, 2) int64
    start: Tensor  # (E + 1,) int64 half-edges before those of each edge
    order: Tensor  # (3F,) int64 half-edges, edge by edge
    edge: Tensor  # (3F,) int64 edge of each half-edge


def edge_table_reference(faces: Tensor, size: int) -> EdgeTable:
    """Torch reference of the operator `edge_table`."""
    a, b = faces.reshape(-1), faces.roll(-1, 1).reshape(-1)
    size = max(size, 1)
    key, order = torch.sort(torch.minimum(a, b) * size + torch.maximum(a, b), stable=True)
    first = torch.ones_like(key, dtype=torch.bool)
    first[1:] = key[1:] != key[:-1]
    begin = first.nonzero().squeeze(1)
    edges = torch.stack([key[begin] // size, key[begin] % size], 1)
    index = torch.empty_like(order)
    index[order] = torch.cumsum(first, 0) - 1
    return EdgeTable(edges, torch.cat([begin, begin.new_full((1,), key.numel())]), order, index)


def edge_unions_reference(faces: Tensor, start: Tensor, order: Tensor, corners: bool) -> Tensor:
    """Smallest member of each face's, or each corner's, set of those joined across edges."""
    edge = torch.repeat_interleave(torch.arange(start.numel() - 1).to(order), start.diff())
    link = (edge[1:] == edge[:-1]).nonzero().squeeze(1)
    a, b = order[link], order[link + 1]
    if not corners:
        return roots_reference(torch.stack([a, b], 1) // 3, faces.shape[0])
    vertex = faces.reshape(-1)
    same = vertex[a] == vertex[b]
    next_a, next_b = _next_corner(a), _next_corner(b)
    with_a, with_next = torch.where(same, b, next_b), torch.where(same, next_b, b)
    links = torch.stack([torch.cat([a, next_a]), torch.cat([with_a, with_next])], 1)
    return roots_reference(links, faces.numel())


class Topology:
    """Connectivity of triangles, built lazily, each part once, and shared by `with_vertices`.

    A half-edge h = 3 f + k goes from corner k to corner k + 1 (mod 3) of face f. A face that
    names a vertex twice has a half-edge from that vertex to itself, an edge like any other.

    Args:
        faces: (F, 3) int64, values in [0, num_vertices).
        num_vertices: V.

    Attributes:
        faces: (F, 3) int64.
        num_vertices, num_faces: int.
        edges: (E, 2) int64, each edge once, smaller vertex first, in lexicographic order.
        face_edges: (F, 3) int64, edge of each half-edge.
        edge_half_edges: Incidence, half-edges on each edge (ascending).
        edge_ends: Incidence, ends of edges (2 e + side) at each vertex (ascending).
        corners: Incidence, corners (3 f + k) at each vertex (ascending).
        boundary_edges: (B,) int64, edges with one face.
        non_manifold_edges: (N,) int64, edges with more than two faces.

    Example:
        >>> topology = ml.data.shapes.icosphere(1).topology
        >>> topology.edges.shape, topology.euler_number, topology.genus
        (torch.Size([120, 2]), 2, 0)
    """

    def __init__(self, faces: Tensor, num_vertices: int) -> None:
        self.faces = faces
        self.num_vertices = num_vertices

    @property
    def num_faces(self) -> int:
        return self.faces.shape[0]

    @property
    def num_edges(self) -> int:
        return self.edges.shape[0]

    # --- edges ----------------------------------------------------------------------------------

    @cached_property
    def half_edges(self) -> Tensor:
        """(3F, 2) int64 from and to vertex of each half-edge, along the face's orientation."""
        return torch.stack([self.faces, self.faces.roll(-1, 1)], 2).reshape(-1, 2)

    @cached_property
    def _sorted_edges(self) -> tuple[Tensor, Incidence]:
        if HAS_NATIVE and self.faces.device.type == "cpu":
            faces = self.faces.contiguous()
            made = EdgeTable(*torch.ops.meshlearn.edge_table(faces, self.num_vertices))
        else:
            made = edge_table_reference(self.faces, self.num_vertices)
        return made.edges, _incidence(made.edge, made.edges.shape[0], made.start, made.order)

    @property
    def edges(self) -> Tensor:
        return self._sorted_edges[0]

    @property
    def edge_half_edges(self) -> Incidence:
        return self._sorted_edges[1]

    @cached_property
    def edge_ends(self) -> Incidence:
        return Incidence(self.edges.reshape(-1), self.num_vertices)

    @property
    def face_edges(self) -> Tensor:
        return self.edge_half_edges.index.view(-1, 3)

    @cached_property
    def edge_face_counts(self) -> Tensor:
        """(E,) int64, number of faces on each edge."""
        return self.edge_half_edges.start.diff()

    @cached_property
    def edge_faces(self) -> tuple[Tensor, Tensor]:
        """CSR (start (E + 1,), face (3F,)): faces on edge e are face[start[e]:start[e + 1]]."""
        return self.edge_half_edges.start, self.edge_half_edges.order // 3

    @cached_property
    def boundary_edges(self) -> Tensor:
        return (self.edge_face_counts == 1).nonzero().squeeze(1)

    @cached_property
    def non_manifold_edges(self) -> Tensor:
        return (self.edge_face_counts > 2).nonzero().squeeze(1)

    @cached_property
    def boundary_half_edges(self) -> Tensor:
        """(B,) int64, the one half-edge on each boundary edge."""
        return self.edge_half_edges.order[self.edge_half_edges.start[self.boundary_edges]]

    @cached_property
    def face_pairs(self) -> Tensor:
        """(P, 2) int64 faces that share an edge of exactly two faces, in the order of edges."""
        begin = self.edge_half_edges.start[:-1][self.edge_face_counts == 2]
        face = self.edge_faces[1]
        return torch.stack([face[begin], face[begin + 1]], 1)

    @cached_property
    def face_pair_members(self) -> Incidence:
        """Incidence, places in `face_pairs` (2 p + side) of each face."""
        return Incidence(self.face_pairs.reshape(-1), self.num_faces)

    @cached_property
    def inconsistent_edges(self) -> Tensor:
        """(N,) int64, edges that their faces do not traverse equally often in both directions.

        An edge of an odd number of faces may be traversed once more in one of them.
        """
        incidence = self.edge_half_edges
        forward = (self.faces < self.faces.roll(-1, 1)).reshape(-1)[incidence.order]
        total = torch.nn.functional.pad(torch.cumsum(forward, 0), (1, 0))
        ahead = total[incidence.start[1:]] - total[incidence.start[:-1]]
        balance = (2 * ahead - self.edge_face_counts).abs()
        balance[self.edges[:, 0] == self.edges[:, 1]] = 0
        return (balance > 1).nonzero().squeeze(1)

    # --- vertices -------------------------------------------------------------------------------

    @cached_property
    def corners(self) -> Incidence:
        return Incidence(self.faces.reshape(-1), self.num_vertices)

    @cached_property
    def vertex_faces(self) -> tuple[Tensor, Tensor]:
        """CSR (start (V + 1,), face (3F,)): faces at vertex v are face[start[v]:start[v + 1]]."""
        return self.corners.start, self.corners.order // 3

    @cached_property
    def referenced(self) -> Tensor:
        """(V,) bool, vertices that a face uses."""
        mask = torch.zeros(self.num_vertices, dtype=torch.bool, device=self.faces.device)
        mask[self.faces.reshape(-1)] = True
        return mask

    # --- components -----------------------------------------------------------------------------

    def _unions(self, corners: bool) -> Components:
        """Faces, or corners of faces, joined across edges."""
        faces, incidence = self.faces, self.edge_half_edges
        if HAS_NATIVE and faces.device.type == "cpu":
            root = torch.ops.meshlearn.edge_unions(
                faces.contiguous(), incidence.start, incidence.order, corners
            )
        else:
            root = edge_unions_reference(faces, incidence.start, incidence.order, corners)
        return label_roots(root)

    @cached_property
    def _face_components(self) -> Components:
        return self._unions(corners=False)

    @cached_property
    def _vertex_components(self) -> Components:
        return connected_components(self.edges, self.num_vertices)

    def components(self) -> Components:
        """Faces joined through shared edges: ``labels`` (F,) int64 and ``count``.

        Labels are in the order of each component's first face. Faces that share only one
        vertex are not joined.
        """
        return self._face_components

    def vertex_components(self) -> Components:
        """Vertices joined by edges: ``labels`` (V,) int64, ``count``; a lone vertex is one."""
        return self._vertex_components

    @cached_property
    def fans(self) -> Components:
        """Corners joined around their vertex across edges: ``labels`` (3F,), ``count``."""
        return self._unions(corners=True)

    @cached_property
    def non_manifold_vertices(self) -> Tensor:
        """(N,) int64, vertices of several fans of faces, or on a non-manifold edge."""
        labels, count = self.fans
        owner = torch.zeros(count, dtype=torch.int64, device=self.faces.device)
        owner[labels] = self.faces.reshape(-1)
        bad = torch.bincount(owner, minlength=self.num_vertices) > 1
        bad[self.edges[self.non_manifold_edges].reshape(-1)] = True
        return bad.nonzero().squeeze(1)

    # --- boundary -------------------------------------------------------------------------------

    @cached_property
    def _loops(self) -> tuple[list[Tensor], int]:
        half = self.boundary_half_edges
        fan = self.fans.labels
        nodes = torch.stack([fan[half], fan[_next_corner(half)]], 1)
        return trace_loops(self.half_edges[half], nodes)

    def boundary_loops(self) -> list[Tensor]:
        """Closed loops of boundary edges: vertex indices (n,) int64 along the faces' orientation.

        The first vertex is not repeated at the end. Two loops that touch in a vertex stay two.
        Chains that end at a non-manifold edge are not loops and are left out.
        """
        return list(self._loops[0])

    # --- facts ----------------------------------------------------------------------------------

    @cached_property
    def euler_number(self) -> int:
        """Referenced vertices - edges + faces."""
        return int(self.referenced.sum()) - self.num_edges + self.num_faces

    @property
    def topological_type(self) -> tuple[int, int]:
        """Components and Euler number, which tell closed surfaces apart but for how handles are
        shared among several components."""
        return int(self.components().count), self.euler_number

    @cached_property
    def is_edge_manifold(self) -> bool:
        """No edge has more than two faces."""
        return self.non_manifold_edges.numel() == 0

    @cached_property
    def is_vertex_manifold(self) -> bool:
        """The faces at each vertex form one fan, open or closed."""
        return self.is_edge_manifold and self.non_manifold_vertices.numel() == 0

    @cached_property
    def is_consistently_oriented(self) -> bool:
        """Neighbouring faces traverse their common edge in opposite directions."""
        return self.inconsistent_edges.numel() == 0

    @cached_property
    def is_watertight(self) -> bool:
        """There are faces, and each edge has exactly two."""
        return self.num_faces > 0 and bool((self.edge_face_counts == 2).all())

    @cached_property
    def genus(self) -> int | None:
        """Handles, summed over components, of a closed, oriented 2-manifold; else None."""
        if self.is_watertight and self.is_vertex_manifold and self.is_consistently_oriented:
            return (2 * self.components().count - self.euler_number) // 2
        return None

    def __repr__(self) -> str:
        return f"Topology(num_vertices={self.num_vertices}, num_faces={self.num_faces})"


def _next_corner(corner: Tensor) -> Tensor:
    return torch.where(corner % 3 == 2, corner - 2, corner + 1)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::edge_table")
    def _(faces: Tensor, size: int) -> tuple[Tensor, ...]:
        edges = torch.library.get_ctx().new_dynamic_size()
        half = faces.shape[0] * 3
        made = EdgeTable(
            edges=faces.new_empty(edges, 2),
            start=faces.new_empty(edges + 1),
            order=faces.new_empty(half),
            edge=faces.new_empty(half),
        )
        return tuple(made)

    @torch.library.register_fake("meshlearn::edge_unions")
    def _(faces: Tensor, start: Tensor, order: Tensor, corners: bool) -> Tensor:
        return faces.new_empty(faces.shape[0] * (3 if corners else 1))
