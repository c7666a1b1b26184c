"""Edits that select or turn faces, as indices. `Mesh` carries them out and gives them as methods.

Nothing here makes a mesh: a function takes connectivity and says which vertices and faces stay.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._validate import check_index, check_tensor
from meshlearn.mesh.topology import Topology


class Change(NamedTuple):
    """What an edit does to a mesh of V vertices and F faces."""

    faces: Tensor  # (F', 3) int64, in new vertices
    vertex_map: Tensor  # (V,) int64, new index of each old vertex, -1 if it is gone
    face_map: Tensor  # (F,) int64, new index of each old face, -1 if it is gone
    vertex_index: Tensor | None = None  # (V',) int64, old index of each vertex; None: all stay
    face_index: Tensor | None = None  # (F',) int64, old index of each face; None: all stay
    corner_order: Tensor | None = None  # (F', 3) int64, old corner of each; None: as they were


def inverse(index: Tensor, size: int) -> Tensor:
    """(size,) place of each value in `index`, -1 where it is not."""
    out = index.new_full((size,), -1)
    out[index] = torch.arange(index.numel(), device=index.device)
    return out


def identity(size: int, like: Tensor) -> Tensor:
    """(size,) int64: each index stays what it was."""
    return torch.arange(size, device=like.device)


def keep_faces(topology: Topology, keep: Tensor) -> Change:
    """Faces where `keep` (F,) bool; all vertices stay."""
    index = keep.nonzero().squeeze(1)
    vertices = identity(topology.num_vertices, index)
    return Change(
        topology.faces[index], vertices, inverse(index, topology.num_faces), face_index=index
    )


def remove_unreferenced(topology: Topology) -> Change:
    """Without the vertices that no face uses; the order of the others is kept."""
    index = topology.referenced.nonzero().squeeze(1)
    vertex_map = inverse(index, topology.num_vertices)
    faces = identity(topology.num_faces, index)
    return Change(vertex_map[topology.faces], vertex_map, faces, vertex_index=index)


def submesh(topology: Topology, faces: Tensor) -> Change:
    """Some faces, by mask or by distinct indices, with the vertices they use in their order."""
    check_tensor(faces, "faces", shape=("N",), device=topology.faces.device, like="the mesh")
    if faces.dtype == torch.bool:
        check_tensor(faces, "faces", shape=(topology.num_faces,))
        faces = faces.nonzero().squeeze(1)
    check_tensor(faces, "faces", dtype=(torch.int64, torch.bool))
    check_index(faces, "faces", topology.num_faces, of="faces")
    face_map = inverse(faces, topology.num_faces)
    if int((face_map >= 0).sum()) != faces.numel():
        raise ValueError("faces: expected distinct indices, got repeated ones; pass each face once")
    chosen = topology.faces[faces]
    used = torch.zeros(topology.num_vertices, dtype=torch.bool, device=faces.device)
    used[chosen.reshape(-1)] = True
    index = used.nonzero().squeeze(1)
    vertex_map = inverse(index, topology.num_vertices)
    return Change(vertex_map[chosen], vertex_map, face_map, vertex_index=index, face_index=faces)


class Piece(NamedTuple):
    """A component: its faces in its own vertices, and the old indices of both."""

    faces: Tensor  # (F', 3) int64
    vertex_index: Tensor  # (V',) int64
    face_index: Tensor  # (F',) int64


def split(topology: Topology) -> list[Piece]:
    """Components of faces joined through edges, in the order of their first face.

    A vertex shared by two components is in both. Vertices without faces are in none.
    """
    labels, count = topology.components()
    if not count:
        return []
    face_order = torch.argsort(labels, stable=True)
    face_counts = torch.bincount(labels, minlength=count).tolist()
    size = topology.num_vertices
    keys, local = torch.unique(
        labels[face_order][:, None] * size + topology.faces[face_order], return_inverse=True
    )
    vertex_index, owner = keys % size, keys // size
    vertex_counts = torch.bincount(owner, minlength=count).tolist()
    pieces = []
    first = 0
    for faces, index, vertices in zip(
        local.split(face_counts),
        face_order.split(face_counts),
        vertex_index.split(vertex_counts),
        strict=True,
    ):
        pieces.append(Piece(faces - first, vertices, index))
        first += vertices.numel()
    return pieces


def flip(topology: Topology, faces: Tensor | None = None) -> Change:
    """With the orientation of all faces, or of those of a mask, turned: (a, b, c) to (a, c, b)."""
    old = topology.faces
    turned = torch.tensor([0, 2, 1], device=old.device).expand(topology.num_faces, 3)
    if faces is not None:
        check_tensor(
            faces,
            "faces",
            shape=(topology.num_faces,),
            dtype=torch.bool,
            device=old.device,
            like="the mesh",
        )
        turned = torch.where(faces[:, None], turned, torch.arange(3, device=old.device))
    return Change(
        old.gather(1, turned),
        identity(topology.num_vertices, old),
        identity(topology.num_faces, old),
        corner_order=turned,
    )
