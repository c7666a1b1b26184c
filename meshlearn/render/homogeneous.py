"""World points in homogeneous image space, what the rasteriser reads."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._validate import FLOATS


class Projection(NamedTuple):
    """What of a camera, and of an image, says where a point is seen.

    Attributes:
        view: (4, 4) or (N, 4, 4), world to camera space.
        focal: (2,) or (N, 2), in image heights.
        centre: (2,) or (N, 2), fractions of width and height.
        orthographic: parallel instead of perspective projection.
        height, width: of the image, in pixels.
    """

    view: Tensor
    focal: Tensor
    centre: Tensor
    orthographic: bool
    height: int
    width: int


def homogeneous(points: Tensor, projection: Projection) -> Tensor:
    """(P, 3) points to (P, 4), or (N, P, 4) for a batch of views: (u w, v w, z, w).

    Differentiable in the points and in the projection's tensors.
    """
    view, camera = projection.view, projection[:3]
    plain = points.dim() == 2 and points.shape[1] == 3 and points.dtype in FLOATS
    alike = view.dtype in FLOATS and all(
        t.dtype == view.dtype and t.device == points.device and not t.requires_grad for t in camera
    )
    if plain and alike and use_native(points):
        out = _Homogeneous.apply(points, projection)
        return out.view(*view.shape[:-2], len(points), 4)
    return homogeneous_reference(points, projection)


def homogeneous_reference(points: Tensor, projection: Projection) -> Tensor:
    """Torch reference of the `homogeneous` operator, and the way to a camera's gradient."""
    matrix = homogeneous_matrix(projection).to(points.dtype)
    column, row = points[:, :, None].unbind(1), matrix[..., None, :, :].unbind(-1)
    return column[0] * row[0] + column[1] * row[1] + column[2] * row[2] + row[3]


def homogeneous_matrix(projection: Projection) -> Tensor:
    """(4, 4) or (N, 4, 4) float64: world points (x, y, z, 1) to (u w, v w, z, w)."""
    h, w = projection.height, projection.width
    view, last = projection.view.double(), 3 if projection.orthographic else 2
    focal, centre = (projection.focal * h).double(), projection.centre
    centre = torch.stack((centre[..., 0] * w, centre[..., 1] * h), -1).double()
    depth, final = view[..., 2:3, :], view[..., last : last + 1, :]
    # Spelled out: a matrix product would sum in an order that depends on the library.
    place = focal[..., None] * view[..., :2, :] + centre[..., None] * final
    return torch.cat((place, depth, final), -2)


class _Homogeneous(torch.autograd.Function):
    @staticmethod
    def forward(ctx, points: Tensor, projection: Projection) -> Tensor:
        camera = [t.contiguous() for t in projection[:3]]
        ctx.save_for_backward(points, *camera)
        ctx.rest = projection[3:]
        return torch.ops.meshlearn.homogeneous(points.contiguous(), *camera, *ctx.rest)

    @staticmethod
    def backward(ctx, grad: Tensor):
        points, *camera = ctx.saved_tensors
        if torch.is_grad_enabled():  # to be differentiated again
            out = homogeneous_reference(points, Projection(*camera, *ctx.rest)).reshape(grad.shape)
            return torch.autograd.grad(out, points, grad, create_graph=True)[0], None
        grad = grad.contiguous()
        return torch.ops.meshlearn.homogeneous_backward(grad, *camera, *ctx.rest), None


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::homogeneous")
    def _(points, view, focal, centre, orthographic: bool, height: int, width: int) -> Tensor:
        return points.new_empty(view.numel() // 16, points.shape[0], 4)

    @torch.library.register_fake("meshlearn::homogeneous_backward")
    def _(grad, view, focal, centre, orthographic: bool, height: int, width: int) -> Tensor:
        return grad.new_empty(grad.shape[1], 3)
