"""The formats of this package, a folder each.

A folder's `__init__` says what its format is (`meshlearn.io.format.Format`); reader and writer are
imported when a file asks for them.
"""

from meshlearn.io.format import Format
from meshlearn.io.formats import (
    cad,
    dae,
    gltf,
    gmsh,
    las,
    medit,
    npz,
    obj,
    off,
    pcd,
    ply,
    safetensors,
    stl,
    threemf,
    usd,
    vtk,
    xyz,
)

# in the order in which messages list their suffixes
BUILT_IN: tuple[Format, ...] = (
    obj.FORMAT,
    ply.FORMAT,
    stl.FORMAT,
    off.FORMAT,
    gltf.FORMAT,
    threemf.FORMAT,
    *vtk.FORMATS,
    medit.FORMAT,
    gmsh.FORMAT,
    dae.FORMAT,
    cad.FORMAT,
    usd.FORMAT,
    *xyz.FORMATS,
    las.FORMAT,
    pcd.FORMAT,
    npz.FORMAT,
    safetensors.FORMAT,
)
