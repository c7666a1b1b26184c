"""Images on disk: colours, masks, depth and normals, as tensors.

- *Colour* and *mask* are 8-bit PNG or JPEG; numbers are taken as they are stored, in 0 to 1.
- *Depth* is a 16-bit PNG, camera z = stored number × scale, 0 for none, or a .npy / .npz array of
  z itself.
- *Normals* are an 8-bit PNG of (n + 1) / 2, black for none, or a .npy / .npz array of n.
"""

from __future__ import annotations

import os
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from meshlearn.render.mask_values import StoredMask, of_bytes, of_numbers
from meshlearn.render.picture import save_image, to_pil

ARRAYS = (".npy", ".npz")
_DAMAGED = (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError, MemoryError)


def _open(path: Path) -> Image.Image:
    if not path.is_file():
        raise ValueError(f"{path}: there is no such image")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:  # closed where it cannot be decoded, too
                picture.load()
        return picture
    except (*_DAMAGED, Image.DecompressionBombWarning) as error:
        reason = "cannot identify it" if "cannot identify" in str(error) else str(error)
        raise ValueError(
            f"{path}: not a readable image ({reason}); give PNG or JPEG, or .npy for depth"
        ) from None


def _array(path: Path) -> np.ndarray:
    if not path.is_file():
        raise ValueError(f"{path}: there is no such array")
    try:
        found = np.load(path, allow_pickle=False)
        if isinstance(found, np.lib.npyio.NpzFile):
            with found:
                if len(found.files) != 1:
                    raise ValueError(f"expected one array in it, got {len(found.files)}")
                found = found[found.files[0]]
        if found.dtype.kind not in "fiub":
            raise ValueError(f"expected numbers, got {found.dtype}")
    except (OSError, ValueError, EOFError, KeyError, MemoryError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a readable array ({error})") from None
    return np.ascontiguousarray(found, dtype=np.float32)


def _tensor(array: np.ndarray, path: Path, channels: int | None) -> Tensor:
    if channels is None and array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    expected = "(H, W)" if channels is None else f"(H, W, {channels})"
    if array.ndim != (2 if channels is None else 3) or (channels and array.shape[2] != channels):
        raise ValueError(f"{path}: expected an array {expected}, got {array.shape}")
    return torch.from_numpy(array.copy())


def read_color(path: str | os.PathLike[str]) -> Tensor:
    """(H, W, 3), or (H, W, 4) with alpha, float32 in 0 to 1.

    Raises:
        ValueError: no such file, or not an image.
    """
    picture = _open(Path(path))
    alpha = "A" in picture.getbands() or "transparency" in picture.info
    if picture.mode.startswith("I") or picture.mode == "F":
        grey = np.asarray(picture, dtype=np.float32) / 65535
        return torch.from_numpy(grey).clamp(0, 1)[..., None].expand(-1, -1, 3).contiguous()
    array = np.asarray(picture.convert("RGBA" if alpha else "RGB"), dtype=np.float32)
    return torch.from_numpy(array / 255)


def read_stored_mask(path: str | os.PathLike[str], *, alpha_only: bool = False) -> StoredMask:
    """A mask as it is stored, see `meshlearn.render.mask_values`; .npy and .npz of (H, W), too.

    Args:
        alpha_only: alpha, be it opaque everywhere; the file is a photograph.

    Raises:
        ValueError: no such file, not an image, or without the alpha that is asked for.
    """
    path = Path(path)
    if path.suffix.lower() in ARRAYS and not alpha_only:
        values = _tensor(_array(path), path, None).numpy()
        return of_numbers(values, _full(values))
    picture = _open(path)
    alpha = "A" in picture.getbands() or "transparency" in picture.info
    if alpha_only and not alpha:
        raise ValueError(f"{path}: masks are missing, and the image has no alpha for one")
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.asarray(picture, dtype=np.float64)
        return of_numbers(values, _full(values) if picture.mode == "F" else 65535)
    return of_bytes(np.asarray(picture.convert("RGBA" if alpha else "RGB")), alpha_only=alpha_only)


def _full(values: np.ndarray) -> float:
    """What numbers without a depth of bits are shares of: 1, 255 or 65535."""
    most = float(np.nan_to_num(values).max()) if values.size else 0.0
    return 1.0 if most <= 1 else 255.0 if most <= 255 else 65535.0


def read_mask(path: str | os.PathLike[str]) -> Tensor:
    """(H, W) float32 in 0 to 1 of the brightest that is there: alpha where the file has one that
    tells something, else brightness.

    Raises:
        ValueError: no such file, or not an image.
    """
    share = read_stored_mask(path).share
    return share / share.max() if share.numel() and float(share.max()) > 0 else share


def read_depth(path: str | os.PathLike[str], *, scale: float = 1.0) -> Tensor:
    """(H, W) float32 camera z, 0 where there is none (also where it is not finite or negative).

    Args:
        scale: unit of the numbers in an image; an array (.npy, .npz) is z itself.

    Raises:
        ValueError: no such file, or neither an image of one channel nor an array.
    """
    path = Path(path)
    if path.suffix.lower() in ARRAYS:
        depth = _tensor(_array(path), path, None)
    else:
        picture = _open(path)
        if len(picture.getbands()) != 1:
            raise ValueError(
                f"{path}: expected a depth image of one channel, got {picture.mode}; write 16-bit "
                "grey PNG or .npy"
            )
        depth = torch.from_numpy(np.asarray(picture).astype(np.float64) * scale).float()
    return torch.where(torch.isfinite(depth) & (depth > 0), depth, 0.0)


def read_normals(path: str | os.PathLike[str]) -> Tensor:
    """(H, W, 3) float32 unit normals, 0 where there is none (black, grey, or alpha 0).

    Raises:
        ValueError: no such file, or not three channels.
    """
    path = Path(path)
    if path.suffix.lower() in ARRAYS:
        normal = _tensor(_array(path), path, 3)
        known = torch.isfinite(normal).all(2)
    else:
        image = read_color(path)
        normal = image[..., :3] * 2 - 1
        known = image[..., 3] > 0.5 if image.shape[2] == 4 else image.new_ones(image.shape[:2]) > 0
    length = normal.norm(dim=2)
    known = known & (length > 0.5) & (length < 1.5)
    return torch.where(known[..., None], normal / length[..., None], 0.0)


def write_depth(depth: Tensor, path: str | os.PathLike[str], *, scale: float) -> Path:
    """Writes (H, W) camera z as 16-bit PNG of z / scale, rounded; 0 for none.

    Raises:
        ValueError: z / scale passes 65535.
    """
    stored = (depth.detach().cpu().double() / scale).round()
    if bool((stored > 65535).any()):
        raise ValueError(f"scale: {scale} is too small for depths up to {float(depth.max()):.6g}")
    array = stored.clamp(min=0).numpy().astype(np.uint16)
    return save_image(Image.fromarray(array), path)


def write_normals(normal: Tensor, path: str | os.PathLike[str]) -> Path:
    """Writes (H, W, 3) normals as 8-bit PNG of (n + 1) / 2; black where the normal is 0."""
    known = (normal * normal).sum(-1, keepdim=True) > 0.25
    return save_image(to_pil(torch.where(known, normal / 2 + 0.5, 0.0)), path)
