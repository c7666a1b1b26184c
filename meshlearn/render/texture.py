"""Lookups in images that lie on surfaces: bilinear, and trilinear in a pyramid of mipmaps."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from meshlearn._compile import eager, once
from meshlearn._native import HAS_NATIVE, use_native
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.render.weighted_rows import mix_rows

WRAPS = ("repeat", "clamp", "mirror")
FILTERS = ("auto", "nearest", "bilinear", "trilinear")


@eager
def texture(
    tex: Tensor,
    uv: Tensor,
    uv_derivatives: Tensor | None = None,
    *,
    wrap: str = "repeat",
    filter: str = "auto",
    levels: int | None = None,
    mask: Tensor | None = None,
    backend: str = "native",
) -> Tensor:
    """Colours of a texture at texture coordinates.

    (u, v) = (0, 0) is the lower left corner of the texture and (1, 1) the upper right one, as in
    OBJ files: row 0 of `tex` is the top, v = 1. Texel centres are at half-integers.

    Args:
        tex: (R, S, C), R rows from the top, S columns, any number of channels.
        uv: (..., 2), as from `interpolate`.
        uv_derivatives: (..., 2, 2), change of (u, v) per pixel right and per pixel down, as from
            `interpolate(..., derivatives=...)`; chooses the mipmap level, and gets no gradient.
        wrap: "repeat", "clamp" (to the border texel) or "mirror".
        filter: "nearest", "bilinear", "trilinear" (between two mipmap levels; needs
            `uv_derivatives`), or "auto": trilinear where derivatives are given, else bilinear.
        levels: most mipmap levels besides the texture itself; by default down to one texel.
        mask: (...) bool; the value is 0, and nothing gets a gradient, where it is False.
        backend: "native" (compiled where it can be) or "reference" (plain torch).

    Returns:
        (..., C), differentiable in `tex` and `uv` with deterministic gradients. A (u, v) that is
        not finite gives 0.

    Raises:
        ValueError: a shape, dtype or option is not as said.

    Example:
        >>> uv, change = interpolate(
        ...     values, fragments, index, derivatives=barycentric_derivatives(fragments, mesh, cam)
        ... )
        >>> color = texture(image, uv, change, mask=fragments.mask)
    """
    check_tensor(tex, "tex", shape=("R", "S", "C"), dtype=FLOATS)
    if 0 in tex.shape[:2]:
        raise ValueError(f"tex: expected one texel or more, got {tuple(tex.shape)}")
    check_tensor(uv, "uv", dtype=tex.dtype, device=tex.device, like="tex")
    if uv.dim() == 0 or uv.shape[-1] != 2:
        raise ValueError(f"uv: expected (..., 2), got {tuple(uv.shape)}")
    if wrap not in WRAPS:
        raise ValueError(f"wrap: expected one of {', '.join(WRAPS)}, got {wrap!r}")
    if filter not in FILTERS:
        raise ValueError(f"filter: expected one of {', '.join(FILTERS)}, got {filter!r}")
    if backend not in ("native", "reference"):
        raise ValueError(f"backend: expected 'native' or 'reference', got {backend!r}")
    if filter == "auto":
        filter = "bilinear" if uv_derivatives is None else "trilinear"
    if levels is not None and not (isinstance(levels, int) and levels >= 0):
        raise ValueError(f"levels: expected an int of 0 or more, got {levels!r}")
    if mask is not None:
        check_tensor(mask, "mask", shape=uv.shape[:-1], dtype=torch.bool, device=tex.device)
    change = None
    if filter == "trilinear":
        if uv_derivatives is None:
            raise ValueError("uv_derivatives: expected (..., 2, 2) for filter='trilinear'")
        shape = (*uv.shape[:-1], 2, 2)
        check_tensor(uv_derivatives, "uv_derivatives", shape=shape, device=tex.device)
        change = uv_derivatives
    pyramid = Pyramid.of(tex, 0 if change is None else levels)
    nearest, native = filter == "nearest", backend == "native"
    return look_up(pyramid, uv, change, wrap=wrap, nearest=nearest, mask=mask, native=native)


class Pyramid(NamedTuple):
    """A texture with its mipmaps, made once for many lookups.

    Attributes:
        values: (T, C) texels of all levels.
        layout: (L, 3) int64 rows, columns and first texel of each level.
        size: rows and columns of the texture itself.
    """

    values: Tensor
    layout: Tensor
    size: tuple[int, int]

    @classmethod
    def of(cls, tex: Tensor, levels: int | None = None) -> Pyramid:
        """That of a texture (R, S, C), with at most so many halvings (None: all)."""
        levels_ = mipmaps(tex, levels)
        values = torch.cat([p.reshape(-1, tex.shape[2]) for p in levels_])
        return cls(values, _layout(levels_).to(tex.device), (tex.shape[0], tex.shape[1]))


def look_up(
    pyramid: Pyramid,
    uv: Tensor,
    change: Tensor | None = None,
    *,
    wrap: str = "repeat",
    nearest: bool = False,
    mask: Tensor | None = None,
    native: bool = True,
) -> Tensor:
    """`texture` of arguments that are checked: (..., C) at (..., 2).

    Args:
        change: (..., 2, 2) as `uv_derivatives` there; None looks up the texture alone.
    """
    values, layout = pyramid.values, pyramid.layout
    level = None
    if change is None:
        layout = layout[:1]
    else:
        slopes = change.detach().reshape(-1, 2, 2).to(values.dtype)
        level = _level(slopes, pyramid.size, len(layout))
    seen = None if mask is None else mask.reshape(-1).contiguous()
    take = _Taps.apply if native and use_native(values) else taps_reference
    places = uv.reshape(-1, 2).contiguous()
    rows, weight = take(places, level, seen, layout, WRAPS.index(wrap), nearest)
    return mix_rows(values, rows, weight).view(*uv.shape[:-1], values.shape[1])


def mipmaps(tex: Tensor, levels: int | None = None) -> list[Tensor]:
    """A texture (R, S, C) and its halvings by means of 2 × 2 texels, down to one texel.

    The last row or column of an odd size counts twice.

    Args:
        levels: most halvings; None for all.
    """
    out = [tex]
    while max(out[-1].shape[:2]) > 1 and (levels is None or len(out) <= levels):
        t = out[-1]
        for axis in (0, 1):
            if t.shape[axis] == 1:
                continue
            if t.shape[axis] % 2:
                t = torch.cat((t, t.narrow(axis, t.shape[axis] - 1, 1)), axis)
            pair = t.unflatten(axis, (-1, 2))
            t = (pair.select(axis + 1, 0) + pair.select(axis + 1, 1)) / 2
        out.append(t)
    return out


def _layout(pyramid: list[Tensor]) -> Tensor:
    """(L, 3) int64: rows, columns and first texel of each level."""
    shape = torch.tensor([p.shape[:2] for p in pyramid])
    count = shape.prod(1)
    return torch.cat((shape, (torch.cumsum(count, 0) - count)[:, None]), 1)


def _level(change: Tensor, size: tuple[int, int], count: int) -> Tensor:
    """Mipmap level (M,): log2 of the longer side of a pixel's image on the texture, in texels.

    Source: Williams (1983), "Pyramidal parametrics"; the scale factor of the OpenGL specification,
    section "Scale Factor and Level of Detail".
    """
    scale = change.new_tensor([size[1], size[0]])[:, None]
    length = (change * scale).square().sum(1).amax(1)
    level = 0.5 * torch.log2(length.nan_to_num(0.0, 1e30, 1e30).clamp(1e-30, 1e30))
    return level.clamp(0, count - 1)


def taps_reference(
    uv: Tensor,
    level: Tensor | None,
    mask: Tensor | None,
    layout: Tensor,
    wrap: int,
    nearest: bool,
) -> tuple[Tensor, Tensor]:
    """Torch reference of the `texture_taps` operator: the texels a lookup mixes.

    Args:
        uv: (M, 2).
        level: (M,) mipmap level, in [0, L - 1], or None for the texture alone.
        mask: (M,) bool or None.
        layout: (L, 3) int64 rows, columns and first texel of each level.
        wrap: place in `WRAPS`.
        nearest: one texel instead of four.

    Returns:
        (M, K) int64 texels counted through all levels, -1 where masked or (u, v) is not finite,
        and (M, K) weights, differentiable in uv; K is 1, 4, or 8 with levels.
    """
    ok = torch.isfinite(uv.detach()).all(1)
    if mask is not None:
        ok = ok & mask
    uv = torch.where(ok[:, None], uv, 0.0)
    if level is None:
        rows, weight = _taps(uv, layout[:1].expand(len(uv), 3), wrap, nearest)
    else:
        low = level.floor().clamp(max=max(len(layout) - 2, 0)).long()
        part = level - low
        taps = [
            _taps(uv, layout[(low + step).clamp(max=len(layout) - 1)], wrap, nearest)
            for step in (0, 1)
        ]
        rows = torch.cat([t[0] for t in taps], 1)
        shares = ((1 - part)[:, None], part[:, None])
        weight = torch.cat([t[1] * s for t, s in zip(taps, shares, strict=True)], 1)
    rows = torch.where(ok[:, None], rows, -1)
    return rows, torch.where(ok[:, None], weight, 0.0)


def _taps(uv: Tensor, shape: Tensor, wrap: int, nearest: bool) -> tuple[Tensor, Tensor]:
    """Texels (M, 1 or 4) around (u, v) and their weights, which carry the gradient of uv."""
    texel, share = [], []
    for coordinate, size in ((uv[:, 0], shape[:, 1]), (1 - uv[:, 1], shape[:, 0])):
        place = _wrapped(coordinate, wrap) * size
        place = place.detach() if nearest else place - 0.5
        first = place.detach().floor()
        after = (place - first)[:, None]
        pair = first.long()[:, None] + torch.arange(1 if nearest else 2, device=uv.device)
        size = size[:, None]
        if WRAPS[wrap] == "repeat" and not nearest:
            pair = torch.remainder(pair, size)
        texel.append(torch.minimum(pair.clamp(min=0), size - 1))
        share.append(torch.cat((1 - after, after), 1))
    rows = texel[1][:, :, None] * shape[:, 1, None, None] + texel[0][:, None, :]
    rows = rows.flatten(1) + shape[:, 2, None]
    if nearest:
        return rows, torch.ones_like(uv[:, :1])
    return rows, (share[1][:, :, None] * share[0][:, None, :]).flatten(1)


def _wrapped(coordinate: Tensor, wrap: int) -> Tensor:
    """Coordinate in [0, 1]."""
    if WRAPS[wrap] == "clamp":
        return coordinate.clamp(0, 1)
    if WRAPS[wrap] == "repeat":
        return coordinate - coordinate.detach().floor()
    turn = coordinate - 2 * (coordinate.detach() / 2).floor()
    return torch.where(turn > 1, 2 - turn, turn)


class _Taps(torch.autograd.Function):
    @staticmethod
    def forward(ctx, uv, level, mask, layout, wrap, nearest):
        ctx.save_for_backward(uv, level, mask, layout)
        ctx.options = (wrap, nearest)
        rows, weight = torch.ops.meshlearn.texture_taps(uv, level, mask, layout, wrap, nearest)
        ctx.mark_non_differentiable(rows)
        return rows, weight

    @staticmethod
    @once("texture")
    def backward(ctx, _, grad_weight):
        if not ctx.needs_input_grad[0]:
            return (None,) * 6
        uv, level, mask, layout = ctx.saved_tensors
        grad = torch.ops.meshlearn.texture_taps_backward(
            grad_weight.contiguous(), uv, level, mask, layout, *ctx.options
        )
        return grad, *(None,) * 5


if HAS_NATIVE:

    @torch.library.register_fake("meshlearn::texture_taps")
    def _(uv, level, mask, layout, wrap: int, nearest: bool):
        taps = 1 if nearest else 4 if level is None else 8
        return layout.new_empty(uv.shape[0], taps), uv.new_empty(uv.shape[0], taps)

    @torch.library.register_fake("meshlearn::texture_taps_backward")
    def _(grad_weight, uv, level, mask, layout, wrap: int, nearest: bool):
        return torch.empty_like(uv)
