"""Encoders to a code, and decoders of a code to planes or to an occupancy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn


def mlp(sizes: Sequence[int]) -> nn.Sequential:
    """Linear layers of these sizes with leaky ReLU between."""
    layers: list[nn.Module] = []
    for k, (a, b) in enumerate(pairwise(sizes)):
        layers.append(nn.Linear(a, b))
        if k < len(sizes) - 2:
            layers.append(nn.LeakyReLU(0.01))
    return nn.Sequential(*layers)


@torch.no_grad()
def scale_weights(
    network: nn.Module, *, last: float = 1.0, generator: torch.Generator | None = None
) -> None:
    """Draws the weights of layers with leaky ReLU between so that what differs between inputs
    neither fades nor grows on its way through (He et al., 2015); those of the last layer times
    `last`. Biases become 0."""
    layers = [m for m in network.modules() if isinstance(m, nn.Linear | nn.Conv2d | nn.Conv3d)]
    for layer in layers:
        nn.init.kaiming_normal_(layer.weight, a=0.01, generator=generator)
        if layer.bias is not None:
            layer.bias.zero_()
    layers[-1].weight.mul_(last)


class VoxelEncoder(nn.Module):
    """Voxels (B, 1, R, R, R) to codes (B, code): 3D convolutions of stride 2 down to 4, then one
    without padding, and a sigmoid. R is 8, 16, 32, 64 (the paper's) or 128."""

    def __init__(self, resolution: int = 64, *, code: int = 256, width: int = 32) -> None:
        super().__init__()
        if resolution not in (8, 16, 32, 64, 128):
            raise ValueError(f"resolution: expected 8, 16, 32, 64 or 128, got {resolution}")
        self.resolution = resolution
        layers: list[nn.Module] = []
        size, channels, wide = resolution, 1, width
        while size > 4:
            layers += [nn.Conv3d(channels, wide, 4, 2, 1), nn.LeakyReLU(0.01)]
            size, channels, wide = size // 2, wide, min(2 * wide, 8 * width)
        layers += [nn.Conv3d(channels, code, 4), nn.Flatten(), nn.Sigmoid()]
        self.layers = nn.Sequential(*layers)

    def forward(self, voxels: Tensor) -> Tensor:
        if voxels.dim() == 4:
            voxels = voxels[:, None]
        r = self.resolution
        if voxels.dim() != 5 or voxels.shape[1:] != (1, r, r, r):
            raise ValueError(
                f"voxels: expected shape (B, {r}, {r}, {r}), got {tuple(voxels.shape)}; this "
                f"encoder was made for {r}"
            )
        return self.layers(voxels.to(next(self.parameters()).dtype))


class _Residual(nn.Module):
    def __init__(self, a: int, b: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(a, b, 3, stride, 1), nn.LeakyReLU(0.01))
        self.second = nn.Conv2d(b, b, 3, 1, 1)
        self.short = nn.Conv2d(a, b, 1, stride) if (a, stride) != (b, 1) else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.leaky_relu(self.second(self.first(x)) + self.short(x), 0.01)


class ImageEncoder(nn.Module):
    """Images (B, channels, H, W) to codes (B, code): a residual network, mean pooling, a sigmoid.

    Meant to be regressed onto the codes of an auto-encoder, for single-view reconstruction.
    """

    def __init__(self, *, code: int = 256, channels: int = 1, width: int = 32) -> None:
        super().__init__()
        self.channels = channels
        blocks: list[nn.Module] = [nn.Conv2d(channels, width, 7, 2, 3), nn.LeakyReLU(0.01)]
        wide = width
        for k in range(4):
            following = wide if k == 0 else 2 * wide
            blocks += [_Residual(wide, following, 2), _Residual(following, following, 1)]
            wide = following
        self.blocks = nn.Sequential(*blocks)
        self.head = nn.Linear(wide, code)

    def forward(self, images: Tensor) -> Tensor:
        if images.dim() != 4 or images.shape[1] != self.channels:
            raise ValueError(
                f"images: expected shape (B, {self.channels}, H, W), got {tuple(images.shape)}"
            )
        return torch.sigmoid(self.head(self.blocks(images).mean((2, 3))))


class PointEncoder(nn.Module):
    """Points (B, N, 3) to codes (B, code): one network for each point, their maximum, a sigmoid."""

    def __init__(self, *, code: int = 256, width: int = 64) -> None:
        super().__init__()
        self.each = mlp([3, width, 2 * width, 8 * width])
        self.head = mlp([8 * width, 4 * width, code])

    def forward(self, points: Tensor) -> Tensor:
        if points.dim() != 3 or points.shape[2] != 3 or points.shape[1] == 0:
            raise ValueError(f"points: expected shape (B, N, 3), got {tuple(points.shape)}")
        return torch.sigmoid(self.head(self.each(points).amax(1)))


class PlaneDecoder(nn.Module):
    """Codes (B, code) to primitives (B, P, K): code → 512 → 1024 → 2048 → P K in the paper."""

    def __init__(
        self,
        count: int,
        numbers: int = 4,
        *,
        code: int = 256,
        hidden: Sequence[int] = (512, 1024, 2048),
    ) -> None:
        super().__init__()
        self.count, self.numbers = count, numbers
        self.layers = mlp([code, *hidden, count * numbers])

    def forward(self, code: Tensor) -> Tensor:
        return self.layers(2 * code - 1).view(*code.shape[:-1], self.count, self.numbers)


class PointwiseDecoder(nn.Module):
    """Codes and points to `count` numbers for each point, (B, N, count): the implicit conditioning
    of IM-Net. With count 1 and a sigmoid it is an occupancy decoder; with count P its numbers stand
    in for the distances beyond planes, so that a convex becomes any shape."""

    def __init__(
        self, count: int = 1, *, code: int = 256, hidden: Sequence[int] = (512, 256, 128)
    ) -> None:
        super().__init__()
        self.from_code = nn.Linear(code, hidden[0])
        self.from_point = nn.Linear(3, hidden[0], bias=False)
        self.layers = nn.Sequential(nn.LeakyReLU(0.02), *mlp([*hidden, count]))

    def forward(self, code: Tensor, points: Tensor) -> Tensor:
        return self.layers(self.from_code(2 * code - 1)[:, None] + self.from_point(points))
