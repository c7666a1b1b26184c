"""A relief as surveys have it: cells of a tenth of a metre, thousands of kilometres off."""

from __future__ import annotations

import numpy as np
import torch

from meshlearn import Mesh
from meshlearn.io.document import Part

UTM = np.array([431000.37, 5398000.21, 0.0])
# (offset, size of a cell): in metres, micrometres and kilometres, and a small part of a machine
PLACES = [(UTM, 0.1), (1e6 * UTM, 1e5), (1e-6 * UTM, 1e-7), (np.full(3, 1e4), 1e-4)]
NAMES = ["metres", "micrometres", "megametres", "small"]


def relief(cells: int = 20, size: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (cells², 3) float64 from (0, 0, 0) on, and faces."""
    at = np.stack(np.meshgrid(np.arange(cells), np.arange(cells), indexing="ij"), -1)
    at = at.reshape(-1, 2).astype(np.float64)
    height = 6 * np.sin(at[:, 0] * 0.13) * np.cos(at[:, 1] * 0.11) + 0.5 * np.sin(at[:, 0] * 0.5)
    k = (np.arange(cells - 1)[:, None] * cells + np.arange(cells - 1)).reshape(-1)
    faces = [np.stack([k, k + cells, k + cells + 1], 1), np.stack([k, k + cells + 1, k + 1], 1)]
    return size * np.column_stack([at, height]), np.concatenate(faces)


def survey(offset: np.ndarray = UTM, *, cells: int = 20, size: float = 0.1) -> Part:
    """The relief, at a place."""
    vertices, faces = relief(cells, size)
    return Part.triangles(vertices + offset, faces)


def survey_mesh(offset: np.ndarray = UTM, *, cells: int = 20, size: float = 0.1) -> Mesh:
    """The relief, at a place, as a mesh of float64."""
    vertices, faces = relief(cells, size)
    return Mesh(torch.from_numpy(vertices + offset), torch.from_numpy(faces))


def resolution(offset: np.ndarray) -> float:
    """How far numbers of double precision are apart at a place."""
    return float(np.spacing(np.abs(offset).max()))
