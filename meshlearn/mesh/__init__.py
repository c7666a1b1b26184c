"""The data model: triangles, batches of them, polygons, tetrahedra, and their connectivity."""

from meshlearn.mesh.attributes import CornerAttribute
from meshlearn.mesh.centring import far_middle, kind_for, moved, used_vertices
from meshlearn.mesh.connected import Components
from meshlearn.mesh.cut import MeshCut, cut_mesh
from meshlearn.mesh.join import Joined, cat
from meshlearn.mesh.mesh import Edit, Mesh, Part
from meshlearn.mesh.meshes import Meshes
from meshlearn.mesh.polygon import PolygonMesh, Triangulation
from meshlearn.mesh.report import MeshReport
from meshlearn.mesh.tet import TetMesh
from meshlearn.mesh.topology import Topology

__all__ = [
    "Components",
    "CornerAttribute",
    "Edit",
    "Joined",
    "Mesh",
    "MeshCut",
    "MeshReport",
    "Meshes",
    "Part",
    "PolygonMesh",
    "TetMesh",
    "Topology",
    "Triangulation",
    "cat",
    "cut_mesh",
    "far_middle",
    "kind_for",
    "moved",
    "used_vertices",
]
