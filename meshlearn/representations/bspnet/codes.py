"""The space of codes: paths between shapes, and a variational auto-encoder that draws new ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from meshlearn._validate import FLOATS, check_tensor
from meshlearn.representations.bspnet.networks import mlp


def interpolate_codes(a: Tensor, b: Tensor, count: int) -> Tensor:
    """(count, code): codes on the straight path from one (code,) to another, both included."""
    if count < 2:
        raise ValueError(f"count: expected 2 codes or more, got {count}")
    t = torch.linspace(0, 1, count, dtype=a.dtype, device=a.device)[:, None]
    return a + (b - a) * t


class CodeVAE(nn.Module):
    """A variational auto-encoder of codes (in (0, 1), as BSP-Net's encoders give them).

    Args:
        code: size of a code.
        latent: numbers that a shape is drawn from.
        hidden: width of both networks.

    Example:
        >>> vae = CodeVAE(256, 32)
        >>> vae.fit(codes, steps=2000, generator=generator)
        >>> convexes = model.convexes(vae.sample(8, generator=generator))

    Source: Kingma and Welling, "Auto-Encoding Variational Bayes" (ICLR 2014).
    """

    mean: Tensor
    spread: Tensor

    def __init__(self, code: int = 256, latent: int = 32, *, hidden: int = 256) -> None:
        super().__init__()
        self.latent = latent
        self.to_latent = mlp([code, hidden, hidden, 2 * latent])
        self.to_code = mlp([latent, hidden, hidden, code])
        self.register_buffer("mean", torch.zeros(code))  # of the logits of codes
        self.register_buffer("spread", torch.ones(code))

    def losses(self, codes: Tensor, *, generator: torch.Generator) -> dict[str, Tensor]:
        """``rebuilt``: half the squared error of the whitened logits; ``divergence`` from the unit
        normal; both sums over a code's numbers, means over codes (N, code)."""
        x = (_logits(codes) - self.mean) / self.spread
        centre, log_spread = self.to_latent(x).chunk(2, -1)
        noise = torch.randn(centre.shape, generator=generator).to(centre)
        found = self.to_code(centre + noise * log_spread.exp())
        divergence = 0.5 * (centre.square() + (2 * log_spread).exp() - 1) - log_spread
        return {
            "rebuilt": 0.5 * (found - x).square().sum(-1).mean(),
            "divergence": divergence.sum(-1).mean(),
        }

    def fit(
        self,
        codes: Tensor,
        *,
        steps: int = 2000,
        lr: float = 1e-3,
        weight: float = 0.2,
        generator: torch.Generator,
    ) -> list[float]:
        """Learns codes (N, code), N at least 2, all at once; returns the loss of each step.

        Args:
            weight: of the divergence.
        """
        check_tensor(codes, "codes", shape=("N", len(self.mean)), dtype=FLOATS, finite=True)
        if len(codes) < 2:
            raise ValueError(f"codes: expected 2 or more to learn from, got {len(codes)}")
        codes = codes.detach()
        with torch.no_grad():
            logits = _logits(codes)
            self.mean.copy_(logits.mean(0))
            self.spread.copy_(logits.std(0).clamp(min=1e-3))
        optimizer = torch.optim.Adam(self.parameters(), lr=lr)
        curve = []
        for _ in range(steps):
            terms = self.losses(codes, generator=generator)
            loss = terms["rebuilt"] + weight * terms["divergence"]
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            curve.append(float(loss.detach()))
        return curve

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """Codes (N, code) of latents (N, latent)."""
        return torch.sigmoid(self.to_code(latent) * self.spread + self.mean)

    def sample(self, count: int, *, generator: torch.Generator) -> Tensor:
        """(count, code) new codes."""
        return self.decode(torch.randn(count, self.latent, generator=generator).to(self.mean))


def _logits(codes: Tensor) -> Tensor:
    return torch.logit(codes.clamp(1e-4, 1 - 1e-4))
