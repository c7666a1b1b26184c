"""Panoramas of light in files: Radiance's .hdr, OpenEXR (extra `exr`), and ordinary images.

Radiance's format: a text head, a line with the size, then for each row the bytes of four channels
(red, green, blue, exponent), run by run or as they are. A value is (mantissa + 1/2) 2^(exponent -
136), and 0 where the exponent is 0 (Ward 1991, "Real pixels", in Graphics Gems II; the file's head
in the manual of Radiance).
"""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from meshlearn._files import write_file
from meshlearn.render.color_space import to_linear
from meshlearn.render.environment import EnvironmentLight
from meshlearn.render.image_files import read_color

HDR, EXR = (".hdr", ".pic", ".rgbe"), (".exr",)
PLAIN = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp")
_MOST = 1 << 28  # texels of a panorama that is read
_BIAS = 136  # of the exponent, with the mantissa's eight bits
_DARK = 1e-35  # radiance that is written as none
_RUNS = (8, 32767)  # columns that rows in runs may have


def load_light(path: str | Path) -> EnvironmentLight:
    """A panorama of light from a file, float32.

    Args:
        path: .hdr (Radiance), .exr (extra `exr`), or an ordinary image, which is sRGB and cannot
            be brighter than white: told.

    Raises:
        ValueError: a file of another kind, or damaged, in one sentence.
        ImportError: the extra that reads it is not installed.

    Warns:
        UserWarning: an ordinary image, or light from nowhere.

    Example:
        >>> light = load_light("studio.hdr")
    """
    path = Path(path)
    suffix = path.suffix.lower()
    if suffix in HDR:
        texels = read_hdr(path.read_bytes(), str(path))
    elif suffix in EXR:
        texels = _read_exr(path)
    elif suffix in PLAIN:
        texels = _read_plain(path)
        warnings.warn(
            f"{path}: an image of {suffix} is no brighter than white, and lamps are; take a .hdr "
            "or .exr for light that casts highlights",
            stacklevel=2,
        )
    else:
        raise ValueError(
            f"{path}: expected light in one of {', '.join(HDR[:1] + EXR + PLAIN)}, got {suffix!r}"
        )
    bad = ~np.isfinite(texels) | (texels < 0)
    if bad.any():
        count = int(bad.any(2).sum())
        warnings.warn(
            f"{path}: {count:,} texels are negative, NaN or infinite, and taken as 0", stacklevel=2
        )
        texels = np.where(bad, 0, texels)
    try:
        light = EnvironmentLight(torch.from_numpy(np.ascontiguousarray(texels, np.float32)))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    if light.is_black:
        warnings.warn(f"{path}: it is black: there is no light in it", stacklevel=2)
    return light


def save_light(light: EnvironmentLight | Tensor, path: str | Path) -> None:
    """Writes a panorama as Radiance's .hdr, whole or not at all.

    Each texel shares one exponent: numbers are within 0.4 % of the texel's largest.

    Raises:
        ValueError: another extension.
    """
    path = Path(path)
    if path.suffix.lower() not in HDR:
        raise ValueError(f"{path}: light is written as .hdr, got {path.suffix!r}")
    texels = light.texels if isinstance(light, EnvironmentLight) else light
    write_file(path, write_hdr(texels.detach().cpu().float().numpy()))


def read_hdr(data: bytes, name: str = "the file") -> np.ndarray:
    """(H, W, 3) float32 of the bytes of a Radiance picture.

    Raises:
        ValueError: damaged, of another kind, or in XYZ.
    """
    if not data.startswith((b"#?RADIANCE", b"#?RGBE")):
        raise ValueError(f"{name}: expected a Radiance picture, which begins with #?RADIANCE")
    head, blank, rest = data.partition(b"\n\n")
    if not blank:
        raise ValueError(f"{name}: its head does not end with an empty line; it is cut short")
    exposure = 1.0
    for line in head.split(b"\n"):
        key, _, value = line.partition(b"=")
        if key == b"FORMAT" and value.strip() != b"32-bit_rle_rgbe":
            said = value.decode("latin-1")[:40]
            raise ValueError(f"{name}: its format is {said!r}, and 32-bit_rle_rgbe is read")
        if key == b"EXPOSURE":
            try:
                exposure *= float(value)
            except ValueError:
                raise ValueError(f"{name}: its exposure is no number") from None
    line, _, body = rest.partition(b"\n")
    words = line.split()
    if len(words) != 4 or words[0] not in (b"-Y", b"+Y") or words[2] not in (b"+X", b"-X"):
        raise ValueError(
            f"{name}: its size line is {line.decode('latin-1')[:40]!r}; expected such as "
            "'-Y 512 +X 1024'"
        )
    if not (words[1].isdigit() and words[3].isdigit()):
        raise ValueError(f"{name}: its size is no number")
    rows, columns = int(words[1]), int(words[3])
    if not 0 < rows * columns <= _MOST:
        raise ValueError(f"{name}: {rows} rows of {columns} columns are not read")
    if not (exposure > 0 and np.isfinite(exposure)):
        raise ValueError(f"{name}: its exposure is {exposure:g}; expected a positive number")
    texels = _texels(_rows(body, rows, columns, name)) / np.float32(exposure)
    if words[0] == b"+Y":
        texels = texels[::-1]
    return texels[:, ::-1] if words[2] == b"-X" else texels


