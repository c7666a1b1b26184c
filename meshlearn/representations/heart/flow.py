"""A neural flow of space: a diffeomorphism by integrating a small velocity network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

SCALE = 50.0  # mm: lengths are divided by it before they enter the network


class Flow(nn.Module):
    """φ with dφ/dt = F(φ, t; z), by RK4 with fixed steps; the identity at the start.

    The network is smooth and Lipschitz (tanh), its last layer starts at zero. φ is invertible: the
    inverse integrates backwards, exact up to the error of the steps.

    Args:
        latent: entries of a code z that the velocity depends on; 0 for none.
        width, layers: of the network.
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
        layers: int = 2,
        steps: int = 5,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.latent, self.steps = latent, steps
        sizes = [4 + latent, *[width] * layers, 3]
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for i, (a, b) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
            last = i == len(sizes) - 2
            gain = 0.0 if last else (1.5 if i == 0 else 1.0) * a**-0.5
            if i == 0:
                gain = 1.0
            self.weights.append(nn.Parameter(gain * torch.randn(a, b, generator=generator)))
            self.biases.append(nn.Parameter((0 if last else 0.5) * torch.randn(b, generator=generator)))
        with torch.no_grad():
            self.weights[0][3] *= 0.3  # time

    def velocity(self, x: Tensor, time: float, code: Tensor | None = None) -> Tensor:
        """Velocity (B, K, 3) at x (B, K, 3), lengths over `SCALE`; code (B, latent)."""
        first = self.weights[0]
        h = x @ first[:3] + (self.biases[0] + time * first[3])
        if code is not None:
            h = h + (code @ first[4:])[:, None]
        for weight, bias in zip(self.weights[1:], self.biases[1:], strict=True):
            h = torch.tanh(h) @ weight + bias
        return h

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
        x = x / SCALE
        energy = x.new_zeros(x.shape[0])
        for _ in range(n):
            k1 = self.velocity(x, now, code)
            k2 = self.velocity(x + h / 2 * k1, now + h / 2, code)
            k3 = self.velocity(x + h / 2 * k2, now + h / 2, code)
            k4 = self.velocity(x + h * k3, now + h, code)
            energy = energy + (k1**2).sum(-1).mean(-1) / n
            x = x + h / 6 * (k1 + 2 * k2 + 2 * k3 + k4)
            now += h
        return x * SCALE, energy * SCALE**2

    def jacobian(self, x: Tensor, code: Tensor | None = None) -> Tensor:
        """∂φ/∂x (K, 3, 3) at x (1, K, 3), by forward differentiation."""

        def one(direction: Tensor) -> Tensor:
            push = direction.expand_as(x)
            return torch.func.jvp(lambda y: self(y, code)[0], (x,), (push,))[1]

        return torch.stack([one(e) for e in torch.eye(3, dtype=x.dtype)], -1)[0]
