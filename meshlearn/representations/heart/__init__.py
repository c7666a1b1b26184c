"""Bi-ventricular hearts: a primitive of parameter functions under a neural flow."""

from meshlearn.representations.heart.flow import Flow
from meshlearn.representations.heart.lattice import Lattice, lattice, primitive_vertices
from meshlearn.representations.heart.model import HeartModel, part_of, quaternion, rotation
from meshlearn.representations.heart.parameters import ENTRIES, SIZE, index_of, named, roughness
from meshlearn.representations.heart.primitive import RV_SHARE, SHEETS, Primitive

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
