"""Colours of faces in the two bytes behind each triangle of a binary STL: 5 bits a component.

VisCAM and SolidView: bit 15 says that there is a colour, then red, green, blue from the top.
Magics: "COLOR=" and four bytes (red, green, blue, alpha) in the header colour the whole; bit 15
says that a face has that colour, else it has its own, with blue at the top. Both are described at
https://en.wikipedia.org/wiki/STL_(file_format)#Color_in_binary_STL.
"""

from __future__ import annotations

import re

import numpy as np

from meshlearn.io.even_looks import full_color

_WHOLE = re.compile(rb"COLOR=(.{4})", re.DOTALL)
_MATERIAL = re.compile(rb",?\s*MATERIAL=.{12}", re.DOTALL)
_VALID = 0x8000


def plain_head(head: bytes) -> bytes:
    """The header's text without colours."""
    rest = _MATERIAL.sub(b"", _WHOLE.sub(b"", head))
    return rest.split(b"\0")[0].strip(b" ,\r\n\t")


def _expanded(bits: np.ndarray) -> np.ndarray:
    """Components of 5 bits as bytes."""
    return ((bits.astype(np.int64) * 255 + 15) // 31).astype(np.uint8)


def colors_of(head: bytes, extra: np.ndarray) -> tuple[np.ndarray | None, str]:
    """Colours of faces (F, 3 or 4) uint8 and a sentence on them; None where there are none.

    Args:
        extra: (F,) uint16, the two bytes of each face.
    """
    found = _WHOLE.search(head)
    if not found and not extra.any():
        return None, ""
    low, middle, high = (_expanded(extra >> shift & 31) for shift in (0, 5, 10))
    own = (extra & _VALID) == 0
    if found:
        whole = np.frombuffer(found[1], np.uint8)
        own &= bool(extra.any())
        colors = np.where(own[:, None], np.stack([low, middle, high], 1), whole[:3])
        if whole[3] != 255:
            alpha = np.full((len(colors), 1), whole[3], np.uint8)
            colors = np.concatenate([colors, alpha], axis=1)
        return colors, f"colours of faces are those of Magics, {int(own.sum()):,} of their own"
    if (own & (extra != 0)).any():
        return None, ""
    colors = np.stack([high, middle, low], 1)
    colors[own] = 255
    bare = int(own.sum())
    more = f", {bare:,} faces without one are white" if bare else ""
    return colors, f"colours of faces are those of VisCAM{more}"


def is_color(values: np.ndarray) -> bool:
    """Whether a field of faces holds colours that can be written."""
    return values.ndim == 2 and values.shape[1] in (3, 4)


def _rounded(values: np.ndarray) -> np.ndarray:
    """(F, 3) components of 5 bits; NaN stays."""
    top = full_color(values.dtype)
    return np.round(np.clip(values[:, :3].astype(np.float64) / top, 0, 1) * 31)


def bits_of(values: np.ndarray) -> np.ndarray:
    """The two bytes of each face, as VisCAM has them; nothing for colours that are NaN."""
    bits = _rounded(values)
    known = np.isfinite(bits).all(1)
    red, green, blue = np.where(known[:, None], bits, 0).astype(np.uint16).T
    return np.where(known, _VALID | red << 10 | green << 5 | blue, 0).astype(np.uint16)


def rounded_colors(values: np.ndarray) -> int:
    """How many components 5 bits do not hold."""
    top = full_color(values.dtype)
    held = _rounded(values)
    given = values[:, :3].astype(np.float64) * (255 / top)
    back = _expanded(np.nan_to_num(held))
    return int((np.isfinite(given) & (back != given)).sum())
