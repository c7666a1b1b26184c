"""3MF of additive manufacturing."""

from meshlearn.io.format import Format, Holds

_UV = ("uv", *(f"uv{k}" for k in range(1, 10)))

FORMAT = Format(
    name="3MF",
    suffixes=(".3mf",),
    read="meshlearn.io.formats.threemf.read:read",
    write="meshlearn.io.formats.threemf.write:write",
    losses="meshlearn.io.formats.threemf.write:losses",
    prepare="meshlearn.io.formats.threemf.resources:prepare",
    holds=Holds(
        vertex=frozenset({"color", *_UV}),
        face=frozenset({"material", "color"}),
        corner=frozenset({"color", *_UV}),
        polygons=False,
        bare_vertices=False,
        parts=True,
        names=True,
        transforms=True,
        materials=True,
        textures=True,
        up="z",
        unit=True,
        metadata=frozenset({"3mf", "offset"}),
    ),
)
