"""Wavefront OBJ with its material libraries."""

from meshlearn.io.format import Format, Holds

FORMAT = Format(
    name="OBJ",
    suffixes=(".obj",),
    read="meshlearn.io.formats.obj.read:read",
    write="meshlearn.io.formats.obj.write:write",
    pieces="meshlearn.io.formats.obj.write:pieces",
    losses="meshlearn.io.formats.obj.write:losses",
    prepare="meshlearn.io.formats.obj.prepare:prepare",
    holds=Holds(
        vertex=frozenset({"color", "normal", "uv"}),
        face=frozenset({"group", "object", "material", "smooth"}),
        corner=frozenset({"uv", "normal"}),
        lines=True,
        points=True,
        parts=True,
        names=True,
        groups=True,
        materials=True,
        textures=True,
        metadata=frozenset({"mtllib", "object", "offset", "smooth"}),
    ),
    text=(".obj",),
)
