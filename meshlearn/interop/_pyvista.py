"""pyvista.PolyData."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

from meshlearn.interop._common import check_dtype, check_mesh, corner, points, require, usable
from meshlearn.interop._common import tensor as as_tensor
from meshlearn.mesh import CornerAttribute, Mesh, PolygonMesh

if TYPE_CHECKING:
    import pyvista

_CORNER = "corner:"


def to_pyvista(mesh: Mesh | PolygonMesh) -> pyvista.PolyData:
    """A PolyData of a mesh; polygons stay polygons, nothing is merged, dropped or reordered.

    Args:
        mesh: "normal" becomes the point data "Normals", "uv" of vertices the active texture
            coordinates; other vertex attributes are point data, face attributes cell data, by
            their names. Corner attributes of triangles are cell data "corner:NAME", which
            `from_pyvista` takes back.

    Raises:
        ImportError: PyVista is not installed.
        ValueError: not a Mesh or PolygonMesh.

    Example:
        >>> ml.interop.to_pyvista(mesh).plot()
    """
    pyvista = require("pyvista", "to_pyvista")
    plain: Mesh | PolygonMesh
    if isinstance(mesh, PolygonMesh):
        plain = mesh.to("cpu")
        start, index = plain.start.numpy(), plain.index.numpy()
        corners: dict[str, CornerAttribute] = {}
    else:
        triangles = plain = check_mesh(mesh)
        start, index = np.arange(triangles.num_faces + 1) * 3, triangles.faces.reshape(-1).numpy()
        corners = triangles.corner_attributes
    sizes = np.diff(start)
    cells = np.insert(index, start[:-1], sizes) if len(sizes) else np.zeros(0, np.int64)
    made = pyvista.PolyData()
    made.points = plain.vertices.detach().numpy()
    if len(cells):
        made.faces = cells
    for name, values in plain.vertex_attributes.items():
        array = _flat(values)
        if name == "uv" and array.ndim == 2 and array.shape[1] == 2:
            made.active_texture_coordinates = array
        made.point_data["Normals" if name == "normal" else name] = array
    for name, values in plain.face_attributes.items():
        made.cell_data[name] = _flat(values)
    for name, item in corners.items():
        made.cell_data[_CORNER + name] = _flat(item.dense())
    return made


def _flat(values: torch.Tensor) -> np.ndarray:
    array = values.detach().numpy()
    return array if array.ndim <= 2 else array.reshape(len(array), -1)


def from_pyvista(mesh: pyvista.PolyData, *, dtype: torch.dtype | None = None) -> Mesh:
    """A mesh of a PolyData; polygons and strips are triangulated, arrays become attributes.

    Args:
        dtype: of vertices and float attributes; None keeps what PyVista has.

    Raises:
        ImportError: PyVista is not installed.
        ValueError: not a PolyData (of another dataset, pass ``dataset.extract_surface()``).
    """
    return polygons_from_pyvista(mesh, dtype=dtype).triangulate()


def polygons_from_pyvista(
    mesh: pyvista.PolyData, *, dtype: torch.dtype | None = None
) -> PolygonMesh:
    """As `from_pyvista`, with polygons as they are."""
    pyvista = require("pyvista", "from_pyvista")
    check_dtype(dtype)
    if not isinstance(mesh, pyvista.PolyData):
        raise ValueError(
            f"mesh: expected a pyvista.PolyData, got {type(mesh).__name__}; of another dataset, "
            f"pass dataset.extract_surface()"
        )
    if mesh.n_strips:
        mesh = mesh.triangulate()
    vertices = points(mesh.points, dtype)
    polys = mesh.GetPolys()
    from vtkmodules.util.numpy_support import vtk_to_numpy

    start = np.array(vtk_to_numpy(polys.GetOffsetsArray()), np.int64)
    index = np.array(vtk_to_numpy(polys.GetConnectivityArray()), np.int64)
    start = start if len(start) else np.zeros(1, np.int64)
    count = len(start) - 1
    vertex, face, corners = {}, {}, {}
    for name in mesh.point_data.keys():
        values = np.asarray(mesh.point_data[name])
        if usable(values, len(vertices)):
            vertex["normal" if name == "Normals" else str(name)] = as_tensor(values, dtype)
    active = mesh.active_texture_coordinates
    if active is not None and "uv" not in vertex:
        vertex["uv"] = as_tensor(active, dtype)
        vertex.pop("Texture Coordinates", None)
    vertex.pop("Texture Coordinates" if "uv" in vertex else "", None)
    lines = mesh.n_cells - count  # cells of vertices and lines come first
    for name in mesh.cell_data.keys():
        values = np.asarray(mesh.cell_data[name])
        if not usable(values, mesh.n_cells):
            continue
        values = values[lines:]
        if str(name).startswith(_CORNER) and len(index) == 3 * count:
            item = corner(values.reshape(count, 3, -1), dtype)
            flat = CornerAttribute(item.values, item.index.reshape(-1))
            corners[str(name)[len(_CORNER) :]] = flat
        else:
            face[str(name)] = as_tensor(values, dtype)
    return PolygonMesh(
        vertices,
        (torch.from_numpy(start), torch.from_numpy(index)),
        vertex_attributes=vertex,
        face_attributes=face,
        corner_attributes=corners,
    )
