"""3MF of additive manufacturing."""

from meshlearn.io.format import Format, Holds

FORMAT = Format(
    name="3MF",
    suffixes=(".3mf",),
    read="meshlearn.io.formats.threemf.read:read",
    write="meshlearn.io.formats.threemf.write:write",
    losses="meshlearn.io.formats.threemf.write:losses",
    holds=Holds(
        face=frozenset({"material"}),
        polygons=False,
        bare_vertices=False,
        parts=True,
        names=True,
        transforms=True,
        materials=True,
        up="z",
        unit=True,
        metadata=frozenset({"3mf"}),
    ),
)
