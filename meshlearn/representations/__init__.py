"""Ways to parametrise a mesh, each one module: forward() gives the mesh and its regularisers.

Names are imported on first use; `HeartModel` lives with the hearts in `meshlearn.heart`.
"""

from __future__ import annotations

from importlib import import_module

_FROM = {
    "BSPNet": "meshlearn.representations.bspnet",
    "DeepMesh": "meshlearn.representations.deepmesh",
    "FlexiCubes": "meshlearn.representations.flexicubes",
    "GShell": "meshlearn.representations.gshell",
    "HeartModel": "meshlearn.heart.model",
    "MarchingCubes": "meshlearn.representations.marching",
    "Representation": "meshlearn.representations.base",
    "RepresentationOutput": "meshlearn.representations.base",
}

__all__ = [
    "BSPNet",
    "DeepMesh",
    "FlexiCubes",
    "GShell",
    "HeartModel",
    "MarchingCubes",
    "Representation",
    "RepresentationOutput",
]


def __getattr__(name: str) -> object:
    if name not in _FROM:
        raise AttributeError(f"module 'meshlearn.representations' has no attribute {name!r}")
    value = getattr(import_module(_FROM[name]), name)
    globals()[name] = value
    return value
