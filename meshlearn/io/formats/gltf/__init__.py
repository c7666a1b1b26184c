"""glTF 2.0, as .glb and .gltf."""

from meshlearn.io.even_looks import OF_CORNERS
from meshlearn.io.format import ANY, Format, Holds

FORMAT = Format(
    name="glTF",
    suffixes=(".glb", ".gltf"),
    read="meshlearn.io.formats.gltf.read:read",
    write="meshlearn.io.formats.gltf.write:write",
    pieces="meshlearn.io.formats.gltf.write:pieces",
    losses="meshlearn.io.formats.gltf.write:losses",
    prepare="meshlearn.io.formats.gltf.prepare:prepare",
    holds=Holds(
        vertex=ANY,
        face=frozenset({"material"}),
        corner=OF_CORNERS | {"normal", "tangent"},
        width=4,
        polygons=False,
        double="local",
        lines=True,
        points=True,
        parts=True,
        names=True,
        transforms=True,
        materials=True,
        textures=True,
        up="y",
        unit="m",
        metadata=frozenset({"asset", "offset"}),
    ),
    text=(".gltf",),
    compress=("meshopt", "draco"),
)
