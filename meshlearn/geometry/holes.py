"""Holes of a surface filled, and small parts of it dropped, by size."""

from __future__ import annotations

import math
import warnings
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._segment import Incidence
from meshlearn._validate import check_tensor
from meshlearn.geometry.hole_patches import Patch, Rules, refine, smooth_patch, triangulate_rim
from meshlearn.geometry.intersections import crossing
from meshlearn.mesh import CornerAttribute, Mesh
from meshlearn.mesh.topology import Topology

_TURNS = 30  # of triangles that cross left out
_MERGED = 256  # patches, until they are looked up by their boxes
_PLAIN = 6  # edges of a rim up to which it is filled by the least area alone


class Fills(NamedTuple):
    """What fills the holes of a mesh of V vertices.

    Attributes:
        vertices: (N, 3) float64 new vertices, which are V, V + 1 and so on.
        parents: (N, 2) int64 vertices that a new one was put between; later ones may be new, too.
        faces: (M, 3) int64 new faces.
        filled: holes that were filled.
        left: sentences on holes that were not, though small enough.
    """

    vertices: Tensor
    parents: Tensor
    faces: Tensor
    filled: int
    left: list[str]


def find_fills(
    vertices: Tensor,
    faces: Tensor,
    up_to: float = math.inf,
    *,
    smooth: bool = True,
    dtype: torch.dtype = torch.float64,
) -> Fills:
    """What `fill_holes` adds to vertices (V, 3) float64 and faces (F, 3); new vertices are rounded
    to numbers of `dtype`, as which the mesh has them."""
    topology = Topology(faces, len(vertices))
    loops = sorted(
        (own for loop in topology.boundary_loops() for own in _simple(loop.tolist())), key=len
    )
    on_rim = torch.zeros(len(vertices), dtype=torch.bool)
    for loop in loops:
        on_rim[loop] = True
    taken = {(a, b) for a, b in topology.edges[on_rim[topology.edges].all(1)].tolist()}
    points = vertices
    every = _Faces(vertices, faces)
    parents: list[Tensor] = []
    left = []
    filled = 0
    for loop in loops:
        rim = points[loop]
        width = float((rim.amax(0) - rim.amin(0)).norm())
        if width > up_to:
            continue
        plain = not smooth or len(loop) <= _PLAIN  # then no vertex is beside the rim
        around = every.near(rim) if plain else every.all()
        found = _patch(points, around, loop, taken, smooth, dtype)
        if found is None:
            place = ", ".join(f"{x:.4g}" for x in rim.mean(0).tolist())
            left.append(
                f"a hole of {len(loop)} edges, {width:.4g} wide, at ({place}) is left, since what "
                "fills it would cross the surface or meet itself"
            )
            continue
        filled += 1
        if len(found.vertices):
            points = torch.cat([points, found.vertices])
        every.add(points, found.faces)
        parents.append(found.parents)
        ends = torch.cat([found.faces, found.faces.roll(-1, 1)]).view(2, -1).T.sort(1).values
        taken |= {(a, b) for a, b in ends.tolist()}
    none = torch.zeros(0, 2, dtype=torch.int64)
    return Fills(
        points[len(vertices) :],
        torch.cat([none, *parents]),
        every.all()[len(faces) :],
        filled,
        left,
    )


class _Faces:
    """Faces (F, 3) of a mesh that grows, and which of them are near a place."""

    def __init__(self, points: Tensor, faces: Tensor) -> None:
        self._faces, self._added = faces, [faces[:0]]
        self._boxes = _boxes(points, faces)

    def all(self) -> Tensor:
        return torch.cat([self._faces, *self._added])

    def add(self, points: Tensor, faces: Tensor) -> None:
        self._added.append(faces)
        if len(self._added) > _MERGED:
            added = torch.cat(self._added)
            self._boxes = torch.cat([self._boxes, _boxes(points, added)], 1)
            self._faces, self._added = self.all(), [faces[:0]]

    def near(self, corner: Tensor) -> Tensor:
        """Faces whose boxes meet that of `corner` (N, 3), and those added last."""
        low, high = corner.amin(0).tolist(), corner.amax(0).tolist()
        meets = self._boxes[0] <= high[0]
        for axis in range(3):
            meets &= (self._boxes[axis] <= high[axis]) & (self._boxes[3 + axis] >= low[axis])
        return torch.cat([self._faces[meets.nonzero().squeeze(1)], *self._added])


def _boxes(points: Tensor, faces: Tensor) -> Tensor:
    """(6, F) lowest and highest coordinates of faces."""
    corner = points[faces]
    return torch.cat([corner.amin(1), corner.amax(1)], 1).T.contiguous()


def _simple(loop: list[int]) -> list[Tensor]:
    """A rim as rims that pass each vertex once: where it meets itself, that is of two holes."""
    found: list[Tensor] = []
    way: list[int] = []
    at: dict[int, int] = {}
    for vertex in loop:
        if vertex in at:
            first = at[vertex]
            found.append(torch.tensor(way[first:]))
            for gone in way[first:]:
                del at[gone]
            del way[first:]
        at[vertex] = len(way)
        way.append(vertex)
    return [rim for rim in [*found, torch.tensor(way)] if len(rim) > 2]


