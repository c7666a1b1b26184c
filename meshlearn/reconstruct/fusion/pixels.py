"""What is read of the pixels of depth images: slopes, weights, and where in the world they are.

Each function has a native operator and says the same in torch, which is its reference.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._native import HAS_NATIVE
from meshlearn.render import Camera

LEAST_COSINE = 0.2  # a surface seen at less than 11 degrees tells little and is left out
_FAR_BOX = 3.0  # a box so many times as large as that of 99 % of the points holds strays
_LOOKED_AT = 50_000  # points by which those 99 % are judged


class Lenses(NamedTuple):
    """Cameras as the operators read them, in the dtype of the images.

    Attributes:
        lens: (N, 4) focal lengths and middle of the image along u and v, in pixels.
        pose: (N, 4, 3) axes x, y, z of the camera in the world, and its place.
        orthographic: parallel projection.
    """

    lens: Tensor
    pose: Tensor
    orthographic: bool


def lenses(cameras: Camera, depth: Tensor) -> Lenses:
    """The lenses and poses of a batch of cameras for images (N, H, W)."""
    n, h, w = depth.shape
    focal = cameras.focal.expand(n, 2).double() * h
    centre = cameras.centre.expand(n, 2).double() * focal.new_tensor([w, h])
    view = cameras.view.double()
    place = -(view[:, :3, :3] * view[:, :3, 3:]).sum(1)
    pose = torch.cat((view[:, :3, :3], place[:, None]), 1)
    return Lenses(
        torch.cat((focal, centre), 1).to(depth).contiguous(),
        pose.to(depth).contiguous(),
        cameras.orthographic,
    )


def surface_pixels(depth: Tensor, cameras: Lenses, *, usual: float, native: bool) -> Tensor:
    """(N, H, W, 2) distance across the surface per unit of depth, and the weight of a pixel.

    With the ray r = (x, y, 1) of a pixel, a step dz along the axis is dz |n r| across a surface of
    unit normal n; the slopes g = dz/dx / z, dz/dy / z of the depth tell
    1 / |n r|^2 = g_x^2 + g_y^2 + (1 + g_x x + g_y y)^2.

    Args:
        depth: (N, H, W), 0 for none.
        cameras: of these images.
        usual: depth of the weight 1.
        native: by the operator.
    """
    if native:
        return torch.ops.meshlearn.depth_surface(
            depth, cameras.lens, cameras.orthographic, LEAST_COSINE, usual
        )
    x, y = _along(depth, cameras)
    gx, gy = (_slope(depth, 2 - k) * cameras.lens[:, k, None, None] for k in (0, 1))
    if cameras.orthographic:
        slope, long = torch.rsqrt(1 + gx**2 + gy**2), torch.ones_like(depth)
        nearness = long
    else:
        safe = depth.clamp(min=1e-30)
        gx, gy = gx / safe, gy / safe
        slope = torch.rsqrt(gx**2 + gy**2 + (1 + gx * x + gy * y) ** 2)
        long = torch.sqrt(1 + x**2 + y**2)
        nearness = (usual / safe) ** 2
    cosine = slope / long
    seen = depth > 0
    trust = torch.where(seen & (cosine > LEAST_COSINE), cosine * nearness, 0.0)
    return torch.stack((torch.where(seen, slope, 0.0), trust), -1).contiguous()


def _along(depth: Tensor, cameras: Lenses) -> tuple[Tensor, Tensor]:
    """(N, 1, W) and (N, H, 1) places of pixel centres, in focal lengths off the axis."""
    h, w = depth.shape[1:]
    x, y = (
        (
            torch.arange(size, device=depth.device, dtype=depth.dtype)
            + 0.5
            - cameras.lens[:, 2 + k : 3 + k]
        )
        / cameras.lens[:, k : k + 1]
        for k, size in enumerate((w, h))
    )
    return x[:, None, :], y[:, :, None]


def _slope(depth: Tensor, axis: int) -> Tensor:
    """Change of depth per pixel along an axis, the smaller one of both sides, 0 where there is no
    neighbour with a depth."""
    n = depth.shape[axis]
    out = torch.full_like(depth, torch.inf)
    if n > 1:
        a, b = depth.narrow(axis, 0, n - 1), depth.narrow(axis, 1, n - 1)
        step = torch.where((a > 0) & (b > 0), b - a, torch.inf)
        out.narrow(axis, 0, n - 1).copy_(step)
        rest = out.narrow(axis, 1, n - 1)
        rest.copy_(torch.where(step.abs() < rest.abs(), step, rest))
    return torch.where(torch.isfinite(out), out, 0.0)


def world_points(depth: Tensor, cameras: Lenses) -> Tensor:
    """(P, 3) places in the world of all pixels that have a depth, by image and row."""
    view, v, u = (depth > 0).nonzero(as_tuple=True)
    z = depth[view, v, u]
    lens, pose = cameras.lens[view], cameras.pose[view]
    x = (u.to(z) + 0.5 - lens[:, 2]) / lens[:, 0]
    y = (v.to(z) + 0.5 - lens[:, 3]) / lens[:, 1]
    if not cameras.orthographic:
        x, y = x * z, y * z
    return pose[:, 3] + (
        x[:, None] * pose[:, 0] + y[:, None] * pose[:, 1] + z[:, None] * pose[:, 2]
    )


def points_box(depth: Tensor, cameras: Lenses, *, native: bool) -> Tensor:
    """(2, 3) float64 box of all points, of the inner 99 % where the rest is strays far off."""
    if native:
        rows = torch.ops.meshlearn.depth_extent(depth, *cameras)
        whole = torch.stack((rows[:, 0].amin(0), rows[:, 1].amax(0))).double()
    else:
        points = world_points(depth, cameras)
        whole = torch.stack((points.amin(0), points.amax(0))).double()
    step = max(1, math.isqrt(int((depth > 0).sum()) // _LOOKED_AT))
    few = world_points(depth[:, ::step, ::step], _thinner(cameras, step)).double()
    if len(few) < 100:
        few = world_points(depth, cameras).double()
    ends = torch.quantile(few[: 10 * _LOOKED_AT], few.new_tensor([0.005, 0.995]), dim=0)
    size = (ends[1] - ends[0]).clamp(min=1e-12)
    if bool(((whole[1] - whole[0]) > _FAR_BOX * size.max()).any()):
        whole = torch.stack((ends[0] - size / 4, ends[1] + size / 4))
    return whole.cpu()


def _thinner(cameras: Lenses, step: int) -> Lenses:
    """The same for images of which every `step`-th pixel is left along both sides."""
    lens = cameras.lens / step
    lens[:, 2:] = (cameras.lens[:, 2:] - 0.5) / step + 0.5
    return cameras._replace(lens=lens)


def near_blocks(
    depth: Tensor,
    cameras: Lenses,
    low: Tensor,
    side: float,
    count: list[int],
    *,
    margin: float,
    step: int,
    native: bool,
) -> Tensor:
    """(B, 3) blocks of space, in order, that come near any point.

    Args:
        depth: (N, H, W), 0 for none.
        cameras: of these images.
        low: (3,) float64, where the first block begins.
        side: of a block.
        count: blocks along each axis.
        margin: how near along each axis, in blocks.
        step: of so many pixels along both sides one is looked at.
        native: by the operator.
    """
    if native:
        near = torch.ops.meshlearn.depth_blocks(
            depth, *cameras, low.tolist(), side, count, step, margin
        )
        return near.nonzero().contiguous()
    points = world_points(depth[:, ::step, ::step].contiguous(), _thinner(cameras, step))
    at = (points.double() - low.to(points.device)) * (1 / side)
    size = torch.tensor(count, device=depth.device)
    first, last = (at - margin).floor().long(), (at + margin).floor().long()
    inside = ((last >= 0) & (first < size)).all(1)
    first = first[inside].clamp(min=0)
    last = torch.minimum(last[inside], size - 1)
    near = torch.zeros(count, dtype=torch.bool, device=depth.device)
    wide = math.ceil(2 * margin) + 1
    for k in range(wide**3):
        shift = torch.tensor([k // wide**2, k // wide % wide, k % wide], device=depth.device)
        x, y, z = torch.minimum(first + shift, last).unbind(1)
        near[x, y, z] = True
    return near.nonzero().contiguous()


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::depth_surface")
    def _(depth, lens, orthographic: bool, least_cosine: float, usual: float):
        return depth.new_empty(*depth.shape, 2)

    @torch.library.register_fake("meshlearn::depth_extent")
    def _(depth, lens, pose, orthographic: bool):
        return depth.new_empty(depth.shape[0] * depth.shape[1], 2, 3)

    @torch.library.register_fake("meshlearn::depth_blocks")
    def _(depth, lens, pose, orthographic: bool, low, side, count, step: int, margin: float):
        return depth.new_empty(count, dtype=torch.uint8)
