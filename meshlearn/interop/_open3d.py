"""open3d.geometry.TriangleMesh, and open3d.t.geometry.TriangleMesh."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from meshlearn.interop._common import (
    check_dtype,
    check_mesh,
    corner,
    points,
    require,
    tensor,
    unit_colors,
    usable,
)
from meshlearn.mesh import Mesh

if TYPE_CHECKING:
    import open3d

_TO_VERTEX = {"color": "colors", "normal": "normals"}
_FROM_VERTEX = {v: k for k, v in _TO_VERTEX.items()}


def to_open3d(mesh: Mesh, *, tensor: bool = False) -> open3d.geometry.TriangleMesh:
    """An Open3D mesh; nothing is merged, dropped or reordered.

    Args:
        mesh: "color" becomes vertex colours, "normal" vertex normals, "uv" (of vertices or corners)
            the uvs of triangles, the face attribute "material" their material ids.
        tensor: give the tensor geometry, which keeps the dtype and holds every other attribute by
            its name; the legacy one holds doubles and none of them.

    Raises:
        ImportError: Open3D is not installed.
        ValueError: not a Mesh, or colours that are not 3 or 4 values.

    Example:
        >>> shown = ml.interop.to_open3d(mesh)
    """
    open3d = require("open3d", "to_open3d")
    plain = check_mesh(mesh)
    uv = plain.corner_attributes.get("uv")
    dense = None if uv is None else uv.dense()
    if dense is None and "uv" in plain.vertex_attributes:
        dense = plain.vertex_attributes["uv"][plain.faces]
    if tensor:
        return _to_tensor(open3d, plain, dense)
    made = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(plain.vertices.double().numpy()),
        open3d.utility.Vector3iVector(plain.faces.numpy().astype(np.int32)),
    )
    color = plain.vertex_attributes.get("color")
    if color is not None:
        colors = np.ascontiguousarray(unit_colors(color)[:, :3])
        made.vertex_colors = open3d.utility.Vector3dVector(colors)
    normal = plain.vertex_attributes.get("normal")
    if normal is not None and normal.shape[1:] == (3,):
        made.vertex_normals = open3d.utility.Vector3dVector(normal.double().numpy())
    if dense is not None and dense.numel():
        flat = np.ascontiguousarray(dense.double().numpy()[..., :2].reshape(-1, 2))
        made.triangle_uvs = open3d.utility.Vector2dVector(flat)
    material = plain.face_attributes.get("material")
    if material is not None and material.dim() == 1:
        made.triangle_material_ids = open3d.utility.IntVector(material.numpy().astype(np.int32))
    return made


def _to_tensor(open3d: Any, mesh: Mesh, uv: torch.Tensor | None) -> open3d.t.geometry.TriangleMesh:
    def give(values: torch.Tensor) -> Any:
        return open3d.core.Tensor(np.ascontiguousarray(values.numpy()))

    made = open3d.t.geometry.TriangleMesh(give(mesh.vertices), give(mesh.faces))
    for name, values in mesh.vertex_attributes.items():
        made.vertex[_TO_VERTEX.get(name, name)] = give(values)
    for name, values in mesh.face_attributes.items():
        made.triangle["material_ids" if name == "material" else name] = give(values)
    if uv is not None and "uv" in mesh.corner_attributes:
        made.triangle["texture_uvs"] = give(uv)
    for name, item in mesh.corner_attributes.items():
        if name != "uv":
            made.triangle[f"corner:{name}"] = give(item.dense())
    return made


def from_open3d(mesh: open3d.geometry.TriangleMesh, *, dtype: torch.dtype | None = None) -> Mesh:
    """A mesh of an Open3D mesh, legacy or tensor, with its attributes.

    Args:
        dtype: of vertices and float attributes; None keeps what Open3D has (legacy: float64).

    Raises:
        ImportError: Open3D is not installed.
        ValueError: not a TriangleMesh.
    """
    open3d = require("open3d", "from_open3d")
    check_dtype(dtype)
    if isinstance(mesh, open3d.t.geometry.TriangleMesh):
        return _from_tensor(mesh, dtype)
    if not isinstance(mesh, open3d.geometry.TriangleMesh):
        raise ValueError(f"mesh: expected an Open3D TriangleMesh, got {type(mesh).__name__}")
    vertex, face, corners = {}, {}, {}
    if mesh.has_vertex_colors():
        vertex["color"] = tensor(mesh.vertex_colors, dtype)
    if mesh.has_vertex_normals():
        vertex["normal"] = tensor(mesh.vertex_normals, dtype)
    if mesh.has_triangle_uvs():
        corners["uv"] = corner(np.asarray(mesh.triangle_uvs).reshape(-1, 3, 2), dtype)
    if mesh.has_triangle_material_ids():
        face["material"] = tensor(mesh.triangle_material_ids)
    return Mesh(
        points(mesh.vertices, dtype),
        torch.from_numpy(np.array(mesh.triangles, np.int64).reshape(-1, 3)),
        vertex_attributes=vertex,
        face_attributes=face,
        corner_attributes=corners,
    )


def _from_tensor(mesh: Any, dtype: torch.dtype | None) -> Mesh:
    mesh = mesh.cpu()
    if "positions" not in mesh.vertex:
        return Mesh(points(np.zeros((0, 3), np.float32), dtype), torch.zeros(0, 3).long())
    vertices = points(mesh.vertex["positions"].numpy(), dtype)
    faces = np.zeros((0, 3), np.int64)
    if "indices" in mesh.triangle:
        faces = mesh.triangle["indices"].numpy().astype(np.int64).reshape(-1, 3)
    vertex, face, corners = {}, {}, {}
    for name, values in mesh.vertex.items():
        array = values.numpy()
        if name != "positions" and usable(array, len(vertices)):
            vertex[_FROM_VERTEX.get(name, name)] = tensor(array, dtype)
    for name, values in mesh.triangle.items():
        array = values.numpy()
        if name == "indices" or not usable(array, len(faces)):
            continue
        if name == "texture_uvs":
            corners["uv"] = corner(array, dtype)
        elif name.startswith("corner:"):
            corners[name[7:]] = corner(array, dtype)
        else:
            face["material" if name == "material_ids" else name] = tensor(array, dtype)
    return Mesh(
        vertices,
        torch.from_numpy(faces.copy()),
        vertex_attributes=vertex,
        face_attributes=face,
        corner_attributes=corners,
    )
