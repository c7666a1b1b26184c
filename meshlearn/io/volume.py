"""Scalar volumes: .npy, .npz and (with nibabel) NIfTI, read with their place in the world.

Sizes promised by a header are held against the file's own size before anything is allocated.
"""

from __future__ import annotations

import math
import os
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from meshlearn._memory import check_memory
from meshlearn._validate import FLOATS, check_tensor
from meshlearn.io.numpy_files import (
    DAMAGED,
    DEFLATE,
    VOLUME_SUFFIXES,
    is_volume,
    member_of,
    members_of,
    open_numpy,
    peek_shapes,
    read_member,
)

__all__ = ["SUFFIXES", "Volume", "is_volume", "load_volume"]

SUFFIXES = VOLUME_SUFFIXES

_KEYS = ("sdf", "field", "volume", "values", "data")


@dataclass(frozen=True)
class Volume:
    """Samples of a scalar field on a regular lattice; also the field itself, by interpolation.

    Attributes:
        values: (X, Y, Z) float32 or float64, each side at least 2.
        affine: (4, 4) float64, takes an index (i, j, k, 1) to the position of that sample.

    Example:
        >>> volume = load_volume("torus_volume.npz")
        >>> volume(torch.zeros(1, 3))      # trilinear value at the origin, (1,)
    """

    values: Tensor
    affine: Tensor

    def __post_init__(self) -> None:
        check_tensor(self.values, "values", shape=("X", "Y", "Z"), dtype=FLOATS)
        if min(self.values.shape) < 2:
            shape = tuple(self.values.shape)
            raise ValueError(f"values: expected at least 2 samples along each axis, got {shape}")
        check_tensor(self.affine, "affine", shape=(4, 4), dtype=torch.float64, finite=True)
        if abs(float(torch.linalg.det(self.affine[:3, :3]))) < 1e-300:
            raise ValueError(
                "affine: expected an invertible matrix, got a singular one; check spacing"
            )

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between samples along each axis of the lattice."""
        return tuple(self.affine[:3, :3].norm(dim=0).tolist())  # type: ignore[return-value]

    def bounds(self) -> Tensor:
        """(2, 3) float64: the box, along the world's axes, around all samples."""
        sizes = [range(0, n, n - 1) for n in self.values.shape]
        corner = torch.cartesian_prod(*(torch.tensor(list(s), dtype=torch.float64) for s in sizes))
        world = self.to_world(corner)
        return torch.stack([world.amin(0), world.amax(0)])

    def to_world(self, index: Tensor) -> Tensor:
        """Positions (P, 3) of (fractional) indices (P, 3), in the dtype of `index`."""
        affine = self.affine.to(index.device)
        return (index.double() @ affine[:3, :3].T + affine[:3, 3]).to(index.dtype)

    def to_index(self, points: Tensor) -> Tensor:
        """Fractional indices (P, 3) of positions (P, 3), in the dtype of `points`."""
        inverse = torch.linalg.inv(self.affine).to(points.device)
        return (points.double() @ inverse[:3, :3].T + inverse[:3, 3]).to(points.dtype)

    def __call__(self, points: Tensor) -> Tensor:
        """Trilinear values (P,) at points (P, 3), differentiable; outside, the nearest side's."""
        check_tensor(points, "points", shape=("P", 3), dtype=FLOATS, device=self.values.device)
        last = torch.tensor(self.values.shape, dtype=points.dtype, device=points.device) - 1
        unit = self.to_index(points) / last * 2 - 1
        sampled = torch.nn.functional.grid_sample(
            self.values[None, None].to(points.dtype),
            unit.flip(1)[None, :, None, None],  # its axes count from the last one
            mode="bilinear",
            padding_mode="border",
            align_corners=True,
        )
        return sampled.reshape(-1)

    def to(self, device: str | torch.device) -> Volume:
        """The volume with its values on `device`."""
        return Volume(self.values.to(device), self.affine)


