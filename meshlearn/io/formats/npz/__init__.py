"""Documents in .npz files of numpy."""

from meshlearn.io.format import EVERYTHING, Format

FORMAT = Format(
    name="NPZ",
    suffixes=(".npz",),
    read="meshlearn.io.formats.npz.read:read",
    write="meshlearn.io.formats.npz.write:write",
    holds=EVERYTHING,
)
