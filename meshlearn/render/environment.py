"""Light from everywhere: a panorama of radiance, and what rough surfaces get of it.

Conventions. A panorama (H, W, 3) holds linear radiance, row 0 up (+y), the middle column at -z, a
quarter further to the right +x: what a camera that looks along -z with y up sees in its middle and
to its right. Texel centres are at half-integers.

Split sum (Karis 2013, "Real Shading in Unreal Engine 4"): the light that a lobe gathers, times
what the lobe reflects. Lobes are GGX (Walter et al. 2007) with α = roughness². They are gathered
texel by texel, not by samples: about the y axis a lobe is a convolution, so a Fourier transform of
each row makes it a matrix for each frequency, the same for every panorama of a size.
"""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from meshlearn._compile import eager, once
from meshlearn._threads import one_thread
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.render.weighted_rows import mix_rows

LEAST_ROUGHNESS = 0.08  # of the first level; smoother surfaces are drawn with it
_ROUGH_HALF = 0.5  # roughness of the last level but one
_FINEST, _COARSEST = 256, 16  # rows of the first level and of the last
_DIFFUSE = 32  # rows of the irradiance
_FINE_KERNEL = 4  # rows about its middle in which a narrow lobe is averaged over each texel
_PARTS = 4  # places a row and a column there


class Level(NamedTuple):
    """One size of a panorama, filtered for one roughness."""

    rows: int
    columns: int
    roughness: float


class EnvironmentLight:
    """Light from all directions, as a panorama; differentiable in its texels.

    Args:
        texels: (H, W, 3) linear radiance, 0 or more, finite; H >= 2, W >= 2, best W = 2 H.

    Raises:
        ValueError: texels are not as said.

    Example:
        >>> light = EnvironmentLight(torch.ones(32, 64, 3))
        >>> image = ml.render(mesh, cam, 256, channels=("shaded",), light=light)["shaded"]
    """

    def __init__(self, texels: Tensor) -> None:
        check_tensor(texels, "texels", shape=("H", "W", 3), dtype=FLOATS)
        if min(texels.shape[:2]) < 2:
            raise ValueError(
                f"texels: expected two rows and columns or more, got {tuple(texels.shape)}"
            )
        low = float(texels.detach().amin())
        if not low >= 0 or not bool(torch.isfinite(texels.detach()).all()):
            raise ValueError(
                f"texels: expected finite radiance of 0 or more, the least is {low:g}; take those "
                "that are negative as 0, or fit softplus of a parameter"
            )
        self.texels = texels
        self._made: tuple[Tensor, list[Level], Tensor] | None = None

    @classmethod
    def constant(cls, radiance: float = 1.0, *, rows: int = 32) -> EnvironmentLight:
        """The same light from everywhere."""
        return cls(torch.full((rows, 2 * rows, 3), float(radiance)))

    def to(self, like: torch.device | str | torch.dtype | Tensor) -> EnvironmentLight:
        """On another device, of another dtype, or of both as a tensor has them."""
        return EnvironmentLight(self.texels.to(like))  # type: ignore[call-overload]

    def radiance(self, direction: Tensor) -> Tensor:
        """Light that comes from unit directions (…, 3) -> (…, 3), as a mirror shows it."""
        h, w = self.texels.shape[:2]
        flat = direction.reshape(-1, 3)
        rows, weight = _bilinear(direction_to_uv(flat), h, w)
        return mix_rows(self.texels.reshape(-1, 3), rows, weight).view(direction.shape)

    def specular(self, direction: Tensor, roughness: Tensor) -> Tensor:
        """Light that a GGX lobe about `direction` gathers.

        Args:
            direction: (…, 3) unit, where a mirror would look.
            roughness: (…) in [0, 1]; below 0.08 as 0.08.

        Returns:
            (…, 3), differentiable in texels, direction and roughness.
        """
        values, levels, _ = self._filtered()
        flat, rough = direction.reshape(-1, 3), roughness.reshape(-1)
        rough = rough.clamp(LEAST_ROUGHNESS, 1.0)
        count, start = len(levels), 0
        step = (_ROUGH_HALF - LEAST_ROUGHNESS) / (count - 2)
        place = torch.where(
            rough < _ROUGH_HALF,
            (rough - LEAST_ROUGHNESS) / step,
            (rough - _ROUGH_HALF) / (1 - _ROUGH_HALF) + count - 2,
        )
        lower = place.detach().floor().clamp(0, count - 2).long()
        upper = place - lower
        uv = direction_to_uv(flat)
        size = values.new_tensor([[v.rows, v.columns] for v in levels])
        starts = []
        for level in levels:
            starts.append(start)
            start += level.rows * level.columns
        first = torch.tensor(starts, device=values.device)
        found = []
        for at, share in ((lower, 1 - upper), (lower + 1, upper)):
            rows, weight = _bilinear(uv, size[at, 0], size[at, 1])
            found.append((rows + first[at, None], weight * share[:, None]))
        rows = torch.cat([r for r, _ in found], 1)
        weight = torch.cat([w for _, w in found], 1)
        return mix_rows(values, rows, weight).view(direction.shape)

    def diffuse(self, normal: Tensor) -> Tensor:
        """What a white matte surface sends out under this light: ∫ L max(n·l, 0) / π.

        Args:
            normal: (…, 3) unit.

        Returns:
            (…, 3), differentiable in texels and normals.
        """
        table = self._filtered()[2]
        h, w = table.shape[:2]
        rows, weight = _bilinear(direction_to_uv(normal.reshape(-1, 3)), h, w)
        return mix_rows(table.reshape(-1, 3), rows, weight).view(normal.shape)

    @property
    def is_black(self) -> bool:
        """Whether no light comes from anywhere."""
        return not bool((self.texels.detach() > 0).any())

    def _filtered(self) -> tuple[Tensor, list[Level], Tensor]:
        """(T, 3) texels of all levels, the levels, and the irradiance (R, 2 R, 3); made once."""
        if self._made is None:
            values, levels = prefilter(self.texels)
            self._made = values, levels, irradiance(self.texels)
        return self._made


