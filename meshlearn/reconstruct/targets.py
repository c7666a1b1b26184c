"""What a mesh is fitted to: a mesh, points, a field. Each gives a starting field and losses.

Distances are divided by the representation's `scale` (the edge of a cell), so that weights and
learning rates hold for any size of object and grid.
"""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn.mesh import Mesh


class Target:
    """What `reconstruct.fit` asks of a target."""

    default_weights: dict[str, float] = {}  # noqa: RUF012
    has_field: bool = True

    @property
    def bounds(self) -> Tensor:
        """(2, 3) box that the surface lies in."""
        raise NotImplementedError

    def field(self, points: Tensor) -> Tensor:
        """Starting field, (P, 3) -> (P,), negative inside."""
        raise NotImplementedError

    def losses(
        self, mesh: Mesh, *, scale: float, generator: torch.Generator, done: float
    ) -> dict[str, Tensor]:
        """Loss terms of a mesh by name.

        Args:
            mesh: the current mesh, not empty.
            scale: unit length.
            generator: randomness of all sampling.
            done: part of the stage that is behind, in [0, 1).
        """
        raise NotImplementedError
