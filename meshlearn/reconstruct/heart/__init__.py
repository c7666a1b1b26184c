"""Hearts from contours: fits of one frame and of a cycle, clinical read-outs, files, pictures."""

from meshlearn.reconstruct.heart.clinical import (
    SEGMENTS,
    aha_segments,
    dense,
    heart_mesh,
    over_cycle,
    read_out,
)
from meshlearn.reconstruct.heart.contact import HeartSettings
from meshlearn.reconstruct.heart.files import write_heart, write_report, write_series
from meshlearn.reconstruct.heart.fit import HeartFit, fit_heart
from meshlearn.reconstruct.heart.picture import draw_slices, draw_volumes
from meshlearn.reconstruct.heart.series import fit_series, volumes
from meshlearn.representations.heart.start import Start, find_start

__all__ = [
    "SEGMENTS",
    "HeartFit",
    "HeartSettings",
    "Start",
    "aha_segments",
    "dense",
    "draw_slices",
    "draw_volumes",
    "find_start",
    "fit_heart",
    "fit_series",
    "heart_mesh",
    "over_cycle",
    "read_out",
    "volumes",
    "write_heart",
    "write_report",
    "write_series",
]
