"""Ways to parametrise a mesh, each one module: forward() gives the mesh and its regularisers.

Names are imported on first use; `HeartModel` lives with the hearts in `meshlearn.heart`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # what the table below holds, for editors and type checkers
    from meshlearn.heart.model import HeartModel as HeartModel
    from meshlearn.representations.base import Representation as Representation
    from meshlearn.representations.base import RepresentationOutput as RepresentationOutput
    from meshlearn.representations.bspnet import BSPNet as BSPNet
    from meshlearn.representations.deepmesh import DeepMesh as DeepMesh
    from meshlearn.representations.flexicubes import FlexiCubes as FlexiCubes
    from meshlearn.representations.gshell import GShell as GShell
    from meshlearn.representations.marching import MarchingCubes as MarchingCubes

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

if not TYPE_CHECKING:  # else every name would be there, as an object

    def __getattr__(name: str) -> object:
        if name not in _FROM:
            raise AttributeError(f"module 'meshlearn.representations' has no attribute {name!r}")
        value = getattr(import_module(_FROM[name]), name)
        globals()[name] = value
        return value
