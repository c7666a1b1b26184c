"""What is reported: distances, normals, edges, quality of triangles, soundness."""

from meshlearn.geometry.intersections import self_intersections
from meshlearn.metrics.compare import compare, sharp_edges
from meshlearn.metrics.edges import edge_points
from meshlearn.metrics.quality import dihedral_angles, mesh_quality, tet_quality, triangle_shapes
from meshlearn.metrics.table import table

__all__ = [
    "compare",
    "dihedral_angles",
    "edge_points",
    "mesh_quality",
    "self_intersections",
    "sharp_edges",
    "table",
    "tet_quality",
    "triangle_shapes",
]
