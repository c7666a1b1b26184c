"""OFF of Geomview."""

from meshlearn.io.format import Format, Holds

FORMAT = Format(
    name="OFF",
    suffixes=(".off", ".coff", ".noff"),
    read="meshlearn.io.formats.off.read:read",
    write="meshlearn.io.formats.off.write:write",
    pieces="meshlearn.io.formats.off.write:pieces",
    holds=Holds(
        vertex=frozenset({"color", "normal", "uv"}),
        face=frozenset({"color", "color_index"}),
    ),
    text=(".off", ".coff", ".noff"),
)
