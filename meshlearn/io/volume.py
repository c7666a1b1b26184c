"""Scalar volumes: .npy, .npz and (with nibabel) NIfTI, read with their place in the world.

Sizes promised by a header are held against the file's own size before anything is allocated.
"""

from __future__ import annotations

import math
import os
import struct
import tokenize
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
from torch import Tensor

from meshlearn._memory import check_memory
from meshlearn._validate import FLOATS, check_tensor

SUFFIXES = (".npy", ".npz", ".nii", ".nii.gz")
_KEYS = ("sdf", "field", "volume", "values", "data")
_DAMAGED = (ValueError, EOFError, RuntimeError, struct.error, zlib.error)
_DEFLATE = 1032  # what deflate compresses at most, to one


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


def is_volume(path: str | os.PathLike[str]) -> bool:
    """Whether the name ends as that of a volume: .npy, .npz, .nii or .nii.gz; a .npz file with an
    array of vertices is a mesh."""
    name = str(path).lower()
    if name.endswith(".npz") and Path(path).is_file():
        try:
            return not {"vertices", "0/vertices"} & set(peek_shapes(path))
        except ValueError:
            return True
    return name.endswith(SUFFIXES)


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


@contextmanager
def _numpy_file(path: Path) -> Iterator[zipfile.ZipFile | IO[bytes]]:
    """A .npz or .npy opened; what is wrong inside becomes a ValueError that names the file."""
    try:
        with open(path, "rb") as file:
            magic = file.read(6)
            file.seek(0)
            if magic.startswith(b"PK"):
                with zipfile.ZipFile(file) as archive:
                    yield archive
            elif magic == b"\x93NUMPY":
                yield file
            else:
                raise ValueError("it is not a numpy file")
    except (*_DAMAGED, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        text = " ".join(str(error).split()) or "it is damaged"
        raise ValueError(f"{path}: {text}") from error


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    return {info.filename.removesuffix(".npy"): info for info in archive.infolist()}


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> np.ndarray:
    with archive.open(info) as file:
        return read_member(file, min(info.file_size, info.compress_size * _DEFLATE + 65536))


def peek_shapes(path: str | os.PathLike[str]) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in a .npy (named "") or .npz, by their headers alone."""
    shapes = {}
    with _numpy_file(Path(path)) as file:
        if not isinstance(file, zipfile.ZipFile):
            return {"": _header(file)[0]}
        for name, info in _members(file).items():
            with file.open(info) as member:
                shapes[name] = _header(member)[0]
    return shapes


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """The arrays in a .npy (named "") or .npz; sizes are checked before they are believed."""
    path = Path(path)
    with _numpy_file(path) as file:
        if not isinstance(file, zipfile.ZipFile):
            return {"": read_member(file, path.stat().st_size)}
        return {name: _member(file, info) for name, info in _members(file).items()}


def _header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:
        raise ValueError(f"unknown version {version} of the numpy format")
    try:
        shape, fortran, dtype = readers[version](file)
    except (SyntaxError, tokenize.TokenError, TypeError, RecursionError):
        raise ValueError("its header is damaged") from None
    if min(shape, default=0) < 0:
        raise ValueError(f"the header gives a negative size: {shape}")
    return shape, fortran, dtype


def read_member(file: IO[bytes], size: int) -> np.ndarray:
    """The array of a .npy of `size` bytes, its promises checked first."""
    shape, fortran, dtype = _header(file)
    if dtype.hasobject:
        raise ValueError("it holds Python objects, not numbers")
    count = math.prod(shape)
    promised, held = count * dtype.itemsize, size - file.tell()
    if promised > held:
        raise ValueError(
            f"the header promises {promised:,} bytes of data, but the file holds {held:,}; "
            f"it is truncated"
        )
    check_memory(3 * promised, "cpu", f"a volume of shape {shape}", argument="volume")
    data = bytearray(promised)
    view = memoryview(data)
    done = 0
    while done < promised:
        part = file.read(min(promised - done, 1 << 26))
        if not part:
            raise ValueError("the file ends within its data; it is truncated")
        view[done : done + len(part)] = part
        done += len(part)
    return np.frombuffer(data, dtype=dtype).reshape(shape, order="F" if fortran else "C")


def _read_numpy(path: Path, size: int, key: str | None) -> tuple[np.ndarray, np.ndarray]:
    shapes = peek_shapes(path)
    with _numpy_file(path) as file:
        if not isinstance(file, zipfile.ZipFile):
            return read_member(file, size), np.eye(4)
        members = _members(file)
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
            affine = _small(_member(file, members["affine"]), "affine", (4, 4))
        if "spacing" in members:
            steps = _member(file, members["spacing"]).astype(np.float64).reshape(-1)
            if steps.size not in (1, 3) or not (steps > 0).all():
                raise ValueError(f"spacing: expected one or three positive numbers, got {steps}")
            affine[:3, :3] = np.diag(np.broadcast_to(steps, 3))
        if "origin" in members:
            affine[:3, 3] = _small(_member(file, members["origin"]), "origin", (3,))
        return _member(file, members[key]), affine


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
        promised = math.prod(shape) * image.get_data_dtype().itemsize
        room = size * _DEFLATE if path.name.lower().endswith(".gz") else size
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
    except (*_DAMAGED, nibabel.filebasedimages.ImageFileError, OSError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise
        raise ValueError(f"{path}: {' '.join(str(error).split())}") from error
