"""Grids, and the extractors that turn a field on a grid into a mesh.

The equations of each method are listed at the top of its module: `flexicubes`, `gshell`,
`level_set`, `marching_cubes`; kernels, their gradients and references cite their numbers.
"""

from meshlearn.isosurface.flexicubes import (
    FlexiCubesOutput,
    dual_marching_cubes,
    flexicubes,
    sign_regularizer,
)
from meshlearn.isosurface.grid import VoxelGrid
from meshlearn.isosurface.gshell import GShellOutput, gshell
from meshlearn.isosurface.level_set import (
    LevelSetReport,
    attach_vertices,
    level_set_mesh,
    level_set_vertices,
)
from meshlearn.isosurface.level_set_batch import level_set_meshes
from meshlearn.isosurface.marching_cubes import marching_cubes
from meshlearn.isosurface.marching_tetrahedra import marching_tetrahedra
from meshlearn.isosurface.occupancy import occupancy_dual_contouring, surface_net
from meshlearn.isosurface.sparse import SparseVoxelGrid
from meshlearn.isosurface.tetgrid import TetGrid
from meshlearn.isosurface.tracking import SurfaceTracker, TrackReport

__all__ = [
    "FlexiCubesOutput",
    "GShellOutput",
    "LevelSetReport",
    "SparseVoxelGrid",
    "SurfaceTracker",
    "TetGrid",
    "TrackReport",
    "VoxelGrid",
    "attach_vertices",
    "dual_marching_cubes",
    "flexicubes",
    "gshell",
    "level_set_mesh",
    "level_set_meshes",
    "level_set_vertices",
    "marching_cubes",
    "marching_tetrahedra",
    "occupancy_dual_contouring",
    "sign_regularizer",
    "surface_net",
]
