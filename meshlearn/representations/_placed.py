"""The field of one shape of a `DeepMesh`, where that shape stands."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from meshlearn.representations.deepmesh import DeepMesh


class PlacedField:
    """A network under one code, in the world; errors name `network` and `latent`."""

    def __init__(self, shape: DeepMesh, latent: Tensor | None) -> None:
        self.network, self.latent = shape.network, latent
        self._inward, self._wall, self._size = shape._inward, shape._wall, shape.size

    def __call__(self, points: Tensor) -> Tensor:
        found = self._size * self.network(self._inward(points), self.latent)
        return torch.maximum(found, self._wall(points))
