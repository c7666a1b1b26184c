"""Colours of vertices between files and documents: the field "color" is sRGB, as images and most
formats have them, while glTF and USD have linear light (glTF 2.0, 3.7.2.1; OpenUSD, "Color User's
Guide": linear Rec.709 where nothing else is said).

Both ways are exact: what a file had goes back into a file of that format bit for bit. Bytes of
documents are 16 bits of linear light, or single precision, which no two of them share; linear whole
numbers are single precision here, linear fractions double.
"""

from __future__ import annotations

import numpy as np

_SLOPE, _OFFSET, _POWER = 12.92, 0.055, 2.4  # of the two pieces of sRGB (IEC 61966-2-1)
_KNEE = 0.04045  # where they meet, encoded
_WIDE = 65535


def to_linear(encoded: np.ndarray) -> np.ndarray:
    """Linear light, float64, of sRGB values in [0, 1]; beyond, the two pieces go on."""
    x = np.asarray(encoded, np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        power = ((np.maximum(x, _KNEE) + _OFFSET) / (1 + _OFFSET)) ** _POWER
        return np.where(x <= _KNEE, x / _SLOPE, power)


def to_srgb(linear: np.ndarray) -> np.ndarray:
    """sRGB values, float64, of linear light in [0, 1]; beyond, the two pieces go on."""
    x = np.asarray(linear, np.float64)
    knee = _KNEE / _SLOPE
    with np.errstate(invalid="ignore", over="ignore"):
        power = (1 + _OFFSET) * np.maximum(x, knee) ** (1 / _POWER) - _OFFSET
        return np.where(x <= knee, x * _SLOPE, power)


def _of_colors(values: np.ndarray, change) -> np.ndarray:
    """Colours (N, 3 or 4) of which red, green and blue are changed, float64."""
    with np.errstate(invalid="ignore"):  # of NaN that signal
        out = values.astype(np.float64)
    out[:, :3] = change(out[:, :3])
    return out


def linear_color(red: float, green: float, blue: float) -> tuple[float, float, float]:
    """One sRGB colour in linear light."""
    r, g, b = to_linear(np.array([red, green, blue])).tolist()
    return r, g, b


def in_bytes(values: np.ndarray) -> np.ndarray:
    """A field of colours (N, 3 or 4) as bytes, where its floats stand for bytes up to six digits;
    else as it is. Many programs read no other colours of some formats."""
    if values.dtype.kind != "f" or values.shape[1:] not in ((3,), (4,)):
        return values
    with np.errstate(invalid="ignore", over="ignore"):
        found = np.round(values.astype(np.float64) * 255)
        exact = np.abs(found / 255 - values) <= 1e-6
        if not (exact & (found >= 0) & (found <= 255)).all():
            return values
        return found.astype(np.uint8)


def meant_as_bytes(values: np.ndarray) -> np.ndarray:
    """A field of colours (N, 3 or 4) as bytes, where its floats are whole numbers up to 255 and not
    all 0 or 1, as some programs write them; else as it is. Opacities may be fractions."""
    if values.dtype.kind != "f" or values.shape[1:] not in ((3,), (4,)) or not len(values):
        return values
    hues, alpha = values[:, :3], values[:, 3:]
    with np.errstate(invalid="ignore"):
        bytewise = 1 < hues.max() <= 255 and hues.min() >= 0 and (hues == np.round(hues)).all()
    if not bytewise or not np.isfinite(alpha).all():
        return values
    fractions = alpha.size > 0 and alpha.max() <= 1
    out = np.concatenate([hues, alpha * 255 if fractions else alpha], 1)
    return np.clip(np.round(out), 0, 255).astype(np.uint8)


BYTES_SAID = "colours were read as bytes, 0 to 255"


def _wide_of_bytes(values: np.ndarray) -> np.ndarray:
    return np.round(_of_colors(values / 255, to_linear) * _WIDE).astype(np.uint16)


def _bytes_of(linear: np.ndarray) -> np.ndarray:
    """The nearest sRGB bytes of linear colours in [0, 1]."""
    with np.errstate(invalid="ignore"):
        return np.round(_of_colors(linear, to_srgb).clip(0, 1) * 255).astype(np.uint8)


def from_whole(values: np.ndarray) -> np.ndarray:
    """The field of linear colours (N, 3 or 4) that are uint8 or uint16: bytes where they are those
    of `to_whole`, else float32."""
    top = np.iinfo(values.dtype).max
    if top == _WIDE:
        found = _bytes_of(values / top)
        if np.array_equal(_wide_of_bytes(found), values):
            return found
    return _of_colors(values / top, to_srgb).astype(np.float32)


def from_fractions(values: np.ndarray, *, bytewise: bool = False) -> np.ndarray:
    """The field, float64, of linear colours (N, 3 or 4) that are floats.

    Args:
        bytewise: bytes where the colours are those that `to_fractions` makes of bytes.
    """
    if bytewise and np.isfinite(values).all():
        found = _bytes_of(values)
        if np.array_equal(to_fractions(found), values):
            return found
    return _of_colors(values, to_srgb)


def to_fractions(values: np.ndarray) -> np.ndarray:
    """Linear colours, float32, of a field of colours (N, 3 or 4)."""
    if values.dtype.kind == "u":
        values = values / np.iinfo(values.dtype).max
    with np.errstate(over="ignore"):
        return _of_colors(values, to_linear).astype(np.float32)


def to_whole(values: np.ndarray) -> np.ndarray:
    """Linear colours of a field of colours (N, 3 or 4), in the smallest type that holds them: bytes
    and numbers of 16 bits where they stand for these, else float32."""
    if values.dtype == np.uint8:
        return _wide_of_bytes(values)
    if values.dtype == np.float32 and np.isfinite(values).all():
        linear = _of_colors(values, to_linear).clip(0, 1)
        for kind in (np.uint8, np.uint16):
            top = np.iinfo(kind).max
            found = np.round(linear * top).astype(kind)
            same = _of_colors(found / top, to_srgb).astype(np.float32)
            if np.array_equal(same, values):
                return found
    return to_fractions(values)
