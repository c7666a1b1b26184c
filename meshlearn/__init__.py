"""meshlearn: learn, fit and convert 3D meshes.

Names are imported on first use, so that `import meshlearn` (and `meshlearn --help`) stays quick.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import Any

from meshlearn import _saving

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
    # render
    "Camera": "meshlearn.render",
    "Fragments": "meshlearn.render",
    "antialias": "meshlearn.render",
    "interpolate": "meshlearn.render",
    "rasterize": "meshlearn.render",
    "texture": "meshlearn.render",
}

# rooms and modules reached as meshlearn.NAME
_MODULES = frozenset(
    "convex data fields geometry interop io isosurface losses mesh metrics reconstruct render"
    " representations train".split()
)

__all__ = ["__version__", *sorted(_EXPORTS), "render"]


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        # `render` names both a room and a function: the room, once imported, is made callable
        if name == "render" and isinstance(value, ModuleType):
            value.__class__ = _RenderRoom
        super().__setattr__(name, value)


class _RenderRoom(ModuleType):
    def __call__(self, *args: object, **kwargs: object) -> object:
        return self.render(*args, **kwargs)


sys.modules[__name__].__class__ = _Package


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


_saving.set_writer(_save)
