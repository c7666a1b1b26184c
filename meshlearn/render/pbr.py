"""Metal-rough surfaces under light from everywhere: the split sum, in linear light.

    out = occlusion [(1 - metallic) (1 - S(0.04)) base E_d(n) + S(f) E_s(r, roughness)] + emissive
    S(f) = f A(n·v, roughness) + B(n·v, roughness),    f = 0.04 (1 - metallic) + base metallic

with the irradiance E_d and the prefiltered light E_s of `meshlearn.render.environment`, r the
mirror direction, and (A, B) what a GGX lobe reflects of constant light (Karis 2013), with Smith's
masking of light and view (Heitz 2014). What a dielectric reflects does not reach the matte layer
below: hence the factor 1 - S(0.04), with which a white one gives back exactly what falls on it.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import eager
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.render.color_space import to_srgb
from meshlearn.render.environment import LEAST_ROUGHNESS, EnvironmentLight
from meshlearn.render.weighted_rows import mix_rows

DIELECTRIC = (
    0.04  # reflectance of what is no metal, seen straight on: an index of refraction of 1.5
)
_TABLE = 64  # cosines, and roughnesses, of the table of reflectances
_SAMPLES = (64, 32)  # angles of half vectors, and turns about the normal, of each entry
_TAIL = 3  # power by which the steps shrink
TONES = ("clip", "reinhard", "filmic")


class Surface(NamedTuple):
    """What a metal-rough surface is made of, at P places.

    Attributes:
        base: (P, 3) linear base colour, in [0, 1].
        metallic, roughness: (P,) in [0, 1].
        occlusion: (P,) share of the light that arrives, 1 for all of it.
        emissive: (P, 3) linear light of its own.
    """

    base: Tensor
    metallic: Tensor
    roughness: Tensor
    occlusion: Tensor
    emissive: Tensor

    @classmethod
    def of(cls, base: Tensor, metallic: float = 0.0, roughness: float = 0.5) -> Surface:
        """One that is the same everywhere but for its base colour (P, 3)."""
        one = base.new_ones(base.shape[:-1])
        return cls(base, one * metallic, one * roughness, one, torch.zeros_like(base))


@dataclass(frozen=True)
class Illumination:
    """An environment, and how its light becomes a picture; see `tone_mapped`."""

    environment: EnvironmentLight
    exposure: float = 1.0
    tone: str = "clip"

    def __post_init__(self) -> None:
        _check_tone(self.exposure, self.tone)


@eager
def shade(surface: Surface, normal: Tensor, view: Tensor, light: EnvironmentLight) -> Tensor:
    """Light that surfaces send to the viewer, linear, not clamped.

    Args:
        surface: of P places, see `Surface`.
        normal: (P, 3) unit, in the world, towards the viewer.
        view: (P, 3) unit, from the surface to the viewer.
        light: of the same dtype and device.

    Returns:
        (P, 3), differentiable in the surface, the normals, the views and the light's texels.

    Raises:
        ValueError: a shape or dtype is not as said.

    Example:
        >>> shade(Surface.of(torch.rand(5, 3)), normal, view, EnvironmentLight.constant())
    """
    check_tensor(normal, "normal", shape=("P", 3), dtype=FLOATS)
    count = normal.shape[0]
    check_tensor(view, "view", shape=(count, 3), dtype=normal.dtype, device=normal.device)
    for name, value in surface._asdict().items():
        shape = (count, 3) if name in ("base", "emissive") else (count,)
        check_tensor(value, name, shape=shape, dtype=normal.dtype, device=normal.device)
    cosine = (normal * view).sum(1)
    mirror = 2 * cosine[:, None] * normal - view
    scale, bias = split_sum(cosine, surface.roughness).unbind(1)
    below = (1 - surface.metallic) * (1 - DIELECTRIC * scale - bias)
    matte = below[:, None] * surface.base * light.diffuse(normal)
    share = reflectance(surface) * scale[:, None] + bias[:, None]
    glossy = share * light.specular(mirror, surface.roughness)
    return surface.occlusion[:, None] * (matte + glossy) + surface.emissive


def reflectance(surface: Surface) -> Tensor:
    """(P, 3) the share of light that surfaces reflect straight back."""
    metallic = surface.metallic[:, None]
    return DIELECTRIC * (1 - metallic) + surface.base * metallic


def split_sum(cosine: Tensor, roughness: Tensor) -> Tensor:
    """(P, 2) scale A and bias B of the reflectance, by the cosine n·v and the roughness (P,).

    Bilinear in a table that is integrated here once. Differentiable in both.
    """
    table = _table().to(cosine)
    x = cosine.clamp(1e-6, 1).sqrt() * (_TABLE - 1)  # dense where a surface is seen at a glance
    low = LEAST_ROUGHNESS
    y = (roughness.clamp(low, 1) - low) / (1 - low) * (_TABLE - 1)
    i = y.detach().floor().clamp(0, _TABLE - 2).long()
    j = x.detach().floor().clamp(0, _TABLE - 2).long()
    s, t = x - j, y - i
    rows = torch.stack((i * _TABLE + j, i * _TABLE + j + 1), 1)
    rows = torch.cat((rows, rows + _TABLE), 1)
    weight = torch.stack(((1 - s) * (1 - t), s * (1 - t), (1 - s) * t, s * t), 1)
    return mix_rows(table, rows, weight)


@functools.cache
def _table() -> Tensor:
    """(T * T, 2) float64, by roughness (rows, from 0.08) and root of the cosine."""
    rough = torch.linspace(LEAST_ROUGHNESS, 1, _TABLE, dtype=torch.float64)
    cosine = torch.linspace(0, 1, _TABLE, dtype=torch.float64).square().clamp(min=1e-6)
    return torch.cat([_row(float(r), cosine) for r in rough])


def _row(roughness: float, cosine: Tensor, samples: tuple[int, int] = _SAMPLES) -> Tensor:
    """(C, 2) of cosines (C,): half vectors by GGX's own density, in steps of its integral that grow
    small towards its long tail."""
    a2 = roughness**4
    left = 1 - (torch.arange(samples[0], dtype=torch.float64) + 0.5) / samples[0]
    share = _TAIL * left ** (_TAIL - 1) / samples[0]  # of each step
    left = left**_TAIL
    high = (left / (1 + (a2 - 1) * (1 - left))).sqrt()  # cosines of half vectors
    turn = math.pi * (torch.arange(samples[1], dtype=torch.float64) + 0.5) / samples[1]
    flat = (1 - high * high).sqrt()
    x, z = flat[:, None] * turn.cos(), high[:, None].expand(samples)
    side = (1 - cosine * cosine).sqrt()
    toward = side[:, None, None] * x + cosine[:, None, None] * z  # v·h
    light = 2 * toward * z - cosine[:, None, None]  # n·l
    seen = (light > 0) & (toward > 0)
    light, toward = light.clamp(min=1e-9), toward.clamp(min=1e-9)
    open_ = smith(cosine, a2)[:, None, None] * smith(light, a2)
    weight = torch.where(seen, open_ * toward / (z * cosine[:, None, None]), 0)
    fresnel = (1 - toward).clamp(0, 1) ** 5
    weight = weight.mul(share[:, None]) / samples[1]
    return torch.stack((((1 - fresnel) * weight).sum((1, 2)), (fresnel * weight).sum((1, 2))), 1)


def smith(cosine: Tensor, a2: float | Tensor) -> Tensor:
    """Smith's masking of one direction under GGX: the share of microfacets that is not hidden."""
    squared = cosine * cosine
    return 2 * cosine / (cosine + (a2 + (1 - a2) * squared).sqrt())


def tone_mapped(linear: Tensor, *, exposure: float = 1.0, tone: str = "clip") -> Tensor:
    """sRGB in [0, 1] of linear light (…, 3).

    Args:
        exposure: factor before all else.
        tone: "clip" cuts at 1; "reinhard" is x / (1 + x); "filmic" is the fit of Narkowicz (2016)
            to the ACES curve: x (2.51 x + 0.03) / (x (2.43 x + 0.59) + 0.14).
    """
    _check_tone(exposure, tone)
    x = linear * exposure
    if tone == "reinhard":
        x = x / (1 + x)
    elif tone == "filmic":
        x = x * (2.51 * x + 0.03) / (x * (2.43 * x + 0.59) + 0.14)
    return to_srgb(x.clamp(0, 1))


def _check_tone(exposure: float, tone: str) -> None:
    if tone not in TONES:
        raise ValueError(f"tone: expected one of {', '.join(TONES)}, got {tone!r}")
    if not (math.isfinite(exposure) and exposure > 0):
        raise ValueError(f"exposure: expected a positive finite factor, got {exposure!r}")
