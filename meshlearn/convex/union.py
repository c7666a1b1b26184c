"""The union of convexes as one watertight mesh, by the library manifold3d."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from meshlearn._manifold import manifold_library
from meshlearn.convex.halfspaces import Convexes
from meshlearn.mesh import Mesh


def union_convexes(convexes: Convexes, *, simplify: bool = False) -> Mesh:
    """The union as one closed 2-manifold triangle mesh, oriented outward.

    Convexes that overlap, touch in a face or lie in each other are merged exactly (up to rounding:
    faces of different convexes that agree within it become one). Convexes that only touch in an
    edge or a point, and those apart, stay separate closed surfaces.

    Args:
        simplify: join coplanar triangles of different convexes too, for the fewest faces; the face
            attributes are then not known.

    Returns:
        The mesh, detached, in the dtype of the convexes, with face attributes "convex" (F,) int64
        and "plane" (F,) int64, where each triangle comes from. Convexes that do not appear among
        them are covered by others. Empty for no convex.

    Raises:
        ImportError: manifold3d is not installed (the extra "union").

    Example:
        >>> union_convexes(intersect_halfspaces(planes, bounds=box)).is_watertight
        True

    Source: Manifold, the library by E. Lalish and others (Apache-2.0).
    """
    library = manifold_library("the union of convexes needs")
    vertices = convexes.vertices.detach().cpu().double().numpy()
    faces, face = (t.cpu().numpy() for t in convexes._fans)
    plane = convexes.face_plane.cpu().numpy()[face]
    order = convexes.face_convex.cpu().numpy()[face]
    first = np.searchsorted(order, np.arange(len(convexes) + 1))
    begin = convexes.vertex_start.tolist()
    bodies, convex_of = [], {}
    for i in range(len(convexes)):
        rows = slice(first[i], first[i + 1])
        if rows.start == rows.stop:
            continue
        name = library.Manifold.reserve_ids(1)
        body = library.Manifold(
            library.Mesh64(
                np.ascontiguousarray(vertices[begin[i] : begin[i + 1]]),
                np.ascontiguousarray(faces[rows] - begin[i], np.uint64),
                run_index=np.array([0, 3 * (rows.stop - rows.start)], np.uint64),
                run_original_id=np.array([name], np.uint32),
                face_id=(plane[rows] + 6).astype(np.uint64),
            )
        )
        if body.status() != library.Error.NoError:
            raise RuntimeError(f"convex {i} was refused by manifold3d: {body.status()}")
        convex_of[int(name)] = i
        bodies.append(body)
    whole = library.Manifold.batch_boolean(bodies, library.OpType.Add)
    if simplify:
        whole = whole.as_original().simplify(whole.get_tolerance())
    out = whole.to_mesh64()
    found = torch.from_numpy(np.array(out.tri_verts, np.int64).reshape(-1, 3))
    points = torch.from_numpy(np.array(out.vert_properties[:, :3], np.float64).reshape(-1, 3))
    attributes = {}
    if not simplify:
        runs: Any = np.diff(np.array(out.run_index, np.int64)) // 3
        names = [convex_of[int(n)] for n in out.run_original_id]
        attributes = {
            "convex": torch.from_numpy(np.repeat(np.array(names, np.int64), runs)),
            "plane": torch.from_numpy(np.array(out.face_id, np.int64)) - 6,
        }
    device = convexes.vertices.device
    mesh = Mesh(points.to(convexes.vertices.dtype), found, face_attributes=attributes)
    return mesh.to(device) if device.type != "cpu" else mesh
