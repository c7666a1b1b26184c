"""Images through lenses that bend, resampled to what a pinhole sees."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from meshlearn.captures.lens import Lens, straightened


class Resampling(NamedTuple):
    """Where in an image each pixel of the straightened one is found.

    Attributes:
        lens: the pinhole of the straightened image.
        place: (H, W, 2) float32, x and y, -1 to 1 from edge to edge of the bent image.
        known: (H, W) bool, the pixels that the bent image shows.
    """

    lens: Lens
    place: Tensor
    known: Tensor


def resampling(lens: Lens, flat: Lens | None = None) -> Resampling:
    """How an image through `lens` becomes one through a pinhole.

    Args:
        flat: the pinhole; by default the one of `meshlearn.captures.lens.straightened`.
    """
    flat = straightened(lens) if flat is None else flat
    (height, width), (h, w) = flat.known_size, lens.known_size
    (fx, fy), (cx, cy) = flat.focal, flat.middle
    x, y = np.meshgrid((np.arange(width) + 0.5 - cx) / fx, (np.arange(height) + 0.5 - cy) / fy)
    known = lens.sees(x, y, lens.reach())
    u, v = lens.pixels(x, y)
    place = np.stack([2 * u / w - 1, 2 * v / h - 1], -1)
    place = np.where(known[..., None], place, -2.0).astype(np.float32)
    return Resampling(flat, torch.from_numpy(place), torch.from_numpy(known))


def straighten(kind: str, image: Tensor, how: Resampling) -> Tensor:
    """The image (h, w) or (h, w, C) as the pinhole sees it, 0 where nothing is known.

    Masks and colours are interpolated (colours with alpha by how much they cover); depth, which
    stays the camera z, and normals are those of the nearest pixel, so that none is mixed across an
    edge.
    """
    flat = image[..., None] if image.dim() == 2 else image
    if kind == "colors" and flat.shape[2] == 4:
        flat = torch.cat((flat[..., :3] * flat[..., 3:], flat[..., 3:]), -1)
    out = torch.nn.functional.grid_sample(
        flat.permute(2, 0, 1)[None],
        how.place[None].to(flat),
        mode="nearest" if kind in ("depth", "normals") else "bilinear",
        padding_mode="border",
        align_corners=False,
    )[0].permute(1, 2, 0)
    out = out * how.known[..., None]
    if kind == "colors" and flat.shape[2] == 4:
        alpha = out[..., 3:]
        out = torch.cat(
            (torch.where(alpha > 0, out[..., :3] / alpha.clamp(min=1e-6), 0), alpha), -1
        )
    return (out[..., 0] if image.dim() == 2 else out).contiguous()
