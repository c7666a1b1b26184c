"""meshlearn: learn, fit and convert 3D meshes.

Names are imported on first use, so that `import meshlearn` (and `meshlearn --help`) stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from meshlearn import _saving, _showing

if TYPE_CHECKING:  # what the tables below hold, for editors and type checkers
    from meshlearn import convex as convex
    from meshlearn import data as data
    from meshlearn import fields as fields
    from meshlearn import geometry as geometry
    from meshlearn import heart as heart
    from meshlearn import interop as interop
    from meshlearn import io as io
    from meshlearn import isosurface as isosurface
    from meshlearn import losses as losses
    from meshlearn import mesh as mesh
    from meshlearn import metrics as metrics
    from meshlearn import reconstruct as reconstruct
    from meshlearn import representations as representations
    from meshlearn import train as train
    from meshlearn.convex import convexes_from_halfspaces as convexes_from_halfspaces
    from meshlearn.convex import intersect_halfspaces as intersect_halfspaces
    from meshlearn.geometry import chamfer_distance as chamfer_distance
    from meshlearn.geometry import knn as knn
    from meshlearn.geometry import point_mesh_distance as point_mesh_distance
    from meshlearn.geometry import sample_points as sample_points
    from meshlearn.geometry import signed_distance as signed_distance
    from meshlearn.geometry import winding_number as winding_number
    from meshlearn.geometry import wrap as wrap
    from meshlearn.io import load as load
    from meshlearn.io import save as save
    from meshlearn.isosurface import SparseVoxelGrid as SparseVoxelGrid
    from meshlearn.isosurface import SurfaceTracker as SurfaceTracker
    from meshlearn.isosurface import TetGrid as TetGrid
    from meshlearn.isosurface import VoxelGrid as VoxelGrid
    from meshlearn.isosurface import dual_marching_cubes as dual_marching_cubes
    from meshlearn.isosurface import level_set_mesh as level_set_mesh
    from meshlearn.isosurface import level_set_meshes as level_set_meshes
    from meshlearn.isosurface.flexicubes import flexicubes as flexicubes
    from meshlearn.isosurface.gshell import gshell as gshell
    from meshlearn.isosurface.marching_cubes import marching_cubes as marching_cubes
    from meshlearn.isosurface.marching_tetrahedra import marching_tetrahedra as marching_tetrahedra
    from meshlearn.mesh import CornerAttribute as CornerAttribute
    from meshlearn.mesh import Mesh as Mesh
    from meshlearn.mesh import Meshes as Meshes
    from meshlearn.mesh import MeshReport as MeshReport
    from meshlearn.mesh import PolygonMesh as PolygonMesh
    from meshlearn.mesh import TetMesh as TetMesh
    from meshlearn.mesh import Topology as Topology
    from meshlearn.reconstruct.fusion import fuse_depth as fuse_depth
    from meshlearn.reconstruct.poisson import poisson as poisson
    from meshlearn.render import Camera as Camera
    from meshlearn.render import EnvironmentLight as EnvironmentLight
    from meshlearn.render import Fragments as Fragments
    from meshlearn.render import render as render
    from meshlearn.render.antialias import antialias as antialias
    from meshlearn.render.interpolate import interpolate as interpolate
    from meshlearn.render.rasterize import rasterize as rasterize
    from meshlearn.render.texture import texture as texture
    from meshlearn.toolbox import boolean as boolean
    from meshlearn.toolbox import convex_hull as convex_hull
    from meshlearn.toolbox import curvature as curvature
    from meshlearn.toolbox import decompose as decompose
    from meshlearn.toolbox import fill_holes as fill_holes
    from meshlearn.toolbox import geodesic as geodesic
    from meshlearn.toolbox import register as register
    from meshlearn.toolbox import remesh as remesh
    from meshlearn.toolbox import section as section
    from meshlearn.toolbox import simplify as simplify
    from meshlearn.toolbox import smooth as smooth
    from meshlearn.toolbox import subdivide as subdivide

__version__ = "0.1.0"

# name -> the room that exports it
_EXPORTS = {
    # mesh
    "CornerAttribute": "meshlearn.mesh",
    "Mesh": "meshlearn.mesh",
    "MeshReport": "meshlearn.mesh",
    "Meshes": "meshlearn.mesh",
    "PolygonMesh": "meshlearn.mesh",
    "TetMesh": "meshlearn.mesh",
    "Topology": "meshlearn.mesh",
    # io
    "load": "meshlearn.io",
    "save": "meshlearn.io",
    # isosurface
    "SparseVoxelGrid": "meshlearn.isosurface",
    "SurfaceTracker": "meshlearn.isosurface",
    "TetGrid": "meshlearn.isosurface",
    "VoxelGrid": "meshlearn.isosurface",
    "dual_marching_cubes": "meshlearn.isosurface",
    "flexicubes": "meshlearn.isosurface",
    "gshell": "meshlearn.isosurface",
    "level_set_mesh": "meshlearn.isosurface",
    "level_set_meshes": "meshlearn.isosurface",
    "marching_cubes": "meshlearn.isosurface",
    "marching_tetrahedra": "meshlearn.isosurface",
    # convex
    "convexes_from_halfspaces": "meshlearn.convex",
    "intersect_halfspaces": "meshlearn.convex",
    # geometry
    "chamfer_distance": "meshlearn.geometry",
    "knn": "meshlearn.geometry",
    "point_mesh_distance": "meshlearn.geometry",
    "sample_points": "meshlearn.geometry",
    "signed_distance": "meshlearn.geometry",
    "winding_number": "meshlearn.geometry",
    "wrap": "meshlearn.geometry",
    # toolbox
    "boolean": "meshlearn.toolbox",
    "convex_hull": "meshlearn.toolbox",
    "curvature": "meshlearn.toolbox",
    "decompose": "meshlearn.toolbox",
    "fill_holes": "meshlearn.toolbox",
    "geodesic": "meshlearn.toolbox",
    "register": "meshlearn.toolbox",
    "remesh": "meshlearn.toolbox",
    "section": "meshlearn.toolbox",
    "simplify": "meshlearn.toolbox",
    "smooth": "meshlearn.toolbox",
    "subdivide": "meshlearn.toolbox",
    # reconstruct
    "fuse_depth": "meshlearn.reconstruct.fusion",
    "poisson": "meshlearn.reconstruct.poisson",
    # render
    "Camera": "meshlearn.render",
    "EnvironmentLight": "meshlearn.render",
    "Fragments": "meshlearn.render",
    "antialias": "meshlearn.render",
    "interpolate": "meshlearn.render",
    "rasterize": "meshlearn.render",
    "texture": "meshlearn.render",
}

# rooms and modules reached as meshlearn.NAME; the room `render` can be called as its function
_MODULES = frozenset(
    "convex data fields geometry heart interop io isosurface losses mesh metrics reconstruct render"
    " representations train viewer".split()
)

__all__ = ["__version__", *sorted(_EXPORTS), "render"]

if not TYPE_CHECKING:  # else every name would be there, as an object

    def __getattr__(name: str) -> object:
        if name in _EXPORTS:
            value = getattr(import_module(_EXPORTS[name]), name)
        elif name in _MODULES:
            value = import_module(f"meshlearn.{name}")
        else:
            raise AttributeError(f"module 'meshlearn' has no attribute {name!r}")
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS, *_MODULES})


def _save(what: Any, path: Any, **options: Any) -> None:
    import_module("meshlearn.io").save(what, path, **options)


def _show(what: Any, **options: Any) -> Any:
    return import_module("meshlearn.viewer.showing").show(what, **options)


def _html(what: Any) -> str:
    return import_module("meshlearn.render.notebook").mesh_html(what)


_saving.set_writer(_save)
_showing.set_showers(_show, _html)
