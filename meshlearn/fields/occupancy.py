"""An occupancy from any network: a probability of being inside."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from meshlearn.fields.neural import ARCHITECTURES, Latent, NeuralField


class Occupancy(NeuralField):
    """The probability of being inside, as a field: ``0.5 - sigmoid(-sharpness * body(x))``.

    The surface is where the probability is one half, inside is negative as everywhere here, and the
    slope at the surface is anything but 1: `level_set_mesh` needs its general derivative there.

    Args:
        body: a neural field whose values are taken as negative logits over `sharpness`.
        sharpness: where the learnable factor starts.

    Example:
        >>> field = Occupancy(SIREN(hidden=32))
        >>> loss = torch.nn.functional.binary_cross_entropy_with_logits(
        ...     field.logits(torch.rand(8, 3)), torch.ones(8))

    Source: Mescheder et al., "Occupancy Networks" (CVPR 2019).
    """

    def __init__(
        self,
        body: NeuralField | None = None,
        *,
        sharpness: float = 10.0,
        body_architecture: str = "",
        body_config: dict[str, Any] | None = None,
    ) -> None:
        if body is None:  # from a checkpoint
            if body_architecture not in ARCHITECTURES:
                raise ValueError(f"body: expected a neural field, got {body_architecture!r}")
            body = ARCHITECTURES[body_architecture](**(body_config or {}))
        if not isinstance(body, NeuralField):
            raise ValueError(f"body: expected a neural field, got {type(body).__name__}")
        if not sharpness > 0:
            raise ValueError(f"sharpness: expected a positive factor, got {sharpness}")
        super().__init__(
            sharpness=sharpness, body_architecture=body.architecture, body_config=body.config
        )
        self.body, self.latent_size = body, body.latent_size
        self.log_sharpness = nn.Parameter(torch.tensor(math.log(sharpness)))

    def logits(
        self, points: Tensor, latent: Tensor | None = None, index: Tensor | None = None
    ) -> Tensor:
        """(N,) logits of being inside, for a cross entropy."""
        return -self.log_sharpness.exp() * self.body(points, latent, index)

    def evaluate(self, points: Tensor, latent: Latent) -> Tensor:
        value = self.log_sharpness.exp() * self.body.evaluate(points, latent)
        return torch.sigmoid(value) - 0.5

    def lipschitz_bound(self) -> float:
        return 0.25 * float(self.log_sharpness.detach().exp()) * self.body.lipschitz_bound()
