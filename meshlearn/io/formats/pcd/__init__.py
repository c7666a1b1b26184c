"""PCD of the Point Cloud Library."""

from meshlearn.io.format import ANY, Format, Holds

FORMAT = Format(
    name="PCD",
    suffixes=(".pcd",),
    read="meshlearn.io.formats.pcd.read:read",
    write="meshlearn.io.formats.pcd.write:write",
    holds=Holds(
        vertex=ANY,
        faces=False,
        points=True,
        metadata=frozenset({"offset", "viewpoint", "rows of points"}),
    ),
    ascii=True,
)
