"""Edits that select: sub-meshes, components, orientation. Each returns its index maps.

Functions here are also methods of `Mesh`. Attributes follow their vertices, faces and corners, and
are kept as they are (an edit that turns faces does not turn an attribute that holds normals).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor

from meshlearn._validate import check_index, check_tensor
from meshlearn.mesh.attributes import map_corners
from meshlearn.mesh.topology import Topology

if TYPE_CHECKING:
    from meshlearn.mesh.mesh import Mesh


class Edit(NamedTuple):
    """An edited mesh and where the old vertices and faces went.

    Attributes:
        mesh: the new mesh.
        vertex_map: (V,) int64, new index of each old vertex, -1 if it is gone.
        face_map: (F,) int64, new index of each old face, -1 if it is gone.
    """

    mesh: Mesh
    vertex_map: Tensor
    face_map: Tensor


class Part(NamedTuple):
    """A part of a mesh and where its vertices and faces came from.

    Attributes:
        mesh: the part.
        vertex_index: (V',) int64, old index of each vertex of the part.
        face_index: (F',) int64, old index of each face of the part.
    """

    mesh: Mesh
    vertex_index: Tensor
    face_index: Tensor


def inverse(index: Tensor, size: int) -> Tensor:
    """(size,) place of each value in `index`, -1 where it is not."""
    out = index.new_full((size,), -1)
    out[index] = torch.arange(index.numel(), device=index.device)
    return out


def rebuild(
    mesh: Mesh, faces: Tensor, vertex_index: Tensor | None, face_index: Tensor | None
) -> Mesh:
    """A mesh of some vertices and faces of another (None: all), `faces` in new indices."""

    def rows(values: dict[str, Tensor], index: Tensor | None) -> dict[str, Tensor]:
        return values if index is None else {k: v.index_select(0, index) for k, v in values.items()}

    vertices = mesh.vertices
    if vertex_index is not None:
        vertices = vertices.index_select(0, vertex_index)
    corner = mesh.corner_attributes
    if face_index is not None:
        corner = map_corners(corner, index=lambda index: index.index_select(0, face_index))
    return mesh._like(
        vertices,
        Topology(faces, vertices.shape[0]),
        vertex=rows(mesh.vertex_attributes, vertex_index),
        face=rows(mesh.face_attributes, face_index),
        corner=corner,
    )


def _identity(size: int, mesh: Mesh) -> Tensor:
    return torch.arange(size, device=mesh.device)


def keep_faces(mesh: Mesh, keep: Tensor) -> Edit:
    """Faces where `keep` (F,) bool; all vertices stay."""
    index = keep.nonzero().squeeze(1)
    made = rebuild(mesh, mesh.faces[index], None, index)
    return Edit(made, _identity(mesh.num_vertices, mesh), inverse(index, mesh.num_faces))


def remove_unreferenced(mesh: Mesh) -> Edit:
    """Without the vertices that no face uses; the order of the others is kept."""
    index = mesh.topology.referenced.nonzero().squeeze(1)
    vertex_map = inverse(index, mesh.num_vertices)
    made = rebuild(mesh, vertex_map[mesh.faces], index, None)
    return Edit(made, vertex_map, _identity(mesh.num_faces, mesh))


def submesh(mesh: Mesh, faces: Tensor) -> Edit:
    """Some faces, with the vertices they use.

    Args:
        faces: (F,) bool mask, or (N,) int64 indices of distinct faces, whose order is taken.

    Vertices keep their relative order.
    """
    check_tensor(faces, "faces", shape=("N",), device=mesh.device, like="the mesh")
    if faces.dtype == torch.bool:
        check_tensor(faces, "faces", shape=(mesh.num_faces,))
        faces = faces.nonzero().squeeze(1)
    check_tensor(faces, "faces", dtype=(torch.int64, torch.bool))
    check_index(faces, "faces", mesh.num_faces, of="faces")
    face_map = inverse(faces, mesh.num_faces)
    if int((face_map >= 0).sum()) != faces.numel():
        raise ValueError("faces: expected distinct indices, got repeated ones; pass each face once")
    chosen = mesh.faces[faces]
    used = torch.zeros(mesh.num_vertices, dtype=torch.bool, device=mesh.device)
    used[chosen.reshape(-1)] = True
    index = used.nonzero().squeeze(1)
    vertex_map = inverse(index, mesh.num_vertices)
    return Edit(rebuild(mesh, vertex_map[chosen], index, faces), vertex_map, face_map)


def split(mesh: Mesh) -> list[Part]:
    """Components of faces joined through edges, in the order of their first face.

    A vertex shared by two components is in both. Vertices without faces are in none.
    """
    labels, count = mesh.topology.components()
    if not count:
        return []
    face_order = torch.argsort(labels, stable=True)
    face_counts = torch.bincount(labels, minlength=count).tolist()
    size = mesh.num_vertices
    keys, local = torch.unique(
        labels[face_order][:, None] * size + mesh.faces[face_order], return_inverse=True
    )
    vertex_index, owner = keys % size, keys // size
    vertex_counts = torch.bincount(owner, minlength=count).tolist()
    parts = []
    first = 0
    for faces, index, vertices in zip(
        local.split(face_counts),
        face_order.split(face_counts),
        vertex_index.split(vertex_counts),
        strict=True,
    ):
        parts.append(Part(rebuild(mesh, faces - first, vertices, index), vertices, index))
        first += vertices.numel()
    return parts


def flip(mesh: Mesh, faces: Tensor | None = None) -> Edit:
    """With the orientation of faces turned: (a, b, c) becomes (a, c, b).

    Args:
        faces: (F,) bool, which ones; None for all.
    """
    order = torch.tensor([0, 2, 1], device=mesh.device)
    if faces is None:
        made = mesh.faces[:, order]
        corner = map_corners(mesh.corner_attributes, index=lambda index: index[:, order])
    else:
        check_tensor(
            faces,
            "faces",
            shape=(mesh.num_faces,),
            dtype=torch.bool,
            device=mesh.device,
            like="the mesh",
        )
        turned = torch.where(faces[:, None], order, torch.arange(3, device=mesh.device))
        made = mesh.faces.gather(1, turned)
        corner = map_corners(mesh.corner_attributes, index=lambda index: index.gather(1, turned))
    flipped = mesh._like(mesh.vertices, Topology(made, mesh.num_vertices), corner=corner)
    return Edit(flipped, _identity(mesh.num_vertices, mesh), _identity(mesh.num_faces, mesh))
