"""Surfaces of oriented points by Poisson's equation: its spectral solution, and what is made of it.

`spectral` is differentiable in points and normals.
"""

from meshlearn.reconstruct.poisson.spectral import point_areas, spectral_indicator

__all__ = ["point_areas", "spectral_indicator"]
