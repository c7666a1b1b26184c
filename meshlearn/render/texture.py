"""Lookups in images that lie on surfaces: bilinear, and trilinear in a pyramid of mipmaps."""

from __future__ import annotations

import torch
from torch import Tensor

from meshlearn._validate import FLOATS, check_tensor
from meshlearn.render._mix import mix_rows

WRAPS = ("repeat", "clamp", "mirror")
FILTERS = ("auto", "nearest", "bilinear", "trilinear")


def texture(
    tex: Tensor,
    uv: Tensor,
    uv_derivatives: Tensor | None = None,
    *,
    wrap: str = "repeat",
    filter: str = "auto",
    levels: int | None = None,
    mask: Tensor | None = None,
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
    if filter == "auto":
        filter = "bilinear" if uv_derivatives is None else "trilinear"
    if levels is not None and not (isinstance(levels, int) and levels >= 0):
        raise ValueError(f"levels: expected an int of 0 or more, got {levels!r}")
    if mask is not None:
        check_tensor(mask, "mask", shape=uv.shape[:-1], dtype=torch.bool, device=tex.device)
    lead, channels = uv.shape[:-1], tex.shape[2]
    uv = uv.reshape(-1, 2)
    ok = torch.isfinite(uv.detach()).all(1)
    if mask is not None:
        ok = ok & mask.reshape(-1)
    uv = torch.where(ok[:, None], uv, 0.0)
    if filter == "trilinear":
        if uv_derivatives is None:
            raise ValueError("uv_derivatives: expected (..., 2, 2) for filter='trilinear'")
        check_tensor(uv_derivatives, "uv_derivatives", shape=(*lead, 2, 2), device=tex.device)
        pyramid = mipmaps(tex, levels)
        level = _level(uv_derivatives.detach().reshape(-1, 2, 2).to(tex.dtype), tex, len(pyramid))
        low = level.floor().clamp(max=max(len(pyramid) - 2, 0)).long()
        part = level - low
        heights, widths, starts = _layout(pyramid, tex.device)
        taps = []
        for step, share in ((0, 1 - part), (1, part)):
            which = (low + step).clamp(max=len(pyramid) - 1)
            rows, weight = _taps(uv, heights[which], widths[which], wrap, nearest=False)
            taps.append((rows + starts[which][:, None], weight * share[:, None]))
        rows = torch.cat([t[0] for t in taps], 1)
        weight = torch.cat([t[1] for t in taps], 1)
        values = torch.cat([p.reshape(-1, channels) for p in pyramid])
    else:
        height, width = (torch.tensor(s, device=tex.device) for s in tex.shape[:2])
        rows, weight = _taps(uv, height, width, wrap, nearest=filter == "nearest")
        values = tex.reshape(-1, channels)
    rows = torch.where(ok[:, None], rows, -1)
    return mix_rows(values, rows, weight).view(*lead, channels)


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


def _layout(pyramid: list[Tensor], device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, columns and first texel of each level."""
    heights = torch.tensor([p.shape[0] for p in pyramid], device=device)
    widths = torch.tensor([p.shape[1] for p in pyramid], device=device)
    counts = heights * widths
    return heights, widths, torch.cumsum(counts, 0) - counts


def _level(change: Tensor, tex: Tensor, count: int) -> Tensor:
    """Mipmap level (M,) of the longer side of a pixel's image on the texture."""
    scale = change.new_tensor([tex.shape[1], tex.shape[0]])[:, None]
    length = (change * scale).square().sum(1).amax(1)
    level = 0.5 * torch.log2(length.nan_to_num(0.0, 1e30, 1e30).clamp(1e-30, 1e30))
    return level.clamp(0, count - 1)


def _taps(
    uv: Tensor, height: Tensor, width: Tensor, wrap: str, *, nearest: bool
) -> tuple[Tensor, Tensor]:
    """Texels (M, 1 or 4) around (u, v) and their weights, which carry the gradient of uv."""
    place = [_wrapped(uv[:, 0], width, wrap), _wrapped(1 - uv[:, 1], height, wrap)]
    if nearest:
        x, y = (
            torch.minimum(p.detach().floor().long().clamp(min=0), size - 1)
            for p, size in zip(place, (width, height), strict=True)
        )
        return (y * width + x)[:, None], torch.ones_like(uv[:, :1])
    low, share = [], []
    for p, size in zip(place, (width, height), strict=True):
        first = (p.detach() - 0.5).floor()
        after = p - 0.5 - first
        first = first.long()
        pair = torch.stack((first, first + 1), 1)
        size = size.reshape(-1, 1)
        if wrap == "repeat":
            pair = torch.remainder(pair, size)
        else:
            pair = torch.minimum(pair.clamp(min=0), size - 1)
        low.append(pair)
        share.append(torch.stack((1 - after, after), 1))
    rows = low[1][:, :, None] * width.reshape(-1, 1, 1) + low[0][:, None, :]
    weight = share[1][:, :, None] * share[0][:, None, :]
    return rows.flatten(1), weight.flatten(1)


def _wrapped(coordinate: Tensor, size: Tensor, wrap: str) -> Tensor:
    """Coordinate in texels, in [0, size]."""
    if wrap == "clamp":
        coordinate = coordinate.clamp(0, 1)
    elif wrap == "repeat":
        coordinate = coordinate - coordinate.detach().floor()
    else:
        turn = coordinate - 2 * (coordinate.detach() / 2).floor()
        coordinate = torch.where(turn > 1, 2 - turn, turn)
    return coordinate * size
