"""A neural flow of space: a diffeomorphism by integrating a small velocity network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from meshlearn.heart.model.constants import FLOW_BIAS, FLOW_GAIN, FLOW_TIME, FLOW_UNIT


class Flow(nn.Module):
    """φ with dφ/dt = F(φ, t; z), by RK4 with fixed steps; the identity at first (H7).

    The network is smooth and Lipschitz (tanh), its last layer starts at zero. φ is invertible: the
    inverse integrates backwards, exact up to the error of the steps.

    Args:
        latent: entries of a code z that the velocity depends on; 0 for none.
        width, features: of its first hidden layer, and of the last one, whose linear
            combinations are the velocity.
        steps: of the integrator.

    Example:
        >>> flow = Flow()
        >>> y, energy = flow(x)                  # (B, K, 3) mm, mean |F|² (B,) mm²
        >>> x_again = flow(y, inverse=True)[0]

    Source: Chen et al., Neural ordinary differential equations (2018).
    """

    def __init__(
        self,
        *,
        latent: int = 0,
        width: int = 64,
        features: int = 128,
        steps: int = 5,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.latent, self.steps = latent, steps
        sizes = [4 + latent, width, features, 3]
        gains = [FLOW_GAIN, FLOW_GAIN * width**-0.5, 0.0]  # the last layer starts at zero
        weights, biases = [], []
        for a, b, gain in zip(sizes[:-1], sizes[1:], gains, strict=True):
            weights.append(nn.Parameter(gain * torch.randn(a, b, generator=generator)))
            biases.append(nn.Parameter(min(gain, FLOW_BIAS) * torch.randn(b, generator=generator)))
        self.weights, self.biases = nn.ParameterList(weights), nn.ParameterList(biases)
        with torch.no_grad():
            self.weights[0][3] *= FLOW_TIME

    def features(self, x: Tensor, time: float, code: Tensor | None = None) -> Tensor:
        """The last hidden layer (B, K, features) at x (B, K, 3), lengths over `FLOW_UNIT`."""
        first = self.weights[0]
        h = x @ first[:3] + (self.biases[0] + time * first[3])
        if code is not None:
            h = h + (code @ first[4:])[:, None]
        return torch.tanh(torch.tanh(h) @ self.weights[1] + self.biases[1])

    def velocity(self, x: Tensor, time: float, code: Tensor | None = None) -> Tensor:
        """Velocity (B, K, 3) at x (B, K, 3), lengths over `FLOW_UNIT`; code (B, latent)."""
        return self.features(x, time, code) @ self.weights[2] + self.biases[2]

    def trace(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """Mean of the features (K, features) along the paths of points x (K, 3) in mm: to first
        order what a change of the last layer moves their ends by. Code (1, latent)."""
        h, x = 1.0 / self.steps, x / FLOW_UNIT
        total = x.new_zeros(len(x), self.weights[1].shape[1])
        for i in range(self.steps):
            now = i * h
            middle = x + h / 2 * self.velocity(x[None], now, code)[0]
            found = self.features(middle[None], now + h / 2, code)[0]
            total = total + found * h
            x = x + h * (found @ self.weights[2] + self.biases[2])
        return total

    def forward(
        self, x: Tensor, code: Tensor | None = None, *, inverse: bool = False, steps: int = 0
    ) -> tuple[Tensor, Tensor]:
        """Where the points x (B, K, 3) in mm end, and the mean of |F|² over them (B,) in mm².

        Args:
            code: (B, latent), needed where the flow has one.
            inverse: integrate from time 1 to 0.
            steps: of the integrator, default those of the flow.
        """
        if (code is None) != (self.latent == 0):
            raise ValueError(f"code: expected a (B, {self.latent}) tensor for this flow's latent")
        n = steps or self.steps
        h = (-1.0 if inverse else 1.0) / n
        now = 1.0 if inverse else 0.0
        x = x / FLOW_UNIT
        energy = x.new_zeros(x.shape[0])
        for _ in range(n):
            k1 = self.velocity(x, now, code)
            k2 = self.velocity(x + h / 2 * k1, now + h / 2, code)
            k3 = self.velocity(x + h / 2 * k2, now + h / 2, code)
            k4 = self.velocity(x + h * k3, now + h, code)
            energy = energy + (k1**2).sum(-1).mean(-1) / n
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            now += h
        return x * FLOW_UNIT, energy * FLOW_UNIT**2

    def jacobian(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """∂φ/∂x (K, 3, 3) at x (1, K, 3), by forward differentiation."""

        def one(direction: Tensor) -> Tensor:
            push = direction.expand_as(x)
            return torch.func.jvp(lambda y: self(y, code)[0], (x,), (push,))[1]

        directions = torch.eye(3, dtype=x.dtype, device=x.device)
        return torch.func.vmap(one)(directions).movedim(0, -1)[0]
