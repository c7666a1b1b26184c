"""Bi-ventricular hearts: a primitive of parameter functions under a neural flow."""

from meshlearn.heart.model.flow import Flow
from meshlearn.heart.model.lattice import Lattice, lattice, primitive_vertices
from meshlearn.heart.model.model import HeartModel, part_of, quaternion, rotation
from meshlearn.heart.model.parameters import ENTRIES, SIZE, index_of, named, roughness
from meshlearn.heart.model.primitive import RV_SHARE, SHEETS, Primitive

__all__ = [
    "ENTRIES",
    "RV_SHARE",
    "SHEETS",
    "SIZE",
    "Flow",
    "HeartModel",
    "Lattice",
    "Primitive",
    "index_of",
    "lattice",
    "named",
    "part_of",
    "primitive_vertices",
    "quaternion",
    "rotation",
    "roughness",
]
