"""LAS and LAZ, point clouds of laser scans, read by an extra (laspy with lazrs)."""

from meshlearn.io.format import Format

FORMAT = Format(
    name="LAS",
    suffixes=(".las", ".laz"),
    read="meshlearn.io.formats.las.read:read",
)
