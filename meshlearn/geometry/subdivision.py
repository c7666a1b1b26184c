"""Finer meshes: each face becomes four, by midpoints or by the scheme of Loop."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from meshlearn._segment import Incidence, gather, segment_sum
from meshlearn.geometry._space import check_mesh
from meshlearn.mesh import CornerAttribute, Mesh, Topology

SubdivisionMethod = Literal["midpoint", "loop"]
_MOST = 200_000_000  # faces of a result; more is a mistake rather than a wish


class Subdivision(NamedTuple):
    """A finer mesh and where its faces come from.

    Attributes:
        mesh: its first V vertices are the old ones, in their order.
        face_index: (F',) int64, the old face that each face is a part of; 4 f to 4 f + 3 of f.
    """

    mesh: Mesh
    face_index: Tensor


def subdivide(
    mesh: Mesh,
    iterations: int = 1,
    *,
    method: SubdivisionMethod = "midpoint",
    sharp: float | None = None,
) -> Subdivision:
    """Each face in four, `iterations` times; differentiable in the vertices.

    A face (a, b, c) becomes (a, ab, ca), (ab, b, bc), (ca, bc, c) and (ab, bc, ca), with a new
    vertex on each edge. Vertex attributes are the mean of both ends there (colours of bytes
    rounded, other whole numbers the first end's), texture coordinates and others of corners are
    halved along the edge within their chart, attributes of faces are repeated. Vertices apart
    along seams that stand at one place stay there.

    Args:
        mesh: any, also open or non-manifold.
        iterations: 0 or more.
        method: "midpoint": new vertices in the middle of edges, so that the surface stays what it
            is; "loop": vertices move towards a smooth surface (C2 but where six edges do not
            meet). Borders, and edges of more than two faces, become smooth curves of their own;
            vertices where such curves end or meet stay.
        sharp: of "loop": edges that bend by more than so many degrees are kept sharp, as borders
            are.

    Raises:
        ValueError: no faces, a wrong number or method, or a result above 200 million faces.

    Example:
        >>> ml.geometry.subdivide(ml.data.shapes.box(), 3, method="loop").mesh.num_faces
        768

    Source: C. Loop, Smooth subdivision surfaces based on triangles, 1987; H. Hoppe et al.,
    Piecewise smooth surface reconstruction, 1994, section 3, for borders and sharp edges.
    """
    check_mesh(mesh)
    if method not in ("midpoint", "loop"):
        raise ValueError(f"method: expected 'midpoint' or 'loop', got {method!r}; pass one")
    if not isinstance(iterations, int) or isinstance(iterations, bool) or iterations < 0:
        raise ValueError(f"iterations: expected a whole number of 0 or more, got {iterations!r}")
    if sharp is not None and not (method == "loop" and 0 <= sharp <= 180):
        raise ValueError(
            f"sharp: expected 0 to 180 degrees with method 'loop', got {sharp!r}; leave it out"
        )
    if iterations > 20 or mesh.num_faces * 4**iterations > _MOST:
        raise ValueError(
            f"iterations: {iterations} of them would make {mesh.num_faces * 4**iterations:,} faces "
            f"of {mesh.num_faces:,}, above {_MOST:,}; pass fewer"
        )
    crease = None
    face = torch.arange(mesh.num_faces, device=mesh.device)
    for _ in range(iterations):
        mesh, crease = _finer(mesh, method, sharp, crease)
        face = face.repeat_interleave(4)
    return Subdivision(mesh, face)


def _finer(
    mesh: Mesh, method: str, sharp: float | None, crease: Tensor | None
) -> tuple[Mesh, Tensor | None]:
    """The mesh with each face in four; and which edges of that are sharp, of Loop's scheme."""
    topology = mesh.topology
    edges, count = topology.edges, mesh.num_vertices
    finer = None
    if method == "midpoint":
        vertices = torch.cat((mesh.vertices, _halves(mesh.vertices, edges)))
    else:
        # seams are no borders: the scheme works on vertices that stand at one place as on one
        edit = mesh.merge_vertices()
        whole = edit.mesh.topology
        if crease is None:
            crease = _creases(edit.mesh, sharp)
        old, new = _loop(edit.mesh, crease)
        of_edge = whole.face_edges.reshape(-1)[_first_half_edge(topology)]
        vertices = torch.cat((old[edit.vertex_map], new[of_edge]))
        finer = whole
    fine = Topology(_four(topology.faces, topology.face_edges, count), len(vertices))
    made = mesh._like(
        vertices,
        fine,
        vertex={k: _with_middles(k, v, edges) for k, v in mesh.vertex_attributes.items()},
        face={k: v.repeat_interleave(4, 0) for k, v in mesh.face_attributes.items()},
        corner={k: _corners(k, v) for k, v in mesh.corner_attributes.items()},
    )
    if finer is None or crease is None:
        return made, None
    return made, _finer_creases(made, finer, crease)


def _four(faces: Tensor, face_edges: Tensor, count: int) -> Tensor:
    """(4F, 3) of faces (F, 3) and the edges (F, 3) of their half-edges."""
    (a, b, c), (ab, bc, ca) = faces.unbind(1), (face_edges + count).unbind(1)
    parts = ((a, ab, ca), (ab, b, bc), (ca, bc, c), (ab, bc, ca))
    return torch.stack([torch.stack(part, 1) for part in parts], 1).view(-1, 3)


def _halves(values: Tensor, edges: Tensor) -> Tensor:
    """(E, ...) mean of the values at both ends, with a deterministic gradient."""
    if torch.is_grad_enabled() and values.requires_grad and values.dim() == 2:
        ends = gather(values, Incidence(edges.reshape(-1), len(values)))
        return ends.view(-1, 2, values.shape[1]).mean(1)
    return (values[edges[:, 0]] + values[edges[:, 1]]) / 2


def _with_middles(name: str, values: Tensor, edges: Tensor) -> Tensor:
    """Values of vertices, and behind them those of edges."""
    if values.is_floating_point():
        middle = _halves(values, edges)
        if name == "normal" and middle.dim() == 2:
            middle = torch.nn.functional.normalize(middle, dim=1)
    elif name == "color" and values.dtype == torch.uint8:
        middle = values[edges].double().mean(1).round().to(torch.uint8)
    else:
        middle = values[edges[:, 0]]
    return torch.cat((values, middle))


def _corners(name: str, item: CornerAttribute) -> CornerAttribute:
    """An attribute of corners, whose values have edges as vertices have."""
    chart = Topology(item.index, len(item.values))
    return CornerAttribute(
        _with_middles(name, item.values, chart.edges),
        _four(item.index, chart.face_edges, len(item.values)),
    )


def _first_half_edge(topology: Topology) -> Tensor:
    """(E,) the first half-edge on each edge."""
    return topology.edge_half_edges.order[topology.edge_half_edges.start[:-1]]


def _creases(mesh: Mesh, sharp: float | None) -> Tensor:
    """(E,) bool: edges that have not two faces, or bend by more than `sharp` degrees."""
    topology = mesh.topology
    crease = topology.edge_face_counts != 2
    if sharp is not None:
        normal = mesh.detach().face_normals()
        pair = topology.face_pairs
        turn = (normal[pair[:, 0]] * normal[pair[:, 1]]).sum(1)
        crease[~crease] = turn < math.cos(math.radians(sharp))
    return crease


def _finer_creases(made: Mesh, coarse: Topology, crease: Tensor) -> Tensor:
    """(E',) bool: edges of the finer mesh, its vertices at one place taken together, that are
    halves of sharp ones."""
    fine = made.merge_vertices().mesh.topology
    face, side = torch.arange(coarse.num_faces, device=crease.device), coarse.face_edges
    out = torch.zeros(fine.num_edges, dtype=torch.bool, device=crease.device)
    # half-edges of the four parts on the sides ab, bc, ca: (part, place)
    for k, halves in enumerate((((0, 0), (1, 0)), ((1, 1), (2, 1)), ((2, 2), (0, 2)))):
        for part, place in halves:
            out[fine.face_edges[4 * face + part, place][crease[side[:, k]]]] = True
    return out


def _loop(mesh: Mesh, crease: Tensor) -> tuple[Tensor, Tensor]:
    """Positions of old vertices (V, 3) and of edges (E, 3)."""
    topology, vertices = mesh.topology, mesh.vertices
    edges, ends = topology.edges, topology.edge_ends
    opposite = topology.faces.roll(1, 1).reshape(-1)  # of half-edge k of a face: corner k + 2
    across = segment_sum(_rows(vertices, opposite), topology.edge_half_edges)
    middle = _halves(vertices, edges)
    smooth = 0.75 * middle + 0.125 * across
    new = torch.where(crease[:, None], middle, smooth)

    other = _rows(
        vertices, edges.flip(1).reshape(-1)
    )  # row 2 e + side: the vertex at the other end
    total = segment_sum(other, ends)
    degree = ends.start.diff().to(vertices.dtype)[:, None].clamp(min=1)
    share = (0.625 - (0.375 + 0.25 * torch.cos(2 * math.pi / degree)) ** 2) / degree
    inside = (1 - degree * share) * vertices + share * total

    marked = crease.repeat_interleave(2)[:, None].to(vertices.dtype)
    count = segment_sum(marked, ends)
    along = 0.75 * vertices + 0.125 * segment_sum(other * marked, ends)
    old = torch.where(count == 0, inside, torch.where(count == 2, along, vertices))
    return torch.where(ends.start.diff()[:, None] == 0, vertices, old), new


def _rows(values: Tensor, index: Tensor) -> Tensor:
    if torch.is_grad_enabled() and values.requires_grad:
        return gather(values, Incidence(index, len(values)))
    return values[index]
