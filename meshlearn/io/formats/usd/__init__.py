"""USD, through usd-core."""

from meshlearn.io.format import ANY, Format, Holds

FORMAT = Format(
    name="USD",
    suffixes=(".usd", ".usda", ".usdc", ".usdz"),
    read="meshlearn.io.formats.usd.read:read",
    write="meshlearn.io.formats.usd.write:write",
    losses="meshlearn.io.formats.usd.write:losses",
    prepare="meshlearn.io.formats.usd.write:prepare",
    holds=Holds(
        vertex=ANY,
        face=ANY,
        corner=ANY,
        text=True,
        double="local",
        lines=True,
        points=True,
        parts=True,
        names=True,
        transforms=True,
        groups=True,
        materials=True,
        textures=True,
        up=True,
        unit=True,
        metadata=frozenset({"comments", "offset", "usd"}),
        element_fields=True,
    ),
    text=(".usda",),
    ascii=True,
)
