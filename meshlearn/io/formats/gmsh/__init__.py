"""Gmsh .msh of versions 2.2 and 4.1."""

from meshlearn.io.format import ANY, Format, Holds

FORMAT = Format(
    name="Gmsh",
    suffixes=(".msh",),
    read="meshlearn.io.formats.gmsh.read:read",
    write="meshlearn.io.formats.gmsh.write:write",
    pieces="meshlearn.io.formats.gmsh.write:pieces",
    losses="meshlearn.io.formats.gmsh.write:losses",
    holds=Holds(
        vertex=ANY,
        face=ANY,
        most_corners=4,
        lines=True,
        points=True,
        cells=frozenset({"tetra", "hexahedron", "wedge", "pyramid"}),
        element_fields=True,
        metadata=frozenset({"physical"}),
    ),
    text=(".msh",),
)
