"""What is minimised: regularisers of a mesh, each a 0-d tensor differentiable in the vertices."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._segment import stable_mean
from meshlearn.mesh import Mesh


def normal_consistency_loss(mesh: Mesh) -> Tensor:
    """Mean over inner edges of 1 - cosine between the normals of the two faces; 0 for a plane.

    Edges with one face or more than two take no part. 0 for a mesh without inner edges.

    Example:
        >>> loss = normal_consistency_loss(mesh)
    """
    pairs = mesh.topology.face_pairs
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
