"""Convex polyhedra from half-spaces, and their union."""

from meshlearn.convex.halfspaces import Convexes, convexes_from_halfspaces, intersect_halfspaces

__all__ = ["Convexes", "convexes_from_halfspaces", "intersect_halfspaces"]
