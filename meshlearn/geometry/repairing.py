"""A mesh made sound: what `meshlearn.arrays.mending` does, with its attributes."""

from __future__ import annotations

from dataclasses import asdict
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn.arrays.mending import Polygons, mend
from meshlearn.geometry.crossing import uncrossed
from meshlearn.geometry.inherit import joined_corners, shared_corners
from meshlearn.geometry.intersections import crossing
from meshlearn.mesh import CornerAttribute, Mesh
from meshlearn.mesh.repair import same_position

_ROUNDS = 3  # of crossings that are cut, and what is then mended


class Repair(NamedTuple):
    """A repaired mesh, where it comes from, and what was done.

    Attributes:
        mesh: sound as `Mesh.check` means it.
        vertex_index: (V',) int64, the given vertex that each one is, or is a copy of; -1 for new
            ones, where faces crossed.
        face_index: (F',) int64, the given face that each one is, is a part of, or took the place
            of.
        counts: name of each step -> how much it did; those that did nothing are left out.
        left: faces that still cross others.
    """

    mesh: Mesh
    vertex_index: Tensor
    face_index: Tensor
    counts: dict[str, int]
    left: int = 0


def repair(mesh: Mesh, *, crossings: bool = True) -> Repair:
    """A mesh that `Mesh.check` finds no error in, from one of any kind; holes stay.

    In this order: faces whose vertices are not finite are removed; vertices at one position are
    merged; the edges of flat triangles are turned, so that they leave no hole, and faces that stay
    flat are removed; so are faces of the same three vertices as an earlier one; neighbours are
    oriented alike and closed components outward; edges of more than two faces are taken apart, two
    and two staying together, as are vertices of several fans (the copies stand at the same place);
    surfaces that cannot be oriented are cut open; vertices that nothing uses are removed. Then
    faces that cross others are cut along them (`arrangement`), and what lies inside a closed
    surface then is removed, so that solids that overlap are united; surfaces that are open are
    taken apart where they crossed.

    Attributes of faces and corners go along; one of vertices whose values differ where vertices are
    merged becomes one of corners. At new vertices they are mixed.

    Args:
        crossings: cut faces that cross others; not where they are more than 20,000. Places
            are rounded to the dtype of the mesh, so that a few may be left in float32.

    Raises:
        ValueError: not a mesh.

    Example:
        >>> made = ml.geometry.repair(ml.load("scan.obj"))
        >>> made.mesh.check().ok, made.counts
        (True, {'merged': 4, 'edges': 2, 'vertices': 3})

    Source: edges by Guéziec et al., Cutting and stitching: converting sets of polygons to manifold
    surfaces (2001); which faces stay together is decided as said in `mending.split`. Crossings by
    Zhou et al., Mesh arrangements for solid geometry (2016).
    """
    made = _mended(mesh)
    if not crossings or not made.mesh.num_faces:
        return made
    counts = dict(made.counts)
    shape = made.mesh.to("cpu")
    vertex, face = made.vertex_index.to("cpu"), made.face_index.to("cpu")
    left = int((crossing(shape.vertices, shape.faces) >= 0).sum())
    for _ in range(_ROUNDS):
        found = uncrossed(shape)
        if found is None or not found.cut:
            break
        again = _mended(found.mesh)
        still = int((crossing(again.mesh.vertices, again.mesh.faces) >= 0).sum())
        if still >= left:
            break
        shape, left = again.mesh, still
        of = found.vertex_index[again.vertex_index]
        vertex = torch.where(of >= 0, vertex[of.clamp(min=0)], -1)
        face = face[found.face_index[again.face_index]]
        done = {"crossing": found.cut, "inner": found.dropped, **again.counts}
        for name in done.keys() - {"merged", "unused", "turned"}:
            if done[name]:
                counts[name] = counts.get(name, 0) + done[name]
    to = mesh.device
    return Repair(shape.to(to), vertex.to(to), face.to(to), counts, left)


def _mended(mesh: Mesh) -> Repair:
    """`repair` without crossings."""
    if not isinstance(mesh, Mesh):
        raise ValueError(
            f"mesh: expected a Mesh, got {type(mesh).__name__}; make one with "
            "ml.Mesh(vertices, faces) or read one with ml.load"
        )
    given = mesh.detach().to("cpu")
    finite = given.vertices.isfinite().all(1)
    faces = finite[given.faces].all(1).nonzero().squeeze(1)
    root = same_position(given.vertices)
    index = root[given.faces[faces]].reshape(-1).numpy()
    start = 3 * np.arange(len(faces) + 1)
    made, counts = mend(Polygons.of(given.vertices.numpy(), start, index))
    used = np.zeros(len(made.vertices), bool)
    used[made.index] = True
    number = np.cumsum(used) - 1
    vertex = torch.from_numpy(made.vertex[used])
    new = torch.from_numpy(number[made.index].reshape(-1, 3))
    corner = (faces[:, None] * 3 + torch.arange(3)).reshape(-1)[torch.from_numpy(made.corner)]
    face = faces[torch.from_numpy(made.face)]
    own = given.faces.reshape(-1)[corner]
    at_vertex: dict[str, Tensor] = {}
    at_corner: dict[str, CornerAttribute] = {}
    for name, values in given.vertex_attributes.items():
        flat = values.reshape(len(values), -1)[own].view(len(new), 3, -1)
        shared = shared_corners(flat, new, len(vertex))
        if shared is not None:
            at_vertex[name] = values[vertex]
        else:
            at_corner[name] = joined_corners(flat, new, len(vertex))
    for name, item in given.corner_attributes.items():
        at_corner[name] = CornerAttribute(item.values, item.index.reshape(-1)[corner].view(-1, 3))
    repaired = Mesh(
        given.vertices[vertex],
        new,
        vertex_attributes=at_vertex,
        face_attributes={k: v[face] for k, v in given.face_attributes.items()},
        corner_attributes=at_corner,
        materials=mesh.materials,
    )
    steps = {
        "not_finite": given.num_faces - len(faces),
        "merged": int((root != torch.arange(len(root))).sum()),
        **asdict(counts),
        "unused": int((root == torch.arange(len(root))).sum()) - int(torch.unique(vertex).numel()),
    }
    to = mesh.device
    steps = {name: count for name, count in steps.items() if count}
    return Repair(repaired.to(to), vertex.to(to), face.to(to), steps)
