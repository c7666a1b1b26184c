"""Marching cubes as a representation: the field alone, vertices on the edges of the grid."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from meshlearn.isosurface import VoxelGrid, marching_cubes, sign_regularizer
from meshlearn.representations.base import RepresentationOutput
from meshlearn.representations.flexicubes import FlexiCubes


class MarchingCubes(FlexiCubes):
    """A closed mesh as the marching-cubes surface of learnable grid values.

    Args:
        grid: a VoxelGrid, or a number of cells along the longest side of `bounds`.
        bounds: (2, 3) box that the surface lies in (when `grid` is a number).
        device, dtype: of the parameters (when `grid` is a number).

    Parameter: ``sdf`` (N,) in units of the cell edge. The border of the grid is kept outside, so
    that the mesh is always closed. Losses: ``sign`` (sign changes of the field).

    What `FlexiCubes` is measured against: it has no freedom to move a vertex off its grid edge.

    Example:
        >>> shape = MarchingCubes(32)
        >>> shape.initialize(lambda p: p.norm(dim=1) - 0.5)
        >>> mesh, losses = shape()

    Source: Lorensen and Cline (1987).
    """

    default_weights = {"sign": 0.0}  # noqa: RUF012

    def __init__(
        self,
        grid: VoxelGrid | int = 64,
        *,
        bounds: Sequence[Sequence[float]] | Tensor = ((-1.0, -1.0, -1.0), (1.0, 1.0, 1.0)),
        device: str | torch.device = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__(
            grid, bounds=bounds, weights=False, deform=False, device=device, dtype=dtype
        )

    def forward(self) -> RepresentationOutput:
        mesh = marching_cubes(self.grid, self.sdf)
        losses = {"sign": sign_regularizer(self.grid, self.sdf)} if self.training else {}
        return RepresentationOutput(mesh, losses)
