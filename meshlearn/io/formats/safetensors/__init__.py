"""Documents in .safetensors files."""

from meshlearn.io.format import EVERYTHING, Format

FORMAT = Format(
    name="safetensors",
    suffixes=(".safetensors",),
    read="meshlearn.io.formats.safetensors.read:read",
    write="meshlearn.io.formats.safetensors.write:write",
    holds=EVERYTHING,
)
