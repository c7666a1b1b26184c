"""The cut of a triangle mesh by a value at its vertices: the positive side, with its boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import once
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, gather
from meshlearn._validate import check_tensor
from meshlearn.mesh.mesh import Mesh


@dataclass(frozen=True)
class MeshCut:
    """What `cut_mesh` returns. Its vertices are the kept ones, in order, then the cut ones."""

    mesh: Mesh
    kept: Tensor  # (K,) int64 vertices of the input whose value is positive
    cut_edges: Tensor  # (X, 2) int64 input vertices of each cut edge, the positive one first
    boundary_edges: Tensor  # (B, 2) int64 vertices of `mesh`, along the faces' orientation


class CutTensors(NamedTuple):
    """Outputs of the operator `cut_mesh`, in the order of csrc/drivers/cut.h."""

    vertices: Tensor  # (K + X, 3) kept ones, then cut ones
    faces: Tensor  # (F', 3) int64
    kept: Tensor  # (K,) int64
    cut_edges: Tensor  # (X, 2) int64
    boundary_edges: Tensor  # (B, 2) int64
    order: Tensor  # (X,) int32 cut edges by their other end, kept for the backward pass
    rank: Tensor  # (V + 1,) int32 kept vertices before each, kept for the backward pass


def cut_mesh(mesh: Mesh, value: Tensor) -> MeshCut:
    """The part of a mesh where a value at its vertices is positive, cut along its zero line.

    A triangle with corners on both sides is cut on its two edges that change sign, at
    ``(v_p q - v_q p) / (v_p - v_q)``; triangles that meet there share the new vertex. A value of
    exactly 0 is not kept. An edge-manifold, oriented mesh stays so; each new vertex has two
    boundary edges; triangles without area appear where a value is 0.

    Args:
        mesh: the mesh; attributes are not kept.
        value: (V,) of the mesh's dtype and device, finite.

    Returns:
        MeshCut. Gradients of its vertices reach those of `mesh` and `value`.

    Raises:
        ValueError: wrong shape, dtype or device, NaN.

    Example:
        >>> sphere = ml.data.shapes.icosphere(4)
        >>> half = cut_mesh(sphere, sphere.vertices[:, 2] + 0.01)
        >>> len(half.mesh.topology.boundary_loops())
        1
    """
    if not isinstance(mesh, Mesh):
        raise ValueError(f"mesh: expected a Mesh, got {type(mesh).__name__}; make one with ml.Mesh")
    check_tensor(
        value,
        "value",
        shape=(mesh.num_vertices,),
        dtype=mesh.dtype,
        device=mesh.device,
        like="mesh",
        finite=True,
    )
    return cut_faces(mesh.vertices, value, mesh.faces)


def cut_faces(vertices: Tensor, value: Tensor, faces: Tensor) -> MeshCut:
    """`cut_mesh` of arguments that are checked."""
    run = torch.ops.meshlearn.cut_mesh if use_native(vertices) else cut_mesh_reference
    made = CutTensors(*run(vertices.contiguous(), value.contiguous(), faces.contiguous()))
    mesh = Mesh(made.vertices, made.faces, validate=False)
    return MeshCut(mesh, made.kept, made.cut_edges, made.boundary_edges)


def interpolated(value: Tensor, cut_edges: Tensor) -> Tensor:
    """(X,) a value at the cut vertices, with the places of the cuts held fixed.

    All are 0; their gradients move the values at both ends of each cut edge.
    """
    ends = gather(value[:, None], Incidence(cut_edges.reshape(-1), value.shape[0])).view(-1, 2)
    p, q = ends.detach().unbind(1)
    share = p / (p - q)
    return ends[:, 0] * (1 - share) + ends[:, 1] * share


def cut_mesh_reference(vertices: Tensor, value: Tensor, faces: Tensor) -> CutTensors:
    """Torch reference of the operator `cut_mesh`: (G5, G6) of `meshlearn.isosurface.gshell`."""
    n = vertices.shape[0]
    keep = value > 0
    kept = keep.nonzero().squeeze(1)
    rank = torch.cumsum(keep, 0) - 1
    corner = keep[faces]
    positive = corner.sum(1)
    odd = corner == (positive == 1)[:, None]  # the only positive or the only other corner
    first = torch.where((positive == 1) | (positive == 2), odd.to(torch.int8).argmax(1), 0)
    turn = (first[:, None] + torch.arange(3, device=faces.device)) % 3
    v = faces.gather(1, turn)

    one, two = positive == 1, positive == 2
    ahead, behind = v[:, :1] * n + v[:, 1:], v[:, 1:] * n + v[:, :1]  # keys p * n + q
    edge = torch.where(one[:, None], ahead, behind)[one | two]
    keys = torch.unique(edge)
    p, q = keys // n, keys % n
    share = value[p] / (value[p] - value[q])
    made = vertices[p] + (vertices[q] - vertices[p]) * share[:, None]

    place = faces.new_zeros(len(faces), 2)
    place[one | two] = len(kept) + torch.searchsorted(keys, edge)
    a, b = rank[v[:, 1]], rank[v[:, 2]]
    whole = torch.stack([rank[v[:, 0]], a, b], 1)
    tip = torch.cat([whole[:, :1], place], 1)
    cases = torch.where((positive == 3)[:, None], whole, tip)
    cases = torch.where(two[:, None], torch.stack([a, b, place[:, 1]], 1), cases)
    second = torch.stack([a, place[:, 1], place[:, 0]], 1)
    found = torch.stack([cases, second], 1)[torch.stack([positive > 0, two], 1)]
    along = torch.where(one[:, None], place, place.flip(1))
    return CutTensors(
        vertices=torch.cat([vertices[kept], made]),
        faces=found,
        kept=kept,
        cut_edges=torch.stack([p, q], 1),
        boundary_edges=along[one | two],
        order=torch.argsort(q, stable=True).int(),
        rank=torch.cat([keep.new_zeros(1, dtype=torch.int32), torch.cumsum(keep, 0).int()]),
    )


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::cut_mesh")
    def _(vertices, value, faces):
        ctx = torch.library.get_ctx()
        kept, cut, found, boundary = (ctx.new_dynamic_size() for _ in range(4))
        made = CutTensors(
            vertices=vertices.new_empty(kept + cut, 3),
            faces=faces.new_empty(found, 3),
            kept=faces.new_empty(kept),
            cut_edges=faces.new_empty(cut, 2),
            boundary_edges=faces.new_empty(boundary, 2),
            order=faces.new_empty(cut, dtype=torch.int32),
            rank=faces.new_empty(vertices.shape[0] + 1, dtype=torch.int32),
        )
        return list(made)

    @torch.library.register_fake("meshlearn::cut_mesh_backward")
    def _(grad, vertices, value, cut, order, rank):
        return torch.empty_like(vertices), torch.empty_like(value)

    def _setup(ctx, inputs, output) -> None:
        ctx.set_materialize_grads(False)
        vertices, value, _ = inputs
        made = CutTensors(*output)
        ctx.save_for_backward(vertices, value, made.cut_edges, made.order, made.rank)

    @once("cut_mesh")
    def _backward(ctx, grads):
        along = CutTensors(*grads).vertices
        if along is None:
            return None, None, None
        made = torch.ops.meshlearn.cut_mesh_backward(along.contiguous(), *ctx.saved_tensors)
        return *made, None

    torch.library.register_autograd("meshlearn::cut_mesh", _backward, setup_context=_setup)