def _patch(
    points: Tensor,
    faces: Tensor,
    loop: Tensor,
    taken: set[tuple[int, int]],
    smooth: bool,
    dtype: torch.dtype,
) -> Patch | None:
    """The best fill of a hole that crosses nothing: smooth, flat, of the least area; or none.

    The least area may lie on the faces around, folded back along a rim that turns in and out: then
    triangles that fold cost more, and those that cross are left out, until none is.
    """
    rules = Rules(taken)
    flat: Patch | None = None
    for turn in range(_TURNS):
        plain = triangulate_rim(points, loop, rules)
        if plain is None:
            return flat
        crossed = _crossed(points, faces, plain)
        if smooth and len(loop) > _PLAIN and (turn == 0 or not len(crossed)):
            fine = refine(points, loop, plain)
            if len(fine.vertices):
                made = _rounded(smooth_patch(points, faces, fine), dtype)
                free = _own_edges(fine, loop, taken, len(points))
                if free and _sound(points, faces, made):
                    return made
                fine = _rounded(fine, dtype)
                if flat is None and free and _sound(points, faces, fine):
                    flat = fine
        elif not len(crossed):
            return plain
        if not len(crossed):
            flat = plain if flat is None else flat
            if turn:
                return flat
        barred = plain.faces[crossed].sort(1).values.tolist() if turn else []
        rules = Rules(
            taken,
            rules.behind or _behind(points, faces, loop),
            rules.barred | {(i, j, k) for i, j, k in barred},
        )
    return flat


def _rounded(patch: Patch, dtype: torch.dtype) -> Patch:
    return patch._replace(vertices=patch.vertices.to(dtype).double())


def _own_edges(patch: Patch, loop: Tensor, taken: set[tuple[int, int]], count: int) -> bool:
    """Whether none of the first `count` vertices are joined within a patch by an edge that the mesh
    has already: refinement may have turned one there."""
    ring = torch.stack([loop, loop.roll(-1)], 1).sort(1).values.tolist()
    ends = torch.cat([patch.faces, patch.faces.roll(-1, 1)]).view(2, -1).T.sort(1).values
    ends = ends[ends[:, 1] < count]
    own = {(a, b) for a, b in ends.tolist()} - {(a, b) for a, b in ring}
    return not own & taken


def _sound(points: Tensor, faces: Tensor, patch: Patch) -> bool:
    """Whether a patch crosses nothing, and no two vertices of it fall together."""
    used = patch.faces[patch.faces < len(points)].unique()
    places = torch.cat([points[used], patch.vertices])
    alone = len(torch.unique(places, dim=0)) == len(places)
    return alone and not len(_crossed(points, faces, patch))


def _crossed(points: Tensor, faces: Tensor, patch: Patch) -> Tensor:
    """Faces of a patch that cross others of it, or the mesh."""
    every = torch.cat([points, patch.vertices])
    corner = every[patch.faces].reshape(-1, 3)
    around = every[faces]
    near = (around.amin(1) <= corner.amax(0)).all(1) & (around.amax(1) >= corner.amin(0)).all(1)
    both = torch.cat([patch.faces, faces[near]])
    query = torch.arange(len(patch.faces))
    return (crossing(every, both, query) >= 0).nonzero().squeeze(1)


def _behind(points: Tensor, faces: Tensor, loop: Tensor) -> dict[tuple[int, int], Tensor]:
    """Unit normals of the faces at the edges of a rim."""
    ring = set(zip(loop.tolist(), loop.roll(-1).tolist(), strict=True))
    on_rim = torch.zeros(len(points), dtype=torch.bool)
    on_rim[loop] = True
    near = faces[on_rim[faces].sum(1) >= 2]
    corner = points[near]
    normal = torch.linalg.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    normal = torch.nn.functional.normalize(normal, dim=1)
    out = {}
    for face, n in zip(near.tolist(), normal, strict=True):
        for k in range(3):
            edge = face[k], face[(k + 1) % 3]
            if edge in ring:
                out[edge] = n
    return out


