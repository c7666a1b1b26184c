"""Convex polyhedra from half-spaces, and their union."""

from meshlearn.convex.export import convex_colors, convex_document, csg_text, save_convexes
from meshlearn.convex.halfspaces import Convexes, convexes_from_halfspaces, intersect_halfspaces
from meshlearn.convex.inside import contains, face_planes, inner_convexes, select
from meshlearn.convex.union import union_convexes

__all__ = [
    "Convexes",
    "contains",
    "convex_colors",
    "convex_document",
    "convexes_from_halfspaces",
    "csg_text",
    "face_planes",
    "inner_convexes",
    "intersect_halfspaces",
    "save_convexes",
    "select",
    "union_convexes",
]
