"""What is minimised: regularisers of a mesh, each a 0-d tensor differentiable in the vertices."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._segment import stable_mean
from meshlearn.mesh import Mesh


def _adjacent_faces(mesh: Mesh) -> Tensor:
    """Pairs (K, 2) of faces on the two sides of each edge that has exactly two; cached by
    topology."""
    topology = mesh.topology
    cached = getattr(topology, "_adjacent_faces", None)
    if cached is None:
        faces = mesh.faces
        half = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]]).sort(1).values
        owner = torch.arange(len(faces), device=faces.device).repeat(3)
        key = half[:, 0] * max(1, mesh.num_vertices) + half[:, 1]
        order = torch.argsort(key, stable=True)
        key, owner = key[order], owner[order]
        same = torch.zeros(len(key) + 1, dtype=torch.bool, device=faces.device)
        same[1:-1] = key[1:] == key[:-1]
        first = (same[1:-1] & ~same[:-2] & ~same[2:]).nonzero().squeeze(1)  # runs of exactly two
        cached = torch.stack([owner[first], owner[first + 1]], 1)
        topology._adjacent_faces = cached
    return cached


def normal_consistency_loss(mesh: Mesh) -> Tensor:
    """Mean over inner edges of 1 - cosine between the normals of the two faces; 0 for a plane.

    Edges with one face or more than two take no part. 0 for a mesh without inner edges.

    Example:
        >>> loss = normal_consistency_loss(mesh)
    """
    pairs = _adjacent_faces(mesh)
    if len(pairs) == 0:
        return mesh.vertices.sum() * 0
    normals = mesh.face_normals()
    return stable_mean(1 - (normals[pairs[:, 0]] * normals[pairs[:, 1]]).sum(1))


def edge_length_loss(mesh: Mesh, *, target_length: float = 0.0) -> Tensor:
    """Mean over edges of (length - target_length)^2, in the mesh's unit squared.

    Args:
        target_length: the length that costs nothing; 0 pulls all edges together.
    """
    edges = mesh.topology.edges
    if len(edges) == 0:
        return mesh.vertices.sum() * 0
    squared = ((mesh.vertices[edges[:, 0]] - mesh.vertices[edges[:, 1]]) ** 2).sum(1)
    if target_length == 0:
        return stable_mean(squared)
    length = torch.where(squared > 0, squared, 1).sqrt() * (squared > 0)
    return stable_mean((length - target_length) ** 2)
