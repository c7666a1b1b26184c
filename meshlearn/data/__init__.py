"""Procedural shapes, data sets and loaders."""

from meshlearn.data import shapes

__all__ = ["shapes"]
