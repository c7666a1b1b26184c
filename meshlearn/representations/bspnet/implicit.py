"""An auto-encoder with an implicit decoder (IM-Net): what BSP-Net is measured against."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from meshlearn.isosurface import VoxelGrid, marching_cubes
from meshlearn.mesh import Mesh
from meshlearn.representations.bspnet.networks import PointwiseDecoder, VoxelEncoder, scale_weights


class ImplicitAutoencoder(nn.Module):
    """Voxels to a code to an occupancy at any point; meshes by marching cubes.

    Args:
        resolution, code, width: of the encoder, as in `BSPNet`.
        hidden: layers of the decoder.
        generator: of the first weights; default: torch's own.

    Source: Chen and Zhang, "Learning Implicit Fields for Generative Shape Modeling" (CVPR 2019).
    """

    def __init__(
        self,
        *,
        resolution: int = 64,
        code: int = 256,
        width: int = 32,
        hidden: Sequence[int] = (512, 256, 128),
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.encoder = VoxelEncoder(resolution, code=code, width=width)
        self.decoder = PointwiseDecoder(1, code=code, hidden=hidden)
        scale_weights(self.encoder, last=2.0, generator=generator)
        scale_weights(self.decoder, generator=generator)

    def encode(self, voxels: Tensor) -> Tensor:
        """Codes (B, code)."""
        return self.encoder(voxels)

    def forward(self, code: Tensor, points: Tensor) -> Tensor:
        """Logits (B, N) of being inside, at points (B, N, 3)."""
        return self.decoder(code, points)[..., 0]

    def losses(
        self, points: Tensor, inside: Tensor, code: Tensor, *, phase: int = 0
    ) -> dict[str, Tensor]:
        """Mean squared error of the occupancy, as in the paper."""
        # beyond +-16 gradients are below 1e-7 and soon denormal, which makes a step take 6 times
        # as long on a CPU
        found = torch.sigmoid(self(code, points).float().clamp(-16, 16))
        return {"occupancy": (found - inside.to(found.dtype)).square().mean()}

    @torch.no_grad()
    def occupancy(self, points: Tensor, code: Tensor) -> Tensor:
        """(B, N) bool."""
        return self(code, points) > 0

    @torch.no_grad()
    def meshes(self, code: Tensor, *, resolution: int = 64) -> list[Mesh]:
        """Marching cubes of each shape, closed at the box [-½, ½]³."""
        margin = 1.0 / resolution
        box = ([-0.5 - margin] * 3, [0.5 + margin] * 3)
        grid = VoxelGrid(resolution, bounds=box)
        edge = (grid.vertices.abs() > 0.5).any(1)
        out = []
        for one in code:
            parts = grid.vertices.split(1 << 15)
            field = -torch.cat([self(one[None], part[None].to(code))[0] for part in parts])
            field = field.float().cpu()
            out.append(marching_cubes(grid, torch.where(edge, field.clamp(min=1e-3), field)))
        return out
