"""What the numbers of masks mean: 0 and 255, 0 and 1, colours of a palette, labels, the inverse.

Masks of one set are read with the same eyes. Two values alone are background and object, whatever
they are; many are shares of a pixel. What cannot be told apart is refused with the values found.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

MODES = ("auto", "stored", "inverted")

_MANY = 4096  # values of a set, above which they are not counted further
_AREA = 0.02  # share of the even pixels that are no background, from which on a value has an area
_APART = 0.1  # of the brightest value, between two that are not the same
_COVERED = 0.5  # share from which on a pixel counts as covered
_OPAQUE = 254.5 / 255
_NOISE = 0.5 / 255 / 255  # of alpha: half a step of 16 bits or so
_BORDER, _BESIDE = 0.95, 0.01  # least share of the border that is covered; of the rest that is not
_PART_OF_BORDER, _HOLLOW = 0.7, 0.5  # the same, where less of the middle than this is covered
_COLOURFUL = 0.05  # share of the pixels with a colour, from which on many values are a photograph
_EDGES = 100  # least pixels at edges that tell of premultiplied colours
_DARK = 0.1  # colours below tell nothing of that
_WIDE = 1 << 24  # added to the values of 16 bits, to tell them from colours


class StoredMask(NamedTuple):
    """A mask as its file has it.

    Attributes:
        share: (H, W) float32, brightness or alpha, 0 to 1 of what the file can hold.
        codes: (H, W) int64, what `shown` has a text for: equal where the file holds the same.
        opaque: alpha is there, and says nothing.
    """

    share: Tensor
    codes: np.ndarray
    opaque: bool = False


def shown(code: int) -> str:
    """A value as people know it: a number, or red, green and blue."""
    if code >= _WIDE:
        return str(code - _WIDE)
    red, green, blue = code >> 16, code >> 8 & 255, code & 255
    return str(red) if red == green == blue else f"({red}, {green}, {blue})"


def _color_of(code: int) -> tuple[float, ...]:
    if code >= _WIDE:
        return ((code - _WIDE) / 65535,) * 3
    return tuple(part / 255 for part in (code >> 16, code >> 8 & 255, code & 255))


def of_numbers(values: np.ndarray, full: float) -> StoredMask:
    """Of (H, W) numbers, of which `full` is the whole object."""
    share = np.clip(np.nan_to_num(values.astype(np.float64)) / full, 0, 1)
    codes = np.rint(share * 65535).astype(np.int64) + _WIDE
    return StoredMask(torch.from_numpy(share.astype(np.float32)), codes)


def of_bytes(image: np.ndarray, *, alpha_only: bool = False) -> StoredMask:
    """Of (H, W, 3) or (H, W, 4) bytes: alpha where it tells something, else brightness."""
    opaque = False
    if image.shape[2] == 4:
        alpha = image[..., 3]
        opaque = bool((alpha == 255).all())
        if alpha_only or not opaque:
            return _of_grey(alpha, opaque)
    red, green, blue = (image[..., k] for k in range(3))
    if bool((red == green).all() and (green == blue).all()):
        return _of_grey(red, opaque)
    share = torch.from_numpy(image[..., :3].astype(np.float32) / 255).mean(2)
    packed = (red.astype(np.int64) << 16) | (green.astype(np.int64) << 8) | blue
    return StoredMask(share, packed, opaque)


def _of_grey(values: np.ndarray, opaque: bool) -> StoredMask:
    share = torch.from_numpy(values.astype(np.float32) / 255)
    return StoredMask(share, values.astype(np.int64) * 0x010101, opaque)


@dataclass
class MaskSurvey:
    """What all masks of a set hold, file by file, and what that means."""

    path: Path
    pixels: Counter[int] = field(default_factory=Counter)
    even: Counter[int] = field(default_factory=Counter)  # those like their neighbours
    first: dict[int, str] = field(default_factory=dict)  # the file where a value came first
    brightest: float = 0.0
    opaque: list[str] = field(default_factory=list)
    dim: dict[str, str] = field(default_factory=dict)  # files without a bright pixel: their most
    count: int = 0

    def add(self, mask: StoredMask, file: Path) -> None:
        """Counts what is in a mask."""
        self.count += 1
        most = float(mask.share.max()) if mask.share.numel() else 0.0
        self.brightest = max(self.brightest, most)
        if 0 < most < _COVERED:
            self.dim[file.name] = shown(int(mask.codes.flat[int(mask.share.argmax())]))
        if mask.opaque:
            self.opaque.append(file.name)
        if len(self.pixels) > _MANY:
            return
        codes = mask.codes
        inner = codes[:-1, :-1]
        flat = inner[(inner == codes[1:, :-1]) & (inner == codes[:-1, 1:])]
        for counter, part in ((self.pixels, codes), (self.even, flat)):
            for code, n in zip(*np.unique(part, return_counts=True), strict=True):
                counter[int(code)] += int(n)
                self.first.setdefault(int(code), file.name)

    def meaning(self) -> tuple[float, float, list[str]]:
        """The shares that are background and object, and sentences about them.

        Raises:
            ValueError: one value alone, areas of more than two, or nothing bright enough.
        """
        codes = sorted(self.pixels, key=lambda c: sum(_color_of(c)))
        if len(codes) == 1:
            return self._single(codes[0])
        if len(codes) == 2:
            return self._pair(codes[0], codes[1])
        if len(codes) <= _MANY:
            self._check_areas(codes)
        self._check_colours(codes)
        if self.brightest < _COVERED:
            top = max(codes, key=lambda c: sum(_color_of(c)))
            return self._refuse(
                f"the brightest value of all masks is {shown(top)}, by which no pixel is covered; "
                "write 0 for the background and 255 for the object"
            )
        if self.dim:
            name, value = next(iter(self.dim.items()))
            self._refuse(
                f"{len(self.dim):,} of {self.count:,} masks have no bright pixel (the first: "
                f"{name}, {value} at most) where others have; write 0 for the background and 255 "
                "for the object in all of them"
            )
        return 0.0, 1.0, []

    def _single(self, code: int) -> tuple[float, float, list[str]]:
        if not 0 < self.brightest < _OPAQUE:  # nothing, or everything: whoever fits to it says so
            return 0.0, 1.0, []
        return self._refuse(
            f"the masks hold the value {shown(code)} in every pixel, which tells no object from a "
            "background; write 0 for the background and 255 for the object, or choose other kinds "
            "by use"
        )

    def _pair(self, dark: int, bright: int) -> tuple[float, float, list[str]]:
        low, high = (sum(_color_of(code)) / 3 for code in (dark, bright))
        if low > 0 and high - low <= _APART * high:
            return self._refuse(
                f"the masks hold {shown(dark)} and {shown(bright)}, which are equally bright, so "
                "that the object is not known; write 0 for the background and 255 for the object"
            )
        if low == 0 and high >= _OPAQUE:
            return 0.0, 1.0, []
        return low, high, [
            f"{self.path}: the masks hold {shown(dark)} and {shown(bright)} only, which are taken "
            "as background and object"
        ]  # fmt: skip

    def _check_areas(self, codes: list[int]) -> None:
        wide = sum(self.even[c] for c in codes[1:])
        top = max(max(_color_of(c)) for c in codes)
        found = [codes[0]]
        for code in codes[1:]:
            apart = all(
                max(abs(a - b) for a, b in zip(_color_of(code), _color_of(c), strict=True))
                > _APART * top
                for c in found
            )
            if apart and self.even[code] > _AREA * wide:
                found.append(code)
        if len(found) > 2:
            listed = ", ".join(map(shown, found[:6])) + (", …" if len(found) > 6 else "")
            self._refuse(
                f"the masks hold areas of {len(found)} values ({listed}; the last of these first "
                f"in {self.first[found[-1]]}), and which is the object is not said; write 0 for "
                "the background and 255 for the object, or say masks='stored' (--masks stored) "
                "to take what is brighter than half"
            )

    def _check_colours(self, codes: list[int]) -> None:
        tinted = [c for c in codes if max(_color_of(c)) - min(_color_of(c)) > _APART]
        share = sum(self.pixels[c] for c in tinted) / max(1, sum(self.pixels.values()))
        if len(tinted) > 64 and share > _COLOURFUL:
            self._refuse(
                f"the masks hold {len(tinted):,} colours (first in {self.first[tinted[0]]}) and "
                "look like photographs; write 0 for the background and 255 for the object, or "
                "leave them out by use"
            )

    def _refuse(self, text: str) -> tuple[float, float, list[str]]:
        raise ValueError(f"{self.path}: {text}")


def look_inverted(masks: Tensor, known: Tensor | None = None) -> int:
    """Of how many masks (N, H, W) the border is covered and much of the rest, the middle, is not.

    Args:
        known: (N, H, W) bool, the pixels that a camera saw; None for all.
    """
    covered = masks >= _COVERED
    seen = torch.ones_like(covered) if known is None else known
    rim = torch.zeros_like(covered[0])
    rim[0], rim[-1], rim[:, 0], rim[:, -1] = True, True, True, True
    rim = rim & seen
    border = (covered & rim).sum((1, 2)) / rim.sum((1, 2)).clamp(min=1)
    beside = (~covered & seen).sum((1, 2)) / seen.sum((1, 2)).clamp(min=1)
    h, w = masks.shape[1:]
    middle = (slice(None), slice(h // 4, h - h // 4), slice(w // 4, w - w // 4))
    hollow = (~covered & seen)[middle].sum((1, 2)) / seen[middle].sum((1, 2)).clamp(min=1)
    # an object that reaches the border in a part leaves most of it
    reaching = (border >= _PART_OF_BORDER) & (hollow >= _HOLLOW)
    return int((((border >= _BORDER) & (beside >= _BESIDE)) | reaching).sum())


def check_upright(masks: Tensor, known: Tensor | None, path: Path) -> None:
    """Refuses masks that look inverted.

    Raises:
        ValueError: of most of them the border is covered and the middle is not.
    """
    count = look_inverted(masks, known)
    if 2 * count > len(masks):
        raise ValueError(
            f"{path}: of {count:,} of {len(masks):,} masks the border is bright and the middle is "
            "dark, as where they are inverted; say masks='inverted' (--masks inverted) to turn "
            "them, or masks='stored' (--masks stored) where the object does surround the view"
        )


def is_opaque(alpha: Tensor, known: Tensor | None = None) -> bool:
    """Whether alpha (N, H, W) says nothing: one value, not 0, wherever a camera saw something."""
    seen = alpha if known is None else alpha[known]
    return seen.numel() > 0 and float(seen.max() - seen.min()) < _NOISE and float(seen.max()) > 0


def are_premultiplied(colors: Tensor) -> bool:
    """Whether colours (N, H, W, 4) are multiplied by their alpha: at edges they are as much darker
    than the full pixel beside as alpha is smaller, and nowhere brighter than alpha."""
    rgb, alpha = colors[..., :3].amax(-1), colors[..., 3]
    part = (alpha > 0.05) & (alpha < 0.95)
    if bool((rgb[part] > alpha[part] + 3 / 255).any()):
        return False
    straight = scaled = 0.0
    count = 0
    for axis in (1, 2):
        for sign in (1, -1):
            beside, full = rgb.roll(sign, axis), alpha.roll(sign, axis) >= _OPAQUE
            pair = part & full & (beside > _DARK)
            ratio = rgb[pair] / beside[pair]
            straight += float((ratio - 1).abs().sum())
            scaled += float((ratio - alpha[pair]).abs().sum())
            count += int(pair.sum())
    return count >= _EDGES and scaled < 0.5 * straight
