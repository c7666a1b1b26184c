"""The size of an image, and how its camera was held, from its first bytes."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import NamedTuple

import numpy as np

_ORIENTATION = 0x0112  # of EXIF: 1 upright, 5 to 8 lie on a side
_UNREADABLE = (OSError, SyntaxError, ValueError, EOFError, MemoryError, KeyError, TypeError)


class ImageHead(NamedTuple):
    """(height, width) as stored, and EXIF's orientation (1 to 8)."""

    size: tuple[int, int]
    orientation: int = 1

    @property
    def lies(self) -> bool:
        """Whether width and height change places when it is shown upright."""
        return self.orientation >= 5


def image_head(path: Path) -> ImageHead | None:
    """The head of an image or .npy array; None where there is none that can be read."""
    if not path.is_file():
        return None
    if path.suffix.lower() in (".npy", ".npz"):
        return _array_head(path)
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path) as picture:
                width, height = picture.size
                held = picture.getexif().get(_ORIENTATION, 1)
    except (*_UNREADABLE, Image.DecompressionBombError):
        return None
    return ImageHead((height, width), held if isinstance(held, int) and 1 <= held <= 8 else 1)


def _array_head(path: Path) -> ImageHead | None:
    try:
        if path.suffix.lower() == ".npy":
            shape = np.load(path, mmap_mode="r", allow_pickle=False).shape
        else:
            with np.load(path, allow_pickle=False) as found:
                shape = found[found.files[0]].shape
    except (*_UNREADABLE, IndexError, NotImplementedError):
        return None
    return ImageHead((shape[0], shape[1])) if len(shape) >= 2 else None
