"""Hearts whole: contours, the model, fits of one frame and of a cycle, read-outs, files, learning.

`data` reads what hearts are fitted to, `model` is the heart, `fit` fits it, `results` tells and
writes what was found, `learn` trains an encoder on generated hearts. A room imports only from those
before it, `learn` from all but `results`. Names are imported on first use.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshlearn.heart.data.contours import Contours, load_contour_series, load_contours
    from meshlearn.heart.fit.initial_pose import InitialPose, find_initial_pose
    from meshlearn.heart.fit.one_frame import HeartFit, fit_heart
    from meshlearn.heart.fit.series import fit_series, volumes
    from meshlearn.heart.fit.settings import HeartSettings
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

# module -> what it exports here
_EXPORTS = {
    "data.contours": "Contours load_contour_series load_contours",
    "fit.initial_pose": "InitialPose find_initial_pose",
    "fit.one_frame": "HeartFit fit_heart",
    "fit.series": "fit_series volumes",
    "fit.settings": "HeartSettings",
    "results.clinical": "SEGMENTS aha_segments dense heart_mesh over_cycle read_out",
    "results.files": "write_heart write_report write_series",
    "results.picture": "draw_slices draw_volumes",
}

__all__ = [
    "SEGMENTS",
    "Contours",
    "HeartFit",
    "HeartSettings",
    "InitialPose",
    "aha_segments",
    "dense",
    "draw_slices",
    "draw_volumes",
    "find_initial_pose",
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


def __getattr__(name: str) -> object:
    for module, names in _EXPORTS.items():
        if name in names.split():
            value = getattr(import_module(f"meshlearn.heart.{module}"), name)
            globals()[name] = value
            return value
    raise AttributeError(f"module 'meshlearn.heart' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
