"""The faults that `scripts/mutate` plants: where, what becomes what, and the nearest tests.

A fault's `old` text stands once in its file, which a test of the default suite checks. Where code
moves or is rewritten, its faults move along; a fault that no test can see keeps its place in the
list with the reason in `equivalent`.
"""

from __future__ import annotations

from faults.arrays import ARRAYS
from faults.captures import CAPTURES
from faults.fields import FIELDS
from faults.files import FILES
from faults.fits import FITS
from faults.fusion import FUSION
from faults.geometry import GEOMETRY
from faults.geometry_2 import GEOMETRY_2
from faults.heart import HEART
from faults.io import IO
from faults.isosurface import ISOSURFACE
from faults.kept import KEPT
from faults.looks import LOOKS
from faults.materials import MATERIALS
from faults.mesh import MESH
from faults.mutant import Mutant, place_of
from faults.remeshing import REMESHING
from faults.rendering import RENDERING
from faults.repair import REPAIR
from faults.volumes import VOLUMES
from faults.wrong_answers import WRONG_ANSWERS

__all__ = ["MUTANTS", "Mutant", "place_of"]

MUTANTS: list[Mutant] = [
    *REPAIR,
    *FUSION,
    *REMESHING,
    *FILES,
    *MATERIALS,
    *CAPTURES,
    *LOOKS,
    *ISOSURFACE,
    *GEOMETRY,
    *GEOMETRY_2,
    *MESH,
    *FIELDS,
    *RENDERING,
    *IO,
    *HEART,
    *FITS,
    *ARRAYS,
    *KEPT,
    *VOLUMES,
    *WRONG_ANSWERS,
]
