"""Procedural shapes, data sets and loaders."""

from meshlearn.data import open_shapes, shapes

__all__ = ["open_shapes", "shapes"]
