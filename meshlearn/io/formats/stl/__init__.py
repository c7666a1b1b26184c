"""STL."""

from meshlearn.io.format import Format, Holds

FORMAT = Format(
    name="STL",
    suffixes=(".stl",),
    read="meshlearn.io.formats.stl.read:read",
    write="meshlearn.io.formats.stl.write:write",
    pieces="meshlearn.io.formats.stl.write:pieces",
    losses="meshlearn.io.formats.stl.write:losses",
    holds=Holds(
        face=frozenset({"attribute", "color"}),
        polygons=False,
        double=False,
        shared=False,
        names=True,
    ),
    text_holds=Holds(polygons=False, double=False, shared=False, names=True, parts=True),
    ascii=True,
)
