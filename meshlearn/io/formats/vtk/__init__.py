"""The files of VTK: legacy .vtk, and XML of cells (.vtu), surfaces (.vtp) and lattices."""

from dataclasses import replace

from meshlearn.io.format import ANY, Format, Holds

_SURFACE = Holds(
    vertex=ANY,
    face=ANY,
    lines=True,
    points=True,
    element_fields=True,
    metadata=frozenset({"offset"}),
)
_CELLS = replace(_SURFACE, cells=frozenset({"tetra", "hexahedron", "wedge", "pyramid"}))

VTK = Format(
    name="VTK",
    suffixes=(".vtk",),
    read="meshlearn.io.formats.vtk.read:read",
    write="meshlearn.io.formats.vtk.write:write",
    holds=_CELLS,
    losses="meshlearn.io.formats.vtk.data:cell_losses",
    ascii=True,
)
VTU = Format(
    name="VTK XML",
    suffixes=(".vtu",),
    read="meshlearn.io.formats.vtk.xml_read:read",
    write="meshlearn.io.formats.vtk.xml_write:write_cells",
    holds=_CELLS,
    losses="meshlearn.io.formats.vtk.data:cell_losses",
    ascii=True,
)
VTP = Format(
    name="VTP",
    suffixes=(".vtp",),
    read="meshlearn.io.formats.vtk.xml_read:read",
    write="meshlearn.io.formats.vtk.xml_write:write_surface",
    holds=_SURFACE,
    losses="meshlearn.io.formats.vtk.data:surface_losses",
    ascii=True,
)
VTI = Format(
    name="VTK grid",
    suffixes=(".vti", ".vtr", ".vts"),
    read="meshlearn.io.formats.vtk.xml_lattice:read",
)
PARALLEL = Format(
    name="VTK of several files",
    suffixes=(".pvtu", ".pvtp", ".pvti", ".pvtr", ".pvts", ".vtm", ".vtmb"),
    read="meshlearn.io.formats.vtk.parallel:read",
)
FORMATS = (VTK, VTU, VTP, VTI, PARALLEL)
