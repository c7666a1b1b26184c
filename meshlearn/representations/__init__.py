"""Ways to parametrise a mesh, each one module: forward() gives the mesh and its regularisers."""

from meshlearn.representations.base import Representation, RepresentationOutput
from meshlearn.representations.bspnet import BSPNet
from meshlearn.representations.deepmesh import DeepMesh
from meshlearn.representations.flexicubes import FlexiCubes
from meshlearn.representations.gshell import GShell
from meshlearn.representations.heart import HeartModel
from meshlearn.representations.marching import MarchingCubes

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
