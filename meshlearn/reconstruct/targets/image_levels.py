"""Images of one object at several sizes, checked; and what is asked of a target that has them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from meshlearn._validate import check_tensor
from meshlearn.reconstruct import settings
from meshlearn.reconstruct.targets.visual_hull import Hull
from meshlearn.render import Camera
from meshlearn.render.backends import Backend
from meshlearn.render.image_set import half_cameras, halved

_SHAPE = {"masks": ("N", "H", "W"), "depth": ("N", "H", "W"), "normals": ("N", "H", "W", 3)}


class Level(NamedTuple):
    """All images at one size; "known" (N, H, W) bool among them where not all pixels were seen."""

    cameras: Camera
    images: dict[str, Tensor]
    silhouette: Tensor  # (N,) pixels along the border of each mask
    focal: Tensor  # (N,) pixels

    @property
    def size(self) -> tuple[int, int]:
        return (self.images["masks"].shape[1], self.images["masks"].shape[2])


class Views(Protocol):
    """What contact sheets and the start of an open fit ask of a target with images."""

    levels: list[Level]
    backend: Backend
    hull: Hull
    two_sided: bool

    @property
    def bounds(self) -> Tensor:
        """(2, 3) box that the object lies in."""
        ...

    def hull_of(self, masks: Tensor) -> Hull:
        """The hull of other masks (N, H, W) at the size of the hull's images."""
        ...


def level_within(levels: Sequence[Level], pixels: int) -> Level:
    """The largest images of at most so many pixels a side; the smallest where none are."""
    return next((level for level in levels if max(level.size) <= pixels), levels[-1])


def checked_images(
    cameras: Camera, given: dict[str, Tensor], background: Sequence[float] | None
) -> dict[str, Tensor]:
    """Images that fit together, with masks and without alpha."""
    if not given:
        raise ValueError("images: expected masks, depth, normals or colors, got none of them")
    device = cameras.view.device
    size, first = None, ""
    out: dict[str, Tensor] = {}
    for kind, value in given.items():
        shape = _SHAPE.get(kind, ("N", "H", "W", None))
        check_tensor(value, kind, shape=shape, device=device, like="cameras")
        if len(value) != len(cameras):
            raise ValueError(
                f"{kind}: expected one image for each of {len(cameras)} cameras, got {len(value)}"
            )
        if size is None:
            size, first = tuple(value.shape[1:3]), kind
        elif tuple(value.shape[1:3]) != size:
            raise ValueError(
                f"{kind}: images of {tuple(value.shape[1:3])} pixels, but {first} of {size}; all "
                "have to be of one size (height, width)"
            )
        scale = 1 / 255 if value.dtype == torch.uint8 and kind in ("masks", "colors") else 1
        value = value.detach().float() * scale
        if kind == "colors" and value.shape[3] not in (3, 4):
            raise ValueError(f"colors: expected 3 or 4 channels, got {value.shape[3]}")
        if kind == "depth":
            value = torch.where(torch.isfinite(value) & (value > 0), value, 0.0)
        elif not bool(torch.isfinite(value).all()):
            raise ValueError(f"{kind}: holds NaN or infinite values; remove them first")
        elif kind != "normals" and not bool(
            ((value >= -settings.VALUE_SLACK) & (value <= 1 + settings.VALUE_SLACK)).all()
        ):
            raise ValueError(f"{kind}: expected values in 0 to 1, or uint8")
        out[kind] = value
    if background is not None and len(tuple(background)) != 3:
        raise ValueError(f"background: expected three numbers, got {background!r}")
    if "masks" not in out:
        out["masks"] = masks_of(out, background)
    if not bool((out["masks"] >= settings.COVERED).any()):
        raise ValueError("masks: no pixel is covered in any image, so there is nothing to fit")
    if "colors" in out:
        color = out["colors"]
        if color.shape[3] == 4 and background is not None:
            alpha, behind = color[..., 3:], color.new_tensor(tuple(background))
            color = color[..., :3] * alpha + behind * (1 - alpha)
        out["colors"] = color[..., :3].contiguous()
    return out


def masks_of(images: dict[str, Tensor], background: Sequence[float] | None) -> Tensor:
    """Masks from what else is there."""
    if "depth" in images:
        return (images["depth"] > 0).float()
    if "normals" in images:
        return ((images["normals"] ** 2).sum(-1) > settings.KNOWN_NORMAL).float()
    color = images["colors"]
    if color.shape[3] == 4:
        return color[..., 3].contiguous()
    if background is None:
        raise ValueError(
            "masks: are missing, and the colours have no alpha to take them from; give masks "
            "(mask_path in transforms.json, masks/NAME.png beside images/NAME for COLMAP) or, in "
            "Python, the colour of the background"
        )
    off = (color - color.new_tensor(tuple(background))).abs().amax(-1)
    return (off > settings.BACKGROUND_SLACK).float()


def pyramid(cameras: Camera, images: dict[str, Tensor]) -> list[Level]:
    """Images at full size, half size and so on, down to 48 pixels or so."""
    levels = []
    while True:
        inside = images["masks"] >= settings.COVERED
        across = inside[:, 1:] != inside[:, :-1]
        along = inside[:, :, 1:] != inside[:, :, :-1]
        if "known" in images:
            known = images["known"]
            across &= known[:, 1:] & known[:, :-1]
            along &= known[:, :, 1:] & known[:, :, :-1]
        length = (across.sum((1, 2)) + along.sum((1, 2))).clamp(min=1).float()
        h, w = inside.shape[1:]
        focal = cameras.focal.expand(len(cameras), 2)[:, 1] * h
        levels.append(Level(cameras, images, length, focal))
        if min(h, w) < settings.LEAST_HALVED:
            return levels
        cameras = half_cameras(cameras, (h, w))
        images = {k: halved(k, v) for k, v in images.items()}
