"""PLY, with any element and any property."""

from meshlearn.io.format import ANY, Format, Holds

FORMAT = Format(
    name="PLY",
    suffixes=(".ply",),
    read="meshlearn.io.formats.ply.read:read",
    write="meshlearn.io.formats.ply.write:write",
    pieces="meshlearn.io.formats.ply.write:pieces",
    losses="meshlearn.io.formats.ply.write:losses",
    prepare="meshlearn.io.formats.ply.textures:prepare",
    holds=Holds(
        vertex=ANY,
        face=ANY,
        corner=ANY,
        lines=True,
        points=True,
        materials=True,
        textures=True,
        metadata=frozenset({"comments", "offset"}),
        element_fields=True,
    ),
    ascii=True,
)
