"""Volume cells for tests."""

import numpy as np

from meshlearn.io.document import Part

UNIT = np.array(
    [[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float
)
# unit-free corners of one cell of each kind, in VTK's order, and its volume
ONE = {
    "tetra": (UNIT[[0, 1, 3, 4]], 1 / 6),
    "pyramid": (np.concatenate([UNIT[:4], [[0.5, 0.5, 1]]]), 1 / 3),
    "wedge": (UNIT[[0, 3, 1, 4, 7, 5]], 1 / 2),
    "hexahedron": (UNIT, 1.0),
}


def blocks(n: int) -> Part:
    """n³ unit cubes as hexahedra, with a field of cells and one of vertices."""
    at = np.stack(np.meshgrid(*[np.arange(n + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    low = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), -1).reshape(-1, 3)
    corner = low[:, None] + UNIT.astype(int)
    cells = (corner * [(n + 1) ** 2, n + 1, 1]).sum(2)
    return Part(
        vertices=at.astype(np.float64),
        cells={"hexahedron": cells},
        vertex_fields={"heat": at.sum(1).astype(np.float64)},
        cell_fields={"number": {"hexahedron": np.arange(n**3)}},
    )
