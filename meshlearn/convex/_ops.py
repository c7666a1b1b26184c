"""The operator `halfspace_intersection`: its fake, its gradient, its stand-in without a build."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._segment import Incidence, segment_sum
from meshlearn.convex.constants import LEAST_SPAN
from meshlearn.convex.packed import Packed, rows_of
from meshlearn.convex.reference import intersect_reference


def intersect(
    planes: Tensor, start: Tensor, index: Tensor, bounds: list[float], tolerance: float
) -> Packed:
    """Planes (K, 4), those of convex i ``index[start[i]:start[i + 1]]``; arguments are checked."""
    if use_native(planes):
        out = torch.ops.meshlearn.halfspace_intersection(
            planes.contiguous(), start, index, bounds, tolerance
        )
        return Packed(*out)
    return intersect_reference(planes, start, index, bounds, tolerance)


def plane_gradient(
    grad: Tensor, vertices: Tensor, planes: Tensor, vertex_planes: Tensor, bounds: list[float]
) -> Tensor:
    """Gradient of `planes` (K, 4) from that of the vertices (V, 3): (5).

    A vertex v solves N v = -d, so that dv = -N⁻¹ (dN v + dd): with y = N⁻ᵀ grad, row i of N gets
    -y_i v and d_i gets -y_i.
    """
    three = rows_of(planes, vertex_planes, bounds)  # (V, 3, 4)
    length = three[..., :3].norm(dim=2)
    a, b, c = (three[..., :3] / length[..., None]).unbind(1)
    columns = torch.stack([torch.linalg.cross(*p, dim=1) for p in ((b, c), (c, a), (a, b))], 1)
    span = (columns[:, 0] * a).sum(1)
    good = span.abs() > LEAST_SPAN
    inverse = torch.where(good, 1 / torch.where(good, span, torch.ones_like(span)), 0.0)
    y = (columns * grad.double()[:, None]).sum(2) * inverse[:, None] / length
    at = torch.nn.functional.pad(vertices.double(), (0, 1), value=1.0)
    rows = (-y[..., None] * at[:, None]).reshape(-1, 4)
    ids = vertex_planes.reshape(-1)
    mine = torch.nonzero(ids >= 0)[:, 0]
    return segment_sum(rows[mine], Incidence(ids[mine], planes.shape[0])).to(planes.dtype)


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::halfspace_intersection")
    def _(planes, start, index, bounds, tolerance):
        ctx = torch.library.get_ctx()
        v, f, m = (ctx.new_dynamic_size() for _ in range(3))
        made = Packed(
            vertices=planes.new_empty(v, 3),
            vertex_planes=start.new_empty(v, 3),
            start=start.new_empty(f + 1),
            index=start.new_empty(m),
            face_plane=start.new_empty(f),
            vertex_start=start.new_empty(start.shape[0]),
            face_start=start.new_empty(start.shape[0]),
        )
        return tuple(made)

    def _setup(ctx, inputs, output) -> None:
        planes, _, _, bounds, _ = inputs
        ctx.set_materialize_grads(False)
        made = Packed(*output)
        ctx.save_for_backward(planes, made.vertices, made.vertex_planes)
        ctx.mark_non_differentiable(*output[1:])
        ctx.bounds = list(bounds)

    def _backward(ctx, grad, *_):
        planes, vertices, vertex_planes = ctx.saved_tensors
        if grad is None:
            return None, None, None, None, None
        found = plane_gradient(grad, vertices, planes, vertex_planes, ctx.bounds)
        return found, None, None, None, None

    torch.library.register_autograd(
        "meshlearn::halfspace_intersection", _backward, setup_context=_setup
    )
