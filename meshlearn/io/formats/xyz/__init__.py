"""Lines of points: .xyz and .txt, .pts with their number in front, .csv and .asc with names."""

from meshlearn.io.format import ANY, Format, Holds

XYZ = Format(
    name="XYZ",
    suffixes=(".xyz", ".pts", ".txt"),
    read="meshlearn.io.formats.xyz.read:read",
    write="meshlearn.io.formats.xyz.write:write",
    pieces="meshlearn.io.formats.xyz.write:pieces",
    losses="meshlearn.io.formats.xyz.write:losses",
    holds=Holds(
        vertex=frozenset({"normal", "color", "value"}),
        faces=False,
        points=True,
        metadata=frozenset({"offset"}),
    ),
    text=(".xyz", ".pts", ".txt"),
)
TABLE = Format(
    name="CSV",
    suffixes=(".csv", ".asc"),
    read="meshlearn.io.formats.xyz.read:read",
    write="meshlearn.io.formats.xyz.write_table:write",
    pieces="meshlearn.io.formats.xyz.write_table:pieces",
    losses="meshlearn.io.formats.xyz.write_table:losses",
    holds=Holds(vertex=ANY, faces=False, points=True),
    text=(".csv", ".asc"),
)
FORMATS = (XYZ, TABLE)
