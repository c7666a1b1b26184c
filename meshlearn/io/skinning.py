"""Vertices carried by joints: the mean of the joints' matrices, by the weights that a vertex has.

Formats of scenes have the same rule (glTF 2.0, 3.7.3.1; COLLADA 1.5, 4 "Skinning").
"""

from __future__ import annotations

import numpy as np

from meshlearn.io.document import Part
from meshlearn.io.placed import cofactors

_AT_ONCE = 1 << 16  # vertices that are carried together


def mean_matrices(
    matrices: np.ndarray, vertex: np.ndarray, joint: np.ndarray, weight: np.ndarray, count: int
) -> np.ndarray:
    """(V, 3, 4): where each of `count` vertices goes.

    Args:
        matrices: (J, 4, 4), from the bind pose to where the joint is.
        vertex, joint, weight: (N,), one for each joint that moves a vertex; joint -1 leaves it.
            Weights are divided by their sum; a vertex without any stays.
    """
    weight = np.where(np.isfinite(weight) & (weight > 0), weight, 0.0)
    total = np.bincount(vertex, weight, count)
    every = np.concatenate([matrices[:, :3], np.eye(4)[None, :3]]).reshape(-1, 12)
    out = np.empty((count, 12))
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(12):
            found = np.bincount(vertex, weight * every[joint, k], count)
            out[:, k] = np.where(total > 0, found / np.where(total > 0, total, 1), every[-1, k])
    return out.reshape(count, 3, 4)


def carry(part: Part, by: np.ndarray) -> None:
    """Moves the vertices of a part by matrices (V, 3, 4), and turns its normals."""
    vertices = np.empty_like(part.vertices)
    for start in range(0, len(vertices), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        at = part.vertices[rows].astype(np.float64)
        with np.errstate(over="ignore", invalid="ignore"):
            vertices[rows] = np.einsum("vij,vj->vi", by[rows, :, :3], at) + by[rows, :, 3]
    part.vertices = vertices
    normal = part.vertex_fields.get("normal")
    if normal is not None and normal.shape[1:] == (3,):
        part.vertex_fields["normal"] = _turned(by, normal)
    corners = part.corner_fields.get("normal")
    if corners is not None and corners.values.shape[1:] == (3,):
        pairs = np.stack([part.polygon_index, corners.index], 1)
        pairs, back = np.unique(pairs, axis=0, return_inverse=True)
        none = pairs[:, 1] < 0
        values = _turned(by[pairs[:, 0]], corners.values[np.where(none, 0, pairs[:, 1])])
        corners.values = values
        corners.index = np.where(none, -1, np.arange(len(pairs)))[back.reshape(-1)]


def _turned(by: np.ndarray, normal: np.ndarray) -> np.ndarray:
    """Normals (N, 3) as the surface turns by matrices (N, 3, 4), of length 1."""
    with np.errstate(over="ignore", invalid="ignore"):
        turned = np.einsum("vij,vj->vi", cofactors(by[:, :, :3]), normal.astype(np.float64))
        length = np.linalg.norm(turned, axis=1, keepdims=True)
        return (turned / np.where(np.isfinite(length) & (length > 0), length, 1)).astype(
            normal.dtype
        )
