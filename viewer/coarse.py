"""Simplified meshes by clustering vertices in a grid: fast, for the eye only."""

from __future__ import annotations

import numpy as np

_DENSE = 1 << 24  # cells of a grid that is kept as a table


def clustered(
    vertices: np.ndarray,  # (V, 3), finite where used
    faces: np.ndarray,  # (F, 3)
    cells: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """A mesh with one vertex in each cell of a grid with `cells` cells along its longest side.

    Returns:
        (W, 3) float64 vertices, the means of the cells; (G, 3) faces, those with corners in three
        cells; (W,) for each vertex one of the old ones in its cell; (G,) the old face of each.
    """
    used = np.zeros(len(vertices), bool)
    used[faces.reshape(-1)] = True
    index = np.arange(len(vertices)) if used.all() else np.nonzero(used)[0]
    points = vertices if len(index) == len(vertices) else vertices[index]
    low = points.min(0)
    scale = cells / max(float((points.max(0) - low).max()), 1e-300)
    side = cells + 1
    kind = np.int32 if side**3 <= _DENSE else np.int64
    x, y, z = (((points[:, k] - low[k]) * scale).astype(kind) for k in range(3))
    key = (x * side + y) * side + z
    if side**3 <= _DENSE:
        table = np.full(side**3, -1, np.int64)
        table[key] = np.arange(len(key))
        (taken,) = np.nonzero(table >= 0)
        one = table[taken]
        table[taken] = np.arange(len(taken))
        of_used = table[key]
    else:
        _, one, of_used = np.unique(key, return_index=True, return_inverse=True)
    label = np.zeros(len(vertices), np.int64)
    label[index] = of_used
    a, b, c = (label[faces[:, k]] for k in range(3))
    (whole,) = np.nonzero((a != b) & (b != c) & (c != a))
    kept = np.stack([a[whole], b[whole], c[whole]], 1)
    count = np.bincount(of_used, minlength=len(one))
    mean = np.stack([np.bincount(of_used, points[:, k], len(one)) for k in range(3)], 1)
    return mean / count[:, None], kept, index[one], whole
