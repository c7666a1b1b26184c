"""Surfaces that cross themselves or each other, made ones that only touch; solids united."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn.geometry.arrangement import cut_crossing
from meshlearn.geometry.bvh import MeshBVH
from meshlearn.geometry.inherit import Origin, inherit
from meshlearn.geometry.intersections import crossing
from meshlearn.geometry.solids import barycentric_of
from meshlearn.mesh import Mesh
from meshlearn.mesh.connected import connected_components
from meshlearn.mesh.repair import same_position
from meshlearn.mesh.topology import Topology

MOST = 20_000  # faces that cross others, in one mesh
ROUNDS = 3  # of cuts: places are rounded, and may cross again
BESIDE = 1e-4  # of the size of a face: how far before and behind it one looks


class Uncrossed(NamedTuple):
    """A surface whose faces are cut where others crossed them.

    Attributes:
        mesh: with edges of four faces where the surface still goes both ways.
        vertex_index: (V',) int64, the vertex that each one was, -1 for a new one.
        face_index: (F',) int64, the face that each one is a part of.
        cut: faces that others crossed.
        dropped: faces that lay inside a closed surface.
        left: faces that still cross others.
    """

    mesh: Mesh
    vertex_index: Tensor
    face_index: Tensor
    cut: int
    dropped: int
    left: int


def uncrossed(mesh: Mesh) -> Uncrossed | None:
    """A mesh on the CPU without crossings, None where there are none. Places are rounded to the
    dtype of the mesh; float32 may be too coarse for some.

    Of a closed one, parts that do not bound what its winding number calls inside (above one half)
    are removed with it.
    """
    hit = crossing(mesh.vertices, mesh.faces) >= 0
    if not bool(hit.any()):
        return None
    every = torch.arange(mesh.num_vertices)
    first = int(hit.sum())
    if first > MOST:
        return Uncrossed(mesh, every, torch.arange(mesh.num_faces), 0, 0, first)
    vertices, faces, source, hit = _without(mesh.vertices, mesh.faces, hit)
    dropped = 0
    inner = _inner(mesh, vertices, faces)
    if inner is not None:
        dropped = int(inner.sum())
        faces, source = faces[~inner], source[~inner]
    weight = torch.eye(3, dtype=torch.float64).expand(len(faces), 3, 3).clone()
    corners, old = vertices[faces].double(), mesh.vertices[mesh.faces[source]].double()
    changed = (corners != old).any(2).any(1)
    weight[changed] = barycentric_of(corners[changed], old[changed])
    origin = Origin(torch.zeros_like(source), source, weight)
    new = inherit([mesh], vertices, faces, origin)
    index = torch.full((len(vertices),), -1)
    index[: mesh.num_vertices] = every
    return Uncrossed(new, index, source, first, dropped, int(hit.sum()))


def _without(vertices: Tensor, faces: Tensor, hit: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Vertices, faces and the face that each is a part of, cut where those that are `hit` (F,)
    cross each other; and (F',) bool, those that still do, for places are rounded."""
    source = torch.arange(len(faces))
    faces = same_position(vertices)[faces]
    for _ in range(ROUNDS):
        which = hit.nonzero().squeeze(1)
        made = cut_crossing(vertices.double().numpy(), faces.numpy(), which.numpy())
        vertices = torch.cat([vertices, torch.from_numpy(made.points).to(vertices.dtype)])
        faces = torch.cat([faces[~hit], torch.from_numpy(made.faces)])
        source = torch.cat([source[~hit], source[torch.from_numpy(made.source)]])
        faces = same_position(vertices)[faces]
        whole = (faces != faces.roll(1, 1)).all(1)  # others became flat by rounding
        faces, source = faces[whole], source[whole]
        before = int(hit.sum())
        # two faces on one place do not cross: they are told apart where repeated ones are
        hit = (crossing(vertices, faces) >= 0) & ~_doubled(faces)
        if not bool(hit.any()) or int(hit.sum()) >= before:
            break
    return vertices, faces, source, hit


def _doubled(faces: Tensor) -> Tensor:
    """(F,) bool: faces of the same vertices as another."""
    _, which, count = torch.unique(
        faces.sort(1).values, dim=0, return_inverse=True, return_counts=True
    )
    return count[which] > 1


def _inner(mesh: Mesh, vertices: Tensor, faces: Tensor) -> Tensor | None:
    """(F,) bool: faces that do not have the inside of `mesh` behind them and the outside before
    them; None where it is open."""
    merged = Topology(same_position(mesh.vertices)[mesh.faces], mesh.num_vertices)
    if len(merged.boundary_edges) or not merged.is_consistently_oriented:
        return None
    topology = Topology(faces, len(vertices))
    patch, count = connected_components(topology.face_pairs, len(faces))
    corners = vertices[faces].double()
    normal = torch.linalg.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = normal.norm(dim=1)
    order = torch.argsort(area, stable=True)
    largest = torch.from_numpy(_last(patch[order].numpy(), order.numpy(), count))
    centre = corners[largest].mean(1)
    size = area[largest].sqrt()
    away = normal[largest] / area[largest].clamp(min=1e-300)[:, None] * (BESIDE * size)[:, None]
    tree = MeshBVH(mesh.to(torch.float64))
    before, behind = (tree.winding_number(centre + side * away) for side in (1, -1))
    keeps = (before < 0.5) & (behind > 0.5)
    keeps |= area[largest] == 0
    once = torch.unique(faces[keeps[patch]].sort(1).values, dim=0)
    closed = Topology(once, len(vertices)).edge_face_counts % 2 == 0
    return ~keeps[patch] if bool(closed.all()) else None


def _last(index: np.ndarray, values: np.ndarray, count: int) -> np.ndarray:
    """(count,) the last of `values` at each index."""
    out = np.zeros(count, np.int64)
    out[index] = values  # numpy writes in order
    return out
