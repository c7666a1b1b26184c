"""Lines of points: .xyz, and .pts with their number in front."""

from meshlearn.io.format import Format, Holds

FORMAT = Format(
    name="XYZ",
    suffixes=(".xyz", ".pts"),
    read="meshlearn.io.formats.xyz.read:read",
    write="meshlearn.io.formats.xyz.write:write",
    pieces="meshlearn.io.formats.xyz.write:pieces",
    holds=Holds(
        vertex=frozenset({"normal", "color", "value"}),
        faces=False,
        points=True,
    ),
    text=(".xyz", ".pts"),
)
