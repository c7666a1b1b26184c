"""Hearts from contours: fits of one frame and of a cycle, clinical read-outs, files, pictures."""

from meshlearn.heart.data import Contours, load_contour_series, load_contours
from meshlearn.heart.fit.contact import HeartSettings
from meshlearn.heart.fit.one_frame import HeartFit, fit_heart
from meshlearn.heart.fit.series import fit_series, volumes
from meshlearn.heart.model.start import Start, find_start
from meshlearn.heart.results.clinical import (
    SEGMENTS,
    aha_segments,
    dense,
    heart_mesh,
    over_cycle,
    read_out,
)
from meshlearn.heart.results.files import write_heart, write_report, write_series
from meshlearn.heart.results.picture import draw_slices, draw_volumes

__all__ = [
    "SEGMENTS",
    "Contours",
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
    "load_contour_series",
    "load_contours",
    "over_cycle",
    "read_out",
    "volumes",
    "write_heart",
    "write_report",
    "write_series",
]
