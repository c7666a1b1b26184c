"""What follows from triangles alone: edges, components, boundary loops, manifoldness."""

from __future__ import annotations

from functools import cached_property
from typing import NamedTuple

import numpy as np

from meshlearn._compiled import HAS_COMPILED, call, threads


class EdgeTable(NamedTuple):
    """Edges, and the half-edges on them; half-edge 3 f + k goes from corner k of face f to the
    next.

    Attributes:
        edges: (E, 2) int64 vertices, the smaller first, in ascending order.
        start: (E + 1,) and
        order: (3 F,) int64: edge e has the half-edges ``order[start[e]:start[e + 1]]``.
        of: (3 F,) int64, edge of each half-edge.
    """

    edges: np.ndarray
    start: np.ndarray
    order: np.ndarray
    of: np.ndarray


def edge_table(faces: np.ndarray, size: int) -> EdgeTable:
    """The edges of faces (F, 3) int64 with values in [0, size)."""
    if HAS_COMPILED:
        edges, start, order, of = call("edge_table", threads(), faces, size, kinds="i")
        return EdgeTable(edges.reshape(-1, 2), start, order, of)
    a, b = faces.reshape(-1), np.roll(faces, -1, 1).reshape(-1)
    size = max(size, 1)
    whole = np.minimum(a, b) * size + np.maximum(a, b)
    order = np.argsort(whole, kind="stable")
    key = whole[order]
    first = np.ones(len(key), bool)
    first[1:] = key[1:] != key[:-1]
    begin = np.nonzero(first)[0]
    of = np.empty(len(key), np.int64)
    of[order] = np.cumsum(first) - 1
    edges = np.stack([key[begin] // size, key[begin] % size], 1)
    return EdgeTable(edges, np.concatenate([begin, [len(key)]]), order, of)


def roots(links: np.ndarray, size: int) -> np.ndarray:
    """(size,) int64: the smallest node of each node's component, of `links` (M, 2)."""
    if HAS_COMPILED:
        return call("component_roots", np.ascontiguousarray(links), size, kinds="i")[0]
    root = np.arange(size)
    a, b = links[:, 0], links[:, 1]
    while len(a):
        ra, rb = root[a], root[b]
        differs = ra != rb
        a, b, ra, rb = a[differs], b[differs], ra[differs], rb[differs]
        np.minimum.at(root, np.maximum(ra, rb), np.minimum(ra, rb))
        while True:
            jumped = root[root]
            if np.array_equal(jumped, root):
                break
            root = jumped
    return root


def first_equal(rows: np.ndarray) -> np.ndarray:
    """(N,) int64: the first row that is equal to each of `rows` (N, 3), of float32, float64 or
    int64; -0 equals 0, and NaN nothing."""
    if HAS_COMPILED:
        rows = np.ascontiguousarray(rows)
        return call(f"first_equal_{rows.dtype.name}", rows, kinds="i")[0]
    own = np.arange(len(rows))
    group = np.zeros(len(rows), np.int64)
    for column in rows.T:
        rank = np.unique(column + column.dtype.type(0), return_inverse=True)[1]
        group = np.unique(group * max(len(rows), 1) + rank, return_inverse=True)[1]
    first = np.full(len(rows), len(rows))
    np.minimum.at(first, group, own)
    return np.where(np.isnan(rows).any(1), own, first[group])


def labels_of(root: np.ndarray) -> tuple[np.ndarray, int]:
    """Labels 0 … count - 1 in the order of each component's smallest member, and their number."""
    is_root = root == np.arange(len(root))
    return (np.cumsum(is_root) - 1)[root], int(is_root.sum())


class Connectivity:
    """Connectivity of triangles, each part computed on first use: the numpy twin of
    `meshlearn.mesh.Topology`, for facts of files.

    Args:
        faces: (F, 3) int64 with values in [0, num_vertices).
    """

    def __init__(self, faces: np.ndarray, num_vertices: int) -> None:
        self.faces = np.ascontiguousarray(faces, np.int64)
        self.num_vertices = num_vertices

    @cached_property
    def table(self) -> EdgeTable:
        return edge_table(self.faces, self.num_vertices)

    @cached_property
    def edge_face_counts(self) -> np.ndarray:
        """(E,) number of faces on each edge."""
        return np.diff(self.table.start)

    @cached_property
    def boundary_edges(self) -> np.ndarray:
        """Edges of one face."""
        return np.nonzero(self.edge_face_counts == 1)[0]

    @cached_property
    def non_manifold_edges(self) -> np.ndarray:
        """Edges of more than two faces."""
        return np.nonzero(self.edge_face_counts > 2)[0]

    @cached_property
    def inconsistent_edges(self) -> np.ndarray:
        """Edges that their faces do not traverse equally often in both directions, to within one
        where their number is odd."""
        table, counts = self.table, self.edge_face_counts
        forward = (self.faces < np.roll(self.faces, -1, 1)).reshape(-1)[table.order]
        total = np.concatenate([[0], np.cumsum(forward)])
        balance = np.abs(2 * (total[table.start[1:]] - total[table.start[:-1]]) - counts)
        balance[table.edges[:, 0] == table.edges[:, 1]] = 0
        return np.nonzero(balance > 1)[0]

    @cached_property
    def referenced(self) -> np.ndarray:
        """(V,) bool: vertices that a face uses."""
        mask = np.zeros(self.num_vertices, bool)
        mask[self.faces.reshape(-1)] = True
        return mask

    def _unions(self, corners: bool) -> tuple[np.ndarray, int]:
        """Faces, or corners of faces, joined across edges: labels and count."""
        _, start, order, _ = self.table
        if HAS_COMPILED:
            return labels_of(call("edge_unions", self.faces, start, order, corners, kinds="i")[0])
        edge = np.repeat(np.arange(len(start) - 1), np.diff(start))
        link = np.nonzero(edge[1:] == edge[:-1])[0]
        a, b = order[link], order[link + 1]
        if not corners:
            return labels_of(roots(np.stack([a, b], 1) // 3, len(self.faces)))
        vertex = self.faces.reshape(-1)
        same = vertex[a] == vertex[b]
        next_a, next_b = _next_corner(a), _next_corner(b)
        to_a, to_next = np.where(same, b, next_b), np.where(same, next_b, b)
        links = np.stack([np.concatenate([a, next_a]), np.concatenate([to_a, to_next])], 1)
        return labels_of(roots(links, len(vertex)))

    @cached_property
    def components(self) -> tuple[np.ndarray, int]:
        """(F,) label of each face, joined through shared edges, and the number of components."""
        return self._unions(corners=False)

    @cached_property
    def fans(self) -> tuple[np.ndarray, int]:
        """(3 F,) label of each corner, joined around its vertex, and the number of fans."""
        return self._unions(corners=True)

    @cached_property
    def non_manifold_vertices(self) -> np.ndarray:
        """Vertices of several fans of faces, or on an edge of more than two."""
        labels, count = self.fans
        owner = np.zeros(count, np.int64)
        owner[labels] = self.faces.reshape(-1)
        bad = np.bincount(owner, minlength=self.num_vertices) > 1
        bad[self.table.edges[self.non_manifold_edges].reshape(-1)] = True
        return np.nonzero(bad)[0]

    @cached_property
    def boundary_loops(self) -> int:
        """Number of closed loops of boundary edges, which pass through fans of two of their ends;
        chains that end at a non-manifold edge are none."""
        table = self.table
        half = table.order[table.start[self.boundary_edges]]
        fan = self.fans[0]
        return count_loops(np.stack([fan[half], fan[_next_corner(half)]], 1))

    @property
    def euler_number(self) -> int:
        """Referenced vertices - edges + faces."""
        return int(self.referenced.sum()) - len(self.table.edges) + len(self.faces)

    @property
    def is_edge_manifold(self) -> bool:
        """No edge has more than two faces."""
        return len(self.non_manifold_edges) == 0

    @property
    def is_vertex_manifold(self) -> bool:
        """The faces at each vertex form one fan, open or closed."""
        return self.is_edge_manifold and len(self.non_manifold_vertices) == 0

    @property
    def is_consistently_oriented(self) -> bool:
        """Neighbouring faces traverse their common edge in opposite directions."""
        return len(self.inconsistent_edges) == 0

    @property
    def is_watertight(self) -> bool:
        """There are faces, and each edge has exactly two."""
        return len(self.faces) > 0 and bool((self.edge_face_counts == 2).all())

    @property
    def genus(self) -> int | None:
        """Handles, summed over components, of a closed, oriented 2-manifold; else None."""
        if self.is_watertight and self.is_vertex_manifold and self.is_consistently_oriented:
            return (2 * self.components[1] - self.euler_number) // 2
        return None


def _next_corner(corner: np.ndarray) -> np.ndarray:
    return np.where(corner % 3 == 2, corner - 2, corner + 1)


def count_loops(nodes: np.ndarray) -> int:
    """The number of closed loops of edges (B, 2), which follow each other at nodes of two ends."""
    count = len(nodes)
    if count == 0:
        return 0
    # An edge of a loop has, at both ends, a node of two ends; a chain has a node of another number.
    node, ends = np.unique(nodes, return_inverse=True)
    ends = ends.reshape(-1, 2)
    root = roots(ends, len(node))
    open_ = np.zeros(len(node), bool)
    open_[root[np.bincount(ends.reshape(-1), minlength=len(node)) != 2]] = True
    return int((~open_[root[root == np.arange(len(node))]]).sum())
