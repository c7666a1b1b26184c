"""Surfaces of points by Poisson's equation: `poisson`, and its parts.

`spectral` is differentiable in points and normals; `noise`, `orientation` and `planes` measure and
clean scans, `gaps` continues them, `surface` puts them together.
"""

from meshlearn.reconstruct.poisson.gaps import continued, smoothest_field
from meshlearn.reconstruct.poisson.noise import inliers, point_noise, point_spacing
from meshlearn.reconstruct.poisson.orientation import oriented_normals
from meshlearn.reconstruct.poisson.planes import local_offsets, smoothed_points
from meshlearn.reconstruct.poisson.screened import screened_indicator
from meshlearn.reconstruct.poisson.spectral import point_areas, spectral_indicator
from meshlearn.reconstruct.poisson.surface import Cleaned, clean_points, poisson

__all__ = [
    "Cleaned",
    "clean_points",
    "continued",
    "inliers",
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
]