@eager
def prefilter(texels: Tensor) -> tuple[Tensor, list[Level]]:
    """What GGX lobes of growing roughness gather of a panorama, where view, normal and mirror
    direction are one.

    Level i of L has half the rows of the one before, to 16, and roughness 0.08 + 0.42 i / (L - 2);
    the last one has 16 rows and roughness 1.

    Args:
        texels: (H, W, 3).

    Returns:
        (T, 3) the texels of all levels, one after another, differentiable in `texels`; the levels.
    """
    rows = _FINEST
    while rows > 2 * _COARSEST and rows > texels.shape[0]:
        rows //= 2
    halvings = int(math.log2(rows // _COARSEST))
    found, levels = [], []
    image = resized(texels, rows)
    for i in range(halvings + 2):
        last = i == halvings + 1
        if 0 < i <= halvings:
            rows //= 2
            image = resized(image, rows)
        share = i / halvings
        rough = LEAST_ROUGHNESS + (_ROUGH_HALF - LEAST_ROUGHNESS) * share
        level = Level(rows, 2 * rows, 1.0 if last else rough)
        kernel = _kernel(rows, level.roughness).to(texels)
        found.append(_Gathered.apply(image, kernel).reshape(-1, 3))
        levels.append(level)
    return torch.cat(found), levels


@eager
def irradiance(texels: Tensor) -> Tensor:
    """(32, 64, 3) light over π on matte surfaces, by their normal, of a panorama (H, W, 3)."""
    return _Gathered.apply(resized(texels, _DIFFUSE), _kernel(_DIFFUSE, None).to(texels))


def resized(texels: Tensor, rows: int) -> Tensor:
    """A panorama of R rows and 2 R columns: means over texels, weighted by solid angle."""
    h, w = texels.shape[:2]
    image = texels
    if h < rows or w < 2 * rows:  # texels side by side, whose mean is the texel
        image = image.repeat_interleave(-(-rows // h), 0).repeat_interleave(-(-2 * rows // w), 1)
        h, w = image.shape[:2]
    if (h, w) == (rows, 2 * rows):
        return image
    area = _sines(h).to(image)[:, None].expand(h, w)
    stack = torch.cat((image * area[..., None], area[..., None]), 2).permute(2, 0, 1)[None]
    mean = F.adaptive_avg_pool2d(stack, (rows, 2 * rows))[0]
    return (mean[:3] / mean[3:]).permute(1, 2, 0)


def direction_to_uv(direction: Tensor) -> Tensor:
    """Where a panorama has a direction (…, 3): (…, 2) u to the right and v up, both in [0, 1]."""
    x, y, z = direction.unbind(-1)
    flat = torch.sqrt((x * x + z * z).clamp(min=1e-12))
    u = 0.5 + torch.atan2(x, -z) / (2 * math.pi)
    return torch.stack((u, 0.5 + torch.atan2(y, flat) / math.pi), -1)


def texel_directions(rows: int, columns: int) -> Tensor:
    """(H, W, 3) float64 unit directions of the texels of a panorama."""
    up = math.pi * (0.5 - (torch.arange(rows, dtype=torch.float64) + 0.5) / rows)
    turn = 2 * math.pi * ((torch.arange(columns, dtype=torch.float64) + 0.5) / columns - 0.5)
    flat = up.cos()[:, None]
    x, z = flat * turn.sin(), -flat * turn.cos()
    return torch.stack((x, up.sin()[:, None].expand_as(x), z), -1)


def solid_angles(rows: int, columns: int) -> Tensor:
    """(H,) float64 steradians of one texel of each row; all texels together have 4π."""
    edge = torch.cos(math.pi * torch.arange(rows + 1, dtype=torch.float64) / rows)
    return (edge[:-1] - edge[1:]) * (2 * math.pi / columns)


def _sines(rows: int) -> Tensor:
    return torch.sin(math.pi * (torch.arange(rows, dtype=torch.float64) + 0.5) / rows)


def _bilinear(uv: Tensor, rows: Tensor | int, columns: Tensor | int) -> tuple[Tensor, Tensor]:
    """The four texels about (P, 2) and their weights (P, 4): columns go round, rows end."""
    u, v = uv.unbind(1)
    x, y = u * columns - 0.5, (1 - v) * rows - 0.5
    y = torch.minimum(y.clamp(min=0.0), torch.zeros_like(y) + rows - 1)
    left, top = x.detach().floor(), y.detach().floor()
    right, down = x - left, y - top
    i = top.long()
    below = torch.minimum(i + 1, torch.zeros_like(i) + rows - 1).long()
    j, wide = left.long(), columns if isinstance(columns, int) else columns.long()
    before, after = j % wide, (j + 1) % wide
    index = torch.stack((i * wide + before, i * wide + after), 1)
    under = torch.stack((below * wide + before, below * wide + after), 1)
    weight = torch.stack(
        ((1 - right) * (1 - down), right * (1 - down), (1 - right) * down, right * down), 1
    )
    return torch.cat((index, under), 1), weight


class _Gathered(torch.autograd.Function):
    """A panorama (R, 2 R, 3) gathered by a lobe, whose matrices (R + 1, R, R) are one for each
    frequency about the axis. The lobe is even there, so the adjoint has the transposed matrices.

    On one thread: transforms and products of libraries sum in another order on several.
    """

    @staticmethod
    def forward(ctx, image: Tensor, kernel: Tensor) -> Tensor:
        ctx.save_for_backward(kernel)
        return _gathered(image, kernel)

    @staticmethod
    @once("the light of an environment")
    def backward(ctx, grad: Tensor):
        (kernel,) = ctx.saved_tensors
        return _gathered(grad, kernel.mT), None


def _gathered(image: Tensor, kernel: Tensor) -> Tensor:
    with one_thread():
        wave = torch.fft.rfft(image, dim=1).permute(1, 0, 2)  # (R + 1, R, 3)
        mixed = torch.bmm(kernel, torch.cat((wave.real, wave.imag), 2))
        wave = torch.complex(mixed[..., :3].contiguous(), mixed[..., 3:].contiguous())
        return torch.fft.irfft(wave.permute(1, 0, 2), n=image.shape[1], dim=1)


@functools.lru_cache(maxsize=16)
def _kernel(rows: int, roughness: float | None) -> Tensor:
    """(R + 1, R, R) real: by frequency about the axis, what each row of a panorama gets of each;
    float32. For a roughness the GGX lobe, for None the cosine of matte surfaces over π.
    """
    columns, count = 2 * rows, rows + 1
    angle = math.pi * (torch.arange(rows, dtype=torch.float64) + 0.5) / rows
    turn = 2 * math.pi * torch.arange(count, dtype=torch.float64) / columns
    area = solid_angles(rows, columns)
    found = torch.empty(rows, rows, count, dtype=torch.float32)
    for start in range(0, rows, 16):  # in blocks: the whole in float64 would be large
        part = angle[start : start + 16]
        found[start : start + 16] = _lobe(part, angle, turn, roughness)
    if roughness is not None:
        # where a lobe is about as narrow as a texel, its mean there
        shift = (torch.arange(_PARTS, dtype=torch.float64) + 0.5) / _PARTS - 0.5
        near = range(-_FINE_KERNEL, _FINE_KERNEL + 1)
        every = torch.arange(rows)
        for off in near:
            other = every + off
            keep = (other >= 0) & (other < rows)
            here, there = every[keep], other[keep]
            mean = torch.zeros(len(here), count, dtype=torch.float64)
            for a in shift * (math.pi / rows):
                for b in shift * (2 * math.pi / columns):
                    low = angle[there] + a
                    mean += _lobe_pair(angle[here], low, turn + b, roughness)
            found[here, there] = (mean / _PARTS**2).float()
    whole = torch.cat((found, found[..., 1:-1].flip(-1)), -1)  # both ways round
    weight = whole * area.float()[:, None]
    weight = weight / weight.sum((1, 2), keepdim=True)  # of constant light, all of it
    return torch.fft.rfft(weight, dim=2).real.permute(2, 0, 1).contiguous()


def _lobe(out: Tensor, into: Tensor, turn: Tensor, roughness: float | None) -> Tensor:
    """(A, B, C) of polar angles (A,) and (B,), and turns (C,) about the axis."""
    cosine = (out.sin()[:, None] * into.sin())[..., None] * turn.cos() + (
        out.cos()[:, None] * into.cos()
    )[..., None]
    return _gain(cosine, roughness).float()


def _lobe_pair(out: Tensor, into: Tensor, turn: Tensor, roughness: float) -> Tensor:
    """(A, C), of pairs of polar angles."""
    cosine = (out.sin() * into.sin())[:, None] * turn.cos() + (out.cos() * into.cos())[:, None]
    return _gain(cosine, roughness)


def _gain(cosine: Tensor, roughness: float | None) -> Tensor:
    """Of light from an angle to the mirror direction: GGX's density of the half vector times the
    cosine of the light (up to a factor); for None the cosine."""
    light = cosine.clamp(min=0)
    if roughness is None:
        return light
    a2 = roughness**4
    half = (0.5 + 0.5 * cosine).clamp(0, 1)  # squared cosine of half the angle
    return a2 * light / (half * (a2 - 1) + 1).square()
