"""Unions, differences and intersections of solids, halves of them, and convex hulls.

The library manifold3d computes where surfaces meet; attributes are those of the faces that new ones
are parts of (see `inherit`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn._manifold import manifold_library
from meshlearn._validate import TensorLike, as_tensor, check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.inherit import Origin, inherit
from meshlearn.geometry.nesting import inward_parts
from meshlearn.mesh import Mesh, Topology
from meshlearn.mesh.repair import same_position

BooleanOperation = Literal["union", "difference", "intersection"]
_OPERATIONS = {"union": "Add", "difference": "Subtract", "intersection": "Intersect"}
_ROUNDING = 1e-12  # of sums in double precision, as a share of what they add
_LISTED = 3  # places of defects that an error names


class Boolean(NamedTuple):
    """A mesh made of others, and where its faces come from.

    Attributes:
        mesh: closed and oriented outward.
        source: (F',) int64, which of the given meshes each face is a part of; -1 for faces that
            close a cut.
        face_index: (F',) int64, face of that mesh; -1 likewise.
        barycentric: (F', 3, 3), where each corner lies in that face; zero likewise.
    """

    mesh: Mesh
    source: Tensor
    face_index: Tensor
    barycentric: Tensor


class Halves(NamedTuple):
    """A mesh on both sides of a plane, see `split_by_plane`."""

    above: Boolean
    below: Boolean


class Hull(NamedTuple):
    """A convex hull, and which points it has.

    Attributes:
        mesh: closed and oriented outward.
        vertex_index: (V',) int64, the given point that each vertex is.
    """

    mesh: Mesh
    vertex_index: Tensor


def boolean(a: Mesh, b: Mesh | Sequence[Mesh], operation: BooleanOperation = "union") -> Boolean:
    """The solid that two or more solids make together, as one closed mesh.

    Attributes are carried: those of vertices are mixed, and become attributes of corners where the
    surfaces that meet do not agree on them; those of corners (texture coordinates) and faces are
    those of the face that a new face is a part of. What only one mesh has is white for colours, the
    surface's own for normals, zero for others. Materials of all are kept; a mesh without gets one
    that is called "default". Normals of what is taken away turn round.

    Args:
        a: encloses a solid: each edge is traversed as often in one direction as in the other,
            outward. Vertices may differ along seams where they stand at the same place.
        b: another one, or several.
        operation: "union" of all, "difference", which is `a` without all others, or "intersection"
            of all.

    Returns:
        Boolean, in the dtype and on the device of `a`, detached; empty where nothing is left.
        Computed in double precision on the CPU.

    Raises:
        ValueError: a mesh does not enclose a solid, is inside out, or is not finite; says which and
            what mends it.
        ImportError: manifold3d is not installed (the extra "union").

    Example:
        >>> box, ball = ml.data.shapes.box(), ml.data.shapes.icosphere(3)
        >>> ml.geometry.boolean(box, ball, "difference").mesh.save("hollow.glb")

    Source: Manifold, the library by E. Lalish and others (Apache-2.0).
    """
    others = [b] if isinstance(b, Mesh) else b
    if not isinstance(others, Sequence) or not len(others):
        raise ValueError(f"b: expected a Mesh or several, got {type(b).__name__}; pass a list")
    several = len(others) > 1
    return combined(
        [a, *others], operation, ["a", *(f"b[{i}]" if several else "b" for i in range(len(others)))]
    )


def combined(meshes: Sequence[Mesh], operation: str, names: Sequence[str]) -> Boolean:
    """`boolean` of the first mesh and others, which errors call by `names`."""
    if operation not in _OPERATIONS:
        raise ValueError(
            f"operation: expected one of {', '.join(_OPERATIONS)}, got {operation!r}; pass one"
        )
    library = manifold_library("a boolean needs")
    solids = [_solid(library, mesh, name) for mesh, name in zip(meshes, names, strict=True)]
    kind = getattr(library.OpType, _OPERATIONS[operation])
    made = library.Manifold.batch_boolean([solid.body for solid in solids], kind)
    return _result(made, solids, meshes[0])


def split_by_plane(mesh: Mesh, origin: TensorLike, normal: TensorLike) -> Halves:
    """A solid cut in two by a plane, each half closed where it was cut.

    Args:
        mesh: encloses a solid, as in `boolean`.
        origin, normal: a point of the plane and its normal of any length, (3,) each.

    Returns:
        Halves(above, below): what lies on the side of the normal, and the rest. Faces that close
        the cut have the source -1.

    Raises:
        ValueError: the mesh does not enclose a solid, or the normal is zero.
        ImportError: manifold3d is not installed (the extra "union").

    Example:
        >>> up = torch.tensor([0.0, 0.0, 1.0])
        >>> top, bottom = ml.geometry.split_by_plane(mesh, mesh.centroid(), up)
    """
    library = manifold_library("a split needs")
    solid = _solid(library, mesh, "mesh")
    place, direction = (
        check_tensor(as_tensor(v, name), name, shape=(3,), finite=True).detach().cpu().double()
        for name, v in (("origin", origin), ("normal", normal))
    )
    length = float(direction.norm())
    if not length > 0:
        raise ValueError("normal: expected a direction, got zeros; pass one that is not zero")
    direction = direction / length
    offset = float(direction @ place)
    halves = solid.body.split_by_plane(tuple(direction.tolist()), offset)
    above, below = (_result(half, [solid], mesh) for half in halves)
    return Halves(above, below)


def convex_hull(points: Mesh | TensorLike) -> Hull:
    """The smallest convex solid around points, or around the vertices of a mesh.

    Args:
        points: a Mesh, whose vertex attributes the hull's vertices keep, or (P, 3).

    Returns:
        Hull, in the dtype and on the device of the points, detached.

    Raises:
        ValueError: fewer than four points, or all in one plane, or one is not finite.
        ImportError: manifold3d is not installed (the extra "union").

    Example:
        >>> ml.geometry.convex_hull(torch.rand(1000, 3)).mesh.is_watertight
        True
    """
    library = manifold_library("a convex hull needs")
    given = points.vertices if isinstance(points, Mesh) else as_tensor(points, "points")
    check_tensor(given, "points", shape=("P", 3), finite=True)
    at = given.detach().cpu().double()
    if len(at):  # about its middle: the library's tolerance is relative to the largest coordinate
        at = at - (at.amin(0) + (at.amax(0) - at.amin(0)) / 2)
    at = at.contiguous()
    # a flat one is a sheet there and back, whose volume is rounding
    body = library.Manifold.hull_points(at.numpy()) if len(at) > 3 else None
    size = float((at.amax(0) - at.amin(0)).max()) if len(at) else 0.0
    if body is None or body.is_empty() or body.volume() <= 1e-12 * size**3:
        raise ValueError(
            f"points: expected four or more that do not lie in one plane, got {len(at)} that span "
            "no solid; add points, or leave the hull"
        )
    out = body.to_mesh64()
    found = torch.from_numpy(np.array(out.vert_properties[:, :3], np.float64))
    first = same_position(torch.cat((at, found)))[len(at) :]
    if bool((first >= len(at)).any()):
        first = torch.cdist(found, at).argmin(1)
    faces = torch.from_numpy(np.array(out.tri_verts, np.int64))
    first = first.to(given.device)
    vertex = points.vertex_attributes if isinstance(points, Mesh) else {}
    mesh = Mesh(
        given.detach()[first],
        faces.to(given.device),
        vertex_attributes={k: v.detach()[first] for k, v in vertex.items() if k != "normal"},
    )
    return Hull(mesh, first)


# --- to the library and back ----------------------------------------------------------------------


class _Solid(NamedTuple):
    body: Any  # manifold3d.Manifold
    name: int  # its number among the library's originals
    mesh: Mesh  # on the CPU


def _solid(library: Any, given: Mesh, label: str) -> _Solid:
    """A mesh as the library has it; each face by its number."""
    check_mesh(given, label)
    mesh = given.detach().to("cpu")
    check_tensor(mesh.vertices, f"{label}.vertices", finite=True)
    faces = enclosing_faces(mesh, label)
    name = int(library.Manifold.reserve_ids(1))
    whole = (faces != faces.roll(1, 1)).all(1)  # others are edges, which their neighbours share
    number = whole.nonzero().squeeze(1)
    faces = faces[whole]
    body = library.Manifold(
        library.Mesh64(
            np.ascontiguousarray(mesh.vertices.double().numpy()),
            np.ascontiguousarray(faces.numpy(), np.uint64),
            run_index=np.array([0, 3 * len(faces)], np.uint64),
            run_original_id=np.array([name], np.uint32),
            face_id=number.numpy().astype(np.uint64),
        )
    )
    if body.status() != library.Error.NoError:
        raise ValueError(
            f"{label}: expected a surface that encloses a solid, and manifold3d refuses this one "
            f"({body.status().name}); meshlearn check says where it is not sound"
        )
    return _Solid(body, name, mesh)


def enclosing_faces(mesh: Mesh, label: str) -> Tensor:
    """(F, 3) faces of a surface that encloses a solid; in merged vertices where it takes that.

    Raises:
        ValueError: it does not enclose one; says why, where, and what mends it.
    """
    points, faces = mesh.vertices.detach().double(), mesh.faces
    merged = Mesh(points, faces, validate=False)
    bad = _unpaired(merged.topology)
    if len(bad):
        faces = same_position(mesh.vertices)[mesh.faces]
        merged = Mesh(points, faces, validate=False)
        bad = _unpaired(merged.topology)
    if len(bad):
        boundary = int(merged.topology.boundary_edges.numel())
        places = ", ".join(
            "(" + " ".join(f"{x:.4g}" for x in mesh.vertices[edge].mean(0).tolist()) + ")"
            for edge in bad[:_LISTED]
        )
        if boundary:
            reason, mend = (
                f"{boundary} edges have one face only", "close its holes first, or wrap it"
            )  # fmt: skip
        elif not merged.is_edge_manifold:
            reason, mend = (
                f"{len(bad)} edges have an odd number of faces",
                "meshlearn repair takes them apart",
            )
        else:
            reason = f"{len(bad)} edges have faces that turn against each other"
            mend = "mesh.orient() or meshlearn repair turns them"
        raise ValueError(
            f"{label}: expected a closed surface that encloses a solid, but {reason}, near {places}"
            f"; {mend} (meshlearn check lists all)"
        )
    if _is_inside_out(points[faces]):
        raise ValueError(
            f"{label}: expected faces that look outward, but its volume is negative, so that it is "
            "inside out; mesh.flip() turns it"
        )
    inward = inward_parts(merged) if merged.is_edge_manifold else faces[:0, 0]
    if len(inward):
        count = merged.topology.components().count
        raise ValueError(
            f"{label}: expected faces that look outward, but {len(inward)} of its {count} parts "
            "are inside out and lie in no other part; meshlearn repair or mesh.orient() turns them"
        )
    return faces


def _is_inside_out(triangles: Tensor) -> bool:
    """Whether the volume that triangles (F, 3, 3) enclose is below zero by more than rounding."""
    if not len(triangles):
        return False
    a, b, c = (triangles[:, k] - triangles[0, 0] for k in range(3))
    parts = _dot(a, torch.linalg.cross(b, c))
    return float(parts.sum()) < -_ROUNDING * float(parts.abs().sum())


def _unpaired(topology: Topology) -> Tensor:
    """(N, 2) edges that are traversed more often in one direction than in the other."""
    faces, incidence = topology.faces, topology.edge_half_edges
    forward = (faces < faces.roll(-1, 1)).reshape(-1)[incidence.order]
    total = torch.nn.functional.pad(torch.cumsum(forward, 0), (1, 0))
    ahead = total[incidence.start[1:]] - total[incidence.start[:-1]]
    edges = topology.edges
    uneven = (2 * ahead != topology.edge_face_counts) & (edges[:, 0] != edges[:, 1])
    return edges[uneven]


def _result(body: Any, solids: list[_Solid], like: Mesh) -> Boolean:
    """What the library made, in the dtype and on the device of `like`."""
    out = body.to_mesh64()
    faces = torch.from_numpy(np.array(out.tri_verts, np.int64).reshape(-1, 3))
    points = torch.from_numpy(np.array(out.vert_properties, np.float64).reshape(-1, 3))
    count = len(faces)
    runs: Any = np.diff(np.array(out.run_index, np.int64)) // 3 if count else []
    number = {solid.name: i for i, solid in enumerate(solids)}
    source = np.repeat([number.get(int(n), -1) for n in out.run_original_id[: len(runs)]], runs)
    back = np.repeat([bool(out.backside(i)) for i in range(len(runs))], runs)
    origin = _origin(
        points[faces],
        solids,
        torch.from_numpy(source.astype(np.int64)),
        torch.from_numpy(np.array(out.face_id[:count], np.int64)),
    )
    turned = torch.from_numpy(back.astype(bool))
    vertices = points.to(like.dtype)
    mesh = inherit([solid.mesh for solid in solids], vertices, faces, origin, turned)
    to = like.device
    return Boolean(
        mesh.to(to), origin.source.to(to), origin.face.to(to), origin.barycentric.to(to, like.dtype)
    )


def _origin(corners: Tensor, solids: list[_Solid], source: Tensor, face: Tensor) -> Origin:
    """Where corners (F', 3, 3) lie in the faces that theirs are parts of."""
    face = torch.where(source < 0, -1, face)
    old = torch.zeros_like(corners)
    for i, solid in enumerate(solids):
        mine = source == i
        old[mine] = solid.mesh.vertices.double()[solid.mesh.faces[face[mine]]]
    weight = torch.zeros_like(corners)
    rest = source >= 0
    for turn in range(3):  # most faces are whole
        order = [turn, (turn + 1) % 3, (turn + 2) % 3]
        rows = rest.nonzero().squeeze(1)
        for k in range(3):
            x, y, z = (corners[rows, k] == old[rows, order[k]]).unbind(1)
            rows = rows[x & y & z]
        weight[rows] = torch.eye(3, dtype=weight.dtype)[order]
        rest[rows] = False
    weight[rest] = barycentric_of(corners[rest], old[rest])
    return Origin(source, face, weight)


def barycentric_of(points: Tensor, triangles: Tensor) -> Tensor:
    """(N, K, 3) weights of points (N, K, 3) in triangles (N, 3, 3), at least 0, summing to one;
    exactly one at the corners, and the nearest corner's in a triangle without area."""
    a, b, c = (triangles[:, k, None] for k in range(3))
    normal = torch.linalg.cross(b - a, c - a)
    square = _dot(normal, normal)
    flat = square == 0
    across = normal / torch.where(flat, 1.0, square)[..., None]

    def share(p: Tensor, q: Tensor) -> Tensor:
        return _dot(torch.linalg.cross(p - points, q - points), across)

    weight = torch.stack((share(b, c), share(c, a), share(a, b)), 2).clamp(0, 1)
    gap = points[:, :, None] - triangles[:, None]
    away = _dot(gap, gap)
    near = torch.nn.functional.one_hot(away.argmin(2), 3).to(weight)
    exact = (away.amin(2) == 0) | flat.expand(away.shape[:2]) | (weight.sum(2) == 0)
    weight = torch.where(exact[..., None], near, weight)
    return weight / weight.sum(2, keepdim=True)


def _dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products of vectors (..., 3); quicker than a sum over three."""
    return a[..., 0] * b[..., 0] + a[..., 1] * b[..., 1] + a[..., 2] * b[..., 2]
