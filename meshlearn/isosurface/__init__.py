"""Grids, and the extractors that turn a field on a grid into a mesh."""

from meshlearn.isosurface.flexicubes import (
    FlexiCubesOutput,
    dual_marching_cubes,
    flexicubes,
    sign_regularizer,
)
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.gshell import GShellOutput, gshell
from meshlearn.isosurface.marching_cubes import marching_cubes
from meshlearn.isosurface.marching_tetrahedra import marching_tetrahedra
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.tetgrid import TetGrid

__all__ = [
    "FlexiCubesOutput",
    "GShellOutput",
    "SparseVoxelGrid",
    "TetGrid",
    "VoxelGrid",
    "dual_marching_cubes",
    "flexicubes",
    "gshell",
    "marching_cubes",
    "marching_tetrahedra",
    "sign_regularizer",
]
