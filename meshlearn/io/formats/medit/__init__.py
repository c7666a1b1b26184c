"""MEDIT .mesh, as text."""

from meshlearn.io.format import Format, Holds

FORMAT = Format(
    name="MEDIT",
    suffixes=(".mesh",),
    read="meshlearn.io.formats.medit.read:read",
    write="meshlearn.io.formats.medit.write:write",
    pieces="meshlearn.io.formats.medit.write:pieces",
    losses="meshlearn.io.formats.medit.write:losses",
    holds=Holds(
        vertex=frozenset({"ref"}),
        face=frozenset({"ref"}),
        most_corners=4,
        lines=True,
        cells=frozenset({"tetra", "hexahedron", "wedge", "pyramid"}),
        element_fields=True,
    ),
    text=(".mesh",),
)
