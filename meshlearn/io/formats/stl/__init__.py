"""STL."""

from meshlearn.io.format import Format, Holds

FORMAT = Format(
    name="STL",
    suffixes=(".stl",),
    read="meshlearn.io.formats.stl.read:read",
    write="meshlearn.io.formats.stl.write:write",
    pieces="meshlearn.io.formats.stl.write:pieces",
    holds=Holds(
        face=frozenset({"attribute"}),
        polygons=False,
        double=False,
        shared=False,
        names=True,
    ),
    ascii=True,
)
