"""Networks of sines: smooth fields with smooth normals."""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn

from meshlearn.fields.neural import Latent, NeuralField, affine, spectral_norm


class SIREN(NeuralField):
    """Linear layers with sin(omega x) between; a code, if any, enters at the first.

    Args:
        latent_size: numbers of a code; 0 for a single shape.
        hidden, layers: width and number of sine layers.
        omega: frequency of all layers; larger shows finer detail and fits noise sooner.

    Example:
        >>> field = SIREN(hidden=64, layers=3)
        >>> field(torch.zeros(5, 3)).shape
        torch.Size([5])

    Source: Sitzmann et al., "Implicit Neural Representations with Periodic Activation Functions"
    (NeurIPS 2020), sections 3.2 and 4.2.
    """

    def __init__(
        self,
        latent_size: int = 0,
        *,
        hidden: int = 128,
        layers: int = 4,
        omega: float = 30.0,
    ) -> None:
        super().__init__(latent_size=latent_size, hidden=hidden, layers=layers, omega=omega)
        if latent_size < 0 or layers < 1 or hidden < 1 or not omega > 0:
            raise ValueError(
                "latent_size, hidden, layers, omega: expected latent_size >= 0, at least one layer "
                f"of one unit and omega > 0, got {latent_size}, {hidden}, {layers}, {omega}"
            )
        self.latent_size, self.omega = latent_size, float(omega)
        self.sines = nn.ModuleList(
            nn.Linear(latent_size + 3 if k == 0 else hidden, hidden) for k in range(layers)
        )
        self.last = nn.Linear(hidden, 1)
        with torch.no_grad():
            bound = math.sqrt(6 / hidden) / self.omega
            first, *rest = self._layers()
            for layer in [*rest, self.last]:
                layer.weight.uniform_(-bound, bound)
            first.weight[:, latent_size:].uniform_(-1 / 3, 1 / 3)
            if latent_size:
                bound = math.sqrt(6 / latent_size) / self.omega
                first.weight[:, :latent_size].uniform_(-bound, bound)

    def _layers(self) -> list[nn.Linear]:
        return cast("list[nn.Linear]", list(self.sines))

    def evaluate(self, points: Tensor, latent: Latent) -> Tensor:
        first, *rest = self._layers()
        size = self.latent_size
        added = latent.linear(first.weight[:, :size], first.bias) if size else first.bias
        x = torch.sin(self.omega * affine(points, first.weight[:, size:], added))
        for layer in rest:
            x = torch.sin(self.omega * layer(x))
        return self.last(x)[:, 0]

    def lipschitz_bound(self) -> float:
        first, *rest = self._layers()
        bound = self.omega * spectral_norm(first.weight[:, self.latent_size :])
        for layer in rest:
            bound *= self.omega * spectral_norm(layer.weight)
        return bound * spectral_norm(self.last.weight)
