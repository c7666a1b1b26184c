"""A solid as a few convex ones, such as engines of rigid bodies want for collisions."""

from __future__ import annotations

import math
import warnings
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn._manifold import manifold_library
from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.convex_cuts import Group, cut, group_of, join
from meshlearn.geometry.repairing import repair
from meshlearn.geometry.solids import enclosing_faces
from meshlearn.geometry.wrapping import wrap
from meshlearn.mesh import Mesh

MOST = 256  # parts, where only a concavity is asked for
CONCAVITY = 0.02  # of the diagonal, where nothing is asked for
SMALL = 0.2  # of the concavity asked for, to which parts are cut before they are joined
WAYS = ((3, 7), (8, 15))  # parts cut for one that stays, places of planes along an axis
COARSE = 1e-3  # of the diagonal: details that no plane is chosen by
FACES = 2000  # of a mesh up to which all details count
NEAR = 1e-3  # of the diagonal: parts whose boxes are nearer may be joined
GROWTH = 0.15  # of the vertices of a hull that are chosen at once


class Decomposition(NamedTuple):
    """Convex parts of a solid.

    Attributes:
        parts: closed, convex meshes, the largest first.
        iou: volume that the solid and the union of the parts share, by that of both together.
        overlap: by how much the volumes of all parts together exceed that of their union, of it.
        concavity: of the worst part, as `decompose` measures it.
        holes: handles of the solid and of the union of the parts; fewer where a part spans one.
    """

    parts: list[Mesh]
    iou: float
    overlap: float
    concavity: float
    holes: tuple[int, int]


def decompose(
    mesh: Mesh,
    parts: int | None = None,
    vertices: int | None = None,
    *,
    concavity: float | None = None,
) -> Decomposition:
    """Convex parts that together are nearly a solid: hulls of what planes cut it into.

    Parts overlap little (what two of them share counts twice) and, but for `vertices`, hold the
    solid to a few thousandths of its size; cavities are filled. A mesh that encloses no solid is
    repaired, and where that is not enough wrapped, with a warning.

    Args:
        parts: at most so many; default: as many as `concavity` takes, up to 256. Components that
            are too far apart to be joined are parts whatever the number.
        vertices: of a part, at most; 4 or more. Parts are then smaller than their hulls.
        concavity: what a part may have at most: the radius of a ball of the volume that its hull
            adds, as a share of the diagonal of the box of the mesh. Fewer parts are given where
            they keep it. Default: 0.02 without `parts`, and none with.

    Returns:
        Decomposition, in the dtype and on the device of the mesh, detached.

    Raises:
        ValueError: a mesh without faces or volume or that is not finite; numbers that are none.
        ImportError: manifold3d is not installed (the extra "union").

    Example:
        >>> found = ml.geometry.decompose(mesh, parts=16, vertices=64)
        >>> found.iou, [part.num_vertices for part in found.parts]

    Source: the equations listed in `meshlearn.geometry.convex_cuts`.
    """
    check_mesh(mesh, "mesh")
    _check_number(parts, "parts", 1)
    _check_number(vertices, "vertices", 4)
    if concavity is not None and not 0 < concavity < math.inf:
        raise ValueError(f"concavity: expected a share of the diagonal above 0, got {concavity!r}")
    library = manifold_library("a decomposition needs")
    check_tensor(mesh.vertices.detach(), "mesh.vertices", finite=True)
    given = mesh.detach().to("cpu").to(torch.float64)
    ends = given.vertices[given.faces.unique()]
    centre = (ends.amin(0) + ends.amax(0)) / 2
    size = float((ends.amax(0) - ends.amin(0)).norm())
    if not size > 0:
        raise ValueError("mesh: expected one of some extent, got all faces in one point")
    body = _body(library, Mesh((given.vertices - centre) / size, given.faces))
    limit = CONCAVITY if parts is None and concavity is None else concavity
    enough = 0.0 if limit is None else 4 / 3 * math.pi * limit**3
    most = MOST if parts is None else parts
    groups = _grouped(library, body, most, enough)
    hulls = [g.points if vertices is None else _fewer(library, g.points, vertices) for g in groups]
    bodies = [library.Manifold.hull_points(np.ascontiguousarray(points)) for points in hulls]
    bodies.sort(key=lambda b: -b.volume())
    union = library.Manifold.batch_boolean(bodies, library.OpType.Add)
    shared = float((union ^ body).volume())
    total = sum(float(b.volume()) for b in bodies)
    both = float(union.volume()) + float(body.volume()) - shared
    worst = max(max(g.hull - g.volume, 0.0) for g in groups)
    made = []
    for part in bodies:
        corners, faces = _as_hull(library, part, size, centre, mesh.dtype)
        made.append(Mesh(corners.to(mesh.device), faces.to(mesh.device)))
    return Decomposition(
        made,
        shared / both,
        total / float(union.volume()) - 1,
        (3 * worst / (4 * math.pi)) ** (1 / 3),
        (_handles(body), _handles(union)),
    )


