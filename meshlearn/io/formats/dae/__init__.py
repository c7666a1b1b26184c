"""COLLADA, which is read."""

from meshlearn.io.format import Format

FORMAT = Format(
    name="COLLADA",
    suffixes=(".dae",),
    read="meshlearn.io.formats.dae.read:read",
    text=(".dae",),
)
