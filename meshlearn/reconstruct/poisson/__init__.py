"""Surfaces of points by Poisson's equation: `poisson`, and its parts.

`spectral` is differentiable in points and normals; `noise`, `orientation` and `planes` measure and
clean scans, `gaps` continues them, `fine` goes to cells that are held near them alone, and
`surface` puts them together.
"""

from meshlearn.reconstruct.poisson.fine import finer_levels, level_mesh
from meshlearn.reconstruct.poisson.gaps import continued, smoothest_field
from meshlearn.reconstruct.poisson.noise import inliers, point_noise, point_spacing
from meshlearn.reconstruct.poisson.orientation import oriented_normals
from meshlearn.reconstruct.poisson.planes import local_offsets, smoothed_points
from meshlearn.reconstruct.poisson.screened import screened_indicator
from meshlearn.reconstruct.poisson.spectral import (
    point_areas,
    spectral_indicator,
    spectral_solution,
)
from meshlearn.reconstruct.poisson.surface import Cleaned, clean_points, poisson

__all__ = [
    "Cleaned",
    "clean_points",
    "continued",
    "finer_levels",
    "inliers",
    "level_mesh",
    "local_offsets",
    "oriented_normals",
    "point_areas",
    "point_noise",
    "point_spacing",
    "poisson",
    "screened_indicator",
    "smoothed_points",
    "smoothest_field",
    "spectral_indicator",
    "spectral_solution",
]
