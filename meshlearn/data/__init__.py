"""Procedural shapes, data sets and loaders."""

from meshlearn.data import families, open_shapes, shapes

__all__ = ["families", "open_shapes", "shapes"]
