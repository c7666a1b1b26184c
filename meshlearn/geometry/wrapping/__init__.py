"""Closed surfaces around anything: `wrap`, from the cells that a ball reaches to the surface."""

from meshlearn.geometry.wrapping.wrap import wrap

__all__ = ["wrap"]
