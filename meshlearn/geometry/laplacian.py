"""Uniform and cotangent Laplacian of a mesh, as vectors and as a sparse matrix.

Both have rows that sum to zero and point from a vertex towards its neighbours: at a vertex v the
result is a weighted sum of u - v over its neighbours u. A plane has none inside, a convex corner
has one that points inward.
"""

from __future__ import annotations

import warnings
from typing import Literal

import torch
from torch import Tensor

from meshlearn._segment import gather, segment_sum
from meshlearn.mesh import Mesh
from meshlearn.mesh.measure import corner_positions, face_normals

LaplacianMethod = Literal["uniform", "cotangent"]


def laplacian(mesh: Mesh, method: LaplacianMethod = "uniform") -> Tensor:
    """(V, 3) Laplacian of the vertex positions, differentiable in the vertices, deterministic.

    Args:
        mesh: any mesh, also open or non-manifold.
        method: "uniform": mean of the neighbours minus the vertex, in the mesh's unit; zero at a
            vertex without neighbours. "cotangent": the sum over neighbours u of v of
            (cot a + cot b) / 2 (u - v), a and b the angles opposite the edge: minus the gradient
            of the surface's area, or twice the mean curvature times the area of the vertex,
            pointing where the area shrinks. In the mesh's unit. It is computed as that gradient,
            so that flat and thin faces are harmless: one without area contributes nothing.

    Returns:
        The vectors ``laplacian_matrix(mesh, method) @ mesh.vertices``, but for faces without area.

    Raises:
        ValueError: `mesh` is no Mesh, or the method is neither of the two.

    Example:
        >>> sphere = ml.data.shapes.icosphere(3)
        >>> inward = ml.geometry.laplacian(sphere, "cotangent")
        >>> bool(((inward * sphere.vertices).sum(1) < 0).all())
        True

    Source: Pinkall and Polthier, Computing discrete minimal surfaces and their conjugates, 1993,
    equation 8; Desbrun et al., Implicit fairing of irregular meshes, 1999, section 4.
    """
    _check(mesh, method)
    topology, vertices = mesh.topology, mesh.vertices
    if method == "cotangent":
        a, b, c = corner_positions(vertices, topology).unbind(1)
        opposite = torch.stack([c - b, a - c, b - a], 1)
        normals = face_normals(vertices, topology)[:, None].expand(-1, 3, -1)
        shrink = -0.5 * torch.linalg.cross(normals, opposite)
        return segment_sum(shrink.reshape(-1, 3), topology.corners)
    ends = topology.edge_ends
    if torch.is_grad_enabled() and vertices.requires_grad:
        at = gather(vertices, ends)
    else:
        at = vertices[ends.index]
    at = at.view(-1, 2, 3)
    to_other = (at.flip(1) - at).reshape(-1, 3)  # zero on an edge from a vertex to itself
    degree = _degree(mesh).clamp(min=1)
    return segment_sum(to_other, ends) / degree[:, None]


