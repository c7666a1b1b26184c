"""Grids, and the extractors that turn a field on a grid into a mesh."""

from meshlearn.isosurface.flexicubes import (
    FlexiCubesOutput,
    dual_marching_cubes,
    flexicubes,
    sign_regularizer,
)
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.marching_cubes import marching_cubes

__all__ = [
    "FlexiCubesOutput",
    "VoxelGrid",
    "dual_marching_cubes",
    "flexicubes",
    "marching_cubes",
    "sign_regularizer",
]
