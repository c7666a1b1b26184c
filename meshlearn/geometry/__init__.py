"""Spatial queries and differential geometry of meshes."""

from meshlearn.geometry.bvh import (
    ClosestPoints,
    MeshBVH,
    RayHits,
    point_mesh_distance,
    ray_mesh_intersection,
    signed_distance,
    winding_number,
)
from meshlearn.geometry.sampling import SurfaceSamples, sample_points, sample_surface

__all__ = [
    "ClosestPoints",
    "MeshBVH",
    "RayHits",
    "SurfaceSamples",
    "point_mesh_distance",
    "ray_mesh_intersection",
    "sample_points",
    "sample_surface",
    "signed_distance",
    "winding_number",
]
