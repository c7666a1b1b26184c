"""Isotropic remeshing: even triangles on the surface as it was, features kept.

Of one size, or small where the surface bends. `edge_passes` does the work, `remesh_features` says
what stays, `remesh_sizes` how long edges are.
"""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._validate import check_tensor
from meshlearn.geometry._space import check_mesh
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.carry import carry_attributes, corner_values
from meshlearn.geometry.edge_passes import LONG, Given, passes
from meshlearn.geometry.remesh_features import cut_odd_edges, features, is_uv
from meshlearn.geometry.remesh_sizes import faces_of, sizes_by_bend, sizes_by_error
from meshlearn.mesh import Mesh, far_middle, moved, used_vertices

SHARP = 40.0  # degrees between faces from which an edge is a feature
ROUNDS = 5
MOST_FACES = 50_000_000
COARSEST = 0.05  # of the box's diagonal, the longest edges of an error alone
_OFF = 0.02  # of the number of faces asked for; a result that is further off is told
_TRIANGLE = math.sqrt(3) / 4  # area of a triangle of sides 1


class Remeshed(NamedTuple):
    """A surface in other triangles, and where they lie on the given one.

    Attributes:
        mesh: the new surface.
        face: (V',) int64, the old face that is nearest to each new vertex.
        barycentric: (V', 3) weights of its corners at the nearest point, in the mesh's dtype.
        face_index: (F',) int64, the old face that is nearest to the middle of each new face.
    """

    mesh: Mesh
    face: Tensor
    barycentric: Tensor
    face_index: Tensor


@eager
def remesh(
    mesh: Mesh,
    edge_length: float | None = None,
    *,
    faces: int | None = None,
    adaptive: bool = False,
    error: float | None = None,
    rounds: int = ROUNDS,
    sharp: float = SHARP,
) -> Mesh:
    """The surface in nearly equilateral triangles, of one size or by the curvature.

    Borders, edges sharper than `sharp`, edges of more than two faces, borders between materials
    and other whole numbers of faces, and seams of texture coordinates stay, their vertices on
    them; seams not where charts are smaller than a few triangles. Other vertices are on the given
    surface. A closed surface stays closed, a manifold one a manifold. Vertices at one position are
    merged first. Attributes and materials are carried. The same input gives the same bits, on any
    number of threads.

    Args:
        mesh: any.
        edge_length: wanted, in the mesh's unit: of all edges, with `adaptive` their mean, with
            `error` the longest (default then: a twentieth of the box's diagonal).
        faces: wanted, in place of a length.
        adaptive: edges are shorter where the surface bends, and longer where it does not, by up to
            four times each way, for as many triangles.
        error: how far triangles may be from the surface, in the mesh's unit: edges are as long as
            the curvature allows for that, but no shorter than a sixteenth of the longest. It holds
            for about 99 of 100 points; at corners and thin parts it may be a few times as far.
        rounds: of splitting, collapsing, flipping and moving.
        sharp: degrees between the normals of two faces from which their edge is kept; 180 for none.

    Returns:
        A mesh on the device and in the dtype of `mesh`, detached.

    Raises:
        ValueError: no faces, vertices that are not finite, none or several sizes wanted, a size
            that is not positive or would make more than 50 million faces.

    Example:
        >>> even = ml.geometry.remesh(mesh, 0.02)
        >>> close = ml.geometry.remesh(mesh, error=0.001)

    Source: see `meshlearn.geometry.edge_passes`.
    """
    old, made, middle = _remeshed(mesh, edge_length, faces, adaptive, error, rounds, sharp)
    return _given_back(mesh, carry_attributes(old, made), middle)


@eager
def remesh_edit(
    mesh: Mesh,
    edge_length: float | None = None,
    *,
    faces: int | None = None,
    adaptive: bool = False,
    error: float | None = None,
    rounds: int = ROUNDS,
    sharp: float = SHARP,
) -> Remeshed:
    """What `remesh` gives, and where its vertices and faces lie on the given mesh.

    Example:
        >>> found = ml.geometry.remesh_edit(mesh, 0.02)
        >>> weight = found.barycentric[:, :, None]
        >>> field = (weight * values[mesh.faces[found.face]]).sum(1)
    """
    old, made, middle = _remeshed(mesh, edge_length, faces, adaptive, error, rounds, sharp)
    tree = MeshBVH(Mesh(old.vertices, old.faces, validate=False))
    place = tree.closest(made.vertices)
    inside = tree.closest(made.triangles.mean(1)).face
    made = _given_back(mesh, carry_attributes(old, made), middle)
    weight = place.barycentric.to(mesh.dtype)
    return Remeshed(made, *(t.to(mesh.device) for t in (place.face, weight, inside)))


def _given_back(mesh: Mesh, made: Mesh, middle: Tensor | None) -> Mesh:
    if middle is not None:
        return moved(made, middle).to(mesh.device)
    return made.to(mesh.dtype).to(mesh.device)


