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
from meshlearn.geometry.curvature import Curvature, curvature
from meshlearn.geometry.decomposition import Decomposition, decompose
from meshlearn.geometry.deformation import Deformer, deform
from meshlearn.geometry.enclosed import enclosed_faces, remove_enclosed
from meshlearn.geometry.even_sampling import sample_even
from meshlearn.geometry.geodesic import GeodesicSolver, geodesic_distance
from meshlearn.geometry.holes import drop_islands, fill_holes
from meshlearn.geometry.laplacian import laplacian, laplacian_matrix
from meshlearn.geometry.neighbours import Neighbours, PointTree, chamfer_distance, knn
from meshlearn.geometry.nonrigid import NonrigidRegistration, register_nonrigid
from meshlearn.geometry.offsetting import offset
from meshlearn.geometry.registration import Registration, register
from meshlearn.geometry.remeshing import Remeshed, remesh, remesh_edit
from meshlearn.geometry.repairing import Repair, repair
from meshlearn.geometry.sampling import SurfaceSamples, sample_points, sample_surface
from meshlearn.geometry.section import (
    SectionLine,
    plane_section,
    polyline_section,
    section,
    section_stack,
)
from meshlearn.geometry.simplification import simplify, simplify_edit
from meshlearn.geometry.smoothing import smooth
from meshlearn.geometry.solids import (
    Boolean,
    Halves,
    Hull,
    boolean,
    convex_hull,
    split_by_plane,
)
from meshlearn.geometry.subdivision import Subdivision, subdivide
from meshlearn.geometry.texturing import bake, unwrap
from meshlearn.geometry.thickness import thickness
from meshlearn.geometry.voxels import Voxels, voxelize
from meshlearn.geometry.wrapping import wrap
from meshlearn.mesh.tangents import tangents

__all__ = [
    "Boolean",
    "ClosestPoints",
    "Curvature",
    "Decomposition",
    "Deformer",
    "GeodesicSolver",
    "Halves",
    "Hull",
    "MeshBVH",
    "Neighbours",
    "NonrigidRegistration",
    "PointTree",
    "RayHits",
    "Registration",
    "Remeshed",
    "Repair",
    "SectionLine",
    "Subdivision",
    "SurfaceSamples",
    "Voxels",
    "bake",
    "boolean",
    "chamfer_distance",
    "convex_hull",
    "curvature",
    "decompose",
    "deform",
    "drop_islands",
    "enclosed_faces",
    "fill_holes",
    "geodesic_distance",
    "knn",
    "laplacian",
    "laplacian_matrix",
    "offset",
    "plane_section",
    "point_mesh_distance",
    "polyline_section",
    "ray_mesh_intersection",
    "register",
    "register_nonrigid",
    "remesh",
    "remesh_edit",
    "remove_enclosed",
    "repair",
    "sample_even",
    "sample_points",
    "sample_surface",
    "section",
    "section_stack",
    "signed_distance",
    "simplify",
    "simplify_edit",
    "smooth",
    "split_by_plane",
    "subdivide",
    "tangents",
    "thickness",
    "unwrap",
    "voxelize",
    "winding_number",
    "wrap",
]
