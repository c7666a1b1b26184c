"""The data model: triangles, batches of them, polygons, tetrahedra, and their connectivity."""

from meshlearn.mesh.attributes import CornerAttribute
from meshlearn.mesh.mesh import Mesh
from meshlearn.mesh.meshes import Meshes
from meshlearn.mesh.topology import Topology

__all__ = ["CornerAttribute", "Mesh", "Meshes", "Topology"]