def _check(
    mesh: Mesh,
    edge_length: float | None,
    faces: int | None,
    adaptive: bool,
    error: float | None,
    rounds: int,
    sharp: float,
) -> None:
    check_mesh(mesh)
    check_tensor(mesh.vertices, "mesh.vertices", finite=True)
    for name, value in (("edge_length", edge_length), ("error", error)):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}: expected a number, got {type(value).__name__}")
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name}: expected a positive length, got {value!r}")
    if edge_length is None and faces is None and error is None:
        raise ValueError("edge_length: expected a length, a number of faces or an error, got none")
    if faces is not None:
        if isinstance(faces, bool) or not isinstance(faces, int) or not 4 <= faces <= MOST_FACES:
            raise ValueError(
                f"faces: expected a whole number from 4 to {MOST_FACES:,}, got {faces!r}"
            )
        if edge_length is not None or error is not None:
            other = "an edge_length" if edge_length is not None else "an error"
            raise ValueError(f"faces: expected no other size, got {other} too; pass one of both")
    if error is not None and adaptive:
        raise ValueError("adaptive: an error alone says how edges adapt; leave one of both out")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 0:
        raise ValueError(f"rounds: expected 0 or more, got {rounds!r}")
    if not 0 < sharp <= 180:
        raise ValueError(f"sharp: expected degrees above 0 up to 180, got {sharp!r}")


def _remeshed(
    mesh: Mesh,
    edge_length: float | None,
    faces: int | None,
    adaptive: bool,
    error: float | None,
    rounds: int,
    sharp: float,
) -> tuple[Mesh, Mesh, Tensor | None]:
    """The mesh near the origin in float64, the new one beside it, and what both were moved by."""
    _check(mesh, edge_length, faces, adaptive, error, rounds, sharp)
    given = mesh.detach().to("cpu")
    middle = far_middle(used_vertices(given))
    old = given if middle is None else moved(given, -middle)
    old = old.to(torch.float64)
    seams = {name: item for name, item in corner_values(old).items() if is_uv(name)}
    labels = {n: v for n, v in old.face_attributes.items() if v.dim() == 1}
    bare = Mesh(
        old.vertices,
        old.faces,
        face_attributes=labels,
        corner_attributes=seams,
        validate=False,
    )
    welded = bare.merge_vertices().mesh.remove_degenerate().mesh.remove_duplicate_faces().mesh
    welded = welded.remove_unreferenced().mesh
    if welded.num_faces == 0:
        raise ValueError("mesh: all faces are without area")
    unit = _unit(welded, edge_length, faces)
    welded = welded.with_vertices(welded.vertices / unit)  # the wanted length is one
    _check_number(welded, unit)
    kept = features(welded, sharp, list(welded.corner_attributes.values()))
    size = None
    if error is not None:
        size = sizes_by_error(welded, kept, error / unit)
    elif adaptive:
        size = sizes_by_bend(welded, kept)
    if size is not None and (number := faces_of(welded, size)) > MOST_FACES:
        name = "edge_length" if error is None else "error"
        raise ValueError(f"{name}: would make {number:.2g} faces; take a larger one")
    begin = Given(*cut_odd_edges(welded, kept, size, LONG))
    vertices, triangles = passes(begin, rounds, faces or 0)
    if faces is not None and rounds and abs(len(triangles) - faces) > max(_OFF * faces, 2):
        more = len(triangles) > faces
        why = "features, or what the surface is like, allow no fewer" if more else "none can be cut"
        warnings.warn(f"remesh: {len(triangles)} faces, not {faces}: {why}", stacklevel=4)
    return old, Mesh(vertices * unit, triangles), middle


def _unit(mesh: Mesh, edge_length: float | None, faces: int | None) -> float:
    """The wanted length, in the mesh's unit."""
    if faces is not None:
        return math.sqrt(float(mesh.face_areas().sum()) / (_TRIANGLE * faces))
    if edge_length is not None:
        return edge_length
    low, high = mesh.bounds()
    return COARSEST * float((high - low).norm())


def _check_number(mesh: Mesh, unit: float) -> None:
    """Refuses lengths that would make too many faces, by area or, of thin ones, by their sides."""
    area = float(mesh.face_areas().sum()) / _TRIANGLE
    ends = mesh.vertices[mesh.topology.edges]
    length = (ends[:, 1] - ends[:, 0]).norm(dim=1)
    wanted = max(area, float(length[length > LONG].sum()))
    if not wanted <= MOST_FACES:
        # the area falls with the square of the length, sides with the length
        by = max(math.sqrt(area / MOST_FACES), float(length.sum()) / MOST_FACES)
        least = float(f"{unit * by:.2g}")
        raise ValueError(
            f"edge_length: {unit:g} would make {wanted:.2g} faces; take {least:.2g} or more"
        )