def fill_holes(mesh: Mesh, up_to: float | None = None, *, smooth: bool = True) -> Mesh:
    """A mesh whose holes are closed: boundary loops, each by a patch of its own.

    A rim is first spanned by the triangles of least area (dynamic programming). A larger one is
    then refined to the length of its edges and smoothed so that the surface goes on across the rim
    as it bends beside it (a bi-Laplacian least-squares fit, the ring of vertices behind the rim
    held). A patch that crosses the surface is given up for one whose triangles do not fold onto
    each other or the faces around, then for a flatter one, and where each does the hole is left. A
    rim that passes a vertex twice is that of two holes.

    Args:
        up_to: diagonal of the box of a rim, up to which it is filled; None for all, also the
            outer border of an open surface.
        smooth: False for the triangles of least area alone, without new vertices.

    Returns:
        The mesh with new vertices and faces behind the old ones. Attributes of new vertices are
        means (of whole numbers: those of a neighbour), those of faces and corners are of a
        neighbour on the rim.

    Raises:
        ValueError: not a mesh, coordinates that are not finite, `up_to` that is no length.

    Warns:
        UserWarning: holes that are left, though small enough.

    Example:
        >>> closed = ml.geometry.fill_holes(mesh, up_to=0.1)

    Source: Barequet and Sharir, Filling gaps in the boundary of a polyhedron (1995); refinement and
    fairing after Liepa, Filling holes in meshes (2003).
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    limit = math.inf if up_to is None else _size(up_to, "up_to")
    check_tensor(mesh.vertices.detach(), "mesh.vertices", finite=True)
    fills = find_fills(
        mesh.vertices.detach().cpu().double(),
        mesh.faces.cpu(),
        limit,
        smooth=smooth,
        dtype=mesh.dtype,
    )
    for sentence in fills.left:
        warnings.warn(sentence, stacklevel=2)
    if not len(fills.faces):
        return mesh
    fills = fills._replace(
        vertices=fills.vertices.to(mesh.device),
        parents=fills.parents.to(mesh.device),
        faces=fills.faces.to(mesh.device),
    )
    sources = sources_of(fills, mesh.faces)
    faces = torch.cat([mesh.faces, fills.faces])
    made = Mesh(torch.cat([mesh.vertices, fills.vertices.to(mesh.dtype)]), faces)
    made.vertex_attributes = {k: extended(v, fills) for k, v in mesh.vertex_attributes.items()}
    made.face_attributes = {
        k: torch.cat([v, v[sources.faces]]) for k, v in mesh.face_attributes.items()
    }
    made.corner_attributes = {
        k: CornerAttribute(v.values, torch.cat([v.index, v.index.reshape(-1)[sources.corners]]))
        for k, v in mesh.corner_attributes.items()
    }
    made.materials = mesh.materials
    return made


class Sources(NamedTuple):
    """Where the attributes of new faces come from."""

    faces: Tensor  # (M,) old faces
    corners: Tensor  # (M, 3) old corners, 3 f + k


def sources_of(fills: Fills, faces: Tensor) -> Sources:
    """Old faces and corners at the vertices of new ones, or at the parents of their vertices."""
    count = int(faces.max()) + 1
    first = Incidence(faces.reshape(-1), count)
    base = int(fills.faces.max()) + 1 - len(fills.vertices)
    old = torch.arange(base + len(fills.vertices), device=faces.device)
    rows = old.tolist()
    for k, (a, _) in enumerate(fills.parents.tolist()):
        rows[base + k] = rows[a]
    vertex = torch.tensor(rows, device=faces.device)[fills.faces]
    corner = first.order[first.start[vertex]]
    return Sources(corner[:, 0] // 3, corner)


def extended(values: Tensor, fills: Fills) -> Tensor:
    """Values of vertices (V, ...) with those of the new ones behind them."""
    rows = list(values)
    for a, b in fills.parents.tolist():
        rows.append((rows[a] + rows[b]) / 2 if values.is_floating_point() else rows[a])
    return torch.cat([values, torch.stack(rows[len(values) :])]) if len(fills.parents) else values


def _size(value: object, name: str) -> float:
    if not isinstance(value, (int, float)) or not value >= 0 or math.isinf(value):
        raise ValueError(f"{name}: expected a length of at least 0, got {value!r}")
    return float(value)


def island_sizes(vertices: Tensor, topology: Topology) -> tuple[Tensor, Tensor]:
    """(F,) component of each face, and (C,) the diagonal of each component's box."""
    labels, count = topology.components()
    label = labels.repeat_interleave(3)[:, None].expand(-1, 3)
    corner = vertices.double()[topology.faces.reshape(-1)]
    low = torch.full((count, 3), torch.inf, dtype=torch.float64, device=corner.device)
    high = (-low).scatter_reduce(0, label, corner, "amax")
    low = low.scatter_reduce(0, label, corner, "amin")
    return labels, (high - low).norm(dim=1)


def drop_islands(mesh: Mesh, below: float) -> Mesh:
    """A mesh without components smaller than a size; the largest one stays whatever its size.

    Args:
        below: diagonal of a component's box, in the mesh's unit.

    Returns:
        The mesh with all attributes of what stays; vertices that no face uses are gone.

    Raises:
        ValueError: not a mesh, a size that is no length.

    Example:
        >>> clean = ml.geometry.drop_islands(scan, 0.05)
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}")
    limit = _size(below, "below")
    if not mesh.num_faces:
        return mesh
    labels, size = island_sizes(mesh.vertices.detach(), mesh.topology)
    keep = size >= limit
    keep[size.argmax()] = True
    return mesh if bool(keep.all()) else mesh.submesh(keep[labels]).mesh