def laplacian_matrix(
    mesh: Mesh, method: LaplacianMethod = "uniform", *, layout: Literal["coo", "csr"] = "coo"
) -> Tensor:
    """(V, V) sparse Laplacian of the vertices' dtype, on their device.

    Args:
        mesh: any mesh, also open or non-manifold.
        method: "uniform": 1 / degree at each neighbour and -1 on the diagonal. "cotangent":
            (cot a + cot b) / 2 at each neighbour and minus their sum on the diagonal: symmetric,
            negative semidefinite. A face without area has no angles and contributes nothing.
        layout: "coo" for a coalesced COO tensor, or "csr", whose products are about ten times as
            quick.

    Returns:
        The matrix; without gradient (`laplacian` has one). A vertex without neighbours has an
        empty row.

    Raises:
        ValueError: `mesh` is no Mesh, or the method is neither of the two.

    Example:
        >>> mesh = ml.data.shapes.icosphere(1)
        >>> ml.geometry.laplacian_matrix(mesh, "cotangent").to_dense().sum(1).abs().max() < 1e-5
        tensor(True)

    Source: Pinkall and Polthier, Computing discrete minimal surfaces and their conjugates, 1993.
    """
    _check(mesh, method)
    if layout not in ("coo", "csr"):
        raise ValueError(f"layout: expected 'coo' or 'csr', got {layout!r}; pass one")
    topology, size = mesh.topology, mesh.num_vertices
    edges, ends = topology.edges, topology.edge_ends
    with torch.no_grad():
        if method == "cotangent":
            half = cotangents(mesh).roll(-2, 1).reshape(-1, 1) / 2  # edge k is opposite corner k+2
            weight = segment_sum(half, topology.edge_half_edges)[:, 0]
            weight = torch.where(edges[:, 0] == edges[:, 1], 0, weight)
            weight = weight[:, None].expand(-1, 2).reshape(-1)
        else:
            degree = _degree(mesh).clamp(min=1)
            weight = (edges[:, :1] != edges[:, 1:]) / degree[edges]
            weight = weight.reshape(-1)
        diagonal = -segment_sum(weight[:, None], ends)[:, 0]
        row, column = edges.reshape(-1), edges.flip(1).reshape(-1)
        keep = row != column
        used = _degree(mesh) > 0
        own = used.nonzero().squeeze(1)
        index = torch.stack(
            [torch.cat([row[keep], own]), torch.cat([column[keep], own])],
        )
        values = torch.cat([weight[keep], diagonal[used]])
        # entries are distinct: sorted here, nothing is left to add up
        order = torch.argsort(index[0] * size + index[1])
        index, values = index[:, order], values[order]
        if layout == "csr":
            start = index.new_zeros(size + 1)
            torch.cumsum(torch.bincount(index[0], minlength=size), 0, out=start[1:])
            with warnings.catch_warnings():  # torch calls the layout a beta
                warnings.simplefilter("ignore", UserWarning)
                return torch.sparse_csr_tensor(
                    start, index[1], values, (size, size), check_invariants=False
                )
        return torch.sparse_coo_tensor(
            index, values, (size, size), is_coalesced=True, check_invariants=False
        )


def cotangents(mesh: Mesh) -> Tensor:
    """(F, 3) cotangent of the angle at each corner; zero in a face without area."""
    a, b, c = corner_positions(mesh.vertices, mesh.topology).unbind(1)
    u, v, w = b - a, c - b, a - c
    if mesh.num_faces:
        scale = torch.stack([e.detach().abs().amax(1) for e in (u, v, w)]).amax(0)[:, None]
        scale = torch.where(scale == 0, torch.ones_like(scale), scale)
        u, v, w = u / scale, v / scale, w / scale
    normal = torch.linalg.cross(u, v)
    square = (normal * normal).sum(1)
    flat = square == 0
    twice_area = torch.where(flat, torch.ones_like(square), square).sqrt()
    cosine = -torch.stack([(u * w).sum(1), (u * v).sum(1), (v * w).sum(1)], 1)
    return torch.where(flat[:, None], torch.zeros_like(cosine), cosine / twice_area[:, None])


def _degree(mesh: Mesh) -> Tensor:
    """(V,) number of neighbours, of the vertices' dtype; the vertex itself is none."""
    topology = mesh.topology
    edges = topology.edges
    loops = edges[edges[:, 0] == edges[:, 1], 0]
    count = topology.edge_ends.start.diff()
    if loops.numel():
        count = count - 2 * torch.bincount(loops, minlength=mesh.num_vertices)
    return count.to(mesh.dtype)


def _check(mesh: Mesh, method: str) -> None:
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}; make one with ml.Mesh")
    if method not in ("uniform", "cotangent"):
        raise ValueError(f"method: expected 'uniform' or 'cotangent', got {method!r}; pass one")
