"""Images of materials, decoded once and kept while they are used."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from meshlearn.render.color_space import to_linear
from meshlearn.render.texture import Pyramid

BUDGET = 1 << 30  # bytes of decoded images that are kept for the next picture
_WIDE = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # PIL's modes of 16 bits, grey

_kept: OrderedDict[tuple[bytes, torch.device, bool], Pyramid] = OrderedDict()
_lock = threading.Lock()


def decoded(data: bytes, device: torch.device, *, linear: bool = True) -> Pyramid:
    """The mipmaps (R, S, 4) float32 of an encoded image: red, green, blue and opacity in [0, 1].

    Args:
        data: PNG, JPEG or what else Pillow reads.
        linear: whether colours go from sRGB to linear light, in which they may be mixed; else
            they are numbers as the file has them.

    Raises:
        ValueError: it cannot be decoded.
    """
    key = (data, device, linear)
    with _lock:
        found = _kept.get(key)
        if found is not None:
            _kept.move_to_end(key)
            return found
    pixels = _pixels(data)
    if linear:
        pixels[..., :3] = to_linear(pixels[..., :3])
    made = Pyramid.of(pixels.to(device))
    with _lock:
        _kept[key] = made
        while len(_kept) > 1 and sum(4 * p.values.numel() for p in _kept.values()) > BUDGET:
            _kept.popitem(last=False)
    return made


def _pixels(data: bytes) -> Tensor:
    """(R, S, 4) float32, row 0 at the top."""
    try:
        with Image.open(io.BytesIO(data)) as image:
            if image.mode in _WIDE:
                grey = np.asarray(image).astype(np.float32) / 65535
                table = np.stack([grey] * 3 + [np.ones_like(grey)], -1)
            else:
                table = np.asarray(image.convert("RGBA")).astype(np.float32) / 255
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"the image cannot be decoded ({error})") from None
    return torch.from_numpy(np.ascontiguousarray(table))