def write_hdr(texels: np.ndarray) -> bytes:
    """The bytes of a Radiance picture of (H, W, 3) radiance; rows as they are, not in runs."""
    most = texels.max(2)
    _, exponent = np.frexp(np.maximum(most, np.float32(_DARK)))
    exponent = np.clip(exponent, -118, 127)
    scale = np.ldexp(np.float32(256), -exponent)
    out = np.empty((*most.shape, 4), np.uint8)
    out[..., :3] = np.clip(texels * scale[..., None], 0, 255)
    out[..., 3] = exponent + 128
    out[most <= _DARK] = 0
    rows, columns = most.shape
    head = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y %d +X %d\n" % (rows, columns)
    if not _RUNS[0] <= columns <= _RUNS[1]:
        return head + out.tobytes()
    parts = [head]
    for row in out:  # in runs by channel, all of them literal: flat rows could be taken for runs
        parts.append(bytes((2, 2, columns >> 8, columns & 255)))
        for channel in row.T:
            plain = channel.tobytes()
            parts += [
                bytes((len(p),)) + p for p in (plain[k : k + 128] for k in range(0, columns, 128))
            ]
    return b"".join(parts)


def _texels(rgbe: np.ndarray) -> np.ndarray:
    scale = np.ldexp(np.float32(1), rgbe[..., 3].astype(np.int32) - _BIAS)
    found = (rgbe[..., :3].astype(np.float32) + np.float32(0.5)) * scale[..., None]
    found[rgbe[..., 3] == 0] = 0
    return found


def _rows(body: bytes, rows: int, columns: int, name: str) -> np.ndarray:
    """(H, W, 4) uint8."""
    short = ValueError(f"{name}: it is cut short, or its runs do not fit {columns} columns")
    begin = bytes((2, 2, columns >> 8 & 255, columns & 255))
    in_runs = _RUNS[0] <= columns <= _RUNS[1] and body[:4] == begin
    if not in_runs:
        if len(body) < 4 * rows * columns:
            raise short
        flat = np.frombuffer(body, np.uint8, 4 * rows * columns).reshape(rows, columns, 4)
        old = (flat[..., :3] == 1).all(2)
        if old.any():
            raise ValueError(
                f"{name}: its runs are of the old kind, which is not read; write it anew"
            )
        return flat
    if len(body) < rows * (4 + 8):  # the least a row can have
        raise short
    out = np.empty((rows, 4, columns), np.uint8)
    data, at, end = memoryview(body), 0, len(body)
    for row in range(rows):
        if body[at : at + 4] != begin:
            raise short
        at += 4
        for channel in range(4):
            line, filled = out[row, channel], 0
            while filled < columns:
                if at >= end:
                    raise short
                count = data[at]
                run = count > 128
                count -= 128 if run else 0
                size = 1 if run else count
                if not 0 < count <= columns - filled or at + 1 + size > end:
                    raise short
                line[filled : filled + count] = (
                    data[at + 1] if run else np.frombuffer(data[at + 1 : at + 1 + size], np.uint8)
                )
                filled, at = filled + count, at + 1 + size
    return out.transpose(0, 2, 1)


def _read_exr(path: Path) -> np.ndarray:
    try:
        import OpenEXR  # type: ignore[import-not-found]
    except ImportError:
        raise ImportError(
            f"{path}: reading OpenEXR needs the extra exr: pip install 'meshlearn[exr]'"
        ) from None
    try:
        with OpenEXR.File(str(path)) as file:
            channels = file.channels()
            found = next((channels[k].pixels for k in ("RGB", "RGBA") if k in channels), None)
            if found is None and {"R", "G", "B"} <= channels.keys():
                found = np.stack([channels[c].pixels for c in "RGB"], -1)
            elif found is None and "Y" in channels:
                found = np.repeat(channels["Y"].pixels[..., None], 3, -1)
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{path}: it cannot be read as OpenEXR ({error})") from None
    if found is None:
        raise ValueError(f"{path}: it has no channels R, G and B")
    return np.asarray(found)[..., :3].astype(np.float32)


def _read_plain(path: Path) -> np.ndarray:
    return to_linear(read_color(path)[..., :3].float()).numpy()