def _as_hull(
    library: Any, part: Any, size: float, centre: Tensor, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    """Vertices (V, 3) and faces (F, 3) of a part in its place; the hull of what rounding leaves of
    its vertices, since a rounded hull is convex no more."""

    def placed(body: Any) -> tuple[Tensor, Tensor]:
        out = body.to_mesh64()
        corners = torch.from_numpy(np.array(out.vert_properties[:, :3], np.float64))
        faces = torch.from_numpy(np.array(out.tri_verts, np.int64).reshape(-1, 3))
        return (corners * size + centre).to(dtype), faces

    corners, faces = placed(part)
    if dtype != torch.float64:
        again = library.Manifold.hull_points(((corners.double() - centre) / size).numpy())
        if float(again.volume()) > 0:
            return placed(again)
    return corners, faces


def _check_number(value: int | None, name: str, least: int) -> None:
    wrong = isinstance(value, bool) or not isinstance(value, int)
    if value is not None and (wrong or value < least):
        raise ValueError(f"{name}: expected a number of at least {least}, got {value!r}")


def _handles(body: Any) -> int:
    return sum(max(int(part.genus()), 0) for part in body.decompose())


def _body(library: Any, mesh: Mesh) -> Any:
    """The solid that a mesh encloses, components united and cavities filled."""
    whole = mesh
    for step in ("as it is", "repaired", "wrapped"):
        if step == "repaired":
            whole = repair(mesh).mesh
        elif step == "wrapped":
            warnings.warn(
                "mesh: it encloses no solid, so that its parts are those of a surface wrapped "
                "around it; meshlearn check says where it is open",
                stacklevel=4,
            )
            whole = wrap(mesh, tight=True)
        try:
            faces = enclosing_faces(whole, "mesh")
        except ValueError:
            continue
        body = library.Manifold(
            library.Mesh64(
                np.ascontiguousarray(whole.vertices.double().numpy()),
                np.ascontiguousarray(faces.numpy(), np.uint64),
            )
        )
        if body.status() != library.Error.NoError:
            continue
        solid = [part for part in body.decompose() if float(part.volume()) > 0]
        if solid:
            return library.Manifold.batch_boolean(solid, library.OpType.Add)
    raise ValueError(
        "mesh: expected one that has some volume, got none, also when wrapped; thicken it with "
        "ml.geometry.offset"
    )


def _grouped(library: Any, body: Any, most: int, enough: float) -> list[Group]:
    """The parts of the smallest volume of hulls among the ways to cut them."""
    coarse = body.simplify(COARSE) if int(body.num_tri()) > FACES else body
    bodies = [part for part in coarse.decompose() if float(part.volume()) > 0]
    least = max(SMALL * enough, 1e-5 * float(body.volume()) / max(most, 1))
    found: list[list[Group]] = []
    for over, places in WAYS:
        pieces = cut(library, bodies, max(over * min(most, MOST), len(bodies)), least, places)
        groups = [group_of(library, [piece]) for piece in pieces]
        found.append(join(library, groups, most, enough, NEAR))
    return min(found, key=lambda groups: (len(groups) > most, _worth(groups, enough)))


def _worth(groups: list[Group], enough: float) -> tuple[float, float]:
    """Where a concavity is asked for, parts that keep it first, and the fewest of those; else by
    the volume of the hulls."""
    volume = sum(group.hull for group in groups)
    if not enough:
        return 0.0, volume
    over = sum(group.hull - group.volume > enough for group in groups)
    return float(over), float(len(groups))


def _fewer(library: Any, points: np.ndarray, most: int) -> np.ndarray:
    """At most so many of the vertices (N, 3) of a hull, those first that stand out farthest from
    the hull of the others."""
    if len(points) <= most:
        return points
    chosen = [int(np.argmin(points[:, 0])), int(np.argmax(points[:, 0]))]
    along = points[chosen[1]] - points[chosen[0]]
    away = np.linalg.norm(np.cross(points - points[chosen[0]], along), axis=1)
    chosen.append(int(away.argmax()))
    normal = np.cross(along, points[chosen[2]] - points[chosen[0]])
    chosen.append(int(np.abs((points - points[chosen[0]]) @ normal).argmax()))
    while len(chosen) < most:
        hull = library.Manifold.hull_points(np.ascontiguousarray(points[chosen])).to_mesh64()
        corners = np.array(hull.vert_properties[:, :3], np.float64)
        a, b, c = np.moveaxis(corners[np.array(hull.tri_verts, np.int64).reshape(-1, 3)], 1, 0)
        normal = np.cross(b - a, c - a)
        normal /= np.maximum(np.linalg.norm(normal, axis=1, keepdims=True), 1e-300)
        out = points @ normal.T - (a * normal).sum(1)
        best = out.argmax(0)  # of each side, the farthest beyond it
        far = out[best, np.arange(len(best))]
        order = np.argsort(-far, kind="stable")
        fresh = [int(i) for i in dict.fromkeys(best[order].tolist()) if i not in set(chosen)]
        if not fresh:
            break
        room = min(most - len(chosen), max(1, round(GROWTH * len(chosen))))
        chosen += fresh[:room]
    return points[chosen]