def load_volume(
    path: str | os.PathLike[str],
    *,
    key: str | None = None,
    spacing: float | Sequence[float] | None = None,
    origin: Sequence[float] | None = None,
    fill: float | None = None,
) -> Volume:
    """Reads a scalar volume.

    Args:
        path: .npy; .npz (with ``spacing``, ``origin`` or ``affine`` beside the array, if they are
            there); .nii or .nii.gz, which need nibabel and keep their affine.
        key: the array of an .npz to read; default: the only 3-D one, or one named sdf, field,
            volume, values or data.
        spacing: distance between samples, one number or three; replaces the file's own.
        origin: position of sample (0, 0, 0); replaces the file's own.
        fill: what replaces NaN and infinities; default: they are refused.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is not such a file, it is truncated, or it holds no 3-D real array.
        ImportError: NIfTI without nibabel.
    """
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path}: expected a file, got a folder")
    if not is_volume(path):
        raise ValueError(
            f"{path}: unknown kind of volume {path.suffix!r}; expected {', '.join(SUFFIXES)}"
        )
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{path}: the file is empty")
    name = path.name.lower()
    if name.endswith((".nii", ".nii.gz")):
        array, affine = _read_nifti(path, size)
    else:
        array, affine = _read_numpy(path, size, key)
    if array.ndim == 4 and array.shape[3] == 1:
        array = array[..., 0]
    if array.ndim != 3:
        raise ValueError(f"{path}: expected a 3-D array, got shape {array.shape}")
    if min(array.shape) < 2:
        raise ValueError(f"{path}: expected at least 2 samples along each axis, got {array.shape}")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{path}: expected real numbers, got dtype {array.dtype}")
    wide = np.float64 if array.dtype == np.float64 else np.float32
    values = torch.from_numpy(np.array(array, dtype=wide, order="C"))
    finite = torch.isfinite(values)
    if not bool(finite.all()):
        if fill is None:
            raise ValueError(
                f"{path}: {int((~finite).sum()):,} of {values.numel():,} values are NaN or "
                f"infinite; choose what replaces them by fill"
            )
        values = torch.where(finite, values, float(fill))
    return Volume(values, _placed(affine, spacing, origin))


def _placed(
    affine: np.ndarray, spacing: float | Sequence[float] | None, origin: Sequence[float] | None
) -> Tensor:
    out = torch.tensor(affine, dtype=torch.float64)
    if spacing is not None:
        steps = torch.as_tensor(spacing, dtype=torch.float64).reshape(-1)
        if steps.numel() not in (1, 3) or not bool((steps > 0).all() & torch.isfinite(steps).all()):
            raise ValueError(f"spacing: expected one or three positive numbers, got {spacing}")
        out[:3, :3] = out[:3, :3] / out[:3, :3].norm(dim=0) * steps
    if origin is not None:
        place = torch.as_tensor(origin, dtype=torch.float64).reshape(-1)
        if place.numel() != 3 or not bool(torch.isfinite(place).all()):
            raise ValueError(f"origin: expected three finite numbers, got {origin}")
        out[:3, 3] = place
    return out


def _read_numpy(path: Path, size: int, key: str | None) -> tuple[np.ndarray, np.ndarray]:
    shapes = peek_shapes(path)
    with open_numpy(path) as file:
        if not isinstance(file, zipfile.ZipFile):
            return read_member(file, size), np.eye(4)
        members = members_of(file)
        if key is None:
            solid = [name for name, shape in shapes.items() if len(shape) in (3, 4)]
            named = [name for name in _KEYS if name in solid]
            if len(solid) != 1 and not named:
                raise ValueError(
                    f"it holds {len(solid)} 3-D arrays among {sorted(members)}; name one by key"
                )
            key = named[0] if named else solid[0]
        elif key not in members:
            raise ValueError(f"there is no array {key!r}; it holds {sorted(members)}")
        affine = np.eye(4)
        if "affine" in members:
            affine = _small(member_of(file, members["affine"]), "affine", (4, 4))
        if "spacing" in members:
            steps = member_of(file, members["spacing"]).astype(np.float64).reshape(-1)
            if steps.size not in (1, 3) or not (steps > 0).all():
                raise ValueError(f"spacing: expected one or three positive numbers, got {steps}")
            affine[:3, :3] = np.diag(np.broadcast_to(steps, 3))
        if "origin" in members:
            affine[:3, 3] = _small(member_of(file, members["origin"]), "origin", (3,))
        return member_of(file, members[key]), affine


def _small(array: np.ndarray, name: str, shape: tuple[int, ...]) -> np.ndarray:
    if array.shape != shape or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite numbers of shape {shape}, got {array.shape}")
    return array.astype(np.float64)


def _read_nifti(path: Path, size: int) -> tuple[np.ndarray, np.ndarray]:
    try:
        import nibabel
    except ImportError as error:
        raise ImportError(
            f"{path}: reading NIfTI needs nibabel; pip install 'meshlearn[nifti]'"
        ) from error
    try:
        image: Any = nibabel.load(path)
        shape = tuple(int(n) for n in image.shape)
        if image.get_data_dtype().names or image.get_data_dtype().kind not in "fiub":
            raise ValueError(
                "its samples are colours (RGB) or complex numbers; expected one real number each, "
                "so extract one channel first"
            )
        promised = math.prod(shape) * image.get_data_dtype().itemsize
        room = size * DEFLATE if path.name.lower().endswith(".gz") else size
        if promised > room:
            raise ValueError(
                f"the header promises {promised:,} bytes of data, but the file can hold {room:,} "
                f"at most; it is truncated"
            )
        check_memory(
            4 * math.prod(shape) * 3, "cpu", f"a volume of shape {shape}", argument="volume"
        )
        affine = np.asarray(image.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise ValueError("it has no affine")
        return np.asarray(image.get_fdata(dtype=np.float32, caching="unchanged")), affine
    except (*DAMAGED, nibabel.filebasedimages.ImageFileError, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error
