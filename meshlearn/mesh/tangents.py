"""Frames of tangents along texture coordinates, in which normal maps are said.

A normal map has, for each texel, the normal in the frame (T, B, N) of the surface there: N is the
surface's own normal, T goes along u, and B = side (N × T) along v, side 1 or -1 where the texture
is mirrored. What T is at corners is a convention, MikkTSpace, which glTF 2.0 names; B is that of v
from an image's bottom up, as glTF means it. A viewer mixes N and T of corners, does not normalise
them, and normalises what it finds in the end.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._segment import Incidence, segment_sum
from meshlearn.mesh.attributes import CornerAttribute
from meshlearn.mesh.measure import safe_norm, safe_normalize
from meshlearn.mesh.mesh import Mesh


def shading_normals(mesh: Mesh) -> tuple[Tensor, Tensor]:
    """Unit normals (N, 3) that a mesh is lit by, and which each corner has (F, 3): of the attribute
    "normal", else those of its vertices."""
    item = mesh.corner_attributes.get("normal")
    if item is not None and item.values.shape[1:] == (3,):
        return safe_normalize(item.values), item.index
    own = mesh.vertex_attributes.get("normal")
    if own is not None and own.shape[1:] == (3,):
        return safe_normalize(own.to(mesh.dtype)), mesh.faces
    return mesh.vertex_normals(), mesh.faces


def texture_coordinates(mesh: Mesh, name: str = "mesh") -> CornerAttribute:
    """The attribute "uv" of corners or vertices.

    Raises:
        ValueError: the mesh has none.
    """
    item = mesh.corner_attributes.get("uv")
    if item is None and "uv" in mesh.vertex_attributes:
        item = CornerAttribute(mesh.vertex_attributes["uv"], mesh.faces)
    if item is None:
        raise ValueError(
            f'{name}: expected texture coordinates, an attribute "uv", got none; geometry.unwrap '
            "makes them"
        )
    return item


def tangents(mesh: Mesh) -> CornerAttribute:
    """Tangents (N, 4) of corners: a unit vector along u, square to the corner's normal, and the
    side of the bitangent, 1 or -1.

    Corners that share their place, normal, texture coordinates and side share a tangent: the mean
    of their faces', each laid into the corner's tangent plane, by the angle there. Faces without
    area, in space or in the texture, take that of others, else any.

    Args:
        mesh: with the attribute "uv" of corners or vertices; its normals are the attribute
            "normal", else those of its vertices.

    Raises:
        ValueError: no texture coordinates, or no faces.

    Example:
        >>> mesh.corner_attributes["tangent"] = ml.geometry.tangents(mesh)

    Source: M. Mikkelsen, Simulation of wrinkled surfaces revisited, 2008, and the convention that
    is called after it; Khronos, glTF 2.0, section 3.7.2.1.
    """
    if mesh.num_faces == 0:
        raise ValueError("mesh: expected at least one face, got an empty mesh; give it faces")
    item = texture_coordinates(mesh)
    normals, of_corner = shading_normals(mesh.detach())
    normal = normals.double()[of_corner]  # (F, 3, 3)
    uv = item.values[:, :2].detach().double()[item.index]
    corner = mesh.triangles.detach().double()
    ahead, behind = corner.roll(-1, 1) - corner, corner.roll(1, 1) - corner
    along, across = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    area = along[:, 0] * across[:, 1] - along[:, 1] * across[:, 0]
    side = torch.where(area < 0, -1.0, 1.0).to(corner)
    way = across[:, 1:] * ahead[:, 0] - along[:, 1:] * behind[:, 0]
    way = side[:, None] * way * (area != 0)[:, None]
    flat = _laid(way[:, None].expand(-1, 3, -1), normal)
    one, two = _laid(ahead, normal), _laid(behind, normal)
    angle = (one * two).sum(2).clamp(-1, 1).acos()
    place = mesh.merge_vertices().vertex_map[mesh.faces]
    rows = [place, _same(item.values[:, :2])[item.index], _same(normals)[of_corner]]
    rows.append(side.long()[:, None].expand(-1, 3))
    index = torch.unique(torch.stack(rows, 2).view(-1, 4), dim=0, return_inverse=True)[1]
    count = int(index.max()) + 1
    at = Incidence(index, count)
    found = safe_normalize(segment_sum((angle[..., None] * flat).reshape(-1, 3), at))
    # the first corner of each has its normal and side
    first = at.order[at.start[:-1]]
    own = normal.reshape(-1, 3)[first]
    none = safe_norm(found) == 0
    if bool(none.any()):
        axis = torch.nn.functional.one_hot(own.abs().argmin(1), 3).to(own)
        found = torch.where(none[:, None], safe_normalize(torch.linalg.cross(own, axis)), found)
    hand = side.repeat_interleave(3)[first]
    values = torch.cat((found, hand[:, None]), 1).to(mesh.dtype)
    return CornerAttribute(values, index.view(-1, 3))


def to_tangent_space(directions: Tensor, normal: Tensor, tangent: Tensor, side: Tensor) -> Tensor:
    """Unit vectors (N, 3) in frames: of mixed normals and tangents (N, 3), not normalised, as
    `from_tangent_space` takes them back."""
    across = side[:, None] * torch.linalg.cross(normal, tangent)
    # the inverse of the matrix of columns T, B, N, but for its determinant, whose sign is the side
    rows = (
        torch.linalg.cross(across, normal),
        torch.linalg.cross(normal, tangent),
        torch.linalg.cross(tangent, across),
    )
    found = torch.stack([(row * directions).sum(1) for row in rows], 1)
    return safe_normalize(side[:, None] * found)


def from_tangent_space(values: Tensor, normal: Tensor, tangent: Tensor, side: Tensor) -> Tensor:
    """Unit directions (N, 3) of what a normal map says (N, 3), as a viewer finds them."""
    across = side[:, None] * torch.linalg.cross(normal, tangent)
    x, y, z = values[:, :1], values[:, 1:2], values[:, 2:3]
    return safe_normalize(x * tangent + y * across + z * normal)


def _laid(vectors: Tensor, normal: Tensor) -> Tensor:
    """Vectors (F, 3, 3) in the planes square to unit normals, of length one or zero."""
    flat = vectors - (vectors * normal).sum(2, keepdim=True) * normal
    return safe_normalize(flat.reshape(-1, 3)).view_as(flat)


def _same(values: Tensor) -> Tensor:
    """(N,) a number for each distinct row."""
    return torch.unique(values.detach(), dim=0, return_inverse=True)[1]
