"""To and from the mesh types of other libraries, with attributes.

| library | vertices and faces | "color" | "normal" | "uv" | other attributes |
|---|---|---|---|---|---|
| trimesh | float64 | vertex colours | vertex normals | texture coordinates | by domain |
| Open3D, legacy | float64 | vertex colours | vertex normals | triangle uvs | - |
| Open3D, tensor | as they are | vertex colours | vertex normals | texture uvs | by domain |
| PyTorch3D | float32 | TexturesVertex | vertex normals | TexturesUV | - |
| PyVista | as they are | point data | normals | texture coordinates | point, cell data |

A library is imported when its function is called; an ImportError names the package where it is
absent.
"""

from meshlearn.interop._open3d import from_open3d, to_open3d
from meshlearn.interop._pytorch3d import from_pytorch3d, to_pytorch3d
from meshlearn.interop._pyvista import from_pyvista, to_pyvista
from meshlearn.interop._trimesh import from_trimesh, to_trimesh

__all__ = [
    "from_open3d",
    "from_pytorch3d",
    "from_pyvista",
    "from_trimesh",
    "to_open3d",
    "to_pytorch3d",
    "to_pyvista",
    "to_trimesh",
]
