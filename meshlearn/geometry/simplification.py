"""Simplification to a number of triangles, by a library that keeps the shape well."""

from __future__ import annotations

from importlib.util import find_spec

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.geometry.carry import carry_attributes
from meshlearn.mesh import Mesh, far_middle, moved, used_vertices

_LIBRARIES = ("fast_simplification", "open3d")


def simplify(mesh: Mesh, faces: int, *, library: str | None = None) -> Mesh:
    """About `faces` triangles in the shape of `mesh`, by quadric error (Garland, Heckbert, 1997).

    Vertices at one position are merged first. Vertex attributes are interpolated at the nearest
    point of the old surface, face attributes are those of the face nearest to the centre. Corner
    attributes (texture coordinates) are interpolated too, each face's within one chart, so that
    seams stay; texture coordinates and normals of vertices that differ along seams become corner
    attributes. Materials are kept.

    Args:
        faces: triangles wanted, at least 1; a mesh that has no more is given back as it is.
        library: "fast_simplification" or "open3d"; default: the first that is installed.

    Raises:
        ValueError: wrong arguments.
        ImportError: no such library is installed; names the extra.

    Example:
        >>> small = ml.geometry.simplify(mesh, 1000)
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    if not isinstance(faces, int) or isinstance(faces, bool) or faces < 1:
        raise ValueError(f"faces: expected a whole number of at least 1, got {faces!r}")
    if library is not None and library not in _LIBRARIES:
        raise ValueError(f"library: expected one of {', '.join(_LIBRARIES)}, got {library!r}")
    if mesh.num_faces <= faces:
        return mesh
    found = find_library(library)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    old = mesh.detach().to("cpu")
    middle = far_middle(used_vertices(old))
    old = old if middle is None else moved(old, -middle)
    welded = old.merge_vertices().mesh.remove_degenerate().mesh
    run = _fast if found == "fast_simplification" else _open3d
    size = _size(welded)
    vertices, triangles = run(welded.with_vertices(welded.vertices.double() / size), faces)
    vertices = (vertices.double() * size).to(old.dtype)
    made = Mesh(vertices, triangles)
    if made.num_faces and old.num_faces:
        made = carry_attributes(old, made)
    return _as_given(made, mesh, middle)


def _size(mesh: Mesh) -> float:
    """The longest side of the box, which becomes one: tolerances of libraries are lengths."""
    if not mesh.num_faces:
        return 1.0
    used = used_vertices(mesh)
    extent = float((used.amax(0) - used.amin(0)).max())
    return extent if extent > 0 else 1.0


def _as_given(made: Mesh, mesh: Mesh, middle: Tensor | None) -> Mesh:
    """What was made near the origin, where the given mesh is, in its dtype and on its device."""
    if middle is not None:
        made = made.with_vertices((made.vertices.double() + middle).to(mesh.dtype))
    return made.to(mesh.device)


def find_library(library: str | None = None) -> str:
    """The library that `simplify` would use.

    Raises:
        ImportError: none is installed; names the extra.
    """
    wanted = [library] if library else _LIBRARIES
    found = next((name for name in wanted if find_spec(name)), None)
    if found is None:
        raise ImportError(
            f"simplification needs {' or '.join(wanted)}: pip install 'meshlearn[simplify]'"
        )
    return found


def _fast(mesh: Mesh, faces: int) -> tuple[Tensor, Tensor]:
    import fast_simplification
    import numpy as np

    points, triangles = fast_simplification.simplify(
        np.ascontiguousarray(mesh.vertices.numpy()),
        np.ascontiguousarray(mesh.faces.numpy()),
        target_count=faces,
    )
    return torch.from_numpy(points.copy()), torch.from_numpy(triangles.astype("int64"))


def _open3d(mesh: Mesh, faces: int) -> tuple[Tensor, Tensor]:
    import numpy as np
    import open3d

    legacy = open3d.geometry.TriangleMesh(
        open3d.utility.Vector3dVector(mesh.vertices.double().numpy()),
        open3d.utility.Vector3iVector(mesh.faces.numpy().astype("int32")),
    )
    legacy = legacy.simplify_quadric_decimation(target_number_of_triangles=faces)
    legacy.remove_unreferenced_vertices()
    points, triangles = np.asarray(legacy.vertices), np.asarray(legacy.triangles)
    return torch.from_numpy(points.copy()), torch.from_numpy(triangles.astype("int64"))
