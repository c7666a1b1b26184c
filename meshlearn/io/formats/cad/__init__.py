"""Solids of CAD, STEP and IGES, meshed by OpenCASCADE (cascadio)."""

from meshlearn.io.format import Format

FORMAT = Format(
    name="CAD",
    suffixes=(".step", ".stp", ".iges", ".igs"),
    read="meshlearn.io.formats.cad.read:read",
    tolerance=True,
)
