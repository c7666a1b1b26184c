"""Attributes that turn as a surface is bent: normals, tangents, bitangents."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._segment import Incidence, segment_sum
from meshlearn.mesh import CornerAttribute, Mesh
from meshlearn.mesh.measure import safe_normalize

_TURN = ("normal", "tangent", "bitangent")


def turned_normals(old: Mesh, new: Mesh) -> Mesh:
    """The new mesh, of the same faces, whose attributes "normal", "tangent" and "bitangent" turn
    as its surface did: by the turn that takes its old normal to its new one, and about that by
    how its edges turned."""
    if not old.num_faces:
        return new
    for name in _TURN:
        values = old.vertex_attributes.get(name)
        if values is not None and _is_vector(values, name):
            new.vertex_attributes[name] = _turned(values, old, new, old.topology.corners)
        values = old.face_attributes.get(name)
        if values is not None and _is_vector(values, name):
            new.face_attributes[name] = _turned(values, old, new, None)
        item = old.corner_attributes.get(name)
        if item is not None and _is_vector(item.values, name):
            at = Incidence(item.index.reshape(-1), len(item.values))
            new.corner_attributes[name] = CornerAttribute(
                _turned(item.values, old, new, at), item.index
            )
    return new


def _is_vector(values: Tensor, name: str) -> bool:
    """Three numbers a row; a tangent may have its handedness behind them."""
    return values.dim() == 2 and values.shape[1] in ((3,) if name == "normal" else (3, 4))


def _turned(values: Tensor, old: Mesh, new: Mesh, at: Incidence | None) -> Tensor:
    """Vectors (N, 3 or more) of faces, or of what names corners (3 F), turned."""
    with torch.no_grad():
        turn, known = _rotations(old, new, at)
    given = values[:, :3]
    made = safe_normalize((turn.to(values) @ given[..., None]).squeeze(2))
    made = torch.where(known[:, None].to(values.device), made, given)
    return torch.cat((made, values[:, 3:]), 1)


def _rotations(old: Mesh, new: Mesh, at: Incidence | None) -> tuple[Tensor, Tensor]:
    """(N, 3, 3), and where the surface has a normal both before and after."""
    # normals, and how edges went, p qᵀ, of each face
    sums = []
    for mesh in (old, new):
        a, b, c = mesh.triangles.detach().unbind(1)
        sums.append((torch.linalg.cross(b - a, c - a), torch.stack((b - a, c - b, a - c), 1)))
    (before, p), (after, q) = sums
    went = (p.transpose(1, 2) @ q).flatten(1)
    before, after = safe_normalize(before), safe_normalize(after)
    if at is not None:
        area = [mesh.face_areas().detach()[:, None] for mesh in (old, new)]
        rows = torch.cat((before * area[0], after * area[1], went), 1)
        rows = segment_sum(rows[:, None].expand(-1, 3, -1).reshape(-1, 15), at)
        before, after = safe_normalize(rows[:, :3]), safe_normalize(rows[:, 3:6])
        went = rows[:, 6:]
    known = (before.abs().sum(1) > 0) & (after.abs().sum(1) > 0)
    first = _shortest(before, after)
    went = first @ went.view(-1, 3, 3)
    odd = went - went.transpose(1, 2)
    sine = (torch.stack((odd[:, 1, 2], odd[:, 2, 0], odd[:, 0, 1]), 1) * after).sum(1)
    trace = went.diagonal(dim1=1, dim2=2).sum(1)
    cosine = trace - (after[:, None] @ went @ after[..., None]).flatten()
    angle = torch.atan2(sine, cosine)[:, None, None]
    cross = _cross(after)
    second = torch.eye(3).to(cross) + angle.sin() * cross + (1 - angle.cos()) * (cross @ cross)
    return second @ first, known


def _shortest(before: Tensor, after: Tensor) -> Tensor:
    """(N, 3, 3) least turns that take unit vectors to others."""
    axis = torch.linalg.cross(before, after)
    cosine = (before * after).sum(1)[:, None, None]
    cross = _cross(axis)
    return torch.eye(3).to(cross) + cross + cross @ cross / (1 + cosine).clamp(min=1e-6)


def _cross(axis: Tensor) -> Tensor:
    """(N, 3, 3) matrices of the cross product with vectors (N, 3)."""
    x, y, z = axis.unbind(1)
    zero = torch.zeros_like(x)
    rows = (zero, -z, y, z, zero, -x, -y, x, zero)
    return torch.stack(rows, 1).view(-1, 3, 3)
